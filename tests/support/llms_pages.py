"""Writes `llms.txt` (an index of the pages) and `llms-full.txt` (all their text) into the built site."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import tomllib

ROOT = Path(__file__).parents[2]
CONFIG = tomllib.loads((ROOT / "zensical.toml").read_text(encoding="utf-8"))["project"]
DESCRIPTION = re.compile(r"\A---\ndescription: (.*?)\n---\n", re.DOTALL)
SNIPPET = re.compile(r'^--8<-- "(.*?)"$', re.MULTILINE)


def pages(nav: list[Any], section: str = "") -> list[tuple[str, str, str]]:
    """Return section, title and path of every page, in the order of the navigation."""
    found: list[tuple[str, str, str]] = []
    for entry in nav:
        for title, value in ({"Overview": entry} if isinstance(entry, str) else entry).items():
            found += pages(value, title) if isinstance(value, list) else [(section, title, str(value))]
    return found


def plain(description: str) -> str:
    """The text of a description, which may be quoted."""
    return str(json.loads(description)) if description.startswith('"') else description


def main() -> None:
    """Write both files."""
    index = [f"# {CONFIG['site_name']}", "", f"> {CONFIG['site_description']}"]
    whole: list[str] = []
    here = ""
    for section, title, path in pages(CONFIG["nav"]):
        text = (ROOT / "docs" / path).read_text(encoding="utf-8")
        said = DESCRIPTION.match(text)
        if section != here:
            here = section
            index += ["", f"## {section}", ""]
        url = path.removesuffix("index.md") if path.endswith("index.md") else f"{path.removesuffix('.md')}/"
        index.append(f"- [{title}]({url or '.'})" + (f": {plain(said[1])}" if said else ""))
        text = SNIPPET.sub(lambda match: (ROOT / match[1]).read_text(encoding="utf-8"), text)
        whole.append(DESCRIPTION.sub("", text).strip())
    site = ROOT / CONFIG["site_dir"]
    (site / "llms.txt").write_text("\n".join(index) + "\n", encoding="utf-8")
    (site / "llms-full.txt").write_text("\n\n---\n\n".join(whole) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
