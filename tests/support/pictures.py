"""Draws the pictures of the documentation on the sandbox, into `docs/pictures/`: `python tests/support/pictures.py`.

They are what a notebook shows, so that a reader sees the real thing. A test compares them with what is drawn today.
"""

from __future__ import annotations

import io
import os
import re
from pathlib import Path

from langchain_core.messages import BaseMessage, HumanMessage

from langchain_rivya import ChatGMI, ChatRivya, RivyaCreditsHandler, RivyaImageTool
from rivya_sandbox import Sandbox, serve

FOLDER = Path(__file__).parents[2] / "docs" / "pictures"
SEASONS = ("Spring", "Summer", "Autumn", "Winter")


def drawn(sandbox: Sandbox) -> dict[str, str]:
    """Return the HTML of each picture by its file's name."""
    with RivyaCreditsHandler() as spent:
        talk(ChatRivya(api_key=sandbox.api_key, base_url=sandbox.rivya_url))
    with RivyaCreditsHandler(limit=20) as several:
        talk(ChatRivya(api_key=sandbox.api_key, base_url=sandbox.rivya_url))
        ChatRivya(model="gpt-5-codex-chat", api_key=sandbox.api_key, base_url=sandbox.rivya_url).invoke("Hello")
        ChatGMI(api_key=sandbox.api_key, base_url=sandbox.gmi_url).invoke("Hello")
    batch = tool(sandbox).generate_many([*SEASONS, {"prompt": "A map", "aspect_ratio": "1:99"}])
    pictures = {"timeline": spent.timeline, "credits": several, "contact-sheet": batch}
    return {f"{name}.html": block(shown._repr_html_()) for name, shown in pictures.items()}


def talk(model: ChatRivya) -> None:
    """A conversation, a fork of its second reply, and a history whose first message was edited."""

    def ask(history: list[BaseMessage], question: str) -> list[BaseMessage]:
        asked = [*history, HumanMessage(question)]
        return [*asked, model.invoke(asked)]

    first = ask([], "My name is Ada.")
    second = ask(first, "What is my name?")
    ask(second, "Thank you. Say goodbye.")
    ask(second, "Say hello instead.")
    ask([HumanMessage("My name is Grace."), *first[1:]], "What is my name?")


def tool(sandbox: Sandbox) -> RivyaImageTool:
    """The image tool on the sandbox."""
    return RivyaImageTool(api_key=sandbox.api_key, base_url=sandbox.rivya_url, progress=False)


def block(html: str) -> str:
    """The picture as one line of a page, without what differs from run to run."""
    same = re.sub(r'chatsess_[^"]*|img_\w+', lambda found: found[0].split("_")[0], html)
    return f'<div class="picture">{same}</div>\n'


def main() -> None:
    """Write all pictures, and the image that the guide shows."""
    os.environ.pop("RIVYA_SESSION_LEDGER", None)
    FOLDER.mkdir(exist_ok=True)
    with serve() as sandbox:
        for name, html in drawn(sandbox).items():
            (FOLDER / name).write_text(html, encoding="utf-8")
        lighthouse = tool(sandbox).generate("A lighthouse at dawn", aspect_ratio="16:9").pil().convert("RGB")
    lighthouse.thumbnail((960, 960))
    encoded = io.BytesIO()
    lighthouse.save(encoded, "JPEG", quality=85)
    (FOLDER / "lighthouse.jpg").write_bytes(encoded.getvalue())


if __name__ == "__main__":
    main()
