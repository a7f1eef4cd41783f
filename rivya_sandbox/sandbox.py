"""What tests and notebooks do with a sandbox: keys, credits, faults, scripted answers.

The state is in `state.py`. Requests arrive through `app.py`; `server.py` opens a port.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from rivya_sandbox.accounts import Entry, Key, scopes_from
from rivya_sandbox.app import SandboxApp
from rivya_sandbox.state import DEFAULT_ACCOUNT, SandboxState

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.types import ASGIApp

    from rivya_sandbox.faults import Fault
    from rivya_sandbox.model.runner import ScriptLine


class Sandbox(SandboxState):
    """A local stand-in for the providers, with everything in memory.

    `serve()` gives it a port. Without a port, use its ASGI application `app`
    (`httpx.AsyncClient(transport=httpx.ASGITransport(sandbox.app), base_url=sandbox.url)`). Thread-safe.

    Attributes:
        url (str): Base URL of everything, `http://127.0.0.1:PORT` once the sandbox is served.
        api_key (str): A key of the account `default` with all scopes.
        journal (Journal): Requests and turns so far.
        tasks (Tasks): The image tasks. `tasks.ready_after` and `tasks.ready_in` decide when they are ready.
        files (Files): The uploaded files (`files.all`).
        responses (dict[str, ResponseStore]): The stored responses of the OpenAI-compatible APIs, by the API's name.
        media_leaks: The requests with an `Authorization` header that reached the media host.
        pace (float): Seconds between the events of a stream.
        stream_idempotency (bool): Whether the stream endpoint honours `Idempotency-Key`.
        abandoned (str): What happens to a streamed turn when the client disconnects: `"keep"` (the turn completes, is
            stored and charged), `"partial"` (the text sent so far is stored and charged), `"discard"` (nothing is).
        file_id_key (str): The JSON key of a file's id; the documentation shows neither `id` nor `file_id`.
    """

    @cached_property
    def app(self) -> ASGIApp:
        """The ASGI application."""
        return SandboxApp(self)

    @cached_property
    def media_app(self) -> ASGIApp:
        """The ASGI application of a separate media host."""
        return SandboxApp(self, apis=())

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
        credits: int | None = None,  # noqa: A002 - the API's word
    ) -> None:
        """Add an API key, or replace one.

        Args:
            secret: The key.
            account: The key's account; a new name creates a new account.
            scopes: What the key allows; by default everything.
            revoked: Whether the API rejects it with `api_key_revoked`.
            expired: Whether the API rejects it with `api_key_expired`.
            credits: The account's new balance; by default the balance does not change.

        Raises:
            ValueError: For an unknown scope.
        """
        self.accounts.add(Key(secret, account, scopes_from(scopes), revoked, expired))
        if credits is not None:
            self.accounts.set_credits(account, credits)

    def credits(self, account: str = DEFAULT_ACCOUNT) -> int:
        """Return what the account can still spend; reservations of running work are already subtracted."""
        return self.accounts.credits(account)

    def set_credits(self, credits: int, account: str = DEFAULT_ACCOUNT) -> None:  # noqa: A002
        """Set the account's balance."""
        self.accounts.set_credits(account, credits)

    def ledger(self, account: str = DEFAULT_ACCOUNT) -> list[Entry]:
        """Return the account's ledger, oldest entry first: kind, id, reserved, final (`None` while the work runs)."""
        return self.accounts.ledger(account)

    def fault(self, fault: Fault) -> None:
        """Queue a fault."""
        self.faults.add(fault)

    def answer(self, text: ScriptLine, *, reasoning: str = "") -> None:
        """Queue the answer to the next chat turn.

        Args:
            text: The text, or a callable that gets the context and returns a text or an `Answer`. A callable runs in a
                thread and may block.
            reasoning: The reasoning that comes with it, whatever effort the request asks for.

        Raises:
            TypeError: It is neither.
        """
        if not isinstance(text, str) and not callable(text):
            raise TypeError(f"An answer is a text, or a callable that returns one, not {type(text).__name__}.")
        self.runner.queue(text, reasoning)

    def add_studio_session(self, model: str = "gpt-5-2-chat", account: str = DEFAULT_ACCOUNT) -> str:
        """Create a session that did not come from the API, and return its id."""
        return self.sessions.open(account, model, self.clock(), from_api=False).id
