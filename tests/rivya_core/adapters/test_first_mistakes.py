"""What newcomers get wrong first: each mistake is an error of the one tree that says what to do, in both frameworks."""

from __future__ import annotations

from typing import Any

import pytest
from both_frameworks import PACKAGES, url_of
from langchain_core.messages import HumanMessage
from llama_index.core.llms import ChatMessage, ImageBlock

from langchain_rivya import ChatRivya, RivyaCreditsHandler, RivyaImageTool
from llamaindex_rivya import Rivya, RivyaImageToolSpec
from rivya_core.errors import ConfigurationError, InvalidInputError, NotFoundError
from rivya_core.providers import GMI, RIVYA
from rivya_sandbox import Sandbox

EVERY_FRAMEWORK = pytest.mark.parametrize("framework", PACKAGES)


def account(sandbox: Sandbox) -> dict[str, Any]:
    return {"api_key": sandbox.api_key, "base_url": url_of(sandbox, RIVYA)}


def image_tool(framework: str, sandbox: Sandbox, **arguments: Any) -> Any:
    kind = RivyaImageTool if framework == "langchain" else RivyaImageToolSpec
    return kind(**account(sandbox), progress=False, **arguments)


@EVERY_FRAMEWORK
def test_an_unknown_model_is_named_as_such(framework: str, sandbox: Sandbox) -> None:
    """A 404 about a model does not send the reader to the base URL."""
    package, prefix = PACKAGES[framework]
    model = getattr(package, f"{prefix}GMI")(model="nope", api_key=sandbox.api_key, base_url=url_of(sandbox, GMI))

    with pytest.raises(NotFoundError, match=r"Check the model id; `\.models\(\)` lists"):
        model.invoke("Hi") if framework == "langchain" else model.complete("Hi")


@EVERY_FRAMEWORK
def test_one_prompt_is_not_a_batch_of_letters(framework: str, sandbox: Sandbox) -> None:
    """A text or a mapping where a list belongs orders nothing."""
    for prompts in ("A fox", {"prompt": "A fox"}):
        with pytest.raises(InvalidInputError, match=r"takes a list of prompts.*Nothing was sent"):
            image_tool(framework, sandbox).generate_many(prompts)
    assert sandbox.ledger() == []


@EVERY_FRAMEWORK
def test_a_typo_in_an_image_tools_argument_gets_the_near_match(framework: str, sandbox: Sandbox) -> None:
    with pytest.raises(ConfigurationError, match=r"has no argument `outputdir`; did you mean `output_dir`\?"):
        image_tool(framework, sandbox, outputdir="x")


@EVERY_FRAMEWORK
@pytest.mark.parametrize("option", ["aspect", "sizee"])
def test_an_agent_is_told_the_options_as_a_person_is(framework: str, option: str, sandbox: Sandbox) -> None:
    """An unknown option is answered with those that there are."""
    tool = image_tool(framework, sandbox)
    if framework == "langchain":
        told = tool.invoke({"prompt": "x", option: "1:1"})
    else:
        with pytest.raises(InvalidInputError) as caught:
            tool.to_tool_list(["generate_image"])[0].call(prompt="x", **{option: "1:1"})
        told = str(caught.value)

    assert f"`{option}`" in told
    assert "aspect_ratio, resolution" in told
    assert "Nothing was sent" in told


@pytest.mark.parametrize("named", ["./picture.png", "picture.png", "file:///tmp/picture.png"])
def test_a_path_in_a_message_is_not_a_url(named: str, sandbox: Sandbox) -> None:
    """The advice is to pass the bytes, not to allow fetching."""
    parts: list[str | dict[str, Any]] = [{"type": "image_url", "image_url": {"url": named}}]
    with pytest.raises(InvalidInputError) as caught:
        ChatRivya(**account(sandbox)).invoke([HumanMessage(parts)])

    assert "pass its bytes" in str(caught.value)
    assert "fetch_image_urls" not in str(caught.value)
    if "://" in named:  # LlamaIndex itself refuses the others
        with pytest.raises(InvalidInputError, match="pass its bytes"):
            Rivya(**account(sandbox)).chat([ChatMessage(blocks=[ImageBlock(url=named)])])


@EVERY_FRAMEWORK
@pytest.mark.parametrize(
    ("given", "ledger"), [("x.sqlite", r"SQLiteLedger\('x.sqlite'\)"), ("redis://:pw@host", r"RedisLedger\(url\)")]
)
def test_a_ledger_is_made_from_a_path(framework: str, given: str, ledger: str, sandbox: Sandbox) -> None:
    """The error names the class to use, and no password."""
    package, prefix = PACKAGES[framework]
    with pytest.raises(ConfigurationError, match=ledger) as caught:
        getattr(package, f"{prefix}Rivya")(**account(sandbox), session_ledger=given)

    assert "pw" not in str(caught.value)


@pytest.mark.parametrize("limit", [-1, "5", float("nan")])
def test_a_limit_is_a_number_of_credits(limit: Any) -> None:
    with pytest.raises(ConfigurationError, match="`limit` must be a number of credits"):
        RivyaCreditsHandler(limit=limit)
