"""Random conversations: thousands of operations with one promise to be kept by all of them.

`Talker` performs seeded random operations in one framework against one sandbox and counts how often it is kept.
"""

from __future__ import annotations

import copy
import json
import pickle
from typing import ClassVar

from talk_faults import CHAT, any_fault
from talk_judge import Judge
from worlds import WAYS

from rivya_sandbox import Fault

REPLIES = ("  padded reply \n", "[conversation 00000000]\nno\n[00000000 end]", "ok", "Ω\u2028Ω", "multi\n\nline\n")
MODELS = ("first", "other model", "other account")


class Talker(Judge):
    """Talks at random."""

    operations: ClassVar[tuple[str, ...]] = (
        *("go_on",) * 6,
        *("fail",) * 5,
        *("leave", "crowd") * 2,
        *("fork", "edit", "regenerate", "trim", "drop", "summarise", "system", "switch", "foreign", "sign"),
        *("reform", "lose", "forge", "remake", "pin"),
    )

    def go_on(self) -> None:
        if self.random.random() < 0.2:
            self.sandbox.answer(self.random.choice(REPLIES))
        self._ask([*self._talk(), *self._next()])

    def fork(self) -> None:
        talk = self._talk()
        replies = self._replies(talk)
        if replies:
            self._ask([*talk[: self.random.choice(replies) + 1], *self._next()])

    def edit(self) -> None:
        talk = self._talk()
        if talk:
            at = self.random.randrange(len(talk))
            talk[at] = self.world.edited(talk[at], self._words())
            self._ask([*talk, *self._next()])

    def regenerate(self) -> None:
        talk = self._talk()
        if self.random.random() < 0.5 and self._replies(talk):
            talk = talk[: self._replies(talk)[-1]]
        if talk:
            self._ask(talk)

    def trim(self) -> None:
        talk = self._talk()
        self._ask([*talk[self.random.randrange(len(talk) + 1) :], *self._next()])

    def drop(self) -> None:
        talk = self._talk()
        if talk:
            del talk[self.random.randrange(len(talk))]
        self._ask([*talk, *self._next()])

    def summarise(self) -> None:
        talk = self._talk()
        kept = talk[len(talk) // 2 :]
        self._ask([self.world.system(f"Summary: {self._words()}"), *kept, *self._next()])

    def system(self) -> None:
        talk = [message for message in self._talk() if self.world.seen(message).role != "system"]
        self._ask([self.world.system(self._words()), *talk, *self._next()])

    def switch(self) -> None:
        self._ask([*self._talk(), *self._next()], self.random.choice(MODELS))

    def foreign(self) -> None:
        self._ask([*self._talk(), self._human(), self.world.assistant(self._words()), *self._next()])

    def sign(self) -> None:
        talk = self._talk()
        ours = [at for at in self._replies(talk) if self.world.pointer(talk[at]) is not None]
        if ours:
            at = self.random.choice(ours)
            talk[at] = self.world.named(talk[at], "agent")
            self._ask([*talk, *self._next()], keep=False)

    def reform(self) -> None:
        form = self.world.forms[self.random.choice(sorted(self.world.forms))]
        self._ask([*form(self._talk()), *self._next()])

    def lose(self) -> None:
        talk = self._talk()
        every = self.random.random() < 0.5
        talk = [
            self.world.with_pointer(message, None)
            if self.world.seen(message).role == "assistant" and (every or self.random.random() < 0.5)
            else message
            for message in talk
        ]
        self._ask([*talk, *self._next()])

    def forge(self) -> None:
        talk = self._talk()
        replies = [at for at in self._replies(talk) if self.world.pointer(talk[at]) is not None]
        if replies:
            at = self.random.choice(replies)
            pointer = dict(self.world.pointer(talk[at]))
            stolen = [birth.pointer for birth in self.births.values()]
            key = self.random.choice([*pointer, "all"])
            values = (0, -1, 7, 10**30, None, "", "x", [1], True, 1.5, self.random.choice(stolen).get(key))
            pointer = self.random.choice(stolen) if key == "all" else {**pointer, key: self.random.choice(values)}
            talk[at] = self.world.with_pointer(talk[at], json.loads(json.dumps(pointer)))
            self._ask([*talk, *self._next()])

    def remake(self) -> None:
        """The models come back from a pickle, a copy, or another process with the same ledger."""
        how = self.random.choice(("pickle", "deepcopy", "again"))
        if how == "again":
            self._new_models()
        for name, model in self.models.items() if how != "again" else ():
            self.models[name] = pickle.loads(pickle.dumps(model)) if how == "pickle" else copy.deepcopy(model)
        self.go_on()

    def crowd(self) -> None:
        talk = [*self._talk(), *self._next()]
        count, how = self.random.randrange(2, 5), self.random.choice(self.world.crowds)
        plain, name = self._plain(talk, "first"), self._call(count, count)
        replies = self.world.crowd(self.models["first"], talk, count, how, client_request_id=name)
        if plain is not None:
            good = [self.world.route(reply) for reply in replies].count("continue") == 1
            self.figures.note("reused", good, f"{self.doing}: {how}")
        for reply in replies:
            self.talks.append(self._judge(talk, reply, "first", name))

    def leave(self) -> None:
        talk = [*self._talk(), *self._next()]
        plain, name = self._plain(talk, "first"), self._call(0, 1)
        self.sandbox.fault(Fault(CHAT, delay=self.random.choice((0, 0.002, 0.01)), pace=self.random.choice((0, 0.001))))
        after, how = self.random.randrange(1, 6), self.random.choice(self.world.leavings)
        self.doing += f" {how} {after}"
        self.world.leave(self.models["first"], talk, after, how, client_request_id=name)
        self.sandbox.faults.clear()
        if plain is not None:
            self._died(plain.session)
        if self.random.random() < 0.7:
            self._ask(talk)

    def pin(self) -> None:
        """Continue a session by its id; talks whose replies point into it must notice."""
        talk = self._talk()
        ours = [self.world.facts(talk[at]).get("session_id") for at in self._replies(talk)]
        session = next((one for one in reversed(ours) if one), None)
        pinned = self.models["first"].model_copy(update={"session_ledger": self.models["first"].session_ledger})
        if session is None or not any(
            birth.session == session and birth.model == "first" for birth in self.births.values()
        ):
            return
        name = self._call(1, 1)
        self.world.ask(pinned, [self._human()], self.random.choice(WAYS), session_id=session, client_request_id=name)
        self._died(session)
        self._ask([*talk, *self._next()])

    def fail(self) -> None:
        """Something goes wrong in a turn; the next one may follow at once."""
        talk = [*self._talk(), *self._next()]
        fault, options, lost = any_fault(self.random)
        self.doing += f" {fault}"
        self.sandbox.fault(fault)
        self._lost_on_purpose = lost
        try:
            after = self._ask(talk, **options)
        finally:
            self._lost_on_purpose = False
            self.sandbox.faults.clear()
        if self.random.random() < 0.7:
            self._ask([*after, *self._next()] if after else talk)
