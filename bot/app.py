"""The bot: settings, plugins and database put together, for Python and for the command line."""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
from collections.abc import AsyncGenerator, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from bot import dispatch, record, schema
from bot import settings as configuration
from bot.components import Components
from bot.conversation import Limits, Machinery, Run
from bot.database import Database
from bot.document import Source
from bot.errors import EmbeddingError, NotFound, PluginError, UsageError
from bot.indexing import versions
from bot.plugins import Plugins
from bot.text import storable
from bot.turn import (
    NOTHING,
    Assistant,
    Conversation,
    Event,
    Feedback,
    Passage,
    Principal,
    Turn,
)

if TYPE_CHECKING:
    from bot.indexing.sync import Progress
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
        self.database = database or database_of(settings, self.home)
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
        components = Components(self.plugins, checked, self.home, self.database)
        async with AsyncExitStack() as opening:
            opening.push_async_callback(self.database.close)
            await self.database.open()
            folders = [schema.core_migrations(), *self.plugins.migrations()]
            await schema.ensure(self.database, folders)
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
            [one.name for one in self.plugins.loaded if not one.error and not one.disabled],
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
    ) -> AsyncGenerator[Event]:
        """Answer a question as a stream of events that ends in one `Finished` or `Failed`.

        Args:
            principals: who asks, besides `everyone`; groups are added from the settings.
            conversation: the channel's name of the thread; empty starts a new one.

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
    ) -> tuple[list[Passage], Run]:
        """Find passages without answering; nothing is recorded.

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
        )
        run = Run(self._machinery(), turn)
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
    ) -> Turn:
        """Make the turn that answers a question."""
        question = storable(question).strip()
        if not question:
            raise UsageError("There is no question; write one after the command.")
        chosen = self.assistant(assistant)
        asker = configuration.principals(self.settings, principals)
        if not asker & self._askers(assistant):
            raise UsageError(f"You may not ask the assistant {assistant!r}; see its `askers`.")
        turn_id = new_id()
        if conversation and not history:
            history = await record.history(self.database, channel, conversation, asker)
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
            index=await versions.live(self.database),
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
            generator=table.generator,
            sources=frozenset(self.settings.sources if table.sources is None else table.sources),
            k=table.k,
            without_sources=table.without_sources,
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

    # -- channels -------------------------------------------------------------------------------

    async def serve(self) -> None:
        """Serve every channel of bot.toml until cancelled.

        A channel that fails is logged, and the others go on.

        Raises:
            UsageError: bot.toml has no channel.
            PluginError: every channel has failed.
        """
        names = list(self.settings.channels)
        if not names:
            raise UsageError("bot.toml has no [channels.…]; add one, or use `bot chat`.")
        served = await asyncio.gather(*map(self._serve_named, names))
        raise PluginError("Every channel has failed: " + "; ".join(map(str, served)))

    async def serve_one(self, type_: str, options: Mapping[str, Any]) -> None:
        """Serve one channel that bot.toml need not name, with these settings."""
        factory = self.plugins.component("channel", type_)
        if factory is None:
            raise PluginError(
                f"The channel {type_!r} is not installed; run `pip install domainbot-{type_}`."
            )
        settings = factory.settings.model_validate(options, context=self._valid.context)
        await self._serve(await self._components.made("channel", type_, type_, settings))

    async def _serve_named(self, name: str) -> Exception:
        try:
            await self._serve(await self._components.named("channel", name))
        except Exception as error:
            log.exception("the channel %s has failed", name)
            return error
        return PluginError(f"the channel {name} has ended")

    async def _serve(self, channel: str) -> None:
        found = dispatch.implementations(self.plugins.manager, "bot_serve", {channel})
        if not found:
            raise PluginError(f"{channel} does not implement bot_serve.")
        # Called without a guard: a channel runs for days, and its cancellation must reach it.
        await found[0].function(bot=self)

    # -- indexing -------------------------------------------------------------------------------

    async def sync(
        self, names: Collection[str] = (), changed: Callable[[Progress], None] = lambda _: None
    ) -> list[Progress]:
        """Bring the index in step with the sources; all of them, or those named.

        Args:
            changed: told after every step; for progress bars.

        Raises:
            NotFound: a name is no source.
            SourceError, IndexingError: a source cannot be read, or a plugin failed; what was
                finished before is kept.
        """
        from bot.indexing import building
        from bot.indexing.sync import Sync

        sources = [self.source(name) for name in names or self.settings.sources]
        for name in self.settings.retrievers:  # those that keep an index must know of it
            await self._components.named("retriever", name)
        await self._seed()
        builders = await building.builders(
            self.plugins.manager, await versions.writable(self.database), self._components.stored
        )
        finished = []
        for source in sources:
            loader = await self._components.made(
                "loader", source.name, source.type, source.settings
            )
            sync = Sync(self.database, self.plugins.manager, source, loader, builders, changed)
            finished.append(await sync.run())
        return finished

    async def count_documents(self, source: str) -> int:
        """Count what the ledger holds of a source."""
        async with self.database.connection() as connection:
            cursor = await connection.execute(versions.QUERIES["count_documents"], {"name": source})
            row = await cursor.fetchone()
        return row[0] if row else 0

    async def forget_source(self, name: str) -> None:
        """Delete a source's documents from every index version and from the ledger.

        Raises:
            NotFound: nothing of it was ever indexed, and bot.toml does not know it.
        """
        from bot.indexing.sync import forget

        known = await forget(self.database, self.plugins.manager, name)
        if not known and name not in self.settings.sources:
            raise NotFound(f"There is no source {name!r}; `bot source list` lists them.")

    def source(self, name: str) -> Source:
        """Read a source from the settings.

        Raises:
            NotFound: there is none by that name.
            PluginError: the plugin that loads it is broken or disabled.
        """
        if name not in self.settings.sources:
            known = ", ".join(sorted(self.settings.sources)) or "none yet"
            raise NotFound(
                f"There is no source {name!r} in bot.toml (there: {known}); add it with "
                f"`bot source add {name} PATH`."
            )
        table = self.settings.sources[name]
        if ("loader", name) not in self._valid.types:
            raise PluginError(
                f"The plugin that loads {table.type!r} is not in use; run `bot plugins doctor`."
            )
        return Source(
            name=name,
            type=table.type,
            settings=self._valid.options["loader", name],
            readers=frozenset(table.readers),
        )

    async def _seed(self) -> None:
        """Make the first index version from `[index]`."""
        if await versions.live(self.database) is not None:
            return
        embedder = self._components.described("embedder", "embedder")
        splitter = self._components.described("splitter", "splitter")
        name = await self._components.stored("embedder", embedder)
        identity, failures = await dispatch.first(
            self.plugins.manager, "bot_embedder_identity", only={name}, timeout=None
        )
        if identity is None:
            raise EmbeddingError(str(failures[0]) if failures else f"{name} has no identity.")
        await versions.seed(
            self.database,
            self.plugins.manager,
            {"embedder": {**embedder, "identity": dict(identity)}, "splitter": splitter},
            identity["dimensions"],
        )

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
            limits=self._limits,
        )

    def _askers(self, assistant: str) -> frozenset[Principal]:
        return frozenset(self.settings.assistants[assistant].askers)


def new_id() -> str:
    """Make a turn's id: 60 random bits, easy to read out."""
    return "".join(secrets.choice(_ID_ALPHABET) for _ in range(_ID_LENGTH))


def installed(settings: Settings, environ: Mapping[str, str]) -> Plugins:
    """Load the built-in and the installed plugins."""
    from bot.indexing import builtin

    plugins = Plugins()
    plugins.register(builtin, "builtin")
    plugins.load(environ, settings.plugins.disabled)
    return plugins


def home(settings: Settings, environ: Mapping[str, str]) -> Path:
    """The folder that holds everything a bot keeps outside its database."""
    from bot.embedded import default_home

    return settings.home or default_home(environ)


def database_of(settings: Settings, home: Path) -> Database:
    """The database that the settings name, unopened."""
    if settings.database_url is not None:
        return Database(settings.database_url.reveal())
    from bot.embedded import EmbeddedServer

    return Database(server=EmbeddedServer(home))
