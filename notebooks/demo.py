"""A LangChain chat, a LlamaIndex query engine and an image in about ten seconds.

With `RIVYA_API_KEY` it uses the service, else a sandbox that it starts itself. A terminal shows the image if
`textual-image` is installed, which `make demo` does.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).parent
OUT = HERE.parent / "out"


@contextmanager
def service() -> Iterator[None]:
    """Run against the real service if there is a key, else against a sandbox of our own."""
    if os.environ.get("RIVYA_API_KEY"):
        print(f"Talking to the Rivya service at {os.environ.get('RIVYA_BASE_URL', 'https://rivya.ai/api/v1')}.")
        yield
        return
    from rivya_sandbox import serve

    with serve() as sandbox:
        print(f"RIVYA_API_KEY is not set: talking to the sandbox on {sandbox.url}, which costs nothing.")
        os.environ |= {"RIVYA_API_KEY": sandbox.api_key, "RIVYA_BASE_URL": sandbox.rivya_url}
        yield


def chat() -> None:
    """A LangChain chain, streamed; its second turn continues the session of its first."""
    from langchain_core.messages import AIMessageChunk, BaseMessage, HumanMessage
    from langchain_core.prompts import ChatPromptTemplate, MessagesPlaceholder

    from langchain_rivya import ChatRivya

    print("\n== LangChain: a chain, streamed, two turns in one session")
    prompt = ChatPromptTemplate.from_messages([("system", "Answer briefly."), MessagesPlaceholder("history")])
    chain = prompt | ChatRivya()
    history: list[BaseMessage] = []
    for question in ("My name is Ada and I like rivers. Say hello.", "What is my name?"):
        history.append(HumanMessage(question))
        print(f"you:   {question}\nrivya: ", end="", flush=True)
        reply: AIMessageChunk | None = None
        for chunk in chain.stream({"history": history}):
            print(chunk.text, end="", flush=True)
            reply = chunk if reply is None else reply + chunk
        facts = reply.response_metadata
        print(f"\n       session {facts['session_id']} ({facts['session_route']}), credits {facts['credits']}")
        history.append(reply)


def query() -> None:
    """A LlamaIndex query engine over the documents in `data/`, found by keywords: no embeddings, no download."""
    from llama_index.core import SimpleDirectoryReader, SimpleKeywordTableIndex

    from llamaindex_rivya import Rivya

    print("\n== LlamaIndex: a query engine over three documents")
    documents = SimpleDirectoryReader(HERE / "data", required_exts=[".md"]).load_data()
    llm = Rivya()
    index = SimpleKeywordTableIndex.from_documents(documents, llm=llm)  # finds keywords without asking the model
    engine = index.as_query_engine(llm=llm, streaming=True)
    for question in ("How long is the Rhine?", "When was Voyager 2 launched?"):
        print(f"you:   {question}\nrivya: ", end="", flush=True)
        for text in engine.query(question).response_gen:
            print(text, end="", flush=True)
        print()


def image() -> None:
    """The image tool makes an image and saves it; a terminal shows it."""
    from langchain_rivya import RivyaImageTool

    print("\n== The image tool")
    tool = RivyaImageTool(output_dir=OUT, progress=True)
    message = tool.invoke(
        {
            "type": "tool_call",
            "id": "call_1",
            "name": tool.name,
            "args": {"prompt": "A lighthouse over a calm sea at dawn", "aspect_ratio": "16:9"},
        }
    )
    print(message.content)
    show(message.artifact["path"])


def show(path: str) -> None:
    """Show an image in the terminal: in full where it has Sixel or Kitty's protocol, else in coloured half cells."""
    if not sys.stdout.isatty():
        return
    try:
        from rich import print as rich_print
        from textual_image.renderable import Image
    except ImportError:
        return
    try:
        rich_print(Image(path, width=60, height="auto"))
    except Exception as error:  # noqa: BLE001 - the path is printed already, and terminals fail in many ways
        print(f"This terminal cannot show it ({type(error).__name__}: {error}).")


if __name__ == "__main__":
    with service():
        chat()
        query()
        image()
