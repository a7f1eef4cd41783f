"""The errors of this package: the core's, and one of LlamaIndex's half, for a reply that is not what was asked for."""

from rivya_core import errors as core
from rivya_core.errors import *
from rivya_core.errors import RivyaError


class OutputError(RivyaError, ValueError):
    """The model answered, but not with the object or the tool call that was asked for; the turn was charged.

    Attributes:
        text: What the model said instead.
    """

    def __init__(self, message: str, *, text: str = "") -> None:
        super().__init__(message)
        self.text = text


class RefusalError(core.RefusalError, OutputError):  # type: ignore[no-redef]
    """The model refused to give the object or the tool call that was asked for; the turn was charged.

    Attributes:
        text: The words of the refusal.
    """
