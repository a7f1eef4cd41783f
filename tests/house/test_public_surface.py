"""What is public: named in one place, importable, described, and versioned with the changelog."""

from __future__ import annotations

import importlib
import inspect
import re
from importlib.metadata import metadata, requires, version
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from langchain_core.tools import BaseTool

import langchain_rivya
import llamaindex_rivya
import rivya_sandbox
from rivya_core import __version__
from rivya_core.providers import PROVIDERS

ROOT = Path(__file__).parent.parent.parent

ERRORS = """
    APIError ResponseLostError AuthenticationError BadRequestError BudgetExceededError ConfigurationError ConflictError
    APIConnectionError ContextOverflowError ContextTooLongError CreditLimitError HistoryMismatchError
    IdempotencyConflictError InsufficientCreditsError InvalidResponseError InvalidInputError LedgerError NotFoundError
    NotSupportedError OutputError PermissionDeniedError RateLimitError RefusalError RivyaError ServerError SessionConflictError
    StreamBrokenError
    TaskError TaskFailedError TaskInterruptedError TaskTimeoutError APITimeoutError ServiceUnavailableError
""".split()
SHARED = """
    BatchReport FetchRules GeneratedImage ImageBatch MemoryLedger ModelEntry RedisLedger ResumableBatch RivyaCreditsHandler SQLiteLedger
    SQLiteTaskStore SessionTimeline SharedRateLimiter
""".split()
SURFACE: dict[ModuleType, list[str]] = {
    langchain_rivya: [
        *ERRORS,
        *SHARED,
        *(f"Chat{provider.class_name}" for provider in PROVIDERS),
        *"RivyaImageStatusTool RivyaImageTool".split(),
        *"RivyaWaitForImageTool register".split(),
    ],
    llamaindex_rivya: [
        *ERRORS,
        *SHARED,
        *(provider.class_name for provider in PROVIDERS),
        *"RefusalBlock RivyaImageProgressEvent RivyaImageToolSpec".split(),
    ],
    rivya_sandbox: """
        Answer Attachment Call Completion DIALECTS Dialect Entry Exchange Fault Journal Message Model ModelRequest Sandbox Served StandIn Tool Turn Upstream Wire serve unfold
    """.split(),
}
NAMES = [(module, name) for module, names in SURFACE.items() for name in names]
EVERY_PACKAGE = pytest.mark.parametrize("module", SURFACE, ids=lambda module: module.__name__)
EVERY_NAME = pytest.mark.parametrize(("module", "name"), NAMES, ids=[f"{m.__name__}.{n}" for m, n in NAMES])


@EVERY_PACKAGE
def test_the_public_names_are_these(module: ModuleType) -> None:
    """A name that comes or goes is a decision, made here too."""
    assert sorted(module.__all__) == sorted(SURFACE[module])
    assert len(set(module.__all__)) == len(module.__all__)
    assert set(dir(module)) >= set(module.__all__)


@EVERY_NAME
def test_every_public_name_can_be_imported(module: ModuleType, name: str) -> None:
    assert getattr(importlib.import_module(module.__name__), name) is getattr(module, name)


@EVERY_PACKAGE
def test_an_unknown_name_is_an_attribute_error(module: ModuleType) -> None:
    with pytest.raises(AttributeError, match="Nothing"):
        module.Nothing  # noqa: B018


def described(thing: Any) -> bool:
    return bool(thing.__doc__ and thing.__doc__.strip())


def own_methods(kind: type) -> dict[str, Any]:
    """The public methods and properties that a class defines itself."""
    members = {name: member for name, member in vars(kind).items() if not name.startswith("_")}
    kinds = (property, staticmethod, classmethod)
    return {name: member for name, member in members.items() if inspect.isfunction(member) or isinstance(member, kinds)}


@EVERY_NAME
def test_every_public_thing_is_described(module: ModuleType, name: str) -> None:
    """Classes and functions, and what the classes define; overridden hooks inherit theirs."""
    thing = getattr(module, name)
    if not (inspect.isclass(thing) or inspect.isfunction(thing)):
        return
    silent = [
        method
        for method, member in (own_methods(thing) if inspect.isclass(thing) else {}).items()
        if not described(member) and not any(hasattr(base, method) for base in thing.__bases__)
    ]

    assert described(thing)
    assert not silent


def test_both_image_tools_take_the_same_arguments() -> None:
    """A field in LangChain, and in LlamaIndex a parameter that the docstring describes."""
    tool, spec = langchain_rivya.RivyaImageTool, llamaindex_rivya.RivyaImageToolSpec
    fields = tool.model_fields.keys() - BaseTool.model_fields.keys()
    parameters = inspect.signature(spec).parameters

    assert fields == parameters.keys()
    assert [name for name in parameters if f"        {name}: " not in (spec.__doc__ or "")] == []


def test_the_version_is_the_changelogs() -> None:
    """One version: the distribution's, the one that is sent, and the top entry of the changelog."""
    top = re.search(r"^## \[?(\d+\.\d+\.\d+\S*?)\]?(?: |$)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)

    assert top is not None
    assert top[1] == __version__ == version("rivya-integrations")


def names_of(requirements: list[str]) -> set[str]:
    return {re.split(r"[\s<>=!~;\[(]", requirement)[0].lower() for requirement in requirements}


def extra(name: str) -> set[str]:
    return names_of(
        [line for line in requires("rivya-integrations") or [] if f'extra == "{name}"' in line.replace("'", '"')]
    )


def test_the_base_install_brings_httpx_and_pydantic_alone() -> None:
    assert names_of([line for line in requires("rivya-integrations") or [] if "extra" not in line]) == {
        "httpx",
        "pydantic",
    }


def test_no_extra_brings_the_other_framework() -> None:
    assert extra("langchain") == {"langchain-core", "jsonschema"}
    assert extra("llamaindex") == {"llama-index-core", "jsonschema"}
    assert not {"langchain-core", "llama-index-core"} & (extra("sandbox") | extra("redis") | extra("notebooks"))


def test_the_oldest_python_is_named() -> None:
    assert metadata("rivya-integrations")["Requires-Python"] == ">=3.10"


@pytest.mark.parametrize("package", ["rivya_core", "langchain_rivya", "llamaindex_rivya", "rivya_sandbox"])
def test_every_package_says_that_it_is_typed(package: str) -> None:
    assert (ROOT / package / "py.typed").exists()
