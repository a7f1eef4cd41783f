"""The sandbox: all its state in one object, and what tests and notebooks do with it.

State only and the public verbs; requests come in through `app.py`, a port is opened by `server.py`.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Literal

from rivya_sandbox.accounts import Accounts, Entry, Key, scopes_from
from rivya_sandbox.app import Front
from rivya_sandbox.faults import Fault, Faults
from rivya_sandbox.idempotency import Idempotency
from rivya_sandbox.journal import Exchange, Journal
from rivya_sandbox.model import upstream
from rivya_sandbox.model.scripts import Line, Speaker
from rivya_sandbox.model.stand_in import StandIn
from rivya_sandbox.openai.responses_store import Responses
from rivya_sandbox.pauses import Pauses
from rivya_sandbox.rivya.dialects import Dialect, dialect_named
from rivya_sandbox.rivya.files import Files
from rivya_sandbox.rivya.sessions import Sessions
from rivya_sandbox.rivya.tasks import Tasks
from rivya_sandbox.streams import EventStream, Frame
from rivya_sandbox.values import Ids, Model

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from starlette.requests import Request
    from starlette.types import ASGIApp

API_KEY = "rvya_sk_sandbox"
DEFAULT_ACCOUNT = "default"


class Sandbox:
    """A Rivya of one's own, with everything in memory.

    It is used through `serve()` on a port, or without one through its ASGI application `app`
    (`httpx.AsyncClient(transport=httpx.ASGITransport(sandbox.app), base_url=sandbox.url)`). Thread-safe.

    Attributes:
        app: The ASGI application.
        media_app: The ASGI application of a media host on its own.
        url (str): Base of everything, `http://127.0.0.1:PORT` once served.
        api_key (str): A key of the account `default` with all scopes.
        journal (Journal): Requests and turns so far.
        tasks (Tasks): The image tasks; `tasks.ready_after` and `tasks.ready_in` say when they are ready.
        files (Files): The uploaded files (`files.all`).
        responses (dict[str, Responses]): The stored responses of the OpenAI-compatible APIs, by the API's name.
        media_leaks: The requests with an `Authorization` header that reached the media host.
        pace (float): Seconds between the events of a stream.
        stream_idempotency (bool): Whether the stream path honours `Idempotency-Key`.
        abandoned (str): What becomes of a streamed turn whose reader leaves: `"keep"` (it is finished, kept and
            charged), `"partial"` (the text sent so far is kept and charged), `"discard"` (nothing is).
        file_id_key (str): Under which key a file's JSON carries its id; the documentation shows neither `id` nor
            `file_id`.
    """

    def __init__(
        self,
        *,
        dialect: str | Dialect = "named",
        model: Model | None = None,
        credits: int = 1_000_000,  # noqa: A002 - the API's word
        pace: float = 0.0,
        ready_after: int = 2,
        stream_idempotency: bool = False,
        abandoned: Literal["keep", "partial", "discard"] = "keep",
        file_id_key: str = "id",
        clock: Callable[[], float] = time.time,
        seed: str | None = None,
    ) -> None:
        """Make a sandbox.

        Args:
            dialect: How chat is streamed; a name out of `rivya_sandbox.rivya.dialects.DIALECTS` or a `Dialect`.
            model: Who answers; by default the server that `RIVYA_SANDBOX_UPSTREAM` names, else a deterministic
                stand-in.
            credits: What each account begins with.
            pace: See the attribute.
            ready_after: How many looks an image task takes.
            stream_idempotency: See the attribute.
            abandoned: See the attribute.
            file_id_key: See the attribute.
            clock: The time, in seconds since 1970.
            seed: With one, ids are the same in every run; without, they never repeat.
        """
        self.url = "http://sandbox.test"
        self.api_key = API_KEY
        self.clock = clock
        self._settings = (dialect, pace, stream_idempotency, abandoned, file_id_key)
        self.lock = threading.RLock()
        self.ids = Ids(seed)
        self.pauses = Pauses()
        self.journal = Journal(self.lock)
        self.faults = Faults()
        self.media_leaks: list[Exchange] = []
        self.media_url: str | None = None
        self._credits = credits
        self._ready_after = ready_after
        given = model or upstream.from_environment()
        self.speaker = Speaker(given or StandIn(), blocking=given is not None)
        self._new_state()
        self.app: ASGIApp = Front(self)
        self.media_app: ASGIApp = Front(self, apis=())

    @property
    def dialect(self) -> str | Dialect:
        """How chat is streamed."""
        return self._dialect

    @dialect.setter
    def dialect(self, dialect: str | Dialect) -> None:
        dialect_named(dialect)
        self._dialect = dialect

    @property
    def rivya_url(self) -> str:
        """Base URL of the Rivya API."""
        return self.url + "/api/v1"

    @property
    def evolink_url(self) -> str:
        """Base URL of the Evolink API."""
        return self.url + "/evolink/v1"

    @property
    def gmi_url(self) -> str:
        """Base URL of the GMI API."""
        return self.url + "/gmi/v1"

    @property
    def openai_url(self) -> str:
        """Base URL of the OpenAI API."""
        return self.url + "/v1"

    def add_key(
        self,
        secret: str,
        *,
        account: str = DEFAULT_ACCOUNT,
        scopes: Iterable[str] | None = None,
        revoked: bool = False,
        expired: bool = False,
        credits: int | None = None,  # noqa: A002
    ) -> None:
        """Let another key in, or change what is known of one.

        Args:
            secret: The key.
            account: Whose it is; a new name is a new account.
            scopes: What it allows; by default everything.
            revoked: Whether it is refused with `api_key_revoked`.
            expired: Whether it is refused with `api_key_expired`.
            credits: What the account has from now on; by default it is left alone.

        Raises:
            ValueError: For an unknown scope.
        """
        self.accounts.add(Key(secret, account, scopes_from(scopes), revoked, expired))
        if credits is not None:
            self.accounts.set_credits(account, credits)

    def credits(self, account: str = DEFAULT_ACCOUNT) -> int:
        """What the account can still spend; running work has its reservation taken off."""
        return self.accounts.credits(account)

    def set_credits(self, credits: int, account: str = DEFAULT_ACCOUNT) -> None:  # noqa: A002
        """Give the account exactly so many credits."""
        self.accounts.set_credits(account, credits)

    def ledger(self, account: str = DEFAULT_ACCOUNT) -> list[Entry]:
        """The account's ledger, oldest entry first: kind, id, reserved, final (`None` while the work runs)."""
        return self.accounts.ledger(account)

    def fault(self, fault: Fault) -> None:
        """Queue a fault.

        Raises:
            ValueError: For an unknown dialect.
        """
        if fault.dialect is not None:
            dialect_named(fault.dialect)
        self.faults.add(fault)

    def answer(self, text: Line, *, thoughts: str = "") -> None:
        """Queue the answer of the next chat turn.

        Args:
            text: The text, or a callable that gets the context and returns a text or an `Answer`; it runs in a
                thread and may block.
            thoughts: The thoughts that come with it, whatever effort is asked for.
        """
        self.speaker.queue(text, thoughts)

    def add_studio_session(self, model: str = "gpt-5-2-chat", account: str = DEFAULT_ACCOUNT) -> str:
        """Make a session that was not created through the API, and return its id."""
        return self.sessions.open(account, model, self.clock(), from_api=False).id

    def reset(self) -> None:
        """Back to the beginning: no sessions, files, tasks, faults, scripted answers, journal, extra keys.

        Settings go back to what they were when the sandbox was made.
        """
        with self.lock:
            self.journal.clear()
            self.faults.clear()
            self.speaker.clear()
            self.media_leaks.clear()
            self._new_state()

    def event_stream(self, frames: Sequence[Frame], closing: Sequence[Frame], fault: Fault | None) -> EventStream:
        """A stream in the sandbox's pace, or in the fault's."""
        pace = self.pace if fault is None or fault.pace is None else fault.pace
        return EventStream(frames, closing, self.pauses, pace, framewise=fault is not None)

    def media_base(self, request: Request) -> str:
        """Where media are found, as URLs that the asking client can reach."""
        return self.media_url or str(request.base_url).removesuffix("/")

    def _new_state(self) -> None:
        self.dialect, self.pace, self.stream_idempotency, self.abandoned, self.file_id_key = self._settings
        self.accounts = Accounts(self._credits, self.lock)
        self.accounts.add(Key(API_KEY, DEFAULT_ACCOUNT))
        self.idempotency = Idempotency(self.lock)
        self.sessions = Sessions(self.ids, self.lock)
        self.files = Files(self.ids, self.lock)
        self.responses: dict[str, Responses] = {}
        self.tasks = Tasks(self.ids, self.accounts, self._ready_after, self.lock)
