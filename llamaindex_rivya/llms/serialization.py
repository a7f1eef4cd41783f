"""Copies of a model and its written forms: what goes along, what stays behind, and no secret in any of them.

`copy.deepcopy` gives a model that shares clients, ledger, callbacks and key. A pickle holds a fingerprint of the
key; where it is read, the key is found in the process or the environment. `to_dict` and `to_json` leave the key
out, and `from_dict` finds it in the environment. Headers whose names speak of credentials stay behind everywhere.
"""

from pickle import PicklingError
from typing import Any

import httpx
from llama_index.core.llms.llm import LLM
from pydantic import BaseModel, field_serializer, field_validator
from typing_extensions import Self

from rivya_core.http import credentials as keys
from rivya_core.http.headers import public_headers

CLIENTS = ("http_client", "http_async_client")
REPORTING = ("callback_manager", "rate_limiter")


class SerializationMixin(LLM):
    """How the models of this package are copied, pickled and written down."""

    @field_serializer("default_headers", check_fields=False)
    def _public_headers(self, headers: dict[str, str]) -> dict[str, str]:
        return public_headers(headers)

    @field_serializer("timeout", check_fields=False)
    def _plain_timeout(self, timeout: float | httpx.Timeout | None) -> Any:
        return timeout.as_dict() if isinstance(timeout, httpx.Timeout) else timeout

    @field_validator("timeout", mode="before", check_fields=False)
    @classmethod
    def _read_timeout(cls, timeout: Any) -> Any:
        return httpx.Timeout(**timeout) if isinstance(timeout, dict) else timeout

    def __getstate__(self) -> dict[str, Any]:
        """Return the fields but callbacks and limiter; the key as its fingerprint.

        Raises:
            PicklingError: The model has clients of its own; connections cannot leave their process.
        """
        state = BaseModel.__getstate__(self)  # LlamaIndex's own would take what it cannot pickle from the live model
        fields = {name: value for name, value in state["__dict__"].items() if name not in REPORTING}
        own = [name for name in CLIENTS if fields.pop(name, None) is not None]
        if own:
            raise PicklingError(
                f"A model with its own `{own[0]}` cannot be pickled; pickle `model.model_copy(update="
                f'{{"{own[0]}": None}})` and set it again on the other side.'
            )
        key = fields["api_key"]
        fields["api_key"] = keys.register(key) if key else None
        fields["default_headers"] = public_headers(fields["default_headers"])
        return {**state, "__dict__": fields}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take the fields, and the defaults of those that stayed behind."""
        fields = {n: field.get_default(call_default_factory=True) for n, field in type(self).model_fields.items()}
        fields |= state["__dict__"]
        fields["api_key"] = keys.lookup(fields["api_key"])
        BaseModel.__setstate__(self, {**state, "__dict__": fields})

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        """Return a copy that shares what it talks through; there is no state of conversations to part with."""
        return self.model_copy(update={"default_headers": dict(getattr(self, "default_headers", {}))})
