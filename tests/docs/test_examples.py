"""The code in README and guides runs, page by page, on the sandbox; so what is shown is what works."""

import os
import re
from pathlib import Path

import pytest
import reference_pages
from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
MADE = {reference_pages.FOLDER / path for path in reference_pages.pages()}
PAGES = [page for page in PAGES if page not in MADE]
CODE = [page for page in PAGES if re.search(r"^\s*```python", page.read_text(encoding="utf-8"), re.MULTILINE)]
TAB = re.compile(r'^=== "([^"]+)"\n((?: {4}.*\n|\n)*)', re.MULTILINE)
FRAMEWORKS = {"LangChain": ("LangChain", "LangGraph"), "LlamaIndex": ("LlamaIndex",)}
"""The tabs that a reader of each framework follows."""


def as_read_by(framework, page):
    """The text of a page without the other framework's tabs; lines stay where they are."""

    def kept(tab):
        return tab[0] if tab[1] in FRAMEWORKS[framework] else "\n" * tab[0].count("\n")

    return TAB.sub(kept, page.read_text(encoding="utf-8"))


@pytest.mark.filterwarnings("ignore::pydantic.PydanticDeprecationWarning")  # LlamaIndex's agents ask for it
@pytest.mark.parametrize("framework", FRAMEWORKS)
@pytest.mark.parametrize("page", CODE, ids=lambda page: page.stem)
def test_the_code_of_a_page_runs_from_top_to_bottom(page, framework, service, capsys, tmp_path):
    """Each block continues the one before it, in the tabs of one framework; assertions in them hold."""
    text = as_read_by(framework, page)
    if framework == "LlamaIndex" and not TAB.search(page.read_text(encoding="utf-8")):
        pytest.skip("a page without tabs is read once")
    path = tmp_path / page.name
    path.write_text(text, encoding="utf-8")
    examples = list(Sybil(parsers=[PythonCodeBlockParser()]).parse(path))
    for example in examples:
        example.evaluate()

    assert examples
    assert service.api_key not in capsys.readouterr().out


@pytest.mark.parametrize("page", CODE, ids=lambda page: page.stem)
def test_guides_speak_to_both_frameworks(page):
    """Code under a framework's tab has its twin under the other's, and code without a tab names neither framework."""
    text = page.read_text(encoding="utf-8")
    tabs = [framework for label, _ in TAB.findall(text) for framework, own in FRAMEWORKS.items() if label in own]

    assert tabs == [*FRAMEWORKS] * (len(tabs) // 2)
    if page.parent.name == "guides" and page.stem != "migrating":  # which has a part for each
        assert not re.search(r"langchain_rivya|llamaindex_rivya", code_of(TAB.sub("", text)))


def code_of(text):
    return "\n".join(re.findall(r"(?s)```python\n(.*?)```", text))


def test_every_guide_has_code_that_runs():
    """A guide without an example would be words only."""
    guides = {page.stem for page in PAGES if page.parent.name == "guides"}

    assert guides <= {page.stem for page in CODE}
    assert ROOT / "README.md" in CODE


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_lead_somewhere(page):
    """A link to a file of the repository names one that is there."""
    text = re.sub(r"(?s)```.*?```", "", page.read_text(encoding="utf-8"))
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text):
        path = (page.parent / target).resolve()
        assert path.exists() or path in MADE, f"{os.path.relpath(page, ROOT)} links to {target}"
