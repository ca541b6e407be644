"""What the tests of the Slack channel share: a toy bot, its bot.toml, waiting, a process."""

import asyncio
import os
import signal
import sys
from pathlib import Path

from bot import Delta, Passage, hookimpl

BOT = Path(sys.executable).with_name("bot")
PATIENCE = 60
URI = "https://docs.example.com/handbook"


class Toy:
    """A retriever and a generator that do what a test says.

    Attributes:
        answers: the pieces of each answer by words in its question; "" fits every question.
        passages: what is found, whoever asks.
        pieces: waits for this before each piece after the first, unless it is None.
        turns: what was asked.
    """

    def __init__(self):
        self.answers = {"": ["The office opens at nine [1]. ", "It closes at five."]}
        self.passages = [passage("The office opens at nine. It closes at five.")]
        self.gate = None
        self.turns = []
        self.refuses = False
        self.error = None

    @hookimpl
    async def bot_retrieve(self, turn):
        return self.passages

    @hookimpl
    async def bot_generate(self, turn, prompt):
        self.turns.append(turn)
        if self.error is not None:
            raise self.error
        pieces = next(p for words, p in reversed(self.answers.items()) if words in turn.question)
        for number, piece in enumerate(pieces):
            if number and self.gate is not None:
                await self.gate.wait()
            yield Delta(text=piece, refusal=self.refuses)


def passage(text, *, readers=("everyone",), title="Handbook", uri=URI, id="p1"):
    return Passage(id=id, text=text, readers=frozenset(readers), title=title, uri=uri)


def toml(slack, *, assistants="", **options):
    """A bot.toml for this Slack; options are lines of [channels.slack]."""
    given = {
        "bot_token": '{env = "SLACK_BOT_TOKEN"}',
        "app_token": '{env = "SLACK_APP_TOKEN"}',
        "signing_secret": '{env = "SLACK_SIGNING_SECRET"}',
        "base_url": f'"{slack.base_url}"',
        "rate": 1000,
        **options,
    }
    lines = [f"{name} = {value}" for name, value in given.items()]
    return "\n".join([assistants or "[assistants.default]", "[channels.slack]", *lines, ""])


def environ(slack):
    return {
        "SLACK_BOT_TOKEN": slack.bot_token,
        "SLACK_APP_TOKEN": slack.app_token,
        "SLACK_SIGNING_SECRET": slack.signing_secret,
    }


ASSISTANT = '[assistants.default]\nretrievers = ["toy"]\ngenerator = "toy"'


async def eventually(condition, what="it"):
    """Wait until something is so; give what it gave."""
    try:
        async with asyncio.timeout(PATIENCE):
            while not (found := await _value(condition)):  # noqa: ASYNC110 -- nobody tells
                await asyncio.sleep(0.02)
            return found
    except TimeoutError:
        raise AssertionError(f"{what} did not become so in {PATIENCE} s") from None


async def _value(condition):
    found = condition()
    return await found if asyncio.iscoroutine(found) else found


async def answered(slack, channel, thread_ts, count=1):
    """Wait until a thread has this many complete answers; they are given in order."""

    def complete():
        found = slack.answers(channel, thread_ts)
        done = [one for one in found if one.stream is None]
        return found if len(found) == len(done) >= count else None

    return await eventually(complete, f"{count} answers in {channel} {thread_ts}")


class Process:
    """`bot serve` in a process of its own."""

    def __init__(self, folder, variables):
        self.folder = folder
        self.variables = variables
        self.conninfo = variables["BOT_DATABASE_URL"]
        self.running = []

    async def bot(self, *arguments, code=0):
        """Run a command to its end."""
        process = await self.begin(*arguments)
        out, err = await asyncio.wait_for(process.communicate(), 2 * PATIENCE)
        assert process.returncode == code, (out, err)
        return out.decode() + err.decode()

    async def begin(self, *arguments):
        process = await asyncio.create_subprocess_exec(
            BOT, *arguments, cwd=self.folder, env=self.variables,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, start_new_session=True,
        )  # fmt: skip
        self.running.append(process)
        return process

    async def kill(self):
        for process in self.running:
            if process.returncode is None:
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()


PLUGIN = """
import asyncio
from pathlib import Path
from bot import Delta, Passage, hookimpl

@hookimpl
async def bot_retrieve(turn):
    text = "The office opens at nine. It closes at five."
    return [Passage(id="p", text=text, readers=frozenset({"everyone"}), title="Handbook",
                    uri="https://docs.example.com/handbook")]

@hookimpl
async def bot_generate(turn, prompt):
    yield Delta(text="The office opens at nine [1]. ")
    while "slowly" in turn.question and not Path("go").exists():
        await asyncio.sleep(0.05)
    yield Delta(text="It closes at five.")
"""
