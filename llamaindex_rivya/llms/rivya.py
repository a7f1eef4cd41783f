"""`Rivya`: the chat whose history is kept in sessions on the server. The other models are in `providers.py`."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from llama_index.core.base.llms.types import LLMMetadata
from pydantic import BaseModel, Field

from llamaindex_rivya.llms.blocks import InputCapabilities
from llamaindex_rivya.llms.function_calling import ToolCallingLLM
from llamaindex_rivya.llms.output_modes import OutputMode, OutputModeName
from rivya_core.adapters.rivya_fields import RivyaFields
from rivya_core.errors import NotSupportedError


class Rivya(RivyaFields, ToolCallingLLM):
    """Rivya's chat, whose history is kept in sessions on the server.

    The model sees exactly the messages that you pass. A reply carries a pointer to its session
    (`message.additional_kwargs["rivya_session"]`). The next call continues that session only if the messages up to the
    reply are those that it holds. Otherwise the whole transcript is sent to a new session. Memories, chat engines and
    agents work as usual.

    The chat takes one message of text and images at a time, at most 20,000 characters. It has no tools and no response
    formats of its own. Both are asked for in words, inside the session, and what comes back is checked against their
    schemas.

    Source: https://rivya.ai/docs/api-chat

    Args:
        model: Chat model id. Default `gpt-5-2-chat`.
        api_key: Key; default from `RIVYA_API_KEY`.
        base_url: Default from `RIVYA_BASE_URL`, else `https://rivya.ai/api/v1`.
        timeout: Seconds, or an `httpx.Timeout`; by default 10 to connect and 120 between reads.
        max_retries: Extra requests after a failure that may be repeated. Default 2.
        max_retry_seconds: Seconds that a call may wait between its requests, all together. Default 60.
        stream_idle_timeout: Seconds that a stream may last without a piece of the reply. Default 600.
        max_response_bytes: Bytes that a response may have, decompressed. Default 64 MiB.
        default_headers: Further headers of every request.
        http_client: Your own `httpx.Client`.
        http_async_client: Your own `httpx.AsyncClient`; it belongs to one event loop.
        reasoning_effort: `default`, `minimal`, `low`, `medium`, `high` or `xhigh`, as far as the model supports it.
        enable_web_search: Whether the model may search the web, if it can.
        client_request_id: Your own id for tracing.
        session_id: Pins one session: only the messages after the last reply are sent, nothing is checked.
        session_ledger: Where session heads are remembered. Default: what the environment variable
            `RIVYA_SESSION_LEDGER` names (`memory`, a path for SQLite, a `redis://` URL), else this process's memory.
        on_history_mismatch: What to do with a history that no session holds: `replay` (default) or `error`.
        long_replay: What to do if a history must be replayed and is longer than one message (20,000 characters):
            `error` (default) raises `ContextOverflowError`, `parts` sends it in several messages, which are charged.
        tool_calling: `prompted` (default) describes tools in words; `off` refuses them.
        repair: Whether a reply whose tool call or structured output does not fit is asked for once more. Default True.
        on_repair: What to do at the next turn with a session that holds a repair turn: `continue` (default), or
            `replay` into a new one.
        fetch_image_urls: Whether images that messages name by URL are fetched and uploaded. Default False.
        context_window: Tokens that query engines and memories fit prompts into. The limit is one of characters; the
            default 3,600, of which 256 stay free (`num_output`), keeps prompts below 20,000 characters in the
            plainest English (5.8 characters a token; four to five are usual).

    A call may override `model`, `reasoning_effort`, `enable_web_search`, `session_id`, `client_request_id`,
    `timeout` and `idempotency_key` by keyword.

    Raises:
        ConfigurationError: No key, a URL that cannot be one, or an argument that does not exist.

    Example:
        ```python
        from llama_index.core.llms import ChatMessage
        from llamaindex_rivya import Rivya

        llm = Rivya()
        messages = [ChatMessage(role="user", content="Name three rivers of Europe.")]
        reply = llm.chat(messages)
        messages += [reply.message, ChatMessage(role="user", content="Which is the longest?")]
        for chunk in llm.stream_chat(messages):
            print(chunk.delta, end="")
        ```
    """

    call_options: ClassVar[frozenset[str]] = RivyaFields.call_options | {"allow_parallel_tool_calls"}
    takes: ClassVar[InputCapabilities] = InputCapabilities(
        "Rivya's chat", frozenset({"image"}), "Put its text into the message, or use `GMI` or `Evolink`."
    )

    context_window: int = Field(default=3600, gt=0, description="Tokens that prompts are fitted into.")
    num_output: int = Field(default=256, gt=0, description="Tokens of `context_window` that prompts leave free.")

    @classmethod
    def class_name(cls) -> str:
        """Return the name under which LlamaIndex's serialised forms know the class."""
        return "rivya_llm"

    @property
    def metadata(self) -> LLMMetadata:
        """What LlamaIndex asks about the model; nothing is sent or read for it."""
        return LLMMetadata(
            context_window=self.context_window,
            num_output=self.num_output,
            is_chat_model=True,
            is_function_calling_model=self.tool_calling != "off",
            model_name=self.model,
        )

    def _output_modes(
        self, output_cls: type[BaseModel], wanted: OutputModeName | None, options: Mapping[str, Any]
    ) -> Sequence[OutputMode]:
        if wanted not in (None, "auto", "prompted", "tool"):
            raise NotSupportedError(
                f"Rivya's chat takes no `output_mode={wanted!r}`; objects are asked for in words. Nothing was sent."
            )
        return [
            OutputMode("tool", output_cls) if wanted == "tool" else OutputMode("prompted", output_cls, by_wire=True)
        ]

    def predict_and_call(self, tools: Any, *args: Any, **kwargs: Any) -> Any:
        """Let the model call one of *tools*, and return its output."""
        return super().predict_and_call(tools, *args, **{**self._react(), **kwargs})

    async def apredict_and_call(self, tools: Any, *args: Any, **kwargs: Any) -> Any:
        """Let the model call one of *tools*, and return its output."""
        return await super().apredict_and_call(tools, *args, **{**self._react(), **kwargs})

    def _react(self) -> dict[str, Any]:
        """What LlamaIndex's `predict_and_call` leaves empty where tools are off, and its `ReActAgent` then refuses."""
        if self.tool_calling != "off":
            return {}
        from llama_index.core.agent.react import ReActChatFormatter, ReActOutputParser
        from llama_index.core.memory import ChatMemoryBuffer

        return {
            "react_chat_formatter": ReActChatFormatter.from_defaults(),
            "output_parser": ReActOutputParser(),
            "memory": ChatMemoryBuffer.from_defaults(token_limit=2_000),
        }
