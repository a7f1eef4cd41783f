"""How the options of a call become a prompt: tools, their choice, and the form of the reply, asked for in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from rivya_core.adapters.tool_choice import tool_choice_for, tool_list
from rivya_core.extras import LazyModule

if TYPE_CHECKING:  # what only a call needs is imported by the first call
    from rivya_core.prompted import prompt as prompts
    from rivya_core.structured.schemas import Schema
else:
    prompts = LazyModule("rivya_core.prompted.prompt")

PROMPT_OPTIONS = frozenset({"tools", "tool_choice", "parallel_tool_calls", "response_format", "repair"})
"""Options of a call that are asked for in words."""
API_FORMATS = frozenset({"json_schema", "json_object"})
"""Types of response formats of OpenAI-compatible APIs, which promise that the text is JSON and nothing else."""
RivyaToolCalling = Literal["prompted", "off"]
ToolCalling = Literal["native", "prompted"]


def prompt_of(options: Mapping[str, Any], *, repair: bool) -> prompts.Prompt:
    """Return what a call asks for in words.

    Args:
        options: The options of the call; those in `PROMPT_OPTIONS` are read.
        repair: Whether replies are repaired, if the call does not say so itself.

    Raises:
        InvalidInputError: A tool, the choice or the form of the reply cannot be asked for in words. Nothing was sent.
    """
    if PROMPT_OPTIONS.isdisjoint(options):
        return prompts.NOTHING_ASKED[bool(repair)]
    tools, form = _tools(options.get("tools")), options.get("response_format")
    return prompts.prompt_for(
        tools,
        tool_choice_for(options.get("tool_choice"), tools) if tools else None,
        single=options.get("parallel_tool_calls") is False or options.get("allow_parallel_tool_calls") is False,
        schema=_schema(form),
        repair=options.get("repair", repair),
        json_only=isinstance(form, Mapping) and str(form.get("type")) in API_FORMATS,
    )


def _tools(given: Any) -> list[Any]:
    """The tools of a call as the API's objects; a binding passes them as such."""
    from rivya_core.structured.wire_forms import wire_tool

    tools = tool_list(given) if given else []
    return [tool if isinstance(tool, Mapping) else wire_tool(tool) for tool in tools]


def _schema(form: Any) -> Schema | None:
    """The schema of a reply: a class, a JSON schema, or a `response_format` of OpenAI-compatible APIs."""
    from rivya_core.structured.schemas import schema_of

    if form is None or (isinstance(form, Mapping) and form.get("type") == "text"):
        return None
    if isinstance(form, Mapping) and form.get("type") == "json_object" and "properties" not in form:
        return schema_of({"title": "reply", "type": "object"})
    if isinstance(form, Mapping) and isinstance(form.get("json_schema"), Mapping):
        form = form["json_schema"]
    return schema_of(form)


def text_that_counts(metadata: Mapping[str, Any], text: str) -> str:
    """Return the text of a reply that is read as structured output: of a repaired stream only what was said last."""
    repaired = metadata.get("repaired")
    last = repaired.get("text") if isinstance(repaired, Mapping) else None
    return last if isinstance(last, str) else text
