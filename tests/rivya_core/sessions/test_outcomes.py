"""Turns that fail in every way, through both drivers, whole and streamed: what is remembered of them."""

from __future__ import annotations

from typing import Any

import pytest
from core_asking import Way, said, user
from oracle import Watch, context_of, history

from rivya_core import errors
from rivya_core.sessions.ledger import Head, MemoryLedger
from rivya_sandbox import Fault, Sandbox

CHAT = "/chat/completions"
CHARGED = "may have been carried out and charged"


REFUSED = {
    "400": (Fault(CHAT, status=400), errors.BadRequestError),
    "401": (Fault(CHAT, status=401), errors.AuthenticationError),
    "402": (Fault(CHAT, code="insufficient_credits"), errors.InsufficientCreditsError),
    "403": (Fault(CHAT, status=403), errors.PermissionDeniedError),
    "429": (Fault(CHAT, status=429, times=3), errors.RateLimitError),
    "503": (Fault(CHAT, code="public_api_disabled", times=3), errors.ServiceUnavailableError),
}
UNKNOWN = {
    "500": (Fault(CHAT, status=500, times=3), errors.ServerError),
    "502 after the work": (Fault(CHAT, status=502, times=3, processed=True), errors.ServerError),
    "503 of a gateway": (
        Fault(CHAT, status=503, body=b"upstream reset", times=3, processed=True),
        errors.ResponseLostError,
    ),
    "lost before": (Fault(CHAT, drop="before", times=3), errors.ResponseLostError),
    "lost after": (Fault(CHAT, drop="after", times=3), errors.ResponseLostError),
    "a page": (Fault(CHAT, body=b"<html>hello</html>"), errors.RivyaError),
    "a page after the work": (Fault(CHAT, body=b"<html>hello</html>", processed=True), errors.RivyaError),
    "cut": (Fault(CHAT, cut=1, times=3), errors.ResponseLostError),
}


class TestOutcomes:
    @pytest.mark.parametrize("name", REFUSED)
    def test_a_refused_turn_leaves_the_session_as_it_was(
        self, sandbox: Sandbox, way: Way, begun: Any, name: str
    ) -> None:
        """Nothing was done and nothing charged, so the same messages continue the session afterwards."""
        fault, kind = REFUSED[name]
        talk, messages = begun()
        sandbox.fault(fault)
        watch = Watch(sandbox)
        with pytest.raises(kind) as caught:
            way.ask(talk, messages)

        assert CHARGED not in str(caught.value)
        assert watch.turns == []
        reply = way.ask(talk, messages)
        assert reply.metadata["session_route"] == "continue"
        assert context_of(watch.only()) == history(messages)

    @pytest.mark.parametrize("name", UNKNOWN)
    def test_after_an_unknown_outcome_the_session_is_not_continued(
        self, sandbox: Sandbox, way: Way, begun: Any, name: str
    ) -> None:
        """Whatever the session holds now, the next turn's model sees the caller's messages and nothing else."""
        fault, kind = UNKNOWN[name]
        talk, messages = begun()
        sandbox.fault(fault)
        with pytest.raises(kind) as caught:
            way.ask(talk, messages)
        sandbox.faults.clear()

        assert CHARGED in str(caught.value) or isinstance(caught.value, errors.InvalidResponseError)
        watch = Watch(sandbox)
        reply = way.ask(talk, messages)
        assert reply.metadata["session_route"] == "replay"
        assert context_of(watch.only()) == history(messages)

    @pytest.mark.parametrize("name", ["429", "503"])
    def test_what_was_turned_away_is_sent_again(self, sandbox: Sandbox, way: Way, begun: Any, name: str) -> None:
        """A busy server costs a pause and not the turn."""
        fault, _ = REFUSED[name]
        talk, messages = begun()
        sandbox.fault(Fault(fault.path, status=fault.status, code=fault.code, headers={"retry-after": "7"}, times=2))
        watch = Watch(sandbox)
        reply = way.ask(talk, messages)

        assert way.slept == [7.0, 7.0]
        assert reply.metadata["session_route"] == "continue"
        assert context_of(watch.only()) == history(messages)

    @pytest.mark.parametrize(
        "fault",
        [
            Fault(CHAT, drop="before", times=2),
            Fault(CHAT, drop="after", times=2),
            Fault(CHAT, status=500, times=2),
            Fault(CHAT, status=502, processed=True, times=2),
        ],
        ids=["lost before", "lost after", "500", "502 after the work"],
    )
    @pytest.mark.parametrize("asynchronous", [False, True])
    def test_a_lost_whole_answer_is_asked_for_again_and_charged_once(
        self, sandbox: Sandbox, begun: Any, fault: Fault, asynchronous: bool
    ) -> None:
        """The same key is sent, so the turn is carried out once, and the session continues."""
        talk, messages = begun()
        sandbox.fault(fault)
        watch, way = Watch(sandbox), Way(asynchronous, streamed=False)
        reply = way.ask(talk, messages)

        asked = sandbox.journal.to(CHAT)[1:]
        assert len(asked) == 3
        assert len({exchange.headers["idempotency-key"] for exchange in asked}) == 1
        assert context_of(watch.only()) == history(messages)
        assert way.ask(talk, [*messages, said(reply), user("three")]).metadata["session_route"] == "continue"

    @pytest.mark.parametrize("asynchronous", [False, True])
    def test_a_lost_stream_is_not_asked_for_again(self, sandbox: Sandbox, begun: Any, asynchronous: bool) -> None:
        """No page says that the stream's path honours the key, so repeating it could charge twice."""
        talk, messages = begun()
        sandbox.fault(Fault(CHAT, drop="after"))
        with pytest.raises(errors.ResponseLostError, match=CHARGED):
            Way(asynchronous, streamed=True).ask(talk, messages)

        assert len(sandbox.journal.to("/stream")) == 1

    @pytest.mark.parametrize("streamed", [False, True])
    def test_a_refusal_after_a_lost_answer_is_still_unknown(self, sandbox: Sandbox, begun: Any, streamed: bool) -> None:
        """The first request may have been carried out, whatever the second one's answer says."""
        talk, messages = begun()
        sandbox.fault(Fault(CHAT, drop="after"))
        sandbox.fault(Fault(CHAT, status=429, times=2))
        way = Way(asynchronous=False, streamed=streamed)
        with pytest.raises(errors.ResponseLostError, match=CHARGED):
            way.ask(talk, messages)
        sandbox.faults.clear()

        assert way.ask(talk, messages).metadata["session_route"] == "replay"

    @pytest.mark.parametrize("abandoned", ["keep", "partial", "discard"])
    @pytest.mark.parametrize("asynchronous", [False, True])
    @pytest.mark.parametrize("cut", [0, 1, 3])
    def test_a_stream_that_breaks_is_never_continued(
        self, sandbox: Sandbox, begun: Any, abandoned: Any, asynchronous: bool, cut: int
    ) -> None:
        """Whatever the server keeps of it, the next turn's model sees what the caller passes."""
        talk, messages = begun()
        sandbox.abandoned = abandoned
        sandbox.fault(Fault(CHAT, cut=cut))
        way = Way(asynchronous, streamed=True)
        with pytest.raises(errors.StreamBrokenError, match=CHARGED):
            way.ask(talk, messages)

        watch = Watch(sandbox)
        reply = way.ask(talk, messages)
        assert reply.metadata["session_route"] == "replay"
        assert context_of(watch.only()) == history(messages)

    def test_a_stream_that_brings_an_error_is_never_continued(self, sandbox: Sandbox, begun: Any) -> None:
        """An error after the first words is the provider's, and what the session holds is unknown."""
        talk, messages = begun()
        sandbox.fault(Fault(CHAT, cut=2, code="internal_error"))
        way = Way(asynchronous=False, streamed=True)
        with pytest.raises(errors.APIError):
            way.ask(talk, messages)

        assert way.ask(talk, messages).metadata["session_route"] == "replay"

    def test_no_answer_in_time_is_unknown(self, sandbox: Sandbox, way: Way, begun: Any) -> None:
        """A server that is silent may still be working."""
        talk, messages = begun(timeout=0.05)
        sandbox.fault(Fault(CHAT, hang=5, times=3))
        with pytest.raises(errors.APITimeoutError, match=CHARGED):
            way.ask(talk, messages)
        sandbox.faults.clear()

        assert way.ask(talk, messages).metadata["session_route"] == "replay"


class BrokenLedger(MemoryLedger):
    """A ledger that goes down at a given call."""

    def __init__(self, at: str) -> None:
        super().__init__()
        self.at = at
        self.blocking = True

    def _go(self, call: str) -> None:
        if call == self.at:
            raise errors.LedgerError("down")

    def claim(self, head: Head) -> bool:
        self._go("claim")
        return super().claim(head)

    def settle(self, head: Head) -> None:
        self._go("settle")
        super().settle(head)

    def invalidate(self, head: Head) -> None:
        self._go("poison")
        super().invalidate(head)


class TestLedgerDown:
    def test_before_a_turn_it_is_an_error(self, sandbox: Sandbox, way: Way, begun: Any) -> None:
        """Without the ledger it is unknown whether the session may be continued; nothing is sent."""
        talk, messages = begun(ledger=BrokenLedger("claim"))
        watch = Watch(sandbox)
        with pytest.raises(errors.LedgerError):
            way.ask(talk, messages)
        assert watch.turns == []

    def test_after_a_turn_the_paid_answer_is_handed_on(self, sandbox: Sandbox, way: Way, begun: Any) -> None:
        """It only has no pointer, so that the next turn replays."""
        ledger = BrokenLedger("")
        talk, messages = begun(ledger=ledger)
        ledger.at = "settle"
        watch = Watch(sandbox)
        reply = way.ask(talk, messages)

        assert "rivya_session" not in reply.metadata
        ledger.at = ""
        way.ask(talk, [*messages, said(reply), user("three")])
        assert context_of(watch.turns[-1]) == history([*messages, said(reply), user("three")])

    def test_a_claim_that_could_not_be_ended_is_never_continued(self, sandbox: Sandbox, way: Way, begun: Any) -> None:
        """A ledger that is down when a turn fails forgets nothing by it."""
        ledger = BrokenLedger("poison")
        talk, messages = begun(ledger=ledger)
        sandbox.fault(Fault(CHAT, drop="after", times=3))
        with pytest.raises(errors.ResponseLostError):
            way.ask(talk, messages)
        sandbox.faults.clear()

        assert way.ask(talk, messages).metadata["session_route"] == "replay"
