"""CONTRIBUTING's "Add a provider", followed step by step in a copy of the repository."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from rivya_core.providers import PROVIDERS

ROOT = Path(__file__).parents[2]
COPIED = ("rivya_core", "langchain_rivya", "llamaindex_rivya", "llama_index", "rivya_sandbox", "tests", "docs")
STEP = re.compile(r"^ *```python\n(?P<code> *# (?P<path>[\w/]+\.py)\n.*?)^ *```$", re.MULTILINE | re.DOTALL)
MOST_FILES = 6

USE = """
import os
from langchain.chat_models import init_chat_model
import langchain_rivya, llamaindex_rivya
from langchain_rivya import ChatAcme, register
from llamaindex_rivya import Acme
from llama_index.llms.rivya import Acme as Namespaced
from rivya_sandbox import serve

assert "ChatAcme" in langchain_rivya.__all__ and "ChatAcme" in dir(langchain_rivya)
assert "Acme" in llamaindex_rivya.__all__ and Namespaced is Acme
assert "ACME_API_KEY" in ChatAcme.__doc__ and "Tool calling:" in ChatAcme.__doc__
with serve() as sandbox:
    os.environ |= {"ACME_API_KEY": sandbox.api_key, "ACME_BASE_URL": sandbox.openai_url}
    register()
    for model in (ChatAcme(model="gpt-5.2"), init_chat_model("acme:gpt-5.2")):
        assert model.invoke("What is 6 times 7?").text == "6 times 7 = 42"
    assert Acme(model="gpt-5.2", max_tokens=50).complete("What is 6 times 7?").text == "6 times 7 = 42"
    assert "max_completion_tokens" in sandbox.journal.requests[-1].body
"""


def steps() -> list[tuple[str, str]]:
    """The files that the steps name, with what is added to each."""
    page = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    section = page.partition("### Add a provider")[2].partition("\n### ")[0]
    return [(found["path"], textwrap.dedent(found["code"])) for found in STEP.finditer(section)]


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The repository with one more provider."""
    copy = tmp_path_factory.mktemp("repository")
    for name in COPIED:
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "CONTRIBUTING.md", "README.md", "CHANGELOG.md"):
        shutil.copy(ROOT / name, copy / name)
    for path, code in steps():
        lines = [
            line for line in code.splitlines() if not line.startswith("from rivya_core.providers import PROVIDERS")
        ]
        own = re.search(r"^class (\w+)", code, re.MULTILINE)
        listed = f'from rivya_core.providers import ACME\n__all__ += ["{own[1]}"]\n' if own else ""
        with (copy / path).open("a", encoding="utf-8") as file:
            file.write(f"\n\n{listed}{chr(10).join(lines)}\n")
    return copy


def run(copy: Path, *command: str) -> str:
    """Run Python in the copy, whose packages win over the installed ones."""
    environment = {**os.environ, "PYTHONPATH": str(copy)}
    done = subprocess.run(
        [sys.executable, *command], cwd=copy, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_steps_name_few_files() -> None:
    """The three of the code, the snapshot that is written, and two pages."""
    section = (
        (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").partition("### Add a provider")[2].partition("\n### ")[0]
    )
    named = {
        name
        for name in re.findall(r"`([\w/.]+)`", section)
        if (ROOT / name).exists() and name != "tests/langchain_rivya"
    }

    assert {path for path, _ in steps()} < named
    assert len(named) <= MOST_FILES


def test_the_new_provider_works_in_both_frameworks(copied: Path) -> None:
    """Exports, registration, docstrings and calls need nothing more than the steps."""
    run(copied, "-c", USE)


def test_the_suites_take_the_new_provider_up(copied: Path) -> None:
    """LangChain's, ours for LlamaIndex, and those of what both packages share."""
    quick = ("-q", "-p", "no:cacheprovider", "-n", "0", "--snapshot-update")
    chosen = "AcmeUnit or (AcmeIntegration and (invoke or stream))"
    said = run(copied, "-m", "pytest", "tests/langchain_rivya/test_standard_compatible.py", "-k", chosen, *quick)
    assert re.search(r"\.\.\.\.", said)
    points = ["p01_surface", "p04_tool_calls", "p10_secrets"]
    files = [f"tests/llamaindex_rivya/conformance/test_{point}.py" for point in points]
    files += ["tests/rivya_core/adapters/test_arguments.py", "tests/rivya_core/adapters/test_pickles.py"]
    assert re.search(r"\.\.\.\.", run(copied, "-m", "pytest", *files, "-k", "Acme", *quick))


@pytest.mark.parametrize("provider", PROVIDERS, ids=lambda provider: provider.name)
def test_every_providers_variables_are_documented(provider: object) -> None:
    page = (ROOT / "docs/reference/environment.md").read_text(encoding="utf-8")
    for variable in (provider.key_variable, provider.url_variable, provider.stored_headers_variable):
        assert not variable or f"`{variable}`" in page
