"""Writes the reference's pages before the site is built: one for each public name, and the tables of all arguments.

`make docs` calls it. The pages are not in git. A page of a class holds only a name, which mkdocstrings fills from the
docstrings. `--navigation` also writes the menu into `zensical.toml`, for a new public name.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import re
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import ModuleType

import langchain_rivya
import llamaindex_rivya
import rivya_sandbox
from langchain_rivya.chat_models.base import HTTPChatModel
from langchain_rivya.tools.base import ImageToolBase
from llamaindex_rivya.llms.openai_base import BaseOpenAILLM
from llamaindex_rivya.llms.rivya import Rivya
from rivya_core import errors
from rivya_core.adapters.connection import Connection
from rivya_core.adapters.exports import SHARED
from rivya_core.adapters.openai_fields import OpenAIFields
from rivya_core.adapters.rivya_fields import RivyaFields
from rivya_core.providers import PROVIDERS

FOLDER = Path(__file__).parents[2] / "docs" / "reference"
CONFIG = FOLDER.parents[1] / "zensical.toml"
REFERENCE = re.compile(r'  \{ "Reference" = \[\n.*?\n  \] \},\n', re.DOTALL)
FOLDERS: dict[str, tuple[ModuleType, str]] = {
    "langchain": (
        langchain_rivya,
        "Import these names from `langchain_rivya`. The chat classes share their [arguments](../arguments.md). The\n"
        "[shared names](../shared/index.md) and the [errors](../errors.md) are in the same package.",
    ),
    "llamaindex": (
        llamaindex_rivya,
        "Import these names from `llamaindex_rivya`. The models are in `llama_index.llms.rivya`, too, and the image tools\n"
        "in `llama_index.tools.rivya`. The models share their [arguments](../arguments.md). The\n"
        "[shared names](../shared/index.md) and the [errors](../errors.md) are in the same package.",
    ),
    "shared": (
        langchain_rivya,
        "These names are the same in `langchain_rivya` and `llamaindex_rivya`. The [errors](../errors.md) are in both\n"
        "packages, too.",
    ),
    "sandbox": (
        rivya_sandbox,
        "Import these names from `rivya_sandbox`. The guide is [The sandbox](../../guides/sandbox.md).",
    ),
}
TITLES = {"langchain": "LangChain", "llamaindex": "LlamaIndex", "shared": "Shared names", "sandbox": "Sandbox"}
INHERITED = {
    "Image": "generate_many agenerate_many resume aresume pending apending credits acredits refresh arefresh add_image",
    "Credits": "credits total by_model by_run timeline",
    "chat": "credits acredits models amodels",
}
"""What a page shows of the classes that a class inherits from."""
TABLES: tuple[tuple[str, str, tuple[type, ...]], ...] = (
    ("All chat classes", "", (Connection,)),
    (
        "OpenAI-compatible classes",
        "`ChatEvolink`, `ChatGMI`, `ChatOpenAICompatible`; `Evolink`, `GMI`, `OpenAICompatible`.",
        (OpenAIFields,),
    ),
    ("Rivya", "`ChatRivya`; `Rivya`.", (RivyaFields,)),
    ("LangChain", "The chat classes also take the arguments of LangChain's `BaseChatModel`.", (HTTPChatModel,)),
    (
        "LlamaIndex: `Evolink`, `GMI`, `OpenAICompatible`",
        "The models also take the arguments of LlamaIndex's `LLM`.",
        (BaseOpenAILLM,),
    ),
    ("LlamaIndex: `Rivya`", "It also takes the arguments of LlamaIndex's `LLM`.", (Rivya,)),
    (
        "Image tools",
        "`RivyaImageTool`, which also takes the arguments of LangChain's `BaseTool`; `RivyaImageToolSpec`.",
        (ImageToolBase,),
    ),
)


def names_of(folder: str) -> list[str]:
    """The public names that have a page in *folder*, in the order of the overview."""
    if folder == "shared":
        return sorted(SHARED)
    names = [name for name in FOLDERS[folder][0].__all__ if name not in {*SHARED, *errors.__all__}]
    chats = [name for provider in PROVIDERS for name in names if name.removeprefix("Chat") == provider.class_name]
    return [*chats, *(name for name in names if name not in chats and not name.isupper())]


def pages() -> dict[str, str]:
    """Return every page by its path."""
    found = {"arguments.md": arguments(), "errors.md": error_tree()}
    for folder in FOLDERS:
        names = names_of(folder)
        found[f"{folder}/index.md"] = overview(folder, names)
        found |= {f"{folder}/{name}.md": page(folder, name) for name in names}
    return found


def overview(folder: str, names: Iterable[str]) -> str:
    """The page that lists the names of a folder."""
    rows = "".join(f"| [`{name}`]({name}.md) | {summary(folder, name)} |\n" for name in names)
    what = TITLES[folder]
    return (
        f"{head(f'Public names: {what}.')}# {what}\n\n{FOLDERS[folder][1]}\n\n"
        f"| name | what it does |\n|---|---|\n{rows}"
    )


def page(folder: str, name: str) -> str:
    """The page of one name."""
    package = FOLDERS[folder][0]
    public = getattr(package, name)
    chat = isinstance(public, type) and issubclass(public, Connection)
    kind = next((word for word in INHERITED if word in name), "chat" if chat else "")
    options = ["show_root_heading: false", "show_root_toc_entry: false"]
    options += [f"inherited_members: [{', '.join(INHERITED[kind].split())}]"] if kind else []
    options += ["inherited_members: true"] if name == "Sandbox" else []
    options += ["force_inspection: true"] if chat else []  # docstrings of providers are made from their data
    listed = "".join(f"      {option}\n" for option in options)
    where = "`langchain_rivya` or `llamaindex_rivya`" if folder == "shared" else f"`{package.__name__}`"
    arguments_too = " The table of all arguments is in [Arguments](../arguments.md)." if chat or kind == "Image" else ""
    return (
        f"{head(summary(folder, name))}# {name}\n\n"
        f"Import it from {where}.{arguments_too}\n\n::: {public.__module__}.{name}\n    options:\n{listed}"
    )


def summary(folder: str, name: str) -> str:
    """The first paragraph of the docstring, in one line."""
    first = inspect.cleandoc(getattr(FOLDERS[folder][0], name).__doc__ or "").split("\n\n")[0]
    return " ".join(first.split())


def head(description: str) -> str:
    """The metadata of a page; JSON is also YAML."""
    return f"---\ndescription: {json.dumps(description, ensure_ascii=False)}\n---\n"


def arguments() -> str:
    """The page of all arguments."""
    intro = (
        f"{head('Every argument of the chat classes and the image tools.')}# Arguments\n\n"
        "The chat classes of both frameworks take the same arguments, by name. A call may override those of the API by "
        "keyword, and\ntakes `extra_headers`, `extra_query`, `timeout` and `idempotency_key`, too. An argument that is not "
        "set is not sent.\n"
    )
    return intro + "".join(_section(title, text, owners) for title, text, owners in TABLES)


def _section(title: str, text: str, owners: Iterable[type]) -> str:
    rows = {name: row for owner in owners for name, row in rows_of(owner).items()}
    lines = "".join(f"| `{name}`{default} | {meaning} |\n" for name, (default, meaning) in rows.items())
    said = f"{text}\n\n" if text else ""
    return f"\n## {title}\n\n{said}| argument | meaning |\n|---|---|\n{lines}"


def rows_of(owner: type) -> Mapping[str, tuple[str, str]]:
    """The default and the meaning of each argument that a class declares itself."""
    module = importlib.import_module(owner.__module__)
    tree = ast.parse(inspect.getsource(module))
    body = next(node.body for node in tree.body if isinstance(node, ast.ClassDef) and node.name == owner.__name__)
    rows: dict[str, tuple[str, str]] = {}
    for node, after in zip(body, [*body[1:], ast.Pass()], strict=True):
        if (
            isinstance(node, ast.AnnAssign)
            and isinstance(node.target, ast.Name)
            and node.target.id in owner.model_fields
        ):
            name = node.target.id
            beside = owner.model_fields[name].description or ""
            told = (
                after.value.value if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant) else beside
            )
            rows[name] = (_default(owner, name), " ".join(str(told).split()).replace("|", r"\|"))
    return rows


def _default(owner: type, name: str) -> str:
    field = owner.model_fields[name]
    value = field.get_default(call_default_factory=True) if not field.is_required() else None
    plain = isinstance(value, (bool, int, float, str)) and value != ""
    return f"<br>default `{value!r}`" if plain else ""


def error_tree() -> str:
    """The page of the errors: their tree as a list, then each of them."""
    intro = (
        f"{head('The tree of error classes, and what each of them means.')}# Errors\n\nThe same names are in `langchain_rivya` "
        "and `llamaindex_rivya`. In LangChain, each error is also the matching `ModelError`.\nThe guide is "
        "[Errors and retries](../guides/errors.md).\n\n"
    )
    tree = list(_branch(errors.RivyaError, 0))
    listed = "".join(
        f"{'    ' * depth}- [`{kind.__name__}`][rivya_core.errors.{kind.__name__}]: {_meaning(kind)}\n"
        for kind, depth in tree
    )
    described = "".join(f"\n::: rivya_core.errors.{kind.__name__}\n" for kind, _ in tree)
    return f"{intro}{listed}{described}"


def _branch(kind: type[errors.RivyaError], depth: int) -> Iterator[tuple[type[errors.RivyaError], int]]:
    yield kind, depth
    for child in kind.__subclasses__():
        if child.__module__ == errors.__name__ and child.__base__ is kind:
            yield from _branch(child, depth + 1)


def _meaning(kind: type) -> str:
    return " ".join(inspect.cleandoc(kind.__doc__ or "").split("\n\n")[0].split())


def navigation() -> str:
    """The reference's part of the navigation in `zensical.toml`."""
    groups = {
        folder: f'    {{ "{TITLES[folder]}" = [\n      "reference/{folder}/index.md",\n'
        + "".join(f'      {{ "{name}" = "reference/{folder}/{name}.md" }},\n' for name in names_of(folder))
        + "    ] },\n"
        for folder in FOLDERS
    }
    single = {
        name: f'    {{ "{name}" = "reference/{name.split()[0].lower()}.md" }},\n'
        for name in ("Arguments", "Errors", "Environment variables")
    }
    return "".join(
        [
            '  { "Reference" = [\n',
            groups["langchain"],
            groups["llamaindex"],
            groups["shared"],
            single["Arguments"],
            single["Errors"],
            groups["sandbox"],
            single["Environment variables"],
            "  ] },\n",
        ]
    )


def main() -> None:
    """Write all pages."""
    if "--navigation" in sys.argv:
        config = CONFIG.read_text(encoding="utf-8")
        CONFIG.write_text(REFERENCE.sub(lambda _: navigation(), config), encoding="utf-8")
    for folder in FOLDERS:
        shutil.rmtree(FOLDER / folder, ignore_errors=True)
        (FOLDER / folder).mkdir()
    for path, text in pages().items():
        (FOLDER / path).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
