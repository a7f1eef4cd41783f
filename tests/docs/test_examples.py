"""The code in README and guides runs, page by page, on the sandbox; so what is shown is what works."""

import os
import re
from pathlib import Path

import pytest
from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
CODE = [page for page in PAGES if re.search(r"^\s*```python", page.read_text(encoding="utf-8"), re.MULTILINE)]


@pytest.mark.filterwarnings("ignore::pydantic.PydanticDeprecationWarning")  # LlamaIndex's agents ask for it
@pytest.mark.parametrize("page", CODE, ids=lambda page: page.stem)
def test_the_code_of_a_page_runs_from_top_to_bottom(page, service, capsys):
    """Each block continues the one before it; assertions in them hold."""
    examples = list(Sybil(parsers=[PythonCodeBlockParser()]).parse(page))
    for example in examples:
        example.evaluate()

    assert examples
    assert service.api_key not in capsys.readouterr().out


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
        assert (page.parent / target).exists(), f"{os.path.relpath(page, ROOT)} links to {target}"
