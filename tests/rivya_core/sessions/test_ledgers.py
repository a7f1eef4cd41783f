"""What every ledger keeps to, whatever it remembers with."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from rivya_core.sessions.ledger import Head, Ledger


def head(turn: int, *, session: str = "origin:s1", by: str = "") -> Head:
    return Head(session, turn, f"digest-{turn}", by)


class TestLedger:
    """One class for all ledgers."""

    def test_it_is_a_ledger(self, ledger: Ledger) -> None:
        """Each kind has what models ask of a ledger."""
        assert isinstance(ledger, Ledger)

    def test_a_head_is_claimed_once(self, ledger: Ledger) -> None:
        """Of two continuations of one reply only the first gets it."""
        ledger.settle(head(1))

        assert ledger.claim(head(1))
        assert not ledger.claim(head(1))

    def test_a_settled_head_can_be_continued_and_its_predecessor_cannot(self, ledger: Ledger) -> None:
        """After a turn the new reply can be continued; continuing the old one is a fork."""
        ledger.settle(head(1))
        ledger.claim(head(1))
        ledger.settle(head(2))

        assert not ledger.claim(head(1))
        assert ledger.claim(head(2))

    def test_a_released_head_can_be_continued(self, ledger: Ledger) -> None:
        """A turn that was refused leaves the session as it was."""
        ledger.settle(head(1))
        ledger.claim(head(1))
        ledger.release(head(1))

        assert ledger.claim(head(1))

    def test_a_released_head_of_another_ledger_is_that_ledgers_again(self, ledger: Ledger) -> None:
        """It may be continued there now, so this one needs proof again."""
        theirs = head(1, by="memory:another")
        assert ledger.claim(theirs, proven=True)
        ledger.release(theirs)

        assert not ledger.claim(theirs)
        assert not ledger.knows(theirs)
        assert ledger.claim(theirs, proven=True)

    @pytest.mark.parametrize("later", [1, 2])
    def test_an_invalidated_session_is_never_continued(self, ledger: Ledger, later: int) -> None:
        """Its content is unknown, so neither this reply nor a later one can be continued."""
        ledger.settle(head(1))
        ledger.claim(head(1))
        ledger.invalidate(head(1))

        assert not ledger.claim(head(later))

    @pytest.mark.parametrize("end", ["settle", "release"])
    def test_invalidation_is_final(self, ledger: Ledger, end: str) -> None:
        """A turn that ends well does not undo the invalidation by a turn in between."""
        ledger.settle(head(1))
        ledger.claim(head(1))
        ledger.invalidate(head(1))
        getattr(ledger, end)(head(2))

        assert not ledger.claim(head(2))

    @pytest.mark.parametrize("end", ["settle", "release"])
    def test_a_session_never_goes_back(self, ledger: Ledger, end: str) -> None:
        """A reply that comes late or a second time does not make its turn the newest again."""
        for turn in (1, 2, 3):
            ledger.settle(head(turn))
        getattr(ledger, end)(head(2))

        assert not ledger.claim(head(2))
        assert not ledger.claim(head(2), proven=True)
        assert ledger.claim(head(3))

    def test_a_session_that_begins_is_new(self, ledger: Ledger) -> None:
        """A server that gives an id a second time, as stand-ins in tests do, has forgotten the first session."""
        for turn in (1, 2, 3):
            ledger.settle(head(turn))
        ledger.settle(head(1)._replace(digest="digest-other"))

        assert not ledger.claim(head(3, by=ledger.name))
        assert ledger.claim(head(1)._replace(digest="digest-other"))

    @pytest.mark.parametrize("end", ["settle", "release"])
    def test_the_end_of_an_old_turn_does_not_end_a_claim(self, ledger: Ledger, end: str) -> None:
        """The claim on the newest head stays."""
        ledger.settle(head(2))
        ledger.settle(head(3))
        assert ledger.claim(head(3))
        getattr(ledger, end)(head(2))

        assert not ledger.claim(head(3))

    def test_another_digest_is_not_the_head(self, ledger: Ledger) -> None:
        """Turn 1 of another transcript is not turn 1 of this one."""
        ledger.settle(head(1))

        assert not ledger.claim(head(1)._replace(digest="digest-other"))

    def test_a_head_of_an_unknown_session_needs_proof(self, ledger: Ledger) -> None:
        """A ledger vouches only for what it has seen; with the server's proof one caller gets the head."""
        assert not ledger.claim(head(7))
        assert not ledger.knows(head(7))
        assert ledger.claim(head(7), proven=True)
        assert not ledger.claim(head(7), proven=True)

    def test_a_head_beyond_the_known_one_needs_proof(self, ledger: Ledger) -> None:
        """Another process may have continued the session since, or this ledger has lost something."""
        ledger.settle(head(1))

        assert not ledger.claim(head(3))
        assert not ledger.knows(head(3))
        assert ledger.claim(head(3), proven=True)
        ledger.settle(head(4))
        assert not ledger.claim(head(3), proven=True)

    def test_no_proof_helps_against_what_the_ledger_knows(self, ledger: Ledger) -> None:
        """A claimed head, an invalid session and one that has moved on stay refused."""
        ledger.settle(head(1))
        ledger.claim(head(1))
        assert not ledger.claim(head(1), proven=True)
        ledger.invalidate(head(1))
        assert not ledger.claim(head(1), proven=True)
        assert not ledger.claim(head(5), proven=True)
        assert ledger.knows(head(1))

    def test_a_head_behind_the_known_one_is_a_fork(self, ledger: Ledger) -> None:
        """The session was continued already, by this process or another one."""
        ledger.settle(head(3))

        assert not ledger.claim(head(2))

    def test_a_head_that_it_has_forgotten_is_not_trusted(self, ledger: Ledger) -> None:
        """What this ledger remembered itself and no longer knows may have gone on since."""
        assert not ledger.claim(head(1, by=ledger.name))

    def test_a_head_of_its_own_that_is_ahead_is_not_trusted(self, ledger: Ledger) -> None:
        """What this ledger remembered itself cannot be ahead of what it knows, unless it lost something."""
        ledger.settle(head(1))

        assert not ledger.claim(head(2, by=ledger.name))

    def test_sessions_do_not_meet(self, ledger: Ledger) -> None:
        """A claim holds one session and no other, were it another account's of the same id."""
        for name in ("origin:s1", "origin:s2", "other:s1"):
            ledger.settle(head(1, session=name))
        ledger.claim(head(1))

        assert ledger.claim(head(1, session="origin:s2"))
        assert ledger.claim(head(1, session="other:s1"))

    def test_of_many_threads_one_claims(self, ledger: Ledger) -> None:
        """Whatever the threads do at once, one continuation gets the head."""
        ledger.settle(head(1))
        with ThreadPoolExecutor(8) as threads:
            claims = list(threads.map(lambda _: ledger.claim(head(1)), range(16)))

        assert claims.count(True) == 1

    def test_others_see_a_claim(self, ledger: Ledger, another: Callable[[], Ledger]) -> None:
        """A second object on the same memory sees what the first did."""
        ledger.settle(head(1))
        assert ledger.claim(head(1))

        assert not another().claim(head(1))

    @pytest.mark.parametrize("how", [copy.copy, copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))])
    def test_a_copy_shares_its_memory(self, ledger: Ledger, how: Callable[[Ledger], Ledger]) -> None:
        """A model that is copied or pickled within a process forks no sessions."""
        ledger.settle(head(1))
        assert ledger.claim(head(1))
        again = how(ledger)
        try:
            assert again.name == ledger.name
            assert not again.claim(head(1))
        finally:
            if hasattr(again, "close"):
                again.close()
