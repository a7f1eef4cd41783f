"""The fields of every chat class of both packages: model, URL, credentials and connections.

Both frameworks define their models with pydantic, so the fields are defined here once, together with the reading of
arguments, the endpoint, and the copying and pickling of a model.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import lru_cache
from operator import itemgetter
from threading import Lock
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_serializer,
    field_validator,
    model_validator,
)
from typing_extensions import Self

from rivya_core.adapters import pickling
from rivya_core.adapters.account import Account
from rivya_core.adapters.arguments import CALL_NAMES, Signature, configuration_error, constructor_names
from rivya_core.errors import ConfigurationError
from rivya_core.extras import LazyModule
from rivya_core.http.endpoint import Endpoint, checked_headers, checked_query, endpoint
from rivya_core.http.headers import public_query
from rivya_core.http.httpx2_clients import check_client
from rivya_core.http.library import httpx
from rivya_core.http.request_defaults import read_timeout
from rivya_core.http.response_body import DEFAULT_LIMITS
from rivya_core.http.secrets import key_of
from rivya_core.model_facts import check_chats
from rivya_core.providers import PROVIDERS, RIVYA, Provider
from rivya_core.reporting.tracing import CallTrace, tracing
from rivya_core.storage.limits.limiter import RateLimiter

if TYPE_CHECKING:  # what only a call needs is imported by the first call
    from rivya_core.chat_stream import Wire
    from rivya_core.http import clients, retry
else:
    clients, retry = LazyModule("rivya_core.http.clients"), LazyModule("rivya_core.http.retry")

CALL_OPTIONS = frozenset({"model", "timeout", "extra_headers", "extra_query", "idempotency_key"})
"""Options that a call of every chat class may override."""


_building = Lock()


class Connection(Account, BaseModel):
    """Base of every chat class: model, URL, credentials and connections."""

    model_config = ConfigDict(
        extra="forbid",
        arbitrary_types_allowed=True,
        hide_input_in_errors=True,
        protected_namespaces=(),
        defer_build=True,  # half of an import goes into the schemas of classes that are not used
    )

    provider: ClassVar[Provider]
    """Whose API it is."""
    class_prefix: ClassVar[str] = ""
    """Prefix of the framework's class names."""
    call_options: ClassVar[frozenset[str]] = CALL_OPTIONS
    """Options that a call may override by keyword."""
    lacking: ClassVar[Mapping[str, str]] = {}
    """Arguments of other chat classes of this package that this one does not take, with the reason."""
    elsewhere: ClassVar[Mapping[str, str]] = {}
    """Methods of other packages' models, with what to use instead."""
    not_pickled: ClassVar[frozenset[str]] = frozenset()
    """Fields that a pickle leaves out, in addition to clients; they get their defaults when it is loaded."""

    model: str = ""
    """Model id; the provider's default when it is not set."""
    api_key: SecretStr | str | Callable[[], Any] | None = Field(default=None, exclude=True, repr=False)
    """Key, or a function, sync or async, that gives a fresh key for each request. By default the key is in the
    provider's environment variable."""
    base_url: str | None = None
    """URL of the API; by default from the environment or the provider. A query in it goes with every request."""
    timeout: float | tuple[float, ...] | httpx.Timeout | None = None
    """Seconds to connect and between two reads, or an `httpx.Timeout`. Default: 10 to connect, 120 between reads."""
    max_retries: int = Field(default=2, ge=0)
    """Extra requests after a retryable failure, exactly."""
    max_retry_seconds: float = Field(default=60.0, ge=0)
    """Seconds that a call may wait between its requests, all together."""
    stream_idle_timeout: float = Field(default=DEFAULT_LIMITS.stream_idle_timeout, gt=0)
    """Seconds that a stream may last without a piece of the reply, for example with pings only."""
    max_response_bytes: int = Field(default=DEFAULT_LIMITS.max_response_bytes, gt=0)
    """Bytes that a response may have when it is decompressed."""
    default_headers: Mapping[str, str] = Field(default_factory=dict, repr=False)
    """Further headers of every request. Pickles and dumps hold their names only."""
    default_query: Mapping[str, str] = Field(default_factory=dict, repr=False)
    """Further parameters in the URL of every request, for example `{"api-version": "2026-01-01"}`."""
    http_client: httpx.Client | Any = Field(default=None, exclude=True, repr=False)
    """Your own client for sync calls, of httpx or httpx2; its proxies, headers and timeout are kept."""
    http_async_client: httpx.AsyncClient | Any = Field(default=None, exclude=True, repr=False)
    """Your own client for async calls, of httpx or httpx2; it belongs to one event loop."""
    ignore_unsupported: bool = False
    """Whether to ignore arguments that only other chat classes of this package take, instead of refusing them. With it,
    one configuration serves several providers."""

    _found: tuple[Any, Endpoint] | None = PrivateAttr(default=None)

    def __init__(self, *unnamed: Any, **values: Any) -> None:
        if unnamed:
            name = type(self).__name__
            raise ConfigurationError(f"`{name}` takes its arguments by name, for example `{name}(model=...)`.")
        if not type(self).__pydantic_complete__:
            with _building:  # pydantic builds a deferred schema at its first use, but not safely in several threads
                type(self).model_rebuild()
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise configuration_error(type(self).__name__, error) from None

    if not TYPE_CHECKING:  # type checkers would take any attribute for known

        def __getattr__(self, name: str) -> Any:
            """Say what to use instead of a method that other packages' models have."""
            try:
                return super().__getattr__(name)
            except AttributeError:
                if name not in self.elsewhere:
                    raise
            told = f"`{type(self).__name__}` has no `{name}`: {self.elsewhere[name]}."
            raise AttributeError(told, name=name, obj=self)

    @model_validator(mode="before")
    @classmethod
    def _read_arguments(cls, values: Any) -> Any:
        """Take other packages' names for our arguments, and explain what cannot be taken."""
        if not isinstance(values, dict):
            return values
        return _constructor(cls).read(values, ignore_unsupported=bool(values.get("ignore_unsupported")))

    @field_validator("api_key", mode="plain")
    @classmethod
    def _read_key(cls, key: Any) -> Any:
        return key_of(key)

    @field_validator("timeout", mode="plain")
    @classmethod
    def _read_timeout(cls, given: Any) -> Any:
        """Seconds stay seconds, so that a dump reads as it was written."""
        timeout = None if given is None else read_timeout(given)
        return given if isinstance(given, (int, float)) else timeout

    @field_validator("http_client", "http_async_client")
    @classmethod
    def _check_client(cls, client: Any, info: ValidationInfo) -> Any:
        return check_client(client, asynchronous=info.field_name == "http_async_client")

    @field_validator("default_headers", "default_query", mode="plain")
    @classmethod
    def _read_mapping(cls, given: Any) -> Any:
        if given is not None and not isinstance(given, Mapping):
            raise ValueError(f"must be a mapping of names to text, not {type(given).__name__}")
        return dict(given or {})

    @model_validator(mode="after")
    def _find_account(self) -> Self:
        """Find model, key and URL now, so that a missing value is an error at construction."""
        found = self._endpoint
        self.model = self.model or self.provider.default_model
        check_chats(self.model, self.provider)
        self.api_key, self.base_url = found.key, found.base_url
        self.default_headers, self.default_query = dict(found.headers), dict(found.query)
        return self

    @field_serializer("default_headers")
    def _write_headers(self, headers: Mapping[str, str]) -> dict[str, None]:
        return dict.fromkeys(headers)

    @field_serializer("default_query")
    def _write_query(self, query: Mapping[str, str]) -> dict[str, str | None]:
        return public_query(query)

    @field_serializer("timeout")
    def _write_timeout(self, timeout: float | httpx.Timeout | None) -> Any:
        return timeout.as_dict() if isinstance(timeout, httpx.Timeout) else timeout

    @property
    def _endpoint(self) -> Endpoint:
        """The endpoint, made once for the same settings."""
        found, given = (self.__pydantic_private__ or {}).get("_found"), _place_of(self.__dict__)
        if found is None or found[0] != given:
            url, key, timeout, size, idle, headers, query = given
            given = (*given[:5], dict(headers), dict(query))  # copies, so that a change of the fields' own is seen
            limits = (size, idle)
            made = endpoint(
                self.provider, api_key=key, base_url=url, timeout=timeout, limits=limits, headers=headers, query=query
            )
            found = self._found = (given, made)
        return found[1]

    def _endpoint_for(self, options: Mapping[str, Any]) -> Endpoint:
        """Return the endpoint for a call with *options*."""
        where = self._endpoint
        if options.keys() & {"timeout", "extra_headers", "extra_query"}:
            where = replace(where, **_changes(where, options))
        return where

    @property
    def _clients(self) -> clients.Clients:
        return clients.Clients(self.http_client, self.http_async_client)

    @property
    def _retry(self) -> retry.RetryPolicy:
        return retry.retry_policy(self.max_retries, self.max_retry_seconds)

    def _followed(self, wire: Wire, options: Mapping[str, Any]) -> Wire:
        """Return *wire* for one call, under the model's shared rate limiter and with a span where traces are taken."""
        limiter = self.__dict__.get("rate_limiter")
        traced = tracing()
        if limiter is None and not traced:
            return wire
        from rivya_core.reporting.observed_wire import CallObserver, ObservedWire
        from rivya_core.storage.limits.call_limits import CallLimits

        observers: list[CallObserver] = [CallLimits(limiter)] if isinstance(limiter, RateLimiter) else []
        paced = not observers
        if traced:
            model, settings = options.get("model") or self.model, getattr(wire, "settings", {})
            observers.append(CallTrace(self.provider.name, model, self.base_url or "", settings))
        return ObservedWire(wire, observers, paced=paced) if observers else wire

    def _read_call(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return the options of a call by our names.

        Raises:
            InvalidInputError: One that no call of this class takes; nothing was sent.
        """
        if not given:
            return {}
        return _call(type(self)).read(given, ignore_unsupported=self.ignore_unsupported)

    def __getstate__(self) -> dict[Any, Any]:
        """Leave key, headers and connections out of pickles.

        Raises:
            NotPicklableError: The model has clients of the caller.
        """
        state = BaseModel.__getstate__(self)
        fields = {name: value for name, value in state["__dict__"].items() if name not in self.not_pickled}
        private = {name: value for name, value in (state["__pydantic_private__"] or {}).items() if name != "_found"}
        return {**state, "__dict__": pickling.for_pickle(fields), "__pydantic_private__": private}

    def __setstate__(self, state: dict[Any, Any]) -> None:
        """Restore the fields, with defaults for those that were left out; this never raises."""
        known = type(self).model_fields
        left = (self.not_pickled | {"rate_limiter"}) & known.keys()  # older versions of a framework have fewer fields
        defaults = {name: known[name].get_default(call_default_factory=True) for name in left}
        fields = {**defaults, **pickling.from_pickle(state["__dict__"])}
        private = {"_found": None, **state["__pydantic_private__"]}
        BaseModel.__setstate__(self, {**state, "__dict__": fields, "__pydantic_private__": private})

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        """Return a copy that shares clients, ledger and callbacks; a model has no other state."""
        return self.model_copy(update={"default_headers": dict(self.default_headers)})


_place_of = itemgetter(
    *"base_url api_key timeout max_response_bytes stream_idle_timeout default_headers default_query".split()
)
"""The fields that define an endpoint."""


def _changes(where: Endpoint, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of a call that change the endpoint."""
    changes: dict[str, Any] = {}
    if options.get("timeout") is not None:
        changes["timeout"] = read_timeout(options["timeout"])
    if options.get("extra_headers"):
        changes["headers"] = {**where.headers, **checked_headers(where.provider, options["extra_headers"])}
    if options.get("extra_query"):
        changes["query"] = tuple({**dict(where.query), **checked_query(options["extra_query"])}.items())
    return changes


@lru_cache(maxsize=64)
def _constructor(kind: type[Connection]) -> Signature:
    names, known = constructor_names(kind.provider.name), frozenset(kind.model_fields)
    return Signature(kind.__name__, known, names, kind.lacking, _others(kind), call=False)


@lru_cache(maxsize=64)
def _call(kind: type[Connection]) -> Signature:
    return Signature(kind.__name__, kind.call_options, CALL_NAMES, kind.lacking, _others(kind), call=True)


def _others(kind: type[Connection]) -> list[str]:
    """Return the classes that take what *kind* lacks: Rivya's for the OpenAI-compatible ones, and the reverse."""
    own = kind.provider is RIVYA
    return [kind.class_prefix + other.class_name for other in PROVIDERS if (other is RIVYA) != own]
