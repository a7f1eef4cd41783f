"""What the workers of the engines do; they find key and URL in their environment."""

from __future__ import annotations

from typing import Any


def ask(model: Any, prompt: str) -> str:
    """Ask a shipped model of either framework."""
    return str(model.invoke(prompt).text if hasattr(model, "invoke") else model.complete(prompt).text)


def draw(tool: Any, prompt: str) -> str:
    """Make an image with a shipped tool and return where it is."""
    make = tool.generate if hasattr(tool, "generate") else tool.generate_image
    return str(make(prompt)["path"])
