"""Tool calls put together from what servers send as their pieces. Pure.

By the API's page every piece has the `index` of its call, the first one id and name, the later ones arguments. Real
back ends leave the index out or set it to 0 for all calls, repeat id and name in every piece, send whole calls, the
same call twice, arguments as an object or as twice encoded text. `ToolCalls` finds out which call a piece belongs to,
renumbers the calls, and passes each id and name on once. Arguments that are not a JSON object at the end are marked
invalid and never repaired. Further data that servers attach to a call is kept as its state.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rivya_core.http.json_codec import SurrogateBuffer, arguments_text, is_object
from rivya_core.openai.custom_tools import arguments_of
from rivya_core.openai.state_pieces import call_state, joined_state
from rivya_core.types import ToolCallDelta

NO_ARGUMENTS = "{}"
"""What gateways send first for a call whose arguments follow; it is handed on when nothing follows."""


@dataclass(slots=True)
class _Call:
    """One call so far.

    Attributes:
        number: Its number among the calls that are handed on.
        held: Its arguments do not begin like an object, or are empty so far; they are handed on at the end.
        custom: It is a call of a custom tool, whose free text is handed on at the end, as arguments.
    """

    number: int
    id: str = ""
    name: str = ""
    pieces: list[str] = field(default_factory=list)
    length: int = 0
    held: bool = False
    custom: bool = False
    characters: SurrogateBuffer = field(default_factory=SurrogateBuffer)
    state: list[dict[str, Any]] = field(default_factory=list)

    @property
    def text(self) -> str:
        if len(self.pieces) > 1:
            self.pieces = ["".join(self.pieces)]
        return self.pieces[0] if self.pieces else ""

    @property
    def whole(self) -> bool:
        return is_object(self.text)


class ToolCalls:
    """The tool calls of one streamed reply."""

    def __init__(self) -> None:
        self._calls: list[_Call] = []
        self._by_index: dict[int, _Call] = {}
        self._by_id: dict[str, _Call] = {}
        self._ids: set[str] = set()
        self._early: list[dict[str, Any]] = []

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self._calls)

    def add(self, pieces: Any) -> tuple[ToolCallDelta, ...]:
        """Return what the `tool_calls` of one delta add."""
        found = pieces if isinstance(pieces, list) else [pieces]
        deltas = [self._add(piece) for piece in found if isinstance(piece, Mapping)]
        return tuple(delta for delta in deltas if delta is not None)

    def finish(self) -> tuple[ToolCallDelta, ...]:
        """Return the held arguments, ids for calls that have none, and which calls are invalid."""
        closing = [self._close(call) for call in self._calls]
        return tuple(delta for delta in closing if delta is not None)

    @property
    def state(self) -> dict[str, dict[str, Any]]:
        """The state of the calls by their ids, once they are finished."""
        return {call.id: joined_state(call.state) for call in self._calls if call.state}

    def _add(self, piece: Mapping[str, Any]) -> ToolCallDelta | None:
        index, id_, name, text = _read(piece)
        call = self._by_index.get(index) if index is not None and not id_ and not name else None
        if call is None:
            call = self._call(index, id_, name, text)
        self._keep_state(call, call_state(piece))
        if call is not None and _is_custom(piece):
            call.custom = call.held = True
        if call is None or (text and len(text) == call.length and text == call.text and call.whole):
            return None  # a piece of no call, or the whole call again
        if id_ and not call.id:
            id_ = _new_id() if id_ in self._ids else id_  # two calls of one reply need two ids
            self._ids.add(id_)
        return _grow(call, id_, name, text)

    def _keep_state(self, call: _Call | None, state: dict[str, Any]) -> None:
        """Add *state* to its call; what comes before any call belongs to the first."""
        if call is None:
            self._early += [state] if state else []
        elif state or self._early:
            call.state += [*self._early, *([state] if state else [])]
            self._early = []

    def _call(self, index: int | None, id_: str, name: str, text: str) -> _Call | None:
        """Return the call that a piece belongs to: an old one, a new one, or None for a piece that says nothing."""
        known = self._by_id.get(id_) if id_ else None
        here = self._by_index.get(index) if index is not None else (self._calls[-1] if self._calls else None)
        if known is not None and not _begins_anew(known, id_, name, text):
            return known
        if here is not None and not _begins_anew(here, id_, name, text, placed=index is not None):
            return self._index(here, index, id_)
        if not name and not id_ and self._calls:
            return self._index(self._calls[-1], index, id_)  # an index that counts pieces, not calls
        if not (name or id_ or text):
            return None
        self._calls.append(_Call(len(self._calls)))
        return self._index(self._calls[-1], index, id_)

    def _index(self, call: _Call, index: int | None, id_: str) -> _Call:
        if index is not None:
            self._by_index[index] = call
        if id_:
            self._by_id[id_] = call
        return call

    def _close(self, call: _Call) -> ToolCallDelta | None:
        left = call.characters.finish()
        text = arguments_of(call.text + left) if call.custom else arguments_text(call.text + left)
        late = text if call.held or not call.text.strip() else left
        id_ = None if call.id else _new_id()
        call.id = call.id or id_ or ""
        invalid = not call.name or not is_object(text)
        if not (late or id_ or invalid):
            return None
        return ToolCallDelta(call.number, id_, None, late, invalid, call.custom)


def whole_calls(calls: Any) -> tuple[ToolCallDelta, ...]:
    """Return the tool calls of a whole reply, each as one piece."""
    return calls_with_state(calls)[0]


def calls_with_state(calls: Any) -> tuple[tuple[ToolCallDelta, ...], dict[str, dict[str, Any]]]:
    """Return the tool calls of a whole reply, each as one piece, and the state that came with them, by their ids."""
    if not calls:
        return (), {}
    listed = [call for call in calls if isinstance(call, Mapping)] if isinstance(calls, list) else []
    found = [call for call in listed if any(_read(call)[1:])]
    if not found:
        return (), {}
    deltas = tuple(_whole(number, call) for number, call in enumerate(found))
    states = [call_state(call) for call in found]
    return deltas, {delta.id or "": state for delta, state in zip(deltas, states, strict=True) if state}


def _whole(number: int, call: Mapping[str, Any]) -> ToolCallDelta:
    _, id_, name, text = _read(call)
    custom = _is_custom(call)
    arguments = arguments_of(text) if custom else arguments_text(text)
    invalid = not name or not is_object(arguments)
    return ToolCallDelta(number, id_ or _new_id(), name or None, arguments, invalid, custom)


def _read(piece: Mapping[str, Any]) -> tuple[int | None, str, str, str]:
    """Index, id, name and arguments of a piece, in the API's nested form or flat; of a custom tool its input."""
    custom = piece.get("custom")
    inner = {**custom, "arguments": custom.get("input")} if isinstance(custom, Mapping) else piece.get("function")
    function = inner if isinstance(inner, Mapping) else piece if "name" in piece or "arguments" in piece else {}
    index, arguments = piece.get("index"), function.get("arguments")
    text = "" if arguments is None else arguments if isinstance(arguments, str) else arguments_text(arguments)
    number = index if isinstance(index, int) and not isinstance(index, bool) else None
    return number, _word(piece.get("id")), _word(function.get("name")), text


def _is_custom(piece: Mapping[str, Any]) -> bool:
    return isinstance(piece.get("custom"), Mapping)


def _new_id() -> str:
    return f"call_{uuid.uuid4().hex}"


def _word(value: Any) -> str:
    return value if isinstance(value, str) else str(value) if isinstance(value, int) else ""


def _begins_anew(call: _Call, id_: str, name: str, text: str, *, placed: bool = True) -> bool:
    """Whether a piece that could continue *call* begins another one instead; *placed* if it has the call's index."""
    if not name or not call.name:
        return False  # only a first piece has a name, and a call without one may still get it
    if name != call.name:  # before any argument it may be the rest of the name
        same_id = id_ == call.id if id_ else placed
        return bool(call.length) or not same_id or (is_object(text) and (bool(id_) or not call.id))
    opening = text.lstrip()[:1]
    if id_ and call.id and id_ != call.id:
        return not call.length or opening in {"", "{", '"'} or call.whole
    filled = call.text.strip() == NO_ARGUMENTS and id_ == call.id != ""
    return opening == "{" and text != call.text and call.whole and not filled


def _grow(call: _Call, id_: str, name: str, text: str) -> ToolCallDelta | None:
    new_id, new_name = (id_ if not call.id else ""), _rest_of_name(call, name)
    call.id, call.name = call.id or id_, call.name + new_name
    passed = _append(call, text) if text else ""
    if not (new_id or new_name or passed):
        return None
    return ToolCallDelta(call.number, new_id or None, new_name or None, passed)


def _rest_of_name(call: _Call, name: str) -> str:
    """Return what *name* adds: a name may come in pieces, and servers repeat it, as far as it has come or whole."""
    if name == call.name or call.length:
        return "" if call.name else name
    return name.removeprefix(call.name)


def _append(call: _Call, text: str) -> str:
    """Add *text* to the arguments and return what can be handed on of them."""
    passed = text = call.characters.add(text)
    if not text:
        return ""
    if not call.length or call.held:
        every = call.text + text
        if call.text.strip() == NO_ARGUMENTS and text.lstrip().startswith("{"):
            every, call.pieces, call.length = text, [], 0
        call.held = call.custom or not every.lstrip().startswith("{") or every.strip() == NO_ARGUMENTS
        passed = "" if call.held else every
    call.pieces.append(text)
    call.length += len(text)
    return passed
