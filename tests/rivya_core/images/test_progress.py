"""Progress: who is shown a bar, what it shows, and that telling never costs a picture."""

from __future__ import annotations

import io
import re
import sys
from types import SimpleNamespace
from typing import Any

import pytest
from image_generator import Studio

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
def test_a_bar_is_for_people(monkeypatch: pytest.MonkeyPatch, stream: Any, wanted: bool) -> None:
    monkeypatch.setattr(sys, "stderr", stream)

    assert wanted is interactive() is bar_wanted(None)
    assert bar_wanted(True)
    assert not bar_wanted(False)
    assert not bar_wanted(print)


def test_a_notebook_is_for_people(monkeypatch: pytest.MonkeyPatch) -> None:
    """An IPython kernel is, another IPython shell only on a terminal."""
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    for config, wanted in (({"IPKernelApp": {}}, True), ({}, False)):
        shell = SimpleNamespace(config=config)
        monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda shell=shell: shell))
        assert wanted is interactive()


def test_without_tqdm_there_is_no_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is said at construction if one was asked for, and is no matter otherwise."""
    monkeypatch.setattr(progress, "find_spec", lambda _: None)
    monkeypatch.setattr(sys, "stderr", Terminal())

    assert not bar_wanted(None)
    with pytest.raises(ConfigurationError, match=r"rivya-integrations\[notebooks\]"):
        RivyaImageTool(api_key="rvya_sk_x", progress=True)


def test_one_picture_is_shown_by_its_stages(
    box: Sandbox, studio: Studio, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    studio.generate(studio.tool(progress=True))
    shown = capsys.readouterr().err

    for stage in ("submitting", "queued", "processing, poll 1", "downloading, poll 2", "done, poll 2"):
        assert f"gpt-image-2: {stage}" in shown
    assert "step/s" not in shown


def test_a_failure_is_shown_where_it_happened(box: Sandbox, studio: Studio, capsys: pytest.CaptureFixture[str]) -> None:
    box.fault(Fault(task="fail"))
    studio.ask(studio.tool(progress=True), prompt="p")
    shown = capsys.readouterr().err

    assert "gpt-image-2: failed" in shown
    assert "done" not in shown


def test_a_batch_is_shown_by_one_bar(box: Sandbox, studio: Studio, capsys: pytest.CaptureFixture[str]) -> None:
    """It counts pictures, failures and credits."""
    box.fault(Fault(task="fail"))
    studio.call(studio.tool(progress=True), "generate_many", ["a", "b", " ", "d"])
    shown = capsys.readouterr().err

    assert "4/4" in shown
    assert re.search(r"failed=2, credits=6", shown)
    assert "submitting" not in shown


def test_langchains_batch_is_shown_by_one_bar(box: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
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


def test_nothing_is_shown_where_nobody_watches(
    box: Sandbox, studio: Studio, capsys: pytest.CaptureFixture[str]
) -> None:
    studio.generate(studio.tool())

    assert "" == capsys.readouterr().err


def test_a_function_of_ones_own_is_told(box: Sandbox, studio: Studio) -> None:
    told: list[ImageProgress] = []
    tool = studio.tool(progress=told.append)
    picture = studio.generate(tool)

    assert ["submitting", "queued", "processing", "downloading", "done"] == [one.stage for one in told]
    last = told[-1]
    assert (picture["id"], picture["task_id"], 3, 2) == (last.image_id, last.task_id, last.credits, last.polls)
    assert told[0].seconds <= last.seconds
    assert {"stage", "model", "polls", "seconds", "index", "total"} == set(told[0].to_json())


def test_a_failure_is_told(box: Sandbox, studio: Studio) -> None:
    """Before the order and after it."""
    told: list[ImageProgress] = []
    tool = studio.tool(progress=told.append)
    box.fault(Fault(task="fail"))
    outcomes = studio.call(tool, "generate_many", ["p", " "], max_concurrency=1)

    failed = [one for one in told if one.stage == "failed"]
    assert [str(outcome) for outcome in outcomes] == [one.message for one in failed]
    assert [0, 1] == [one.index for one in failed]
    assert box.tasks.all[0].id == failed[0].task_id


def test_a_listener_that_fails_costs_no_picture(box: Sandbox, studio: Studio, caplog: pytest.LogCaptureFixture) -> None:
    def fail(_: ImageProgress) -> None:
        raise RuntimeError("listener is broken")

    assert isinstance(studio.generate(studio.tool(progress=fail)), GeneratedImage)
    assert "listener is broken" in caplog.text


def test_one_listener_that_fails_does_not_silence_the_other() -> None:
    told: list[ImageProgress] = []
    listener = combine_listeners(lambda _: 1 / 0, None, told.append)  # type: ignore[func-returns-value]
    assert listener is not None
    listener(ImageProgress("done", "m"))

    assert 1 == len(told)
    assert None is combine_listeners(None, None)
    assert told.append == combine_listeners(None, told.append)


def test_resuming_is_shown_too(box: Sandbox, studio: Studio, capsys: pytest.CaptureFixture[str]) -> None:
    tool = studio.tool(progress=True)
    picture = studio.generate(tool)
    capsys.readouterr()
    studio.call(tool, "resume", picture["task_id"])

    assert "gpt-image-2: done, poll 1" in capsys.readouterr().err
