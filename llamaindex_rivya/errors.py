"""The errors of this package: the core's, and those of replies without the requested object or tool call."""

from rivya_core import errors as core
from rivya_core.errors import *
from rivya_core.errors import RivyaError


class OutputError(RivyaError, ValueError):
    """The model replied without the requested object or tool call; the turn was charged.

    Attributes:
        text: The model's text.
    """

    def __init__(self, message: str, *, text: str = "") -> None:
        super().__init__(message)
        self.text = text


class RefusalError(core.RefusalError, OutputError):  # type: ignore[no-redef]
    """The model refused the requested object or tool call; the turn was charged.

    Attributes:
        text: Text of the refusal.
    """
