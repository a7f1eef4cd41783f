"""A feature whose extra is not installed raises an error that names the extra."""

import subprocess
import sys

import pytest

LACKING = """
import sys
sys.modules[{missing!r}] = None
try:
    from {package} import {name}
except ModuleNotFoundError as error:
    print(error)
"""


@pytest.mark.parametrize(
    ("package", "name", "missing", "extra"),
    [
        ("langchain_rivya", "ChatRivya", "langchain_core", "langchain"),
        ("llamaindex_rivya", "Rivya", "llama_index.core", "llamaindex"),
        ("rivya_sandbox", "serve", "uvicorn", "sandbox"),
        ("rivya_sandbox", "Sandbox", "starlette", "sandbox"),
    ],
)
def test_what_is_not_installed_is_named_with_its_extra(package, name, missing, extra):
    """The message holds the command to type."""
    script = LACKING.format(package=package, name=name, missing=missing)
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout

    assert missing in said
    assert f"pip install 'rivya-integrations[{extra}]'" in said
