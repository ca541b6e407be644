"""The bot: settings, plugins and database put together, for Python and for the command line."""

from __future__ import annotations

import logging
import os
import secrets
from collections.abc import AsyncGenerator, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from bot import asking, dispatch, glossary, record, schema
from bot import settings as configuration
from bot.assembly import database_of, home, installed
from bot.components import Components
from bot.conversation import Run
from bot.database import Database
from bot.errors import NotFound, UsageError
from bot.indexing import versions
from bot.machinery import Limits, Machinery
from bot.plugins import Kind, Plugins
from bot.spending import Budget, Spending
from bot.text import storable
from bot.turn import (
    NOTHING,
    Assistant,
    Conversation,
    Event,
    Feedback,
    Passage,
    Principal,
    Trace,
    Turn,
)

if TYPE_CHECKING:
    from bot.asking import Generator
    from bot.document import IndexVersion
    from bot.indexing.indexer import Indexer
    from bot.indexing.progress import Progress
    from bot.monitoring import Monitor
    from bot.reports import Asked
    from bot.settings import Checked, Settings

log = logging.getLogger(__name__)

_ID_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32: no i, l, o, u
_ID_LENGTH = 12


class Bot:
    """A bot that is ready to answer inside `async with`.

    Args:
        settings: what `bot.toml` and the environment say.
        plugins: loaded plugins; None loads the installed ones.
        database: an open or unopened database; None makes the one that the settings name.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        plugins: Plugins | None = None,
        database: Database | None = None,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        self.settings = settings
        self.plugins = plugins or installed(settings, environ)
        self.home = home(settings, environ)
        self.plugins.remember(self.home)
        self.database = database or database_of(settings, self.home)
        self.spending = Spending(self.database, Budget(**dict(settings.budget)))
        self._closing = AsyncExitStack()
        self._opened: tuple[Checked, Components] | None = None

    @classmethod
    def from_config(
        cls, path: Path | str | None = None, *, environ: Mapping[str, str] = os.environ
    ) -> Self:
        """Make a bot from a `bot.toml`, or from the defaults when there is none.

        Raises:
            ConfigError: the file has mistakes; all of them are listed.
        """
        found = configuration.find_config(Path(path) if path else None, environ, Path.cwd())
        made = cls(configuration.read(found, environ, deferred=True), environ=environ)
        made.check()
        return made

    async def __aenter__(self) -> Self:
        checked = self.check()
        components = Components(
            self.plugins, checked, self.home, self.database, self._limits, self.spending
        )
        async with AsyncExitStack() as opening:
            opening.push_async_callback(self.database.close)
            await self.database.open()
            failed = await schema.ensure_each(self.database, self.plugins.migrations())
            for folder, error in failed.items():
                self.plugins.leave_out(folder, error)
            opening.push_async_callback(components.aclose)
            self._opened = checked, components
            self._closing = opening.pop_all()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._closing.aclose()

    def check(self) -> Checked:
        """Validate the whole configuration against the loaded plugins.

        Raises:
            ConfigError: with every mistake, its place and the nearest valid name.
        """
        return configuration.check(
            self.settings,
            self.plugins.component,
            self.plugins.types,
            [name for name, plugin in self.plugins.manager.list_name_plugin() if plugin],
            [one.name for one in self.plugins.loaded if one.error or one.disabled],
        )

    # -- answering ------------------------------------------------------------------------------

    async def reply(
        self,
        question: str,
        *,
        assistant: str = "default",
        principals: Iterable[Principal] = (),
        channel: str = "python",
        conversation: str = "",
        author: str = "",
        filters: Mapping[str, Any] = NOTHING,
        turn_id: str = "",
        attempt: int = 1,
    ) -> AsyncGenerator[Event]:
        """Answer a question as a stream of events that ends in one `Finished` or `Failed`.

        Args:
            principals: who asks, besides `everyone`; groups are added from the settings.
            conversation: the channel's name of the thread; empty starts a new one.
            turn_id: the turn's id, when it has one already; see `new_id`.
            attempt: 2 and above take over what an earlier attempt at the same turn has recorded.

        Raises:
            UsageError: the question is empty, or the assistant does not exist.
        """
        turn = await self.turn(
            question,
            assistant=assistant,
            principals=principals,
            channel=channel,
            conversation=conversation,
            filters=filters,
            turn_id=turn_id,
            author=author,
            attempt=attempt,
        )
        async with aclosing(Run(self._machinery(), turn, author).events()) as events:
            async for event in events:
                yield event

    async def search(
        self,
        question: str,
        *,
        k: int = 10,
        history: Sequence[Any] = (),
        assistant: str = "default",
        principals: Iterable[Principal] = (),
        filters: Mapping[str, Any] = NOTHING,
        index: IndexVersion | None = None,
        explain: bool = False,
    ) -> tuple[list[Passage], Run]:
        """Find passages without answering; nothing is recorded.

        Args:
            index: the version to search instead of the live one.
            explain: have retrievers tell more in `Passage.evidence`, and take their times.

        Returns:
            The passages, best first, and the run that holds queries, timings and notices.
        """
        turn = await self.turn(
            question,
            assistant=assistant,
            principals=principals,
            filters=filters,
            history=tuple(history),
            k=k,
            index=index,
        )
        run = Run(self._machinery(), replace(turn, trace=Trace()) if explain else turn)
        return await run.passages(), run

    async def turn(
        self,
        question: str,
        *,
        assistant: str = "default",
        principals: Iterable[Principal] = (),
        channel: str = "",
        conversation: str = "",
        filters: Mapping[str, Any] = NOTHING,
        history: tuple[Any, ...] = (),
        k: int | None = None,
        index: IndexVersion | None = None,
        turn_id: str = "",
        author: str = "",
        attempt: int = 1,
    ) -> Turn:
        """Make the turn that answers a question."""
        question = storable(question).strip()
        if not question:
            raise UsageError("There is no question; write one after the command.")
        chosen = self.assistant(assistant)
        asker = configuration.principals(self.settings, principals)
        if not asker & self._askers(assistant):
            raise UsageError(f"You may not ask the assistant {assistant!r}; see its `askers`.")
        again = turn_id if attempt > 1 else ""
        turn_id = turn_id or new_id()
        if conversation and not history:
            history = await record.history(self.database, channel, conversation, asker, again)
        return Turn(
            id=turn_id,
            question=question,
            assistant=chosen,
            conversation=Conversation(
                channel=channel, key=conversation or turn_id, history=history
            ),
            queries=(question,),
            k=k or chosen.k,
            filters=filters,
            principals=asker,
            sources=chosen.sources,
            # Without a source there is nothing to find; what was removed is not found either.
            index=(index or await versions.live(self.database)) if chosen.sources else None,
            author=author,
            attempt=attempt,
        )

    def assistant(self, name: str) -> Assistant:
        """Read an assistant from the settings.

        Raises:
            NotFound: there is none by that name.
        """
        if name not in self.settings.assistants:
            names = ", ".join(sorted(self.settings.assistants))
            raise NotFound(f"There is no assistant {name!r}; bot.toml has: {names}.")
        table = self.settings.assistants[name]
        return Assistant(
            name=name,
            instructions=table.instructions,
            retrievers=tuple(table.retrievers),
            weights=table.weights,
            generator=table.generator,
            sources=frozenset(self.settings.sources if table.sources is None else table.sources),
            k=table.k,
            without_sources=table.without_sources,
            answer_words=table.answer_words,
            context=table.context,
            glossary=glossary.read(table.glossary) if table.glossary else (),
        )

    async def feedback(self, turn: str, good: bool, *, author: str = "", comment: str = "") -> None:
        """Record what somebody thinks of an answer.

        Raises:
            NotFound: no turn has this id.
        """
        given = Feedback(turn=turn, good=good, author=author, comment=comment)
        await record.feedback(self.database, given)
        await dispatch.gather(
            self.plugins.manager, "bot_feedback", timeout=self._limits.hook, feedback=given
        )

    async def unanswered(self, since: datetime) -> list[list[Asked]]:
        """Group what people asked in vain; see `bot.reports.unanswered`."""
        from bot import reports

        live = await versions.live(self.database)
        return await reports.unanswered(self.database, since, live, self._components.embed)

    # -- channels and indexing ------------------------------------------------------------------

    async def serve(self, *, concurrency: int = 0, monitor: Monitor | None = None) -> None:
        """Serve every channel of bot.toml until cancelled, or until all of them have ended.

        A channel that fails is logged, and the others go on.

        Args:
            concurrency: how many conversations a worker beside the channels answers at once; with
                0 there is none, and `bot worker` has to run somewhere.
            monitor: is told what has failed; see `bot.monitoring`.

        Raises:
            UsageError: bot.toml has no channel.
            PluginError: no channel is left, and at least one has failed.
        """
        from bot import serving

        names = list(self.settings.channels)
        if not names:
            raise UsageError("bot.toml has no [channels.…]; add one, or use `bot chat`.")
        await serving.serve_all(self, names, self._components, concurrency, monitor)

    async def serve_one(self, type_: str, options: Mapping[str, Any]) -> None:
        """Serve one channel that bot.toml need not name, with these settings.

        Raises:
            PluginError: it is not installed.
        """
        from bot import serving

        await serving.serve_one(self, type_, options, self._components)

    async def component(self, kind: Kind, name: str) -> object:
        """The object made from a table of bot.toml, such as `("channel", "slack")`.

        Raises:
            PluginError: there is none, or it cannot be made.
        """
        return self.plugins.manager.get_plugin(await self._components.named(kind, name))

    async def generator(self, name: str) -> Generator:
        """A generator of bot.toml that can be asked outside a conversation.

        Raises:
            PluginError: there is none by that name, or it cannot be made.
        """
        return await asking.generator(self._machinery(), name)

    @property
    def indexer(self) -> Indexer:
        """What brings the index in step with the sources."""
        from bot.indexing.indexer import Indexer

        return Indexer(
            self.settings, self._valid, self.plugins.manager, self._components, self.database
        )

    async def sync(
        self, names: Collection[str] = (), changed: Callable[[Progress], None] = lambda _: None
    ) -> list[Progress]:
        """Bring the index in step with the sources; see `Indexer.sync`."""
        return await self.indexer.sync(names, changed)

    @property
    def _components(self) -> Components:
        return self._when_open[1]

    @property
    def _valid(self) -> Checked:
        return self._when_open[0]

    @property
    def _when_open(self) -> tuple[Checked, Components]:
        if self._opened is None:
            raise UsageError("The bot is not open; use `async with Bot.from_config() as bot`.")
        return self._opened

    @property
    def _limits(self) -> Limits:
        return self.settings.limits

    def _machinery(self) -> Machinery:
        return Machinery(
            manager=self.plugins.manager,
            database=self.database,
            resolve=self._components.named,
            embed=self._components.embed,
            limits=self._limits,
            may_receive=self._components.may_receive,
        )

    def _askers(self, assistant: str) -> frozenset[Principal]:
        return frozenset(self.settings.assistants[assistant].askers)


def new_id() -> str:
    """Make a turn's id: 60 random bits, easy to read out."""
    bits = secrets.randbits(5 * _ID_LENGTH)
    return "".join(_ID_ALPHABET[bits >> 5 * place & 31] for place in range(_ID_LENGTH))
