"""The sessions of a conversation, call by call: which calls continued, forked or replayed, and what each cost.

Everything is read from the metadata that replies carry, so that it works on any messages of either framework, also on
those out of a checkpoint. The output is made in `timeline_html.py` (notebooks) and `summary.py` (terminals).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from rivya_core.reporting.steps import Step, facts_of, step
from rivya_core.reporting.summary import timeline_table
from rivya_core.reporting.timeline_html import timeline_html


class SessionTimeline:
    """Shows which calls continued a session, which began one, which replayed their history, and what each cost.

        ```python
        from langchain_core.messages import HumanMessage
        from langchain_rivya import ChatRivya, SessionTimeline

        history = [HumanMessage("My name is Ada.")]
        history.append(ChatRivya().invoke(history))
        SessionTimeline(history)  # messages of LangChain or LlamaIndex, in the order of the calls
        ```

    A notebook draws it; a terminal shows a table. `RivyaCreditsHandler.timeline` is that of all calls it counted.

    Args:
        messages: Messages or responses; replies that are seen again (in a second list that shares its beginning with
            the first) are left out.
    """

    def __init__(self, *messages: Any) -> None:
        self.steps: list[Step] = list(_steps(messages))

    @classmethod
    def of(cls, steps: Iterable[Step]) -> SessionTimeline:
        """Return the timeline of calls that were counted."""
        timeline = cls()
        timeline.steps = list(steps)
        return timeline

    def __repr__(self) -> str:
        """Return the text for a terminal."""
        return timeline_table(self.steps)

    def _repr_html_(self) -> str:
        return timeline_html(self.steps)


def _steps(messages: Iterable[Any]) -> Iterator[Step]:
    asked, before, seen = "", None, set[str]()
    for message in _flat(messages):
        facts = facts_of(message)
        if facts is None:
            asked = _text(message)
            continue
        name = str(facts.get("id") or id(message))
        if name not in seen:
            seen.add(name)
            usage = getattr(message, "usage_metadata", None) or getattr(message, "additional_kwargs", None)
            yield step(facts, usage if isinstance(usage, Mapping) else None, asked, before)
        before = facts


def _flat(messages: Iterable[Any]) -> Iterator[Any]:
    for message in messages:
        if isinstance(message, Sequence) and not isinstance(message, (str, bytes)):
            yield from _flat(message)
        else:
            yield message


def _text(message: Any) -> str:
    text = getattr(message, "text", None) or getattr(message, "content", None)
    return str(text) if isinstance(text, str) else ""
