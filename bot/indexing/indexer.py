"""Keeping the index in step with the sources of bot.toml."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

import pluggy

from bot import dispatch
from bot.components import Components
from bot.database import Database
from bot.document import Source
from bot.errors import EmbeddingError, NotFound, PluginError
from bot.indexing import building, versions
from bot.indexing.sync import Progress, Sync, forget

if TYPE_CHECKING:
    from bot.settings import Checked, Settings


class Indexer:
    """Syncs sources into the index versions, and forgets them.

    Args:
        settings, checked: bot.toml, read and validated.
    """

    def __init__(
        self,
        settings: Settings,
        checked: Checked,
        manager: pluggy.PluginManager,
        components: Components,
        database: Database,
    ) -> None:
        self._settings = settings
        self._checked = checked
        self._manager = manager
        self._components = components
        self._database = database

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
        sources = [self.source(name) for name in names or self._settings.sources]
        await self._make_retrievers()
        await self._seed()
        builders = await building.builders(
            self._manager, await versions.writable(self._database), self._components.stored
        )
        finished = []
        for source in sources:
            loader = await self._components.made(
                "loader", source.name, source.type, source.settings
            )
            sync = Sync(self._database, self._manager, source, loader, builders, changed)
            finished.append(await sync.run())
        return finished

    async def count_documents(self, source: str) -> int:
        """Count what the ledger holds of a source."""
        async with self._database.connection() as connection:
            cursor = await connection.execute(versions.QUERIES["count_documents"], {"name": source})
            row = await cursor.fetchone()
        return row[0] if row else 0

    async def forget(self, name: str) -> None:
        """Delete a source's documents from every index version and from the ledger.

        Raises:
            NotFound: nothing of it was ever indexed, and bot.toml does not know it.
        """
        await self._make_retrievers()
        known = await forget(self._database, self._manager, name)
        if not known and name not in self._settings.sources:
            raise NotFound(f"There is no source {name!r}; `bot source list` lists them.")

    def source(self, name: str) -> Source:
        """Read a source from the settings.

        Raises:
            NotFound: there is none by that name.
            PluginError: the plugin that loads it is broken or disabled.
        """
        if name not in self._settings.sources:
            known = ", ".join(sorted(self._settings.sources)) or "none yet"
            raise NotFound(
                f"There is no source {name!r} in bot.toml (there: {known}); add it with "
                f"`bot source add {name} PATH`."
            )
        table = self._settings.sources[name]
        if ("loader", name) not in self._checked.types:
            raise PluginError(
                f"The plugin that loads {table.type!r} is not in use; run `bot plugins doctor`."
            )
        return Source(
            name=name,
            type=table.type,
            settings=self._checked.options["loader", name],
            readers=frozenset(table.readers),
        )

    async def _make_retrievers(self) -> None:
        """Those that keep an index must learn of every change."""
        for name in self._settings.retrievers:
            await self._components.named("retriever", name)

    async def _seed(self) -> None:
        """Make the first index version from `[index]`."""
        if await versions.live(self._database) is not None:
            return
        embedder = self._components.described("embedder", "embedder")
        splitter = self._components.described("splitter", "splitter")
        name = await self._components.stored("embedder", embedder)
        identity, failures = await dispatch.first(
            self._manager, "bot_embedder_identity", only={name}, timeout=None
        )
        if identity is None:
            raise EmbeddingError(str(failures[0]) if failures else f"{name} has no identity.")
        await versions.seed(
            self._database,
            self._manager,
            {"embedder": {**embedder, "identity": dict(identity)}, "splitter": splitter},
            identity["dimensions"],
        )
