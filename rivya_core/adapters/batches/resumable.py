"""A batch that continues where it was when its process ended, and is charged once per item.

Every item is sent under an idempotency key made from its id, so a request that was under way when the process ended is
answered from what it had already brought about.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from threading import Lock
from typing import Any

from rivya_core.adapters.batches.progress import BatchBar, BatchReport
from rivya_core.adapters.batches.results_file import Record, ResultsFile
from rivya_core.errors import (
    AuthenticationError,
    ConfigurationError,
    CreditLimitError,
    InsufficientCreditsError,
    InvalidInputError,
    PermissionDeniedError,
)
from rivya_core.http.clients import Clients
from rivya_core.http.plan import Plan, call, together
from rivya_core.reporting.costs import Cost

FATAL_ERRORS = (
    AuthenticationError,
    ConfigurationError,
    CreditLimitError,
    InsufficientCreditsError,
    PermissionDeniedError,
)
"""After one of these no other item would fare better; the batch ends, and continues when it is run again."""
Items = Mapping[str, Any] | Iterable[tuple[str, Any]]


class Batch(ABC):
    """Base of the batches of both frameworks; do not use it directly."""

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        max_concurrency: int = 8,
        progress: bool | None = None,
        name: str | None = None,
    ) -> None:
        if not isinstance(max_concurrency, int) or max_concurrency < 1:
            raise ConfigurationError(f"`max_concurrency` must be at least 1, not {max_concurrency!r}.")
        self._file = ResultsFile(path)
        self._max_concurrency, self._progress = max_concurrency, progress
        self.name = name if name is not None else self._file.path.stem

    def run(self, items: Items, **options: Any) -> BatchReport:
        """Carry out the items that have no result yet, and return what the batch came to.

        Items that failed before are tried again. An item that fails does not end the batch.

        Args:
            items: A mapping of ids to inputs, or pairs of id and input.
            options: Options of every call.

        Raises:
            InvalidInputError: Two items have one id, or an id has a result for another input; nothing was sent.
            AuthenticationError: No other item would fare better, so the batch ended; `PermissionDeniedError`,
                `InsufficientCreditsError`, `CreditLimitError` and `ConfigurationError` end it, too.
        """
        return Clients().driver.run(self._plan(items, options))

    async def arun(self, items: Items, **options: Any) -> BatchReport:
        """Carry out the items that have no result yet; see `run`. The event loop is free meanwhile."""
        plan = call(lambda: self.run(items, **options))
        return await Clients().async_driver.run(plan)

    def results(self) -> Iterator[Record]:
        """Return the newest record of each item, in the order in which they were first written."""
        newest: dict[str, Record] = {}
        for record in self._file.read():
            if not _is_success(newest.get(record["id"])):
                newest[record["id"]] = record
        return iter(newest.values())

    def failures(self) -> list[Record]:
        """Return the records of the items that have failed so far."""
        return [record for record in self.results() if not _is_success(record)]

    @abstractmethod
    def _facts(self) -> Mapping[str, Any]:
        """Return what the replies depend on besides the input: model and settings."""

    @abstractmethod
    def _input(self, given: Any) -> Any:
        """Return *given* as JSON, for telling inputs apart."""

    @abstractmethod
    def _carry_out(self, given: Any, key: str, options: Mapping[str, Any]) -> tuple[dict[str, Any], Cost]:
        """Send one item under an idempotency key, and return its result as JSON and its cost."""

    def _quiet(self) -> AbstractContextManager[None]:
        """Return a context in which single items show no bars of their own."""
        return nullcontext()

    def _plan(self, items: Items, options: Mapping[str, Any]) -> Plan[BatchReport]:
        every = _listed(items)
        digests = self._digests(every, options)
        self._file.cut_off_half_a_line()
        finished = {record["id"]: record for record in self.results() if _is_success(record)}
        for name, digest in digests.items():
            _check_same(finished.get(name), digest)
        waiting = [(name, given) for name, given in every if name not in finished]
        resumed = len(every) - len(waiting)
        with BatchBar(len(every), resumed, progress=self._progress) as bar, self._quiet():
            count = _Count(BatchReport(len(every), resumed, 0, resumed), bar)
            items_left = [self._item(name, given, digests[name], options, count) for name, given in waiting]
            yield from together(items_left, self._max_concurrency)
        return count.report

    def _digests(self, every: list[tuple[str, Any]], options: Mapping[str, Any]) -> dict[str, str]:
        facts = _plain({**self._facts(), "options": options})
        return {name: _digest([facts, _plain(self._input(given))]) for name, given in every}

    def _item(self, name: str, given: Any, digest: str, options: Mapping[str, Any], count: _Count) -> Plan[None]:
        key = f"batch-{_digest([self.name, name, digest])[:40]}"
        began = time.monotonic()
        record, cost = yield from call(lambda: self._attempt(given, key, options))
        seconds = round(time.monotonic() - began, 3)
        yield from call(lambda: self._file.append({"id": name, "input": digest, **record, "seconds": seconds}))
        count.add(cost, succeeded=_is_success(record))

    def _attempt(self, given: Any, key: str, options: Mapping[str, Any]) -> tuple[Record, Cost]:
        try:
            result, cost = self._carry_out(given, key, options)
        except FATAL_ERRORS:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, the other items are carried out
            return {"status": "failed", "error": _described(error)}, Cost()
        return {"status": "succeeded", **result}, cost


class _Count:
    """Counts the items of a run, which end in several threads."""

    def __init__(self, report: BatchReport, bar: BatchBar) -> None:
        self.report, self._bar, self._lock = report, bar, Lock()

    def add(self, cost: Cost, *, succeeded: bool) -> None:
        """Count an item that ended."""
        with self._lock:
            one = {"succeeded": self.report.succeeded + 1} if succeeded else {"failed": self.report.failed + 1}
            self.report = replace(self.report, credits=self.report.credits + cost.credits, **one)
            self._bar.show(self.report)


def _listed(items: Items) -> list[tuple[str, Any]]:
    every = list(items.items() if isinstance(items, Mapping) else items)
    if not all(isinstance(pair, tuple) and len(pair) == 2 and isinstance(pair[0], str) and pair[0] for pair in every):  # noqa: PLR2004
        raise InvalidInputError("Items are pairs of an id, which is text, and an input; nothing was sent.")
    names: set[str] = set()
    for name, _ in every:
        if name in names:
            raise InvalidInputError(f"Two items have the id {name!r}; nothing was sent.")
        names.add(name)
    return every


def _check_same(record: Record | None, digest: str) -> None:
    if record is not None and record.get("input") != digest:
        raise InvalidInputError(
            f"Item {record['id']!r} has a result for another input, model or option; nothing was sent. Give it "
            "another id, or use another file."
        )


def _is_success(record: Record | None) -> bool:
    return record is not None and record.get("status") == "succeeded"


def _described(error: Exception) -> dict[str, Any]:
    kept = {name: getattr(error, name, None) for name in ("code", "status", "request_id", "task_id")}
    return {"type": type(error).__name__, "message": str(error), **{k: v for k, v in kept.items() if v is not None}}


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _plain(value: Any) -> Any:
    """Return *value* as JSON that is the same for the same input in every process."""
    if isinstance(value, Mapping):
        return {str(name): _plain(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    if isinstance(value, (bytes, bytearray)):
        return hashlib.sha256(value).hexdigest()
    if isinstance(value, (str, int, float, bool, type(None))):
        return value
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    raise InvalidInputError(
        f"An item holds a {type(value).__name__}, which is not told apart from others in another process; nothing was "
        "sent. Use text, numbers, bytes or a path."
    )
