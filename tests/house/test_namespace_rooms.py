"""LlamaIndex's namespace packages are everybody's: no `__init__.py` of ours may stand above our own rooms."""

from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_only_our_rooms_have_modules() -> None:
    """An `__init__.py` further up would hide LlamaIndex itself in an editable installation."""
    modules = {str(path.relative_to(ROOT)) for path in (ROOT / "llama_index").rglob("*.py")}

    assert modules == {"llama_index/llms/rivya/__init__.py", "llama_index/tools/rivya/__init__.py"}
