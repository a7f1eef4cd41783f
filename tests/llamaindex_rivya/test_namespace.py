"""LlamaIndex's users import integrations from its own namespace; ours are there too, beside everybody else's."""

from importlib import import_module

import pytest

import llamaindex_rivya
from rivya_core.providers import PROVIDERS

ROOMS = {
    "llama_index.llms.rivya": {provider.class_name for provider in PROVIDERS},
    "llama_index.tools.rivya": {"RivyaImageToolSpec"},
}


@pytest.mark.parametrize("room", ROOMS)
def test_the_namespace_has_the_very_classes(room):
    """`from llama_index.llms.rivya import Rivya` gives the same class as `llamaindex_rivya`."""
    module = import_module(room)

    assert set(module.__all__) == ROOMS[room]
    assert all(getattr(module, name) is getattr(llamaindex_rivya, name) for name in ROOMS[room])


def test_the_namespace_stays_open_for_other_integrations():
    """No `__init__.py` exists above the packages; one of ours would hide LlamaIndex itself."""
    assert import_module("llama_index.core").__file__
    assert import_module("llama_index.llms").__file__ is None
    assert import_module("llama_index.tools").__file__ is None
