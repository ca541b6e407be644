"""The suite for channels: a real bot behind them, and a generator that says what it is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import ClassVar

from pydantic import BaseModel

from bot.app import Bot
from bot.database import Database
from bot.hookspecs import hookimpl
from bot.plugins import Component, Kind
from bot.settings import Settings
from bot.testing.conformance.base import HOSTILE, PATIENCE, Conformance
from bot.turn import Prompt, Turn

_WAIT = 60.0  # seconds until an answer counts as missing
_SETTLE = 0.3  # seconds in which an answer that comes twice would come


class Nothing(BaseModel):
    """No settings."""


class Scripted:
    """A generator that answers `word` with `<word>`, and what `says` has with that.

    `fail` raises; `wait` waits for `go`.
    """

    def __init__(self) -> None:
        self.says: dict[str, str] = {}
        self.asked: list[str] = []
        self.begun = asyncio.Event()
        self.go = asyncio.Event()

    @hookimpl
    def bot_components(self) -> list[Component]:
        return [
            Component(
                kind="generator", type="scripted", settings=Nothing, make=lambda *_: Speech(self)
            )
        ]


class Speech:
    """The component that `Scripted` offers."""

    def __init__(self, script: Scripted) -> None:
        self._script = script

    @hookimpl
    async def bot_generate(self, turn: Turn, prompt: Prompt) -> AsyncIterator[str]:
        script, question = self._script, prompt.question
        script.asked.append(question)
        if "fail" in question:
            raise RuntimeError("the inner workings")
        yield "It is "
        if "wait" in question:
            script.begun.set()
            await script.go.wait()
        yield script.says.get(question) or f"re{question.strip('?')}re"


class ChannelConformance(Conformance):
    """Checks of `bot_serve`. It needs a `database`.

    Override `say` and `seen`: what a person writes, and all that a person sees.

    Attributes:
        conversations: names of conversations that people can have at once.
        forbidden: what no answer may put before a person, whatever a document says.
    """

    kind: ClassVar[Kind] = "channel"
    conversations: tuple[str, ...] = ("one", "two")
    forbidden: tuple[str, ...] = ("\x1b",)

    async def say(self, text: str, conversation: str) -> None:
        """Write a message, as a person does."""
        raise NotImplementedError("override `say`")

    async def say_twice(self, text: str, conversation: str) -> None:
        """Write one message that the platform delivers twice, where it does such things."""
        await self.say(text, conversation)

    async def seen(self, conversation: str) -> str:
        """Tell everything that the bot has shown in a conversation, in order."""
        raise NotImplementedError("override `seen`")

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[Scripted]:
        """Serve the channel with a bot of its own, until the block ends."""
        assert self.database is not None, "set `self.database` in a fixture"
        plugins, script = self.loaded(), Scripted()
        plugins.register(script, "scripted")
        name = self.type or self.plugin
        settings = Settings.model_validate(
            {
                "assistants": {"default": {"retrievers": [], "generator": "scripted"}},
                "generators": {"scripted": {}},
                "channels": {name: dict(self.settings)},
            },
            context=self.validation,
        )
        database = Database(self.database.conninfo)  # the bot closes its own
        async with Bot(settings, plugins=plugins, database=database) as bot:
            task = asyncio.create_task(bot.serve(concurrency=4))
            try:
                yield script
            finally:
                task.cancel()
                done, _ = await asyncio.wait({task}, timeout=PATIENCE)
                script.go.set()
                assert done, "it goes on after it was cancelled"

    async def until(self, conversation: str, fits: Callable[[str], bool]) -> str:
        """Wait until what is seen fits; return it, or whatever is there when time is up."""
        for _ in range(int(_WAIT / 0.05)):
            if fits(shown := await self.seen(conversation)):
                return shown
            await asyncio.sleep(0.05)
        return await self.seen(conversation)

    async def test_each_message_is_answered_exactly_once(self) -> None:
        """Also one that the platform delivers twice."""
        (first, *_), words = self.conversations, ("alpha", "beta", "gamma")
        async with self.serving() as script:
            for word in words:
                await self.say_twice(word, first)
            await self.until(first, lambda shown: all(f"re{word}re" in shown for word in words))
            await asyncio.sleep(_SETTLE)
            shown = await self.seen(first)
        for word in words:
            times = shown.count(f"re{word}re")
            assert times == 1, f"{word!r} was answered {times} times"
        assert sorted(script.asked) == sorted(words), f"asked: {script.asked}"

    async def test_answers_come_in_the_order_of_the_questions(self) -> None:
        """Within a conversation, even when the first one takes longest."""
        first, *_ = self.conversations
        async with self.serving() as script:
            await self.say("wait1", first)
            await asyncio.wait_for(script.begun.wait(), _WAIT)
            await self.say("second", first)
            await self.say("third", first)
            await asyncio.sleep(_SETTLE)
            script.go.set()
            shown = await self.until(first, lambda shown: "rethirdre" in shown)
        places = [shown.find(f"re{word}re") for word in ("wait1", "second", "third")]
        assert -1 not in places, f"an answer is missing: {places}"
        assert places == sorted(places), f"the answers came in another order: {places}"

    async def test_conversations_do_not_mix(self) -> None:
        """Each conversation sees its own answers alone."""
        async with self.serving():
            for number, conversation in enumerate(self.conversations):
                await self.say(f"word{number}", conversation)
            for number, conversation in enumerate(self.conversations):
                own = f"reword{number}re"
                shown = await self.until(conversation, partial(_holds, own))
                assert own in shown, f"{conversation}: no answer"
                assert shown.count("reword") == 1, f"{conversation}: also another's answer"

    async def test_no_answer_reaches_through_the_channel(self) -> None:
        """What documents and models say is shown as text, and obeyed by nothing."""
        first, *_ = self.conversations
        async with self.serving() as script:
            for number, hostile in enumerate(HOSTILE):
                script.says[f"hostile{number}"] = f"{hostile} end{number}."
                await self.say(f"hostile{number}", first)
            last = f"end{len(HOSTILE) - 1}."
            shown = await self.until(first, lambda shown: last in shown)
        assert last in shown, "an answer is missing"
        obeyed = [one for one in self.forbidden if one in shown]
        assert not obeyed, f"{obeyed} reached a person unescaped"

    async def test_long_and_foreign_answers_are_whole(self) -> None:
        """An answer of any length and script is shown from its first word to its last."""
        first, *_ = self.conversations
        async with self.serving() as script:
            script.says["long"] = f"first {'word ' * 2_000}last"
            script.says["foreign"] = "打印机在二楼 Größe 👍🏽."
            await self.say("long", first)
            await self.say("foreign", first)
            shown = await self.until(
                first, lambda shown: "打印机在二楼" in shown and "last" in shown
            )
        assert "first" in shown, "the beginning is missing"
        assert shown.count("word") >= 2_000, f"only {shown.count('word')} words of 2000"
        assert "last" in shown, "the end is missing"
        assert "打印机在二楼 Größe 👍🏽" in shown, "characters are lost"

    async def test_a_failure_is_told_with_its_reference(self) -> None:
        """A turn that fails ends in an apology, not in silence and not in our inner workings."""
        first, *_ = self.conversations
        async with self.serving():
            await self.say("fail", first)
            shown = await self.until(first, lambda shown: "reference" in shown)
            assert "reference" in shown, "the person waits for ever"
            assert "inner workings" not in shown, "the person sees what is for operators"
            await self.say("after", first)
            assert "reafterre" in await self.until(first, lambda shown: "reafterre" in shown)

    async def test_it_ends_when_it_is_stopped(self) -> None:
        """Cancelled in the midst of an answer it ends, and the turn is recorded."""
        first, *_ = self.conversations
        async with self.serving() as script:
            await self.say("wait", first)
            await asyncio.wait_for(script.begun.wait(), _WAIT)
            asyncio.get_running_loop().call_later(0.5, script.go.set)
        assert self.database is not None
        async with self.database.connection() as connection:
            cursor = await connection.execute("select outcome from turn")
            outcomes = [row[0] for row in await cursor.fetchall()]
        assert outcomes, "the question is not recorded"
        assert None not in outcomes, "the turn was left without an end"


def _holds(part: str, shown: str) -> bool:
    return part in shown
