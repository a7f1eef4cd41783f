"""Pydantic objects out of values that need no checking, for streams, where checking costs more than all else.

Tests hold what is made here equal to what validation makes, on every supported version.
"""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import BaseModel

M = TypeVar("M", bound=BaseModel)

_new, _set_values = object.__new__, object.__setattr__
_set_fields = vars(BaseModel)["__pydantic_fields_set__"].__set__
_set_extra = vars(BaseModel)["__pydantic_extra__"].__set__
_set_private = vars(BaseModel)["__pydantic_private__"].__set__


def construct_unvalidated(
    kind: type[M], values: dict[str, Any], fields: set[str], extra: dict[str, Any] | None = None
) -> M:
    """Return a *kind* that owns what is given here.

    Args:
        kind: A model without private attributes.
        values: All of its fields.
        fields: Those that count as set.
        extra: What a model with `extra="allow"` holds in addition to its fields.
    """
    made = _new(kind)
    _set_values(made, "__dict__", values)
    _set_fields(made, fields)
    _set_extra(made, extra)
    _set_private(made, None)
    return made
