"""The reference has a page for each public name and a row for each argument, made by `reference_pages.py`."""

import inspect
import re
from pathlib import Path

import pytest
import reference_pages

import langchain_rivya
import llamaindex_rivya
import rivya_core
import rivya_sandbox
from rivya_core import errors
from rivya_core.adapters.connection import Connection
from rivya_core.providers import PROVIDERS
from rivya_sandbox.model.upstream import VARIABLE

PAGES = reference_pages.pages()


@pytest.mark.parametrize("package", [langchain_rivya, llamaindex_rivya, rivya_sandbox], ids=lambda each: each.__name__)
def test_every_public_name_has_a_page(package):
    """Errors share a page, which is their tree; constants are described where they are used."""
    names = {name for name in package.__all__ if not name.isupper()} - set(errors.__all__)
    pages = {Path(path).stem for path in PAGES}

    assert names <= pages
    assert all(f"::: {module_of(package, name)}.{name}\n" in "".join(PAGES.values()) for name in names)


def module_of(package, name):
    return getattr(package, name).__module__


def test_the_menu_has_every_page():
    """`python tests/support/reference_pages.py --navigation` writes it."""
    assert reference_pages.navigation() in reference_pages.CONFIG.read_text(encoding="utf-8")


CHATS = [
    getattr(package, name)
    for package in (langchain_rivya, llamaindex_rivya)
    for name in package.__all__
    if isinstance(getattr(package, name), type) and issubclass(getattr(package, name), Connection)
]


@pytest.mark.parametrize("kind", CHATS, ids=lambda kind: kind.__name__)
def test_every_argument_of_a_chat_class_has_a_row(kind):
    """Arguments that are a framework's own are described there."""
    own = {
        name
        for base in kind.__mro__
        if base.__module__.split(".")[0] in {"rivya_core", "langchain_rivya", "llamaindex_rivya"}
        for name in inspect.get_annotations(base)
        if name in kind.model_fields
    }
    rows = {name: row for _, _, owners in reference_pages.TABLES for one in owners for name, row in rows_of(one)}

    assert own <= rows.keys()


def rows_of(owner):
    return reference_pages.rows_of(owner).items()


@pytest.mark.parametrize("owner", [owner for _, _, owners in reference_pages.TABLES for owner in owners])
def test_every_argument_says_what_it_means(owner):
    """A name alone is no documentation."""
    assert [name for name, (_, meaning) in rows_of(owner) if not meaning] == []


def test_every_argument_of_the_image_tools_is_described():
    """The two tools take the same arguments; LlamaIndex's are described in its docstring, too."""
    rows = dict(rows_of(reference_pages.ImageToolBase))
    spec = set(inspect.signature(llamaindex_rivya.RivyaImageToolSpec.__init__).parameters) - {"self"}

    assert spec <= rows.keys()
    assert all(f"{name}:" in llamaindex_rivya.RivyaImageToolSpec.__doc__ for name in spec)


def test_the_table_of_environment_variables_is_complete():
    """Each variable that the packages read has a row, and each row names a variable that they read."""
    folders = [Path(one.__file__).parent for one in (rivya_core, langchain_rivya, llamaindex_rivya, rivya_sandbox)]
    source = "".join(path.read_text(encoding="utf-8") for folder in folders for path in folder.rglob("*.py"))
    read = set(re.findall(r'"((?:RIVYA|EVOLINK|GMI|COMPATIBLE)_[A-Z_]+)"', source))
    read |= {provider.stored_headers_variable for provider in PROVIDERS}
    read |= {f"{VARIABLE}_KEY", f"{VARIABLE}_MODEL"}
    table = (Path(__file__).parents[2] / "docs/reference/environment.md").read_text(encoding="utf-8")
    rows = {
        name
        for row in table.splitlines()
        if row.startswith("| `")
        for name in re.findall(r"`(\w+)`", row.split("|")[1])
    }

    assert read == rows
