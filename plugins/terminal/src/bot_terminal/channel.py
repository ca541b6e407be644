"""Reading questions and printing answers."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing, contextmanager
from typing import TYPE_CHECKING

import click

from bot import hookimpl
from bot.app import new_id
from bot.cli.output import print_answer
from bot.dispatch import in_thread
from bot.errors import UsageError

if TYPE_CHECKING:
    from bot import Bot


class Terminal:
    """One conversation in the terminal."""

    def __init__(self, assistant: str, principals: Sequence[str]) -> None:
        self._assistant = assistant
        self._principals = tuple(principals)
        self._conversation = new_id()

    @hookimpl
    async def bot_serve(self, bot: Bot) -> None:
        """Answer until the input ends.

        Raises:
            NotFound: the assistant does not exist.
        """
        bot.assistant(self._assistant)  # before a question is typed for nobody
        lines = _typed() if sys.stdin.isatty() and sys.stdout.isatty() else _piped()
        async with aclosing(lines):
            async for line in lines:
                if line.strip():
                    await self._answer(bot, line)

    async def _answer(self, bot: Bot, question: str) -> None:
        events = bot.reply(
            question,
            assistant=self._assistant,
            principals=self._principals,
            channel="terminal",
            conversation=self._conversation,
        )

        async def answer() -> None:
            async with aclosing(events):
                await print_answer(events, sys.stdout)

        task = asyncio.create_task(answer())
        with _interrupting(task):
            try:
                await task
            except asyncio.CancelledError:
                own = asyncio.current_task()
                if own is not None and own.cancelling():  # the channel itself is being stopped
                    task.cancel()
                    await asyncio.wait({task})
                    raise
                click.echo("\nStopped.")
            except UsageError as error:
                click.echo(str(error), err=True)
        click.echo()


async def _typed() -> AsyncGenerator[str]:
    """Prompt for questions until Ctrl-D, or Ctrl-C at the prompt."""
    from prompt_toolkit import PromptSession

    click.secho("Ask a question. Ctrl-C stops an answer, Ctrl-D ends the conversation.", dim=True)
    session: PromptSession[str] = PromptSession()
    while True:
        try:
            yield await session.prompt_async("› ")
        except (EOFError, KeyboardInterrupt):
            return


async def _piped() -> AsyncGenerator[str]:
    while line := await in_thread(sys.stdin.readline):
        yield line


@contextmanager
def _interrupting(task: asyncio.Task[None]) -> Iterator[None]:
    """Let Ctrl-C stop the answer instead of the program."""
    loop = asyncio.get_running_loop()
    before = signal.getsignal(signal.SIGINT)
    loop.add_signal_handler(signal.SIGINT, task.cancel)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGINT)
        signal.signal(signal.SIGINT, before)
