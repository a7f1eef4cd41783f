"""Calls of a computer, a shell or a patch, which the caller runs, in a history. Pure.

They exist as items of the Responses API only, and go back as such to the account that made them. Anywhere else they are
refused, because the conversation would mean something else without them.
"""

from __future__ import annotations

from rivya_core.errors import NotSupportedError
from rivya_core.openai import custom_tools
from rivya_core.openai.responses.item_types import is_answer
from rivya_core.types import CLIENT_CALLS_KEY, Message, RawBlock

RESULTS_OF_TOOLS = (f"{custom_tools.CALL}_output", "function_call_output")


def refuse_client_calls(message: Message) -> None:
    """Check that *message* can be written without the items of its response.

    Raises:
        NotSupportedError: It holds a call that the caller runs, or the result of one.
    """
    if CLIENT_CALLS_KEY not in message.extras and RawBlock not in set(map(type, message.parts)):
        return
    parts = [part.block for part in message.parts if isinstance(part, RawBlock)]
    results = [block for block in parts if is_answer(block) and block["type"] not in RESULTS_OF_TOOLS]
    for block in (*message.client_calls, *results):
        raise NotSupportedError(
            f"The {message.role} message holds a `{block.get('type')}`. It can only be sent with the Responses API, to "
            "the account whose model made the call, and only if the reply is unchanged. Continue there, or leave the "
            "call and its result out of the messages. Nothing was sent."
        )
