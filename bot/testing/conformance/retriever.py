"""The suite for retrievers."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from bot.conversation import Limits
from bot.errors import HookFailed
from bot.plugins import Kind
from bot.testing.conformance.base import HOSTILE, UNICODE, Conformance, Subject, open_files
from bot.testing.conformance.watching import Watch
from bot.turn import EVERYONE, Assistant, Passage, Turn

STRANGER = "email:nobody@example.com"
MANY = 12  # turns at once


class RetrieverConformance(Conformance):
    """Checks of `bot_retrieve`.

    Attributes:
        question: a question to which everybody may read at least one passage.
        finds: False when there may be nothing to find, as where nothing is set up.
    """

    kind: ClassVar[Kind] = "retriever"
    question: str
    finds: bool = True

    def turn(self, question: str, **given: Any) -> Turn:
        """Make a turn as the core does; override it to search an index of your own."""
        name = self.type or self.plugin
        made: dict[str, Any] = {"queries": (question,), "assistant": Assistant(retrievers=(name,))}
        return Turn(id="t", question=question, **{**made, **given})

    async def ask(self, subject: Subject, question: str, **given: Any) -> list[Passage]:
        """Ask, and see that what comes back is well-formed."""
        turn = self.turn(question, **given)
        found = await subject.call("bot_retrieve", timeout=Limits().retrieve, turn=turn)
        _well_formed(found, turn)
        return list(found)

    async def test_passages_are_well_formed(self) -> None:
        """It finds passages that say what they are: id, text, readers, score, place."""
        async with self.subject() as subject:
            found = await self.ask(subject, self.question)
        assert found or not self.finds, f"nothing was found for {self.question!r}"

    async def test_no_more_than_k_and_the_best_first(self) -> None:
        """It returns at most `turn.k` passages; a smaller k keeps the best."""
        async with self.subject() as subject:
            all_of_them = await self.ask(subject, self.question, k=50)
            for k in (1, 2, 3):
                assert len(await self.ask(subject, self.question, k=k)) <= k
        scores = [passage.score for passage in all_of_them]
        assert scores == sorted(scores, reverse=True), f"not the best first: {scores}"

    async def test_nobody_reads_what_is_not_theirs(self) -> None:
        """What it returns, the asker may read."""
        askers = ({EVERYONE}, {EVERYONE, STRANGER})
        async with self.subject() as subject:
            for asker in map(frozenset, askers):
                for passage in await self.ask(subject, self.question, principals=asker):
                    assert passage.readers & asker, (
                        f"{sorted(asker)} got a passage for {sorted(passage.readers)}"
                    )

    async def test_no_question_breaks_it(self) -> None:
        """Empty, hostile and strange questions are answered, with nothing if need be."""
        async with self.subject() as subject:
            for question in ("", " ", "?", "\n", "a", *HOSTILE, *UNICODE):
                await self.ask(subject, question)
                both = (question, self.question)
                found = await self.ask(subject, self.question, queries=both)
                assert found or not self.finds, f"{question!r} hid what the other query finds"
            await self.ask(subject, self.question, queries=())

    async def test_a_huge_question(self) -> None:
        """A question of a hundred thousand characters, as one word and as many, is answered."""
        async with self.subject() as subject:
            for question in ("x" * 100_000, "chunk of words " * 7_000, "é" * 100_000):
                await self.ask(subject, question)

    async def test_the_same_question_twice(self) -> None:
        """Asked again it finds the same in the same order."""
        async with self.subject() as subject:
            first = await self.ask(subject, self.question)
            again = await self.ask(subject, self.question)
        assert _ids(first) == _ids(again), "the same question found something else"

    async def test_many_turns_at_once(self) -> None:
        """Turns that run at once do not mix: each gets what it gets alone."""
        questions = [self.question, *HOSTILE[:2], *UNICODE[:2]]
        async with self.subject() as subject:
            alone = {question: _ids(await self.ask(subject, question)) for question in questions}
            asked = [questions[number % len(questions)] for number in range(MANY)]
            together = await asyncio.gather(*(self.ask(subject, question) for question in asked))
        for question, found in zip(asked, together, strict=True):
            assert _ids(found) == alone[question], f"at once, {question!r} found something else"

    async def test_a_turn_that_is_stopped(self) -> None:
        """Cancelling ends it at once, wherever it is, and the next turn is answered."""
        async with self.subject() as subject:
            expected = _ids(await self.ask(subject, self.question))
            for steps in (0, 1, 2, 5, 20):
                task = asyncio.ensure_future(self._plain(subject))
                for _ in range(steps):
                    await asyncio.sleep(0)
                task.cancel()
                done, _ = await asyncio.wait({task}, timeout=3.0)
                assert done, "it goes on after it was cancelled"
                assert task.cancelled() or not task.exception(), task.exception()
            assert _ids(await self.ask(subject, self.question)) == expected

    async def test_a_turn_that_took_too_long(self) -> None:
        """After a call that was given up, the next one is answered."""
        async with self.subject() as subject:
            expected = _ids(await self.ask(subject, self.question))
            turn = self.turn(self.question)
            for seconds in (0.0, 0.001, 0.05):
                try:
                    await subject.call("bot_retrieve", timeout=seconds, turn=turn)
                except HookFailed as failure:
                    if "no answer within" not in failure.reason:
                        raise
            assert _ids(await self.ask(subject, self.question)) == expected

    async def test_it_lets_others_run(self) -> None:
        """An `async def` does not block the event loop: where it waits, it awaits."""
        async with self.subject() as subject:
            with Watch() as watch:
                await self.ask(subject, self.question)
        assert not watch.blocked, f"the event loop stood still in {watch.where}"

    async def test_it_leaks_no_files(self) -> None:
        """Twenty questions leave no more files and sockets open than three."""
        async with self.subject() as subject:
            for _ in range(3):
                await self.ask(subject, self.question)
            before = open_files()
            for _ in range(20):
                await self.ask(subject, self.question)
            leaked = open_files() - before
        assert leaked < 10, f"{leaked} files were left open by 20 questions"

    async def _plain(self, subject: Subject) -> object:
        """Call it directly when it is asynchronous, so that it is itself what is cancelled."""
        found = subject.hook("bot_retrieve")
        given: Mapping[str, Any] = {"turn": self.turn(self.question)}
        if not asyncio.iscoroutinefunction(found.function):
            return await found.call(None, **given)
        return await found.function(**{name: given[name] for name in found.accepts})


def _ids(found: Sequence[Passage]) -> list[str]:
    return [passage.id for passage in found]


def _well_formed(found: object, turn: Turn) -> None:
    assert isinstance(found, Sequence), f"bot_retrieve gave a {type(found).__name__}, no list"
    assert not isinstance(found, str), "bot_retrieve gave text, no list"
    assert len(found) <= turn.k, f"{len(found)} passages, where k is {turn.k}"
    for one in found:
        assert isinstance(one, Passage), f"a {type(one).__name__} is no Passage"
        assert isinstance(one.id, str), f"the id {one.id!r} is no text"
        assert one.id, "a passage has no id"
        assert isinstance(one.text, str), f"{one.id}: the text is a {type(one.text).__name__}"
        assert one.text.strip(), f"{one.id}: there is no text"
        assert isinstance(one.readers, frozenset), f"{one.id}: readers are no frozenset"
        assert one.readers, f"{one.id}: nobody may read it; leave it out"
        assert all(isinstance(each, str) for each in one.readers), f"{one.id}: readers are no text"
        assert math.isfinite(one.score), f"{one.id}: the score is {one.score}"
        assert isinstance(one.metadata, Mapping), f"{one.id}: metadata is no mapping"
        if one.start is not None and one.end is not None:
            assert 0 <= one.start <= one.end, f"{one.id}: it spans {one.start} to {one.end}"
    ids = _ids(found)
    assert len(set(ids)) == len(ids), f"an id stands twice: {ids}"
