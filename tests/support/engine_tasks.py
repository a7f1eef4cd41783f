"""What the workers of the engines do; they find key and URL in their environment."""

from __future__ import annotations

import itertools
from typing import Any
from unittest import mock

from rivya_core.images.polling import PollingPolicy


def ask(model: Any, prompt: str) -> str:
    """Ask a shipped model of either framework."""
    return str(model.invoke(prompt).text if hasattr(model, "invoke") else model.complete(prompt).text)


def draw(tool: Any, prompt: str) -> str:
    """Make an image with a shipped tool, polled often, and return where it is."""
    make = tool.generate if hasattr(tool, "generate") else tool.generate_image
    with mock.patch.object(PollingPolicy, "delays", return_value=itertools.repeat(0.1)):
        return str(make(prompt)["path"])
