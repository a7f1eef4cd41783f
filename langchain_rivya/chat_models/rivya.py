"""`ChatRivya`: chat whose history is kept in sessions on the server."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from langchain_core.language_models import LanguageModelInput
from langchain_core.language_models.model_profile import ModelProfile
from langchain_core.messages import AIMessage
from langchain_core.runnables import Runnable

from langchain_rivya.chat_models.function_calling import ToolCallingChat
from langchain_rivya.errors import NotSupportedError
from rivya_core.adapters.rivya_fields import TOOLS_OFF, RivyaFields

if TYPE_CHECKING:
    from langchain_rivya.chat_models.structured_output import Method
    from langchain_rivya.chat_models.tools import ToolLike


class ChatRivya(RivyaFields, ToolCallingChat):
    """Rivya's chat, whose history is kept in sessions on the server.

    The model sees exactly the messages that you pass. A reply carries a pointer to its session. The next call continues
    that session only if the messages up to the reply are those that it holds. Otherwise the whole transcript is sent to
    a new session.

    Source: https://rivya.ai/docs/api-chat

    Setup:
        Install `rivya-integrations[langchain]` and set the environment variable `RIVYA_API_KEY`.

    Key init args:
        model: Chat model id. Default `gpt-5-2-chat`.
        api_key: Key; default from `RIVYA_API_KEY`.
        base_url: Default from `RIVYA_BASE_URL`, else `https://rivya.ai/api/v1`.
        reasoning_effort: `default`, `minimal`, `low`, `medium`, `high` or `xhigh`, as far as the model supports it.
        enable_web_search: Whether the model may search the web, if it can.
        session_id: Pins one session: only the messages after the last reply are sent, nothing is checked.
        session_ledger: Where session heads are remembered. Default: what the environment variable
            `RIVYA_SESSION_LEDGER` names (`memory`, a path for SQLite, a `redis://` URL), else this process's memory.
        on_history_mismatch: `replay` (default) or `error`.
        long_replay: What to do if a history must be replayed and is longer than one message (20,000 characters):
            `error` (default) raises `ContextOverflowError`, `parts` sends it in several messages, which are charged.
        tool_calling: `prompted` (default) describes tools in words; `off` refuses them.
        repair: Whether a reply whose tool call or structured output does not fit is asked for once more. Default True.
        on_repair: What to do at the next turn with a session that holds a repair turn: `continue` (default), or
            `replay` into a new one.
        fetch_image_urls: Whether images that messages name by URL are fetched and uploaded. Default False.
        timeout: Seconds; by default 10 to connect and 120 between reads.
        max_retries: Extra requests after a failure that may be repeated. Default 2.
        max_retry_seconds: Seconds that a call may wait between its requests, all together. Default 60.
        stream_idle_timeout: Seconds that a stream may last without a piece of the reply. Default 600.
        max_response_bytes: Bytes that a response may have, decompressed. Default 64 MiB.

    Instantiate:
        ```python
        from langchain_rivya import ChatRivya

        model = ChatRivya()
        ```

    Invoke:
        ```python
        reply = model.invoke("Name three rivers of Europe.")
        reply.text
        ```

    Stream:
        ```python
        for chunk in model.stream("Name three rivers of Europe."):
            print(chunk.text, end="")
        ```

    Async:
        ```python
        reply = await model.ainvoke("Name three rivers of Europe.")
        ```

    Token usage:
        ```python
        reply.usage_metadata
        # {"input_tokens": 8, "output_tokens": 12, "total_tokens": 20}
        ```

    Response metadata:
        ```python
        reply.response_metadata
        # {"model_provider": "rivya", "model_name": "gpt-5-2-chat", "id": "chatcmpl_...",
        #  "session_id": "...", "session_route": "new", "credits": {"reserved": 3, "final": 1},
        #  "created_at": "...", "rivya_session": {...}}
        ```

    Rivya's chat has no tools and no response formats of its own. Both are asked for in words, inside the session, and
    what comes back is checked against their schemas. It has no stop sequences and no sampling parameters.
    """

    @property
    def _identifying_params(self) -> dict[str, Any]:
        """What traces and caches see of the model: what it sends with every call."""
        names = ("reasoning_effort", "enable_web_search", "client_request_id", "session_id")
        sent = {name: value for name in names if (value := getattr(self, name)) is not None}
        return {**super()._identifying_params, **sent}

    def bind_tools(self, tools: Sequence[ToolLike], **kwargs: Any) -> Runnable[LanguageModelInput, AIMessage]:
        """Return this model with tools, which are described in words. Arguments as for every chat model.

        Raises:
            NotSupportedError: Tools are switched off.
        """
        if self.tool_calling == "off":
            raise NotSupportedError(TOOLS_OFF)
        return super().bind_tools(tools, **kwargs)

    def _default_method(self) -> Method:
        return "prompted"

    def _resolve_model_profile(self) -> ModelProfile:
        """A replayed transcript must fit into one message; at four characters a token that is the input limit."""
        from rivya_core.rivya.wire import LONGEST_MESSAGE

        return ModelProfile(
            max_input_tokens=LONGEST_MESSAGE // 4,
            text_inputs=True,
            text_outputs=True,
            image_inputs=True,
            tool_calling=self.tool_calling != "off",
            tool_choice=self.tool_calling != "off",
            structured_output=False,
        )
