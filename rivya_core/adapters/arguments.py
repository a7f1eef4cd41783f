"""Arguments as callers write them: names from other packages, typing errors, and arguments of other providers.

The same tables serve constructors and calls of both frameworks. A name that a table knows is explained before any
guess by edit distance.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from rivya_core.adapters.prompting import PROMPT_OPTIONS
from rivya_core.errors import ConfigurationError, InvalidInputError, NotSupportedError
from rivya_core.http.headers import check_idempotency_key
from rivya_core.openai.options import OPTIONS

RENAMED = {
    "model_name": "model",
    "model_id": "model",
    "openai_api_key": "api_key",
    "openai_api_base": "base_url",
    "api_base": "base_url",
    "request_timeout": "timeout",
    "async_http_client": "http_async_client",
    "http_aclient": "http_async_client",
    "max_completion_tokens": "max_tokens",
    "max_output_tokens": "max_tokens",
    "stop_sequences": "stop",
    "model_kwargs": "extra_body",
    "additional_kwargs": "extra_body",
    "retries": "max_retries",
    "num_retries": "max_retries",
}
"""Names that other packages use for an argument of ours with the same meaning and form: they work."""
CONSTRUCTOR_NAMES = {
    "headers": "default_headers",
    "extra_headers": "default_headers",
    "query": "default_query",
    "extra_query": "default_query",
    "metadata": "request_metadata",
}
CALL_NAMES = {
    "request_metadata": "metadata",
    **RENAMED,
    "headers": "extra_headers",
    "default_headers": "extra_headers",
    "query": "extra_query",
    "default_query": "extra_query",
}

_CLIENTS = "pass `http_client=httpx.Client({0})` and `http_async_client=httpx.AsyncClient({0})`"
_PROXY = f"set the variable `HTTPS_PROXY`, or {_CLIENTS.format('proxy=...')}"
_TLS = f"set the variable `SSL_CERT_FILE`, or {_CLIENTS.format('verify=...')}"
BODY_ONLY = frozenset(
    (
        "top_k min_p typical_p repetition_penalty length_penalty num_ctx num_predict num_thread num_gpu mirostat "
        "keep_alive format best_of use_beam_search guided_json guided_regex guided_choice chat_template_kwargs "
        "thinking enable_thinking modalities audio audio_config context_management prompt_cache_options"
    ).split()
)
"""Parameters of single servers; where a class has `extra_body`, they can be sent in it."""
EXPLAINED = {
    "organization": "pass it as a header: `default_headers={'OpenAI-Organization': ...}`",
    "openai_organization": "pass it as a header: `default_headers={'OpenAI-Organization': ...}`",
    "project": "pass it as a header: `default_headers={'OpenAI-Project': ...}`",
    **dict.fromkeys(("proxies", "proxy", "openai_proxy", "http_proxy", "https_proxy"), _PROXY),
    **dict.fromkeys(("verify", "verify_ssl", "ssl_verify", "ssl_context", "cert"), _TLS),
    **{name: _CLIENTS.format(f"{name}=...") for name in ("follow_redirects", "trust_env", "limits", "http2")},
    "http_socket_options": _CLIENTS.format("transport=..."),
    **dict.fromkeys(("url", "host", "endpoint", "endpoint_url", "server_url", "api_url"), "pass `base_url`"),
    **dict.fromkeys(("token", "access_token", "bearer_token", "openai_key"), "pass `api_key`"),
    **dict.fromkeys(("engine", "deployment", "deployment_name"), "pass `model`"),
    **dict.fromkeys(("system", "system_prompt", "system_message"), "pass a system message with the messages of a call"),
    **dict.fromkeys(("messages", "prompt", "input"), "pass the messages as the first argument of a call"),
    "tools": "pass the tools to `bind_tools` or `create_agent` (LangChain), or to `chat_with_tools` or an agent "
    "(LlamaIndex)",
    "tool_choice": "pass it with the tools, to `bind_tools` (LangChain) or `chat_with_tools` (LlamaIndex)",
    **dict.fromkeys(
        ("response_format", "response_schema", "json_mode"),
        "use `with_structured_output` (LangChain) or `structured_predict` (LlamaIndex)",
    ),
    **dict.fromkeys(
        ("stream", "streaming"), "call `stream` (LangChain), or `stream_chat` or `stream_complete` (LlamaIndex)"
    ),
    "embed_model": "this package has no embeddings. Pass the model of another package to your index",
    "num_output": "it is a size that only Rivya's class takes. Leave it out, or set `max_tokens`",
    "n": "one call gives one reply. For several replies use `batch`, or call several times",
    "is_chat_model": "only chat models are supported. Leave it out",
    "is_function_calling_model": "tools are sent whenever a call has some. Leave it out",
    "should_use_structured_outputs": "use `output_mode` in LlamaIndex, `with_structured_output(method=)` in LangChain",
    "strict": "pass it where the schema is passed: `bind_tools(..., strict=...)` or `with_structured_output(...)`",
    "tokenizer": "tokens are estimated offline. Leave it out",
    "tiktoken_model_name": "tokens are estimated offline. Leave it out",
    "disabled_params": "what is not set is not sent. Leave it out",
    "stream_chunk_timeout": "`timeout` also limits the wait between two chunks. Set that",
    "reuse_client": "connections are shared and pooled already. Leave it out",
    **dict.fromkeys(
        ("client", "async_client", "root_client", "openai_client", "async_openai_client"),
        "pass httpx clients as `http_client` and `http_async_client`",
    ),
    "api_version": "pass it in the query: `default_query={'api-version': ...}`",
    "azure_endpoint": "pass the whole URL as `base_url`",
    "azure_deployment": "pass the whole URL as `base_url`",
    "functions": "pass functions as `tools`",
    "function_call": "pass `tool_choice`",
}
"""Arguments of other packages that have no counterpart, with what to do instead."""
WITHOUT_EFFECT: Mapping[str, tuple[Any, ...]] = {
    "n": (None, 1),
    "is_chat_model": (None, True),
    "organization": (None,),
    "openai_organization": (None,),
    "openai_proxy": (None,),
    "proxies": (None,),
    "verify": (None, True),
    "strict": (None, False),
    "should_use_structured_outputs": (None, False),
    "stream_usage": (None, True, False),
}
"""Values that ask for what happens anyway; they are accepted and dropped."""

_OPENAI = "only OpenAI-compatible APIs have it"
ONLY_OPENAI = {
    **dict.fromkeys(OPTIONS - PROMPT_OPTIONS - {"model", "reasoning_effort", "on_history_mismatch"}, _OPENAI),
    **dict.fromkeys(("request_metadata", "built_in_tools"), _OPENAI),
    **dict.fromkeys(
        ("temperature", "top_p", "top_k", "seed", "frequency_penalty", "presence_penalty", "logit_bias"),
        "Rivya's chat has no sampling parameters",
    ),
    "max_tokens": "Rivya's chat has no limit for the tokens of a reply",
    "stop": "Rivya's chat has no stop sequences",
    "logprobs": "Rivya's chat returns no log probabilities",
    "top_logprobs": "Rivya's chat returns no log probabilities",
    "use_previous_response_id": "Rivya's sessions are continued automatically",
    "previous_response_id": "Rivya's sessions are continued automatically; `session_id` pins one",
}
"""What OpenAI-compatible chat classes take and Rivya's do not."""
ONLY_RIVYA = {
    **dict.fromkeys(("session_id", "session_ledger"), "only Rivya's chat has sessions"),
    "enable_web_search": "only Rivya's chat has it; built-in tools such as `{'type': 'web_search'}` do the same",
    "client_request_id": "only Rivya's chat has it; `default_headers` and `extra_headers` can carry an id",
    "fetch_image_urls": "only Rivya's chat has it; image URLs are sent as they are",
}
"""What Rivya's chat classes take and OpenAI-compatible ones do not."""


MAPPINGS = frozenset({"extra_headers", "extra_query", "extra_body", "metadata"})
"""Options of a call that are mappings."""


@dataclass(frozen=True)
class Signature:
    """What a constructor or a call takes.

    Attributes:
        owner: Name of the class.
        known: The arguments that it takes.
        renamed: Other names for them.
        lacking: What other classes of this package take and this one does not, with the reason.
        others: Names of those classes.
        call: Whether it is a call; else it is a constructor.
    """

    owner: str
    known: frozenset[str]
    renamed: Mapping[str, str]
    lacking: Mapping[str, str]
    others: Sequence[str]
    call: bool

    def read(self, given: Mapping[str, Any], *, ignore_unsupported: bool = False) -> dict[str, Any]:
        """Return *given* by our names.

        Args:
            given: Arguments as they were passed.
            ignore_unsupported: Whether to drop what only other providers of this package take.

        Raises:
            ConfigurationError: A constructor's argument that it does not take.
            InvalidInputError: A call's.
        """
        read: dict[str, Any] = {}
        for name, value in given.items():
            ours = name if name in self.known else self.renamed.get(name, name)
            if ours not in self.known:
                self._check_dropped(name, value, ignore_unsupported=ignore_unsupported)
            elif ours in read:
                raise self._error(f"`{ours}` and `{name}` are the same argument. Set one of them.")
            else:
                read[ours] = value
        if self.call and read.get("idempotency_key") is not None:
            check_idempotency_key(read["idempotency_key"])
        for name in MAPPINGS & read.keys() if self.call else ():
            if read[name] is not None and not isinstance(read[name], Mapping):
                raise self._error(f"`{name}` must be a mapping, not {type(read[name]).__name__}.")
        return read

    def _check_dropped(self, name: str, value: Any, *, ignore_unsupported: bool) -> None:
        """Raise unless the argument *name* asks for nothing or may be ignored."""
        if any(value is harmless or value == harmless for harmless in WITHOUT_EFFECT.get(name, ())):
            return
        reason = self.lacking.get(self.renamed.get(name, name))
        if reason is None:
            raise self._error(self._unknown(name))
        if not ignore_unsupported:
            kind = NotSupportedError if self.call else ConfigurationError
            raise self._error(
                f"{self._refusal(name)}: {reason}. Leave it out, use `{'`, `'.join(self.others)}`, or set "
                "`ignore_unsupported=True` on the model to have such arguments ignored.",
                kind,
            )

    def _refusal(self, name: str) -> str:
        return (
            f"`{self.owner}` does not take `{name}` in a call"
            if self.call
            else f"`{self.owner}` has no argument `{name}`"
        )

    def _unknown(self, name: str) -> str:
        """Return the message about *name*: an explanation, a near match, or the known arguments."""
        if name in EXPLAINED:
            return f"{self._refusal(name)}: {EXPLAINED[name]}."
        if name in BODY_ONLY:
            way = f". If the server takes it, pass `extra_body={{{name!r}: ...}}`" if "extra_body" in self.known else ""
            return f"{self._refusal(name)}: it is not a parameter of the API{way}."
        candidates = sorted({*self.known, *self.lacking})
        close = _same_word(name, candidates) or difflib.get_close_matches(name, candidates, n=1)
        if close:
            reason = self.lacking.get(close[0])
            return f"{self._refusal(name)}; did you mean `{close[0]}`?" + (
                f" {reason[0].upper()}{reason[1:]}." if reason else ""
            )
        takes = f"; it takes `{'`, `'.join(sorted(self.known))}`" if self.call else ""
        return f"{self._refusal(name)}{takes}."

    def _error(self, message: str, kind: type[ConfigurationError | InvalidInputError] | None = None) -> Exception:
        if self.call:
            return (kind or InvalidInputError)(f"{message} Nothing was sent.")
        return (kind or ConfigurationError)(message)


def _same_word(name: str, known: Collection[str]) -> list[str]:
    """Return the argument that is *name* but for case and separators, such as `maxTokens`."""
    bare = name.replace("_", "").replace("-", "").lower()
    return [other for other in known if other.replace("_", "") == bare][:1]


def constructor_names(provider: str) -> dict[str, str]:
    """Return other names of a constructor's arguments, `<provider>_api_key` and its like among them."""
    own = {f"{provider}_api_key": "api_key", f"{provider}_api_base": "base_url", f"{provider}_base_url": "base_url"}
    return {**RENAMED, **CONSTRUCTOR_NAMES, **own}


SHOWN = (bool, int, float)
"""Types of values that a message may repeat: no text, for that may be a secret."""


IMAGE_OPTIONS = frozenset(
    {"aspect_ratio", "resolution", "quality", "size", "style", "seed", "prompt", "reference_images"}
)
NOT_FOR_IMAGES = frozenset(
    {"n", "tools", "tool_choice", "system", "system_prompt", "messages", "input", "stream", "strict"}
)
"""Arguments whose explanations are about chats."""


def unknown_argument(owner: str, name: str, names: Iterable[str]) -> ConfigurationError:
    """Return the error for an argument that *owner* does not have, with the one of *names* that may be meant."""
    if name in IMAGE_OPTIONS:
        return ConfigurationError(
            f"`{owner}` has no argument `{name}`. Options of an image are passed with its prompt."
        )
    if name in EXPLAINED and name not in NOT_FOR_IMAGES:
        return ConfigurationError(f"`{owner}` has no argument `{name}`: {EXPLAINED[name]}.")
    known = sorted(names)
    own = {**RENAMED, **CONSTRUCTOR_NAMES}.get(name)
    close = [own] if own in known else _same_word(name, known) or difflib.get_close_matches(name, known, n=1)
    return ConfigurationError(
        f"`{owner}` has no argument `{name}`" + (f"; did you mean `{close[0]}`?" if close else ".")
    )


def configuration_error(owner: str, error: ValidationError) -> ConfigurationError:
    """Return what pydantic found wrong with a constructor's arguments, as this package's error."""
    missing = [str(issue["loc"][-1]) for issue in error.errors() if issue["type"] == "missing"]
    if missing:
        return ConfigurationError(f"`{owner}` needs `{'` and `'.join(missing)}`.")
    said: dict[str, str] = {}
    for issue in error.errors():
        name = str(issue["loc"][0]) if issue["loc"] else ""
        message = str(issue["msg"]).removeprefix("Value error, ").rstrip(".")
        shown = f", not {issue['input']!r}" if isinstance(issue["input"], SHOWN) and ", not " not in message else ""
        said.setdefault(name, f"{message}{shown}")
    told = [f"`{name}`: {message}" if name else message for name, message in said.items()]
    return ConfigurationError(f"`{owner}` cannot be made. {'. '.join(told)}.")
