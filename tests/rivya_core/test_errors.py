"""The tree of errors: complete, catchable by either name, and the same after a pickle."""

from __future__ import annotations

import copy
import inspect
import pickle
import re

import pytest
from langchain_core import exceptions as lc
from reading import answer

import langchain_rivya.errors as langchain_errors
from langchain_rivya.errors import as_model_errors
from rivya_core import errors
from rivya_core.http.error_responses import error_from_response

CLASSES = [value for value in vars(errors).values() if inspect.isclass(value) and issubclass(value, errors.RivyaError)]
LANGCHAIN = [getattr(langchain_errors, name) for name in langchain_errors.__all__]


def made(kind: type[errors.RivyaError]) -> errors.RivyaError:
    """One error of a class, with all that it can carry."""
    if issubclass(kind, errors.APIError):
        source = error_from_response(
            answer(429, {"error": {"code": "c", "message": "m", "param": "p"}}, x_request_id="r")
        )
        facts = {name: getattr(source, name) for name in ("status", "code", "param", "request_id", "body", "response")}
        return kind("It broke.", retry_after=2.0, **facts)
    if issubclass(kind, errors.TaskError):
        return kind("It broke.", task_id="task_1", code="generation_failed")
    return kind("It broke.", **({"partial": "Hel"} if issubclass(kind, errors.StreamBrokenError) else {}))


def facts(error: errors.RivyaError) -> dict[str, object]:
    return {name: value for name, value in vars(error).items() if name != "response"}


@pytest.mark.parametrize("kind", [*CLASSES, *LANGCHAIN], ids=lambda kind: f"{kind.__module__}.{kind.__name__}")
@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda error: pickle.loads(pickle.dumps(error))])
def test_an_error_survives_pickle_and_copy(kind: type[errors.RivyaError], again: object) -> None:
    """Workers in other processes raise them too."""
    error = made(kind)
    twin = again(error)

    assert type(twin) is kind
    assert (str(twin), facts(twin)) == (str(error), facts(error))
    if error.response is not None:
        assert (twin.response.status_code, twin.response.text) == (429, error.response.text)


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    """Each class is listed below its first base, two blanks further in."""
    drawn = re.findall(r"^( +)([A-Z]\w+Error)\b", errors.__doc__ or "", re.MULTILINE)
    depths = {name: len(blanks) for blanks, name in drawn}

    assert {kind.__name__ for kind in CLASSES} == depths.keys()
    for kind in CLASSES[1:]:
        assert depths[kind.__name__] == depths[kind.__bases__[0].__name__] + 2


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_every_error_says_whether_the_same_request_may_be_sent_again(kind: type[errors.RivyaError]) -> None:
    assert kind.retryable in {"never", "always", "if_idempotent"}


def test_the_next_move_is_in_the_message_once() -> None:
    error = errors.InsufficientCreditsError("Empty.")

    assert str(error).count(errors.InsufficientCreditsError.advice) == 1
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


TWINS = {
    "ContextOverflowError": lc.ContextOverflowError,
    "NotSupportedError": lc.ModelInvalidRequestError,
    "APIConnectionError": lc.ModelConnectionError,
    "ResponseLostError": lc.ModelConnectionError,
    "APITimeoutError": lc.ModelTimeoutError,
    "StreamBrokenError": lc.ModelConnectionError,
    "BadRequestError": lc.ModelInvalidRequestError,
    "ContextTooLongError": lc.ContextOverflowError,
    "AuthenticationError": lc.ModelAuthenticationError,
    "InsufficientCreditsError": lc.ModelPermissionDeniedError,
    "PermissionDeniedError": lc.ModelPermissionDeniedError,
    "NotFoundError": lc.ModelNotFoundError,
    "ConflictError": lc.ModelInvalidRequestError,
    "RateLimitError": lc.ModelRateLimitError,
    "ServerError": lc.ModelAPIError,
    "ServiceUnavailableError": lc.ModelAPIError,
    "InvalidResponseError": lc.ModelAPIError,
}


@pytest.mark.parametrize(("name", "twin"), TWINS.items())
def test_an_error_is_caught_by_the_frameworks_name_and_by_ours(name: str, twin: type[Exception]) -> None:
    """The core's, langchain-core's and this package's class all catch it, and it is the same object."""
    raised = made(getattr(errors, name))
    with pytest.raises(twin) as caught, as_model_errors():
        raise raised

    assert caught.value is raised
    assert isinstance(raised, getattr(errors, name))
    assert isinstance(raised, getattr(langchain_errors, name))


def test_the_classes_of_both_trees_are_related_alike() -> None:
    """What one tree's class is below another, the other tree's is too."""
    for name in langchain_errors.__all__:
        ours, core = getattr(langchain_errors, name), getattr(errors, name)
        assert issubclass(ours, core)
        for other in TWINS:
            if issubclass(core, getattr(errors, other)):
                assert issubclass(ours, getattr(langchain_errors, other)), (name, other)


def test_only_what_may_be_repeated_without_being_charged_twice_is_retryable() -> None:
    """Retry middleware reads `is_retryable`; a lost answer may have been paid."""
    retryable = {kind.__name__ for kind in LANGCHAIN if getattr(kind, "is_retryable", False)}

    assert retryable == {"APIConnectionError", "RateLimitError", "ServiceUnavailableError"}
