"""Progress of image tasks: the value that listeners get, and a progress bar.

Plans send an `ImageProgress` to a listener. The bar uses `tqdm`, which is imported only when a bar is shown; the
frameworks have listeners of their own. A listener that raises does not affect the image.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from importlib import import_module
from importlib.util import find_spec
from threading import Lock
from typing import Any, Literal

from rivya_core.errors import ConfigurationError
from rivya_core.http.plan import Plan, call

Stage = Literal["uploading", "submitting", "queued", "processing", "downloading", "done", "failed"]
STAGES: tuple[Stage, ...] = ("uploading", "submitting", "queued", "processing", "downloading", "done")
log = logging.getLogger("rivya")


@dataclass(frozen=True, slots=True)
class ImageProgress:
    """The progress of one image.

    Attributes:
        stage: From `uploading` to `done` or `failed`.
        model: Model id.
        task_id: The provider's id, once known.
        image_id: Short id of the image, once it is downloaded.
        polls: Number of polls so far.
        seconds: Seconds since the request.
        index: Position in a batch, from 0.
        total: Number of images in the batch.
        credits: Credits charged for this image, once known.
        message: Error message of a failed image.
    """

    stage: Stage
    model: str
    task_id: str | None = None
    image_id: str | None = None
    polls: int = 0
    seconds: float = 0.0
    index: int = 0
    total: int = 1
    credits: float | None = None
    message: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the progress as JSON values, without unknown ones."""
        return {key: value for key, value in asdict(self).items() if value is not None}


Listener = Callable[[ImageProgress], object]


def report(listener: Listener | None, progress: ImageProgress) -> Plan[None]:
    """Call *listener* off the event loop, because it may block or raise."""
    if listener is not None:
        yield from call(lambda: _report(listener, progress))


def _report(listener: Listener, progress: ImageProgress) -> None:
    try:
        listener(progress)
    except Exception:  # noqa: BLE001 - a listener may raise anything, and the image must not be lost
        log.warning("A progress listener failed.", exc_info=True)


def combine_listeners(*listeners: Listener | None) -> Listener | None:
    """Return one listener that calls all of *listeners* that are not None."""
    there = [listener for listener in listeners if listener is not None]
    if len(there) < 2:  # noqa: PLR2004 - nothing to join
        return there[0] if there else None

    def all_of_them(progress: ImageProgress) -> None:
        for listener in there:
            _report(listener, progress)

    return all_of_them


def interactive() -> bool:
    """Whether output goes to a terminal or a notebook."""
    return in_notebook() or bool(getattr(sys.stderr, "isatty", lambda: False)())


def in_notebook() -> bool:
    """Whether this runs in a notebook's kernel."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return shell is not None and "IPKernelApp" in shell.config


def bar_wanted(progress: object) -> bool:
    """Return whether a bar is shown; None means only in a terminal or notebook.

    Raises:
        ConfigurationError: A bar is requested but `tqdm` is not installed.
    """
    installed = find_spec("tqdm") is not None
    if progress is True and not installed:
        raise ConfigurationError("`progress=True` needs tqdm: pip install tqdm")
    return progress is True or (progress is None and installed and interactive())


def new_bar(**options: Any) -> Any:
    """Return a `tqdm` bar for the terminal or notebook."""
    tqdm = import_module("tqdm.auto" if find_spec("ipywidgets") else "tqdm").tqdm  # `tqdm.auto` warns without it
    if in_notebook():
        options["file"] = sys.stdout  # notebooks show stderr as an error
    return tqdm(**options)


class Bar:
    """A progress bar for the stages of one image, or for the images of a batch.

    Args:
        total: Number of images.
    """

    def __init__(self, total: int = 1) -> None:
        self._single, self._lock = total == 1, Lock()
        self._failed, self._credits = 0, 0.0
        self._submitted = False
        steps = len(STAGES) - 1
        unit: dict[str, Any] = {"bar_format": "{desc} |{bar}|"} if self._single else {"unit": "image"}
        self._bar = new_bar(total=steps if self._single else total, desc="image" if self._single else "images", **unit)

    def __call__(self, progress: ImageProgress) -> None:
        """Show *progress*."""
        with self._lock:
            self._submitted = self._submitted or progress.stage not in {"uploading", "failed"}
            if self._single:
                self._one(progress)
            elif progress.stage in {"done", "failed"}:
                self._many(progress)

    def close(self) -> None:
        """Close the bar and leave it on the screen, unless the image was never submitted."""
        self._bar.leave = self._submitted
        self._bar.close()

    def _one(self, progress: ImageProgress) -> None:
        stage = progress.stage
        polls = f", poll {progress.polls}" if progress.polls else ""
        text = f"{progress.model}: {stage}{polls}, {progress.seconds:.0f} s"
        self._bar.set_description_str(text, refresh=False)
        if stage != "failed":
            self._bar.n = STAGES.index(stage)
        self._bar.refresh()

    def _many(self, progress: ImageProgress) -> None:
        self._failed += progress.stage == "failed"
        self._credits += progress.credits or 0
        facts: Mapping[str, Any] = {"failed": self._failed, "credits": self._credits}
        self._bar.set_postfix(facts, refresh=False)
        self._bar.update()
