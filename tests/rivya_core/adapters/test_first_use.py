"""The first use of a class builds its schema: at once in many threads, and as a field of another pydantic model."""

from __future__ import annotations

import subprocess
import sys

import pytest
from both_frameworks import ALL_CLASSES, PACKAGES

THREADS = """
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from {package} import {name}
barrier = Barrier(16)
def make(number):
    barrier.wait()
    return {name}(model=f"m{{number}}", api_key="sk-0123456789", base_url="http://h/v1", max_retries=number)
with ThreadPoolExecutor(16) as pool:
    made = list(pool.map(make, range(16)))
assert [model.max_retries for model in made] == list(range(16))
assert all(type(model) is {name} for model in made)
"""
FIELD = """
from pydantic import BaseModel, ConfigDict
from {package} import {name}
class Settings(BaseModel):
    model_config = ConfigDict(arbitrary_types_allowed=True)
    model: {name}
made = {name}(model="m", api_key="sk-0123456789", base_url="http://h/v1")
assert Settings(model=made).model is made
assert {name}.model_fields["timeout"]
"""
every_class = pytest.mark.parametrize(
    ("package", "name"),
    [(package.__name__, prefix + name) for package, prefix in PACKAGES.values() for name in ALL_CLASSES],
)


@every_class
@pytest.mark.parametrize("script", [THREADS, FIELD], ids=["threads", "field"])
def test_the_first_use_works(package: str, name: str, script: str) -> None:
    """In a new process, where nothing has built the class before."""
    code = script.format(package=package, name=name)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
