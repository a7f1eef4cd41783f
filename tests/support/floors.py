"""Prints the lowest versions that `pyproject.toml` allows, as constraints for pip; `make test-lowest` installs them.

With `--tools` it prints what the tests need instead, without the suite that asks for a newer httpx than the packages do.
"""

import re
import sys
from pathlib import Path

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

FLOOR = re.compile(r"^(?P<name>[\w.-]+)(?:\[[\w,-]+\])?>=(?P<version>[\w.]+)")
SUITE_TOOLS = [
    "syrupy>=5,<6",
    "pytest-benchmark",
    "pytest-codspeed",
    "pytest-recording",
    "vcrpy>=8,<9",
    "numpy>=1.26.2",
]
"""What `langchain-tests` brings along."""


def floors(project):
    """Name and lowest version of every direct dependency, users' extras included."""
    wanted = [*project["dependencies"], *(one for extra in project["optional-dependencies"].values() for one in extra)]
    found = (FLOOR.match(requirement) for requirement in wanted)
    return [f"{match['name']}=={match['version']}" for match in found if match]


def tools(groups):
    """What the tests need, each with its own bounds."""
    return [*(one for one in groups["test"] if not one.startswith("langchain-tests")), *SUITE_TOOLS]


if __name__ == "__main__":
    settings = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))
    found = tools(settings["dependency-groups"]) if "--tools" in sys.argv else floors(settings["project"])
    sys.stdout.write("\n".join(dict.fromkeys(found)) + "\n")
