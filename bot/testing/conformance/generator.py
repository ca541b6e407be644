"""The suite for generators."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from contextlib import aclosing
from typing import Any, ClassVar

from bot import dispatch, prompt
from bot.plugins import Kind
from bot.testing.conformance.base import HOSTILE, PATIENCE, UNICODE, Conformance, Subject
from bot.testing.conformance.watching import Watch
from bot.turn import EVERYONE, Delta, Passage, Prompt, Turn

_MARKER = re.compile(r"\[(\d+)\]")

PASSAGES = (
    "The printer stands on the second floor. It prints on both sides of the paper.",
    "The canteen serves soup at noon. It is closed on Sundays.",
)


class GeneratorConformance(Conformance):
    """Checks of `bot_generate`, and of the hooks that count tokens.

    Attributes:
        question, passages: what it has something to say about.
        patience: seconds for the next item.
        streams: False for one that cannot but answer in one piece.
    """

    kind: ClassVar[Kind] = "generator"
    question: str = "Where does the printer stand?"
    passages: Sequence[str] = PASSAGES
    patience: float = 60.0
    streams: bool = True

    async def prompt(self, question: str, passages: Sequence[str]) -> tuple[Turn, Prompt]:
        """Make the turn and the prompt as the core does."""
        turn = Turn(id="t", question=question, queries=(question,))
        found = [
            Passage(
                id=f"p{number}",
                text=text,
                title="Office",
                uri=f"https://example.com/{number}",
                readers=frozenset({EVERYONE}),
            )
            for number, text in enumerate(passages, 1)
        ]
        return turn, await prompt.build(turn, found, None, prompt.estimate_tokens)

    async def generate(
        self, subject: Subject, question: str, passages: Sequence[str] | None = None
    ) -> list[Delta]:
        """Generate to the end; see that each item is what the core takes."""
        turn, asked = await self.prompt(question, self.passages if passages is None else passages)
        stream = dispatch.stream(
            subject.hook("bot_generate"), self.patience, turn=turn, prompt=asked
        )
        async with aclosing(stream) as deltas:
            items = [_delta(item) async for item in deltas]
        _markers_stand_for_passages(items, len(asked.passages))
        return items

    async def test_it_answers(self) -> None:
        """It says something about a passage that answers the question."""
        async with self.subject() as subject:
            said = _text(await self.generate(subject, self.question))
        assert said.strip(), "there is no text"

    async def test_it_streams(self) -> None:
        """The answer comes in pieces, so that a person can read while it is written."""
        async with self.subject() as subject:
            items = await self.generate(subject, self.question)
        pieces = [item for item in items if item.text]
        assert not self.streams or len(pieces) > 1, "the whole answer comes in one piece"

    async def test_no_passages(self) -> None:
        """With nothing to go by it still says so in words."""
        async with self.subject() as subject:
            assert _text(await self.generate(subject, self.question, ())).strip()

    async def test_anything_may_stand_in_question_and_passages(self) -> None:
        """Hostile, foreign and empty texts are answered; no marker without a passage."""
        async with self.subject() as subject:
            for text in (*HOSTILE, *UNICODE):
                await self.generate(subject, text)
            await self.generate(subject, self.question, [*HOSTILE[:4], " ", "As [7] says [99]."])

    async def test_much_text(self) -> None:
        """A prompt that is longer than most is answered."""
        async with self.subject() as subject:
            assert await self.generate(subject, self.question, ["It prints well. " * 300] * 8)

    async def test_a_person_stops_the_answer(self) -> None:
        """Closed after its first piece it ends at once, leaves no task, and answers again."""
        async with self.subject() as subject:
            turn, asked = await self.prompt(self.question, self.passages)
            before = asyncio.all_tasks()
            found = subject.hook("bot_generate")
            stream = dispatch.stream(found, self.patience, turn=turn, prompt=asked)
            async for _ in stream:
                break
            await asyncio.wait_for(stream.aclose(), PATIENCE)
            for _ in range(100):
                if asyncio.all_tasks() <= before:
                    break
                await asyncio.sleep(0.02)
            assert asyncio.all_tasks() <= before, "work goes on after the answer was stopped"
            assert _text(await self.generate(subject, self.question)).strip()

    async def test_many_turns_at_once(self) -> None:
        """Answers that are written at once do not mix."""
        words = ["zebra", "giraffe", "kangaroo", "platypus"]
        asked = [f"Where does the {word} stand?" for word in words]
        async with self.subject() as subject:
            together = await asyncio.gather(
                *(
                    self.generate(subject, question, [f"The {word} stands on floor {word}."])
                    for question, word in zip(asked, words, strict=True)
                )
            )
        for word, items in zip(words, together, strict=True):
            said = _text(items).lower()
            strange = [other for other in words if other != word and other in said]
            assert not strange, f"the answer about {word} speaks of {strange}"

    async def test_it_lets_others_run(self) -> None:
        """An `async def` does not block the event loop while it writes."""
        async with self.subject() as subject:
            await self.generate(subject, self.question)  # what is loaded once may take its time
            with Watch() as watch:
                await self.generate(subject, self.question)
        assert not watch.blocked, f"the event loop stood still in {watch.where}"

    async def test_it_counts_tokens(self) -> None:
        """A limit is a positive number; longer texts have no fewer tokens."""
        async with self.subject() as subject:
            if subject.has("bot_context_limit"):
                limit = await subject.call("bot_context_limit")
                assert limit is None or limit > 0, f"the limit is {limit!r}"
            if subject.has("bot_count_tokens"):
                texts = ("", "word", "word " * 50, *HOSTILE, *UNICODE)
                counts = [await subject.call("bot_count_tokens", text=text) for text in texts]
                assert all(isinstance(one, int) and one >= 0 for one in counts), counts
                assert counts[1] <= counts[2], f"50 words have {counts[2]} tokens"


def _delta(item: Any) -> Delta:
    if isinstance(item, str):
        return Delta(text=item)
    assert isinstance(item, Delta), f"it yielded a {type(item).__name__}, no Delta and no text"
    assert isinstance(item.text, str), f"the text is a {type(item.text).__name__}"
    if item.usage is not None:
        assert item.usage.input_tokens >= 0, item.usage
        assert item.usage.output_tokens >= 0, item.usage
    return item


def _text(items: Sequence[Delta]) -> str:
    return "".join(item.text for item in items)


def _markers_stand_for_passages(items: Sequence[Delta], passages: int) -> None:
    own = "".join(item.text for item in items if not item.verbatim)
    wrong = {marker for marker in map(int, _MARKER.findall(own)) if not 1 <= marker <= passages}
    assert not wrong, f"{sorted(wrong)} stand for no passage; quotations go out as verbatim"
