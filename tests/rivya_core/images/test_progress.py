"""Progress: when a bar is shown, what it shows, and that a failing listener does not affect the image."""

from __future__ import annotations

import io
import re
import sys
from types import SimpleNamespace
from typing import Any

import pytest
from image_tools import ImageTools

from langchain_rivya import RivyaImageTool
from rivya_core.errors import ConfigurationError
from rivya_core.images import progress
from rivya_core.images.progress import ImageProgress, bar_wanted, combine_listeners, interactive
from rivya_core.images.result import GeneratedImage
from rivya_sandbox import Fault, Sandbox

pytestmark = pytest.mark.usefixtures("slept")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("stream", "wanted"), [(Terminal(), True), (io.StringIO(), False), (None, False)])
def test_a_bar_is_shown_in_a_terminal_only(monkeypatch: pytest.MonkeyPatch, stream: Any, wanted: bool) -> None:
    monkeypatch.setattr(sys, "stderr", stream)

    assert wanted is interactive() is bar_wanted(None)
    assert bar_wanted(True)
    assert not bar_wanted(False)
    assert not bar_wanted(print)


def test_a_bar_is_shown_in_a_notebook(monkeypatch: pytest.MonkeyPatch) -> None:
    """An IPython kernel counts; another IPython shell counts only in a terminal."""
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    for config, wanted in (({"IPKernelApp": {}}, True), ({}, False)):
        shell = SimpleNamespace(config=config)
        monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda shell=shell: shell))
        assert wanted is interactive()


def test_without_tqdm_there_is_no_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    """A requested bar is refused at construction; otherwise nothing happens."""
    monkeypatch.setattr(progress, "find_spec", lambda _: None)
    monkeypatch.setattr(sys, "stderr", Terminal())

    assert not bar_wanted(None)
    with pytest.raises(ConfigurationError, match="needs tqdm: pip install tqdm"):
        RivyaImageTool(api_key="rvya_sk_x", progress=True)


def test_one_image_shows_its_stages(
    box: Sandbox, tools: ImageTools, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    tools.generate(tools.tool(progress=True))
    shown = capsys.readouterr().err

    for stage in ("submitting", "queued", "processing, poll 1", "downloading, poll 2", "done, poll 2"):
        assert f"gpt-image-2: {stage}" in shown
    assert "step/s" not in shown


def test_a_failure_is_shown_at_its_stage(box: Sandbox, tools: ImageTools, capsys: pytest.CaptureFixture[str]) -> None:
    box.fault(Fault(task="fail"))
    tools.ask(tools.tool(progress=True), prompt="p")
    shown = capsys.readouterr().err

    assert "gpt-image-2: failed" in shown
    assert "done" not in shown


def test_a_batch_has_one_bar(box: Sandbox, tools: ImageTools, capsys: pytest.CaptureFixture[str]) -> None:
    """It counts images, failures and credits."""
    box.fault(Fault(task="fail"))
    tools.call(tools.tool(progress=True), "generate_many", ["a", "b", " ", "d"])
    shown = capsys.readouterr().err

    assert "4/4" in shown
    assert re.search(r"failed=2, credits=6", shown)
    assert "submitting" not in shown


def test_langchains_batch_has_one_bar(box: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    import asyncio

    tool = RivyaImageTool(progress=True)
    tool.batch(["a", "b", "c"])
    assert "3/3" in capsys.readouterr().err
    asyncio.run(tool.abatch(["a", "b", "c"]))
    shown = capsys.readouterr().err
    assert "3/3" in shown
    assert "submitting" not in shown
    tool.batch(["a"])
    assert "submitting" in capsys.readouterr().err


def test_nothing_is_shown_without_a_terminal(
    box: Sandbox, tools: ImageTools, capsys: pytest.CaptureFixture[str]
) -> None:
    tools.generate(tools.tool())

    assert "" == capsys.readouterr().err


def test_a_function_receives_the_progress(box: Sandbox, tools: ImageTools) -> None:
    told: list[ImageProgress] = []
    tool = tools.tool(progress=told.append)
    image = tools.generate(tool)

    assert ["submitting", "queued", "processing", "downloading", "done"] == [one.stage for one in told]
    last = told[-1]
    assert (image["id"], image["task_id"], 3, 2) == (last.image_id, last.task_id, last.credits, last.polls)
    assert told[0].seconds <= last.seconds
    assert {"stage", "model", "polls", "seconds", "index", "total"} == set(told[0].to_json())


def test_a_failure_is_reported(box: Sandbox, tools: ImageTools) -> None:
    """Before and after the request is sent."""
    told: list[ImageProgress] = []
    tool = tools.tool(progress=told.append)
    box.fault(Fault(task="fail"))
    outcomes = tools.call(tool, "generate_many", ["p", " "], max_concurrency=1)

    failed = [one for one in told if one.stage == "failed"]
    assert [str(outcome) for outcome in outcomes] == [one.message for one in failed]
    assert [0, 1] == [one.index for one in failed]
    assert box.tasks.all[0].id == failed[0].task_id


def test_a_failing_listener_does_not_affect_the_image(
    box: Sandbox, tools: ImageTools, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_: ImageProgress) -> None:
        raise RuntimeError("listener is broken")

    assert isinstance(tools.generate(tools.tool(progress=fail)), GeneratedImage)
    assert "listener is broken" in caplog.text


def test_a_failing_listener_does_not_silence_another() -> None:
    told: list[ImageProgress] = []
    listener = combine_listeners(lambda _: 1 / 0, None, told.append)  # type: ignore[func-returns-value]
    assert listener is not None
    listener(ImageProgress("done", "m"))

    assert 1 == len(told)
    assert None is combine_listeners(None, None)
    assert told.append == combine_listeners(None, told.append)


def test_resuming_is_shown_too(box: Sandbox, tools: ImageTools, capsys: pytest.CaptureFixture[str]) -> None:
    tool = tools.tool(progress=True)
    image = tools.generate(tool)
    capsys.readouterr()
    tools.call(tool, "resume", image["task_id"])

    assert "gpt-image-2: done, poll 1" in capsys.readouterr().err
