"""Every check of the channels' suite has a channel that fails it."""

import asyncio
import inspect

import pytest
from pydantic import BaseModel

from bot import Component, Failed, Finished, hookimpl
from bot.plugins import Plugins
from bot.testing.conformance import ChannelConformance
from bot.testing.conformance import channel as suite_module
from bot.text import printable


class Settings(BaseModel):
    pass


class Room:
    """Where people write into queues and read from lists; each conversation has its own."""

    def __init__(self):
        self.said = asyncio.Queue()
        self.shown = {}
        self.known = set()

    @hookimpl
    async def bot_serve(self, bot):
        async with asyncio.TaskGroup() as answering:
            queues = {}
            while True:
                number, text, conversation = await self.said.get()
                if not self.new(number):
                    continue
                if conversation not in queues:
                    queues[conversation] = asyncio.Queue()
                    answering.create_task(self.converse(bot, conversation, queues[conversation]))
                queues[conversation].put_nowait(text)

    def new(self, number):
        new = number not in self.known
        self.known.add(number)
        return new

    async def converse(self, bot, conversation, queue):
        while True:
            await self.answer(bot, conversation, await queue.get())

    async def answer(self, bot, conversation, text):
        async for event in bot.reply(text, channel="room", conversation=conversation):
            if isinstance(event, Finished):
                self.show(conversation, event.answer.text)
            elif isinstance(event, Failed):
                self.fail(conversation, event)

    def fail(self, conversation, event):
        self.show(conversation, event.text)

    def show(self, conversation, text):
        self.shown.setdefault(conversation, []).append(printable(text))


class Repeating(Room):
    def new(self, number):
        return True


class Hasty(Room):
    async def converse(self, bot, conversation, queue):
        async with asyncio.TaskGroup() as group:
            while True:
                group.create_task(self.answer(bot, conversation, await queue.get()))


class OneRoom(Room):
    def show(self, conversation, text):
        for each in ("one", "two"):
            super().show(each, text)


class Raw(Room):
    def show(self, conversation, text):
        self.shown.setdefault(conversation, []).append(text)


class Short(Room):
    def show(self, conversation, text):
        super().show(conversation, text[:3000])


class Mute(Room):
    def fail(self, conversation, event):
        pass


class Lingering(Room):
    @hookimpl
    async def bot_serve(self, bot):
        try:
            await super().bot_serve(bot)
        except asyncio.CancelledError:
            await asyncio.sleep(3)
            raise


CHANNELS = {
    "test_each_message_is_answered_exactly_once": Repeating,
    "test_answers_come_in_the_order_of_the_questions": Hasty,
    "test_conversations_do_not_mix": OneRoom,
    "test_no_answer_reaches_through_the_channel": Raw,
    "test_long_and_foreign_answers_are_whole": Short,
    "test_a_failure_is_told_with_its_reference": Mute,
    "test_it_ends_when_it_is_stopped": Lingering,
}


async def run(make, check, database):
    room = make()

    class Plugin:
        @hookimpl
        def bot_components(self):
            return [Component(kind="channel", type="room", settings=Settings, make=lambda *_: room)]

    class Suite(ChannelConformance):
        plugin = "room"
        numbers = 0

        def loaded(self):
            plugins = Plugins()
            plugins.register(Plugin(), "room")
            return plugins

        async def say(self, text, conversation):
            self.numbers += 1
            room.said.put_nowait((self.numbers, text, conversation))

        async def say_twice(self, text, conversation):
            await self.say(text, conversation)
            room.said.put_nowait((self.numbers, text, conversation))

        async def seen(self, conversation):
            return "\n".join(room.shown.get(conversation, ()))

    suite = Suite()
    suite.database = database
    done = getattr(suite, check)()
    if inspect.isawaitable(done):
        await done


@pytest.mark.parametrize("check", CHANNELS)
async def test_a_good_channel_passes(check, database):
    await run(Room, check, database)


@pytest.mark.parametrize("check", CHANNELS)
async def test_a_broken_channel_fails(check, database, monkeypatch):
    monkeypatch.setattr(suite_module, "_WAIT", 1.5)
    monkeypatch.setattr(suite_module, "PATIENCE", 1.5)
    with pytest.raises(AssertionError):
        await run(CHANNELS[check], check, database)


def test_no_check_is_without_a_channel_that_fails_it():
    checks = {name for name in vars(ChannelConformance) if name.startswith("test_")}
    assert checks == set(CHANNELS)
