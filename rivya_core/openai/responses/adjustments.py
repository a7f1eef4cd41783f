"""Requests of the Responses API, changed for what a back end refuses. Pure; `chat/refusals.py` has the reasons."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from rivya_core.openai.chat.adjustments import NO_TEXT, schema_words, tool_words
from rivya_core.openai.chat.quirks import NONE, Quirks
from rivya_core.openai.chat.refusals import NESTED, is_blank, is_forced, left_out

Body = dict[str, Any]


def adjusted(body: Body, known: Quirks, keep: Collection[str] = ()) -> Body:
    """Return the *body* for a back end with these quirks; the options in *keep* stay as they are."""
    if known is NONE:
        return body
    refused = left_out(known, body) | ({"metadata"} if known.no_labels else frozenset())
    left = {key: value for key, value in body.items() if key in keep or key not in refused}
    for name, (key, inner) in NESTED.items():
        if name in refused and key not in keep:
            left = _without(left, key, inner)
    if isinstance(body["input"], list):
        left["input"] = [_item(item, known) for item in body["input"]]
    if "tool_choice" not in keep and known.no_forced_tool and is_forced(left.get("tool_choice")):
        left = _with_words(left, tool_words(left.pop("tool_choice")))
    return left if "text" in keep else _format(left, known)


def output_tool(body: Mapping[str, Any], known: Quirks) -> str | None:
    """Return the name of the tool that stands for the format of *body*, or None if none does."""
    form = _form(body)
    if known.schema_by != "tool" or form.get("type") != "json_schema" or body.get("tools"):
        return None
    return str(form.get("name") or "output")


def _form(body: Mapping[str, Any]) -> Mapping[str, Any]:
    text = body.get("text")
    form = text.get("format") if isinstance(text, Mapping) else None
    return form if isinstance(form, Mapping) else {}


def _without(body: Body, key: str, inner: str) -> Body:
    """Return *body* without one key of an object in it, and without the object if nothing is left of it."""
    found = body.get(key)
    if not isinstance(found, Mapping) or inner not in found:
        return body
    rest = {name: value for name, value in found.items() if name != inner}
    return {**body, key: rest} if rest else {name: value for name, value in body.items() if name != key}


def _item(item: Any, known: Quirks) -> Any:
    if not isinstance(item, Mapping) or "role" not in item:
        return item
    made = dict(item)
    if made["role"] == "developer" and known.no_developer:
        made["role"] = "system"
    if known.no_blanks and is_blank(made.get("content")):
        made["content"] = NO_TEXT
    return made


def _with_words(body: Body, words: str) -> Body:
    said = body["input"]
    listed = said if isinstance(said, list) else [{"role": "user", "content": said}]
    return {**body, "input": [{"role": "system", "content": words}, *listed]}


def _format(body: Body, known: Quirks) -> Body:
    form, rest = _form(body), _without(body, "text", "format")
    if form.get("type") == "json_object" and known.no_json_object:
        return rest
    if form.get("type") != "json_schema" or known.schema_by == "format":
        return body
    name, schema = output_tool(body, known), form.get("schema")
    if name is None:
        return _with_words(rest, schema_words(schema))
    about = form.get("description") or f"Give the {name}."
    tool = {"type": "function", "name": name, "description": about, "parameters": schema or {"type": "object"}}
    return {**rest, "tools": [tool], "tool_choice": {"type": "function", "name": name}}
