"""What the workers of the engines do; they find key and URL in their environment."""

from __future__ import annotations

import itertools
from typing import Any

from rivya_core.images.polling import PollingPolicy


def ask(model: Any, prompt: str) -> str:
    """Ask a shipped model of either framework."""
    return str(model.invoke(prompt).text if hasattr(model, "invoke") else model.complete(prompt).text)


def draw(tool: Any, prompt: str) -> str:
    """Make an image with a shipped tool and return where it is."""
    PollingPolicy.delays = lambda _: itertools.repeat(0.05)  # type: ignore[method-assign]
    make = tool.generate if hasattr(tool, "generate") else tool.generate_image
    return str(make(prompt)["path"])
