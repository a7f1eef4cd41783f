"""What newcomers get wrong first: each mistake is an error of the one tree that says what to do, in both frameworks."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from both_frameworks import PACKAGES, url_of
from langchain_core.messages import HumanMessage
from llama_index.core.llms import ChatMessage, ImageBlock

from langchain_rivya import ChatRivya, MemoryLedger, RivyaCreditsHandler, RivyaImageTool
from llamaindex_rivya import Rivya, RivyaImageToolSpec
from rivya_core.errors import ConfigurationError, InvalidInputError, NotFoundError
from rivya_core.providers import GMI, RIVYA
from rivya_sandbox import Sandbox

EVERY_FRAMEWORK = pytest.mark.parametrize("framework", PACKAGES)


def account(sandbox: Sandbox) -> dict[str, Any]:
    return {"api_key": sandbox.api_key, "base_url": url_of(sandbox, RIVYA)}


def image_tool(framework: str, sandbox: Sandbox, **arguments: Any) -> Any:
    kind = RivyaImageTool if framework == "langchain" else RivyaImageToolSpec
    return kind(**account(sandbox), progress=False, **arguments)


@EVERY_FRAMEWORK
def test_an_unknown_model_is_named_as_such(framework: str, sandbox: Sandbox) -> None:
    """A 404 about a model does not send the reader to the base URL."""
    package, prefix = PACKAGES[framework]
    model = getattr(package, f"{prefix}GMI")(model="nope", api_key=sandbox.api_key, base_url=url_of(sandbox, GMI))

    with pytest.raises(NotFoundError, match=r"Check the model id; `\.models\(\)` lists"):
        model.invoke("Hi") if framework == "langchain" else model.complete("Hi")


@EVERY_FRAMEWORK
def test_one_prompt_is_not_a_batch_of_letters(framework: str, sandbox: Sandbox) -> None:
    """A text or a mapping where a list belongs orders nothing."""
    for prompts in ("A fox", {"prompt": "A fox"}):
        with pytest.raises(InvalidInputError, match=r"takes a list of prompts.*Nothing was sent"):
            image_tool(framework, sandbox).generate_many(prompts)
    assert sandbox.ledger() == []


@EVERY_FRAMEWORK
def test_a_typo_in_an_image_tools_argument_gets_the_near_match(framework: str, sandbox: Sandbox) -> None:
    with pytest.raises(ConfigurationError, match=r"has no argument `outputdir`; did you mean `output_dir`\?"):
        image_tool(framework, sandbox, outputdir="x")


@EVERY_FRAMEWORK
@pytest.mark.parametrize("option", ["aspect", "sizee"])
def test_an_agent_is_told_the_options_as_a_person_is(framework: str, option: str, sandbox: Sandbox) -> None:
    """An unknown option is answered with those that there are."""
    tool = image_tool(framework, sandbox)
    if framework == "langchain":
        told = tool.invoke({"prompt": "x", option: "1:1"})
    else:
        with pytest.raises(InvalidInputError) as caught:
            tool.to_tool_list(["generate_image"])[0].call(prompt="x", **{option: "1:1"})
        told = str(caught.value)

    assert f"`{option}`" in told
    assert "aspect_ratio, resolution" in told
    assert "Nothing was sent" in told


@pytest.mark.parametrize("named", ["./picture.png", "picture.png", "file:///tmp/picture.png"])
def test_a_path_in_a_message_is_not_a_url(named: str, sandbox: Sandbox) -> None:
    """The advice is to pass the bytes, not to allow fetching."""
    parts: list[str | dict[str, Any]] = [{"type": "image_url", "image_url": {"url": named}}]
    with pytest.raises(InvalidInputError) as caught:
        ChatRivya(**account(sandbox)).invoke([HumanMessage(parts)])

    assert "pass its bytes" in str(caught.value)
    assert "fetch_image_urls" not in str(caught.value)
    if "://" in named:  # LlamaIndex itself refuses the others
        with pytest.raises(InvalidInputError, match="pass its bytes"):
            Rivya(**account(sandbox)).chat([ChatMessage(blocks=[ImageBlock(url=named)])])


@EVERY_FRAMEWORK
@pytest.mark.parametrize(
    ("given", "ledger"), [("x.sqlite", r"SQLiteLedger\('x.sqlite'\)"), ("redis://:pw@host", r"RedisLedger\(url\)")]
)
def test_a_ledger_is_made_from_a_path(framework: str, given: str, ledger: str, sandbox: Sandbox) -> None:
    """The error names the class to use, and no password."""
    package, prefix = PACKAGES[framework]
    with pytest.raises(ConfigurationError, match=ledger) as caught:
        getattr(package, f"{prefix}Rivya")(**account(sandbox), session_ledger=given)

    assert "pw" not in str(caught.value)


@EVERY_FRAMEWORK
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"session_ledger": MemoryLedger}, r"`MemoryLedger\(\)`, not the class"),
        ({"base_url": "http://127.0.0.1:9/api/v1/chat/completions"}, r"must end before `/chat/completions`"),
        ({"api_key": "'rvya_sk_quoted'"}, "in quotes"),
        ({"rate_limiter": 5}, "rate_?limiter"),
    ],
)
def test_a_wrong_value_is_refused_at_construction(framework: str, arguments: dict[str, Any], words: str) -> None:
    package, prefix = PACKAGES[framework]
    with pytest.raises(ConfigurationError, match=words) as caught:
        getattr(package, f"{prefix}Rivya")(**{"api_key": "rvya_sk_x", **arguments})

    assert "quoted" not in str(caught.value)


@EVERY_FRAMEWORK
@pytest.mark.parametrize("kind", ["Rivya", "GMI"])
def test_tools_and_messages_of_the_wrong_type(framework: str, kind: str, sandbox: Sandbox) -> None:
    package, prefix = PACKAGES[framework]
    url = url_of(sandbox, RIVYA if kind == "Rivya" else GMI)
    model = getattr(package, f"{prefix}{kind}")(api_key=sandbox.api_key, base_url=url)
    if framework == "langchain":
        calls = [lambda: model.bind_tools(len), lambda: model.invoke("Hi", tools=["x"]), lambda: model.invoke(None)]
        calls += [lambda: model.invoke([{"role": "usr", "content": "Hi"}])]
    else:
        calls = [lambda: model.chat_with_tools(len, "Hi"), lambda: model.chat_with_tools([len], "Hi")]
        calls += [lambda given=given: model.chat(given) for given in ("Hi", None, ["Hi"], ChatMessage("Hi"))]
        calls += [lambda: model.stream_chat("Hi"), lambda: model.complete(None), lambda: model.chat([], tools=["x"])]
        calls += [lambda: model.structured_predict(dict, "Hi")]

    for call in calls:
        with pytest.raises(InvalidInputError, match="Nothing was sent"):
            call()
    assert sandbox.journal.requests == []


@EVERY_FRAMEWORK
def test_a_method_of_another_package_is_named(framework: str) -> None:
    package, prefix = PACKAGES[framework]
    model = getattr(package, f"{prefix}Rivya")(api_key="rvya_sk_x")
    foreign, ours = ("complete", "`invoke`") if framework == "langchain" else ("invoke", "`complete`")
    with pytest.raises(AttributeError, match=f"has no `{foreign}`: use {ours}"):
        getattr(model, foreign)
    assert not hasattr(model, foreign)


@EVERY_FRAMEWORK
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"api_base": "http://127.0.0.1:9"}, "did you mean `base_url`"),
        ({"aspect_ratio": "16:9"}, "passed with its prompt"),
        ({"output_dir": 5}, "output_dir"),
        ({"images": "cat.png"}, "images"),
        ({"http_client": 5}, "http_client"),
    ],
)
def test_a_wrong_argument_of_an_image_tool(
    framework: str, arguments: dict[str, Any], words: str, sandbox: Sandbox
) -> None:
    with pytest.raises(ConfigurationError, match=words):
        image_tool(framework, sandbox, **arguments)


@EVERY_FRAMEWORK
@pytest.mark.parametrize("key", [5, "", "\u00fc", "a\n"])
def test_an_idempotency_key_that_no_header_holds(framework: str, key: Any, sandbox: Sandbox) -> None:
    package, prefix = PACKAGES[framework]
    model = getattr(package, f"{prefix}Rivya")(**account(sandbox))
    with pytest.raises(InvalidInputError, match="`idempotency_key` must be printable ASCII"):
        (model.invoke if framework == "langchain" else model.complete)("Hi", idempotency_key=key)


def test_what_is_no_tool_and_no_schema(sandbox: Sandbox) -> None:
    model = ChatRivya(**account(sandbox))
    for call in (lambda: model.bind_tools([partial(print)]), lambda: model.with_structured_output(list[str])):
        with pytest.raises(InvalidInputError, match="Nothing was sent"):
            call()


@EVERY_FRAMEWORK
def test_wrong_arguments_of_a_batch_and_of_resume(framework: str, sandbox: Sandbox) -> None:
    tool = image_tool(framework, sandbox)
    for call in (lambda: tool.generate_many(None), lambda: tool.resume(None), lambda: tool.resume({"id": "x"})):
        with pytest.raises(InvalidInputError):
            call()
    with pytest.raises(ConfigurationError, match="`max_concurrency`"):
        tool.generate_many(["a"], max_concurrency="x")


@EVERY_FRAMEWORK
@pytest.mark.usefixtures("slept")
def test_an_unknown_task_is_not_said_to_be_running(framework: str, sandbox: Sandbox) -> None:
    with pytest.raises(NotFoundError, match="Check the task id") as caught:
        image_tool(framework, sandbox).resume("nope")

    assert "still running" not in str(caught.value)


@pytest.mark.parametrize("limit", [-1, "5", float("nan")])
def test_a_limit_is_a_number_of_credits(limit: Any) -> None:
    with pytest.raises(ConfigurationError, match="`limit` must be a number of credits"):
        RivyaCreditsHandler(limit=limit)
