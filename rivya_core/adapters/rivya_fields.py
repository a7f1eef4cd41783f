"""The fields of the chat classes of Rivya, and how a call of them becomes a turn of a session."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal, get_args

from pydantic import Field, field_validator, model_validator
from typing_extensions import Self

from rivya_core.adapters.account import SessionAccount
from rivya_core.adapters.arguments import ONLY_OPENAI
from rivya_core.adapters.connection import CALL_OPTIONS, Connection
from rivya_core.adapters.prompting import PROMPT_OPTIONS, RivyaToolCalling, prompt_of
from rivya_core.errors import ConfigurationError, InvalidInputError, NotSupportedError
from rivya_core.extras import LazyModule
from rivya_core.providers import RIVYA, Provider
from rivya_core.sessions.ledger import Ledger
from rivya_core.sessions.modes import LongReplay, OnMismatch, OnRepair

if TYPE_CHECKING:  # what only a call needs is imported by the first call
    from rivya_core.media import fetch_url
    from rivya_core.rivya import session_chat, wire
    from rivya_core.sessions import default_ledger
else:
    fetch_url, wire = LazyModule("rivya_core.media.fetch_url"), LazyModule("rivya_core.rivya.wire")
    session_chat = LazyModule("rivya_core.rivya.session_chat")
    default_ledger = LazyModule("rivya_core.sessions.default_ledger")

TOOLS_OFF = (
    'Tools are switched off for this model (`tool_calling="off"`), and Rivya\'s chat has none of its own. Nothing was '
    'sent. Use `tool_calling="prompted"`, or a model of GMI Cloud or Evolink.'
)
Effort = Literal["default", "minimal", "low", "medium", "high", "xhigh"]


class RivyaFields(SessionAccount, Connection):
    """Options of Rivya's chat and its sessions. What is not set is not sent."""

    provider: ClassVar[Provider] = RIVYA
    call_options: ClassVar[frozenset[str]] = (
        CALL_OPTIONS
        | PROMPT_OPTIONS
        | frozenset({"reasoning_effort", "enable_web_search", "session_id", "client_request_id"})
    )
    lacking: ClassVar[Mapping[str, str]] = ONLY_OPENAI

    reasoning_effort: Effort | None = None
    """How long the model may reason, as far as it supports that."""
    enable_web_search: bool | None = None
    """Whether the model may search the web, if it can."""
    client_request_id: str | None = None
    """Your own id for tracing, sent with every request."""
    session_id: str | None = None
    """Pins one session instead of letting the messages decide."""
    session_ledger: Ledger | None = Field(default=None, exclude=True, repr=False)
    """Where session heads are remembered: `SQLiteLedger` or `RedisLedger` for several processes."""
    on_history_mismatch: OnMismatch = "replay"
    """What to do with a history that is not the one in the session: `replay` or `error`."""
    long_replay: LongReplay = "error"
    """What to do with a history that must be replayed and is longer than one message: `error` or `parts`."""
    fetch_image_urls: bool = False
    """Whether images that messages name by URL are fetched and uploaded."""
    tool_calling: RivyaToolCalling = "prompted"
    """How tools are offered: `prompted` describes them in words, `off` refuses them."""
    repair: bool = True
    """Whether a reply whose tool call or structured output does not fit is asked for once more, in another turn."""
    on_repair: OnRepair = "continue"
    """What to do at the next turn with a session that holds a repair turn: `continue`, or `replay` into a new one."""

    @field_validator("session_ledger", mode="before")
    @classmethod
    def _check_ledger(cls, given: Any) -> Any:
        if isinstance(given, (str, os.PathLike)):
            kind = "RedisLedger(url)" if "://" in os.fspath(given) else f"SQLiteLedger({os.fspath(given)!r})"
            raise ConfigurationError(
                f"`session_ledger` takes a ledger, for example `{kind}`. The variable RIVYA_SESSION_LEDGER takes a "
                "path or a URL."
            )
        if given is not None and (isinstance(given, type) or not hasattr(given, "claim")):
            kind = f"the class {given.__name__}" if isinstance(given, type) else type(given).__name__
            raise ConfigurationError(f"`session_ledger` takes a ledger such as `MemoryLedger()`, not {kind}.")
        return given

    @model_validator(mode="after")
    def _choose_one_session_mode(self) -> Self:
        if self.session_id is not None and self.session_ledger is not None:
            raise ConfigurationError(
                "`session_id` pins one session and `session_ledger` is for sessions chosen by history. Set one of them."
            )
        return self

    def _wire(self, options: Mapping[str, Any]) -> session_chat.RivyaWire:
        def option(name: str) -> Any:
            return options.get(name, getattr(self, name))

        return session_chat.RivyaWire(
            endpoint=self._endpoint_for(options),
            options=wire.ChatOptions(
                model=option("model") or self.model,
                reasoning_effort=_checked(option("reasoning_effort")),
                enable_web_search=option("enable_web_search"),
                client_request_id=option("client_request_id"),
            ),
            ledger=self.session_ledger or default_ledger.default_ledger(),
            retry=self._retry,
            on_mismatch=self.on_history_mismatch,
            session_id=option("session_id"),
            fetching=fetch_url.RULES[bool(self.fetch_image_urls)],
            long_replay=self.long_replay,
            idempotency_key=options.get("idempotency_key"),
            prompt=prompt_of(self._allowed(options), repair=self.repair),
            on_repair=self.on_repair,
        )

    def _allowed(self, options: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return *options* if tools are allowed.

        Raises:
            NotSupportedError: A call offers tools, and tool calling is off. Nothing was sent.
        """
        if self.tool_calling == "off" and options.get("tools"):
            raise NotSupportedError(TOOLS_OFF)
        return options


def _checked(effort: Any) -> Any:
    """Return *effort* if there is such a one."""
    if effort is not None and effort not in get_args(Effort):
        known = "`, `".join(get_args(Effort))
        raise InvalidInputError(f"`reasoning_effort` must be one of `{known}`, not {effort!r}. Nothing was sent.")
    return effort
