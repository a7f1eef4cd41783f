"""The image tools of both frameworks, sync and async, with the same calls; sample images; pauses that do not wait."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Awaitable, Callable
from typing import Any

from PIL import Image


def image_file(colour: str = "red", size: tuple[int, int] = (8, 6), kind: str = "PNG") -> bytes:
    """A real image."""
    out = io.BytesIO()
    Image.new("RGB", size, colour).save(out, kind)
    return out.getvalue()


class Slept(list[float]):
    """Records the requested pauses and does not wait."""

    def __init__(self) -> None:
        super().__init__()
        self.then: Callable[[float], None] = lambda _: None

    def pause(self, seconds: float) -> None:
        self.append(seconds)
        self.then(seconds)

    async def apause(self, seconds: float) -> None:
        self.pause(seconds)
        await asyncio.sleep(0)


class ImageTools:
    """One framework's image tool, called sync or async under the same names."""

    def __init__(self, framework: str, way: str) -> None:
        self.framework, self.way = framework, way

    def tool(self, **fields: Any) -> Any:
        if self.framework == "langchain":
            from langchain_rivya import RivyaImageTool

            return RivyaImageTool(**fields)
        from llamaindex_rivya import RivyaImageToolSpec

        return RivyaImageToolSpec(**fields)

    def generate(self, tool: Any, prompt: str = "A red fox", **arguments: Any) -> Any:
        """The application's own call."""
        return self.call(tool, "generate" if self.framework == "langchain" else "generate_image", prompt, **arguments)

    def ask(self, tool: Any, **arguments: Any) -> str:
        """An agent's call. Returns the text that the agent gets."""
        if self.framework == "langchain":
            made = tool.ainvoke(arguments) if self.way == "async" else tool.invoke(arguments)
            return self.wait(made)
        function = tool.to_tool_list()[0]
        try:
            made = function.acall(**arguments) if self.way == "async" else function.call(**arguments)
            return self.wait(made).content
        except Exception as error:  # noqa: BLE001 - an agent gets the text of any error
            return str(error)

    def call(self, tool: Any, name: str, *args: Any, **kwargs: Any) -> Any:
        return self.wait(getattr(tool, ("a" if self.way == "async" else "") + name)(*args, **kwargs))

    def wait(self, made: Any) -> Any:
        return asyncio.run(_whole(made)) if isinstance(made, Awaitable) else made


async def _whole(made: Awaitable[Any]) -> Any:
    return await made
