"""The state of a sandbox: everything that the endpoints read and change.

`Sandbox` adds what tests and notebooks call; endpoints depend on this state alone.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Literal

from rivya_sandbox.accounts import Accounts, Key
from rivya_sandbox.faults import Fault, Faults
from rivya_sandbox.idempotency import Idempotency
from rivya_sandbox.ids import Ids
from rivya_sandbox.journal import Exchange, Journal
from rivya_sandbox.model import upstream
from rivya_sandbox.model.runner import ModelRunner
from rivya_sandbox.model.stand_in import StandIn
from rivya_sandbox.openai.responses_store import ResponseStore
from rivya_sandbox.rivya.dialects import Dialect, dialect_named
from rivya_sandbox.rivya.files import Files
from rivya_sandbox.rivya.sessions import Sessions
from rivya_sandbox.rivya.tasks import Tasks
from rivya_sandbox.streams import EventStream, Frame
from rivya_sandbox.waiting import Sleeper

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from starlette.requests import Request

    from rivya_sandbox.values import Model

API_KEY = "rvya_sk_sandbox"
DEFAULT_ACCOUNT = "default"


class SandboxState:
    """Accounts, sessions, files, tasks, the journal, and how the sandbox behaves. Thread-safe.

    `Sandbox` describes the attributes.
    """

    def __init__(
        self,
        *,
        dialect: str | Dialect = "named",
        model: Model | None = None,
        credits: int = 1_000_000,  # noqa: A002 - the API's word
        pace: float = 0.0,
        ready_after: int = 1,
        stream_idempotency: bool = False,
        abandoned: Literal["keep", "partial", "discard"] = "keep",
        file_id_key: str = "id",
        clock: Callable[[], float] = time.time,
        seed: str | None = None,
    ) -> None:
        """Create the state.

        Args:
            dialect: The form of streamed chat: a name from `rivya_sandbox.DIALECTS`, or a `Dialect`.
            model: The model that replies: any callable from a `ModelRequest` to an `Answer`. By default the server
                that `RIVYA_SANDBOX_UPSTREAM` names, else a deterministic stand-in.
            credits: Each account's initial credits.
            pace: See the attribute.
            ready_after: Number of polls that an image task takes. The default is quick; 2 or more is closer to Rivya.
            stream_idempotency: See the attribute.
            abandoned: See the attribute.
            file_id_key: See the attribute.
            clock: The time, in seconds since 1970.
            seed: Makes ids the same in every run. Without it, ids never repeat.
        """
        if model is not None and not callable(model):
            raise TypeError(f"`model` must be a callable such as `Upstream(...)`, not {type(model).__name__}.")
        self.url = "http://sandbox.test"
        self.api_key = API_KEY
        self.clock = clock
        self._settings = (dialect, pace, stream_idempotency, abandoned, file_id_key)
        self.lock = threading.RLock()
        self.ids = Ids(seed)
        self.sleeper = Sleeper()
        self.journal = Journal(self.lock)
        self.faults = Faults()
        self.media_leaks: list[Exchange] = []
        self.media_url: str | None = None
        self._credits = credits
        self._ready_after = ready_after
        given = model or upstream.from_environment()
        self.runner = ModelRunner(given or StandIn(), blocking=given is not None)
        self._clear()

    @property
    def dialect(self) -> str | Dialect:
        """The form of streamed chat."""
        return self._dialect

    @dialect.setter
    def dialect(self, dialect: str | Dialect) -> None:
        dialect_named(dialect)
        self._dialect = dialect

    def reset(self) -> None:
        """Start over: no sessions, files, tasks, faults, scripted answers, journal or extra keys.

        Settings return to their values at construction.
        """
        with self.lock:
            self.journal.clear()
            self.faults.clear()
            self.runner.clear()
            self.media_leaks.clear()
            self._clear()

    def event_stream(self, frames: Sequence[Frame], closing: Sequence[Frame], fault: Fault | None) -> EventStream:
        """Build a stream with the fault's pace, or else the sandbox's."""
        pace = self.pace if fault is None or fault.pace is None else fault.pace
        return EventStream(frames, closing, self.sleeper, pace, framewise=fault is not None)

    def media_base(self, request: Request) -> str:
        """Return the base URL of media, as the client can reach it."""
        return self.media_url or str(request.base_url).removesuffix("/")

    def account(self, request: Request, scope: str | None = None) -> str:
        """Return the account of a request's API key.

        Raises:
            ApiError: The key is missing, unknown, no longer valid, or lacks the scope.
        """
        return self.accounts.authorize(request.headers.get("authorization"), scope).account

    def _clear(self) -> None:
        self.dialect, self.pace, self.stream_idempotency, self.abandoned, self.file_id_key = self._settings
        self.accounts = Accounts(self._credits, self.lock)
        self.accounts.add(Key(API_KEY, DEFAULT_ACCOUNT))
        self.idempotency = Idempotency(self.lock)
        self.sessions = Sessions(self.ids, self.lock)
        self.files = Files(self.ids, self.lock)
        self.responses: dict[str, ResponseStore] = {}
        self.tasks = Tasks(self.ids, self.accounts, self._ready_after, self.lock)
