"""Runs a prose linter over README and docs, code left out; `make check` calls it. It ends with 1 if it finds anything."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from proselint.checks import __register__
from proselint.config import DEFAULT
from proselint.registry import CheckRegistry
from proselint.tools import LintFile

ROOT = Path(__file__).parents[2]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
OFF = ("typography", "annotations", "restricted", "dates_times")
"""Straight quotes and three dots are how these pages are typed; the others take code words for prose."""
CODE = re.compile(r"```.*?```|`[^`]*`|\]\([^)]*\)|<[^>]*>", re.DOTALL)


def blanked(text: str) -> str:
    """The text with code and link targets blank, so that lines stay as they are."""
    return CODE.sub(lambda match: re.sub(r"\S", "·", match[0]), text)


def main() -> int:
    """Print what is found, a line each, and return how much it is."""
    registry = CheckRegistry()
    registry.register_many(__register__)
    config = {**DEFAULT, "checks": {**DEFAULT["checks"], **dict.fromkeys(OFF, False)}}
    count = 0
    for page in PAGES:
        for found in LintFile(str(page.relative_to(ROOT)), blanked(page.read_text(encoding="utf-8"))).lint(config):
            count += 1
            print(f"{page.relative_to(ROOT)}:{found.pos[0]}: {found.check_result.message}")  # noqa: T201
    return count


if __name__ == "__main__":
    sys.exit(bool(main()))
