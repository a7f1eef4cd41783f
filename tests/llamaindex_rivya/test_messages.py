"""LlamaIndex's messages and blocks to the core's: what is carried, and what is refused by name."""

from __future__ import annotations

import io

import pytest
from core_messages import digest_of
from llama_index.core.base.llms.types import (
    AudioBlock,
    CachePoint,
    ChatMessage,
    CitableBlock,
    DocumentBlock,
    ImageBlock,
    TextBlock,
    ThinkingBlock,
    ToolCallBlock,
    VideoBlock,
)
from pydantic import BaseModel
from samples import pdf, png, png_url, wav

from llamaindex_rivya.llms.blocks import InputCapabilities
from llamaindex_rivya.llms.messages import to_core, to_message
from rivya_core.errors import InvalidInputError, NotSupportedError
from rivya_core.http.plan import Call
from rivya_core.types import Media, ToolCall

EVERYTHING = InputCapabilities("The test", frozenset({"image", "audio", "video", "file"}), "Do without.")

TAKES_STREAMS = pytest.mark.skipif(
    "IOBase" not in str(ImageBlock.model_fields["image"].annotation), reason="this framework's blocks take no streams"
)


def core(*blocks, role="user", **facts):
    return to_message(ChatMessage(role=role, blocks=list(blocks), additional_kwargs=facts), EVERYTHING)


class SDKFunction(BaseModel):
    """As SDKs have it."""

    name: str
    arguments: str


class SDKCall(BaseModel):
    """As SDKs have it."""

    id: str
    type: str
    function: SDKFunction


class TestMedia:
    @pytest.mark.parametrize(
        ("block", "kind", "mime_type"),
        [
            (ImageBlock(image=png()), "image", "image/png"),
            (AudioBlock(audio=wav(), format="wav"), "audio", "audio/wav"),
            (DocumentBlock(data=pdf(), document_mimetype="application/pdf", title="t.pdf"), "file", "application/pdf"),
        ],
    )
    def test_bytes(self, block, kind, mime_type):
        """Base64 in the block, bytes in the core."""
        (media,) = core(block).parts

        assert (media.kind, media.mime_type) == (kind, mime_type)
        assert media.data in {png(), wav(), pdf()}

    @TAKES_STREAMS
    def test_streams_are_read_from_their_beginning(self):
        """Twice, if need be: each turn converts the whole history."""
        stream = io.BytesIO(png())
        block = ImageBlock(image=stream, image_mimetype="image/png")

        assert core(block).parts == core(block).parts == (Media("image", data=png(), mime_type="image/png"),)

    def test_urls_and_options(self):
        """A remote URL stays one; data URLs are bytes; `detail` is kept."""
        (remote,) = core(ImageBlock(url="https://example.com/a.png", detail="high")).parts
        (film,) = core(VideoBlock(url="https://example.com/a.mp4")).parts
        (inline,) = core(ImageBlock(url=png_url())).parts

        assert (remote.url, remote.extras) == ("https://example.com/a.png", {"detail": "high"})
        assert (film.kind, film.url) == ("video", "https://example.com/a.mp4")
        assert inline.data == png()

    @TAKES_STREAMS
    def test_the_same_image_is_the_same_in_every_form(self, tmp_path):
        """Bytes, file, stream and data URL have one digest, so that a stored history is recognised."""
        path = tmp_path / "a.png"
        path.write_bytes(png())
        forms = [
            ImageBlock(image=png()),
            ImageBlock(path=path),
            ImageBlock(image=io.BytesIO(png())),
            ImageBlock(url=png_url()),
        ]

        assert len({digest_of([core(form)]) for form in forms}) == 1

    def test_files_are_read_off_the_event_loop(self, tmp_path):
        """Reading a file is a step of the plan, which the async driver takes to a thread."""
        path = tmp_path / "a.png"
        path.write_bytes(png())
        plan = to_core([ChatMessage(role="user", blocks=[ImageBlock(path=path)])], EVERYTHING)

        step = next(plan)

        assert isinstance(step, Call)
        assert step.work()[0].parts[0].data == png()

    def test_an_empty_block_is_refused(self):
        """It holds nothing that could be sent."""
        with pytest.raises(InvalidInputError, match="ImageBlock of the user message holds no data, path or URL"):
            core(ImageBlock())

    def test_a_file_that_is_gone_is_refused(self, tmp_path):
        """The error names block, role and reason."""
        path = tmp_path / "a.png"
        path.write_bytes(png())
        block = ImageBlock(path=path)
        path.unlink()

        with pytest.raises(InvalidInputError, match="ImageBlock of the user message cannot be read"):
            core(block)

    def test_what_a_wire_does_not_take_is_refused(self):
        """By type and role, with the next move."""
        takes = InputCapabilities("The test", frozenset({"image"}), "Do without.", frozenset({"user"}))
        for role, block in (("user", DocumentBlock(data=pdf())), ("system", ImageBlock(image=png()))):
            with pytest.raises(NotSupportedError, match=rf"{type(block).__name__} of the {role} message.*Do without"):
                to_message(ChatMessage(role=role, blocks=[block]), takes)


class TestText:
    def test_blocks_are_joined_as_the_framework_does(self):
        """Line breaks between texts, also round an image; empty texts count."""
        message = core(TextBlock(text="a"), ImageBlock(image=png()), TextBlock(text=""), TextBlock(text="b"))

        assert message.text == "a\n\nb"

    def test_citable_text_carries_its_source(self):
        """Title and source stand before the content."""
        block = CitableBlock(title="Rivers", source="atlas", content=[TextBlock(text="The Rhine.")])

        assert core(block).text == "[Rivers](atlas)\nThe Rhine."

    def test_a_cache_point_belongs_to_the_block_before_it(self):
        """Its text stays as it is; a point after nothing is refused."""
        point = CachePoint(cache_control={"type": "ephemeral"})
        (text,) = core(TextBlock(text="a"), point).parts
        assert (text.text, text.extras["cache_control"]["type"]) == ("a", "ephemeral")
        _, image = core(TextBlock(text="a"), ImageBlock(image=png()), point).parts
        assert image.extras["cache_control"]["type"] == "ephemeral"
        with pytest.raises(InvalidInputError, match="must follow"):
            core(point)

    @pytest.mark.parametrize("block", [ThinkingBlock(content="Hm."), ToolCallBlock(tool_name="f", tool_kwargs={})])
    def test_only_assistants_think_and_call(self, block):
        """Reasoning and calls in other messages are refused."""
        with pytest.raises(NotSupportedError, match="user message cannot hold reasoning or tool calls"):
            core(block)

    def test_reasoning_is_kept_apart(self):
        """They are not text, and no part of a digest."""
        message = core(ThinkingBlock(content="Hm."), TextBlock(text="a"), role="assistant")

        assert (message.text, message.reasoning) == ("a", "Hm.")
        assert digest_of([message]) == digest_of([core(TextBlock(text="a"), role="assistant")])


class TestToolCalls:
    def test_calls_of_other_integrations(self):
        """Objects of an SDK, or dicts, in `additional_kwargs` alone."""
        plain = {"id": "a", "type": "function", "function": {"name": "f", "arguments": '{"x": 1}'}}
        anthropic = {"id": "a", "type": "tool_use", "name": "f", "input": {"x": 1}}
        bedrock = {"toolUseId": "a", "name": "f", "input": {"x": 1}}
        for form in (plain, SDKCall.model_validate(plain), anthropic, bedrock):
            assert core(role="assistant", tool_calls=[form]).tool_calls == (ToolCall("a", "f", '{"x": 1}'),)

    @pytest.mark.parametrize("item", [None, "f", {"id": "a"}, {"id": "a", "function": {"arguments": "{}"}}])
    def test_what_is_no_call_is_refused(self, item):
        """Metadata that only look like calls are an error, not a crash."""
        with pytest.raises(InvalidInputError, match="not a tool call"):
            core(role="assistant", tool_calls=[item])

    def test_arguments_that_json_cannot_carry_are_refused(self):
        """Before anything is sent."""
        with pytest.raises(InvalidInputError, match="written as JSON"):
            core(ToolCallBlock(tool_name="f", tool_kwargs={"x": object()}), role="assistant")

    def test_results_name_their_call(self):
        """The id is in `additional_kwargs`, for `tool` and `function` messages alike."""
        for role in ("tool", "function"):
            message = core(TextBlock(text="42"), role=role, tool_call_id="a")
            assert (message.role, message.tool_call_id) == ("tool", "a")

    def test_names_are_kept(self):
        """A speaker's name goes along; anything but a text is none."""
        assert core(TextBlock(text="a"), name="Ann").name == "Ann"
        assert core(TextBlock(text="a"), name=5).name is None


def test_a_result_that_is_marked_as_an_error_is_one():
    """LlamaIndex itself has no such mark; callers with loops of their own set it."""
    assert core(TextBlock(text="x"), role="tool", tool_call_id="1", is_error=True).failed
    assert not core(TextBlock(text="x"), role="tool", tool_call_id="1").failed
