"""The code in the docstrings of public classes runs, one block after the other, on the sandbox."""

import ast
import asyncio
import inspect
import re
import textwrap

import pytest

import langchain_rivya
import llamaindex_rivya
import rivya_sandbox

OWN = '"http://localhost:8000/v1"'
BLOCK = re.compile(r"(?ms)^\s*```python\n(.*?)^\s*```$")
DOCUMENTED = {
    f"{package.__name__}.{name}": inspect.cleandoc(getattr(package, name).__doc__ or "")
    for package in (langchain_rivya, llamaindex_rivya, rivya_sandbox)
    for name in package.__all__
    if callable(getattr(package, name))
}
WITH_CODE = {name: text for name, text in DOCUMENTED.items() if BLOCK.search(text)}


@pytest.mark.filterwarnings("ignore::pydantic.PydanticDeprecationWarning")  # LlamaIndex's agents ask for it
@pytest.mark.parametrize("name", WITH_CODE)
def test_the_code_of_a_docstring_runs(name, service):
    """A block continues the one before it and may await; a server of one's own is the sandbox."""
    asyncio.run(_run(WITH_CODE[name], service))


async def _run(text, sandbox):
    known = {}
    for block in BLOCK.findall(text):
        code = textwrap.dedent(block).replace(OWN, f'"{sandbox.openai_url}", api_key="{sandbox.api_key}"')
        code = code.replace('"qwen3"', '"gpt-5.2"')  # what the sandbox has
        made = eval(compile(code, "docstring", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT), known)
        if inspect.iscoroutine(made):
            await made


@pytest.mark.parametrize("name", langchain_rivya.chat_models.__all__)
def test_chat_models_are_described_as_langchain_describes_its_own(name):
    """Setup, key arguments, and every way to call, under LangChain's headings."""
    text = DOCUMENTED[f"langchain_rivya.{name}"]
    wanted = ["Setup", "Key init args", "Instantiate", "Invoke", "Stream", "Async", "Token usage", "Response metadata"]
    if name != "ChatRivya":  # which has neither, and says so
        wanted += ["Tool calling", "Structured output"]

    assert [heading for heading in wanted if f"\n{heading}:\n" not in text] == []


@pytest.mark.parametrize("name", DOCUMENTED)
def test_everything_public_is_described(name):
    """No public name without a docstring of its own."""
    assert DOCUMENTED[name]
