"""Check the real services against what this project assumes: `make live`, or `python -m live` in `tests/support`.

It runs against whichever of RIVYA_API_KEY, EVOLINK_API_KEY and GMI_API_KEY are set, says what that may cost, asks, prints a
table of what is assumed and what was seen, and writes transcripts without secrets. It ends with 1 if something differs.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from live import openai_checks, rivya_checks
from live.probe import Check, Finding, Probe, carried_out, write_transcripts
from rivya_core.providers import EVOLINK, GMI, RIVYA, Provider

SHOWN = 60
"""Characters of a column."""
CHECKS: dict[Provider, list[Check]] = {
    RIVYA: rivya_checks.CHECKS,
    EVOLINK: openai_checks.CHECKS,
    GMI: openai_checks.CHECKS,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the checks and return the exit code."""
    given = _parser().parse_args(arguments)
    chosen = {provider: _chosen(checks, given.only) for provider, checks in CHECKS.items() if _key(provider)}
    if not chosen:
        print("No key is set. Set one of", ", ".join(provider.key_variable for provider in CHECKS))
        return 2
    for provider, checks in chosen.items():
        most, unit = sum(check.credits for check in checks), "credits" if provider is RIVYA else "short paid requests"
        url = os.environ.get(provider.url_variable) or provider.base_url
        print(f"{provider.name} at {url}: {len(checks)} checks, at most {most} {unit}")
    if not given.yes and not _agreed():
        print("Nothing was sent.")
        return 2
    differs = False
    for provider, checks in chosen.items():
        probe = Probe.of(provider, _key(provider))
        findings = carried_out(probe, checks)
        probe.close()
        show(provider, findings)
        written = write_transcripts(probe, Path(given.out) / provider.name)
        print(f"{len(written)} transcripts are in {Path(given.out) / provider.name}")
        differs = differs or any(finding.verdict == "differs" for finding in findings)
    return int(differs)


def show(provider: Provider, findings: Sequence[Finding]) -> None:
    """Print a table."""
    rows = [("check", "assumed", "seen", "verdict"), *((f.check, f.assumed, f.seen, f.verdict) for f in findings)]
    widths = [min(SHOWN, max(len(row[column]) for row in rows)) for column in range(4)]
    print(f"\n== {provider.name}")
    for row in rows:
        print(
            "  ".join(
                cell[:SHOWN].replace("\n", " ").ljust(width) for cell, width in zip(row, widths, strict=True)
            ).rstrip()
        )
    for finding in findings:
        if finding.verdict != "as assumed" and len(finding.seen) > SHOWN:
            print(f"{finding.check}: {finding.seen}")
    counts = {verdict: sum(f.verdict == verdict for f in findings) for verdict in ("as assumed", "differs", "unknown")}
    print(", ".join(f"{count} {verdict}" for verdict, count in counts.items()))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="live", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--yes", action="store_true", help="do not ask before credits are spent")
    parser.add_argument("--only", action="append", default=[], help="a check by its name; may be given several times")
    parser.add_argument("--out", default="out/live", help="where the transcripts go")
    return parser


def _chosen(checks: list[Check], only: list[str]) -> list[Check]:
    return [check for check in checks if not only or check.name in only]


def _key(provider: Provider) -> str:
    return os.environ.get(provider.key_variable, "").strip()


def _agreed() -> bool:
    try:
        return input("Continue and spend that? [y/N] ").strip().lower() in {"y", "yes"}
    except EOFError:
        return False


if __name__ == "__main__":
    sys.exit(main())
