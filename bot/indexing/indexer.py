"""Keeping the index in step with the sources of bot.toml."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pluggy

from bot import dispatch
from bot.components import Components
from bot.database import Database
from bot.document import IndexVersion, Source
from bot.errors import (
    EmbeddingError,
    IndexingError,
    NotFound,
    PluginError,
    SourceBusy,
    SourceError,
    UsageError,
)
from bot.indexing import building, versions
from bot.indexing.cleaning import Wishes
from bot.indexing.ledger import QUERIES
from bot.indexing.progress import Progress
from bot.indexing.sync import Sync, forget
from bot.turn import NOTHING

if TYPE_CHECKING:
    from bot.settings import Checked, Settings

log = logging.getLogger(__name__)


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
        self,
        names: Collection[str] = (),
        changed: Callable[[Progress], None] = lambda _: None,
        *,
        may_lose: float | None = None,
    ) -> list[Progress]:
        """Bring the index in step with the sources; all of them, or those named.

        One that fails keeps no other from its turn; the first failure is raised at the end.

        Args:
            changed: told after every step; for progress bars.
            may_lose: the share of its documents that a source may lose; each source's own
                setting, unless given.

        Raises:
            NotFound: a name is no source.
            SourceError, IndexingError: a source cannot be read, has lost too much, or a plugin
                failed; what was finished before is kept.
        """
        sources = [self.source(name) for name in names or self._settings.sources]
        await self._seed()
        finished, failures = [], []
        for source in sources:
            _, loader = await self.loader(source.name)
            table = self._settings.sources[source.name]
            sync = Sync(
                self._database,
                self._manager,
                source,
                loader,
                self._current,
                changed,
                table.may_lose if may_lose is None else may_lose,
                self.wishes(source.name),
            )
            try:
                finished.append(await sync.run())
            except (SourceError, IndexingError) as error:
                if not isinstance(error, SourceBusy):
                    await self._note(source.name, str(error))
                failures.append(error)
        if failures:
            raise failures[0]
        return finished

    async def builders(self, wanted: Sequence[IndexVersion]) -> list[building.Builder]:
        """Make what cuts and embeds documents for some versions; no model is loaded yet.

        Raises:
            EmbeddingError: an embedder is not the one that a version was built with.
        """
        await self.prepare()
        return await building.builders(
            self._manager, wanted, self._components.stored, self._components.may_receive
        )

    async def _current(self) -> list[building.Builder]:
        """Make the builders of the versions that a sync fills, as there are now.

        One that is not live, and cannot be filled here, is left as it is: it then lacks what has
        changed, and does not go live without it.
        """
        made = []
        for version in await versions.writable(self._database):
            try:
                made += await self.builders([version])
            except (PluginError, EmbeddingError) as error:
                if version.state == "live":
                    raise
                log.warning("version %d is not kept up to date: %s", version.id, error)
        return made

    async def _note(self, source: str, error: str) -> None:
        async with self._database.connection() as connection:
            await connection.execute(QUERIES["not_synced"], {"name": source, "error": error})

    async def count_documents(self, source: str) -> int:
        """Count what the ledger holds of a source."""
        async with self._database.connection() as connection:
            cursor = await connection.execute(QUERIES["count_documents"], {"name": source})
            row = await cursor.fetchone()
        return row[0] if row else 0

    async def forget(self, name: str) -> None:
        """Delete a source's documents from every index version and from the ledger.

        Raises:
            NotFound: nothing of it was ever indexed, and bot.toml does not know it.
        """
        await self.prepare()
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

    async def loader(self, name: str) -> tuple[Source, str]:
        """Make what loads a source; return both, the loader as its plugin name.

        Raises:
            NotFound, PluginError: see `source`.
        """
        source = self.source(name)
        return source, await self._components.made("loader", name, source.type, source.settings)

    def wishes(self, name: str) -> Wishes:
        """Read how a source's documents are to be cleaned."""
        table = self._settings.sources[name]
        return Wishes(
            redact=table.redact, boilerplate=table.boilerplate, duplicates=table.duplicates
        )

    async def prepare(self) -> None:
        """Make the retrievers: those that keep an index must learn of every change."""
        for name in self._settings.retrievers:
            await self._components.named("retriever", name)

    async def _seed(self) -> None:
        """Make the first index version from `[index]`."""
        if await versions.live(self._database) is not None:
            return
        await self.prepare()
        settings, dimensions = await self.described()
        await versions.seed(self._database, self._manager, settings, dimensions)

    async def described(
        self, embedder: str = "", changes: Mapping[str, Any] = NOTHING
    ) -> tuple[dict[str, Any], int]:
        """Write down what a new version is built with: `[index]`, but for what is given.

        Args:
            embedder: a table of [embedders] or a type; the one of `[index]`, unless given.
            changes: by dotted key: `splitter.max_tokens`, `embedder.KEY`, `index.KEY`.

        Returns:
            The settings that the version owns, and the length of its vectors.

        Raises:
            UsageError: a key or a value is no setting.
            EmbeddingError: the embedder cannot tell who it is.
        """
        settings = self.wanted(embedder, changes)
        name = await self._components.stored("embedder", settings["embedder"])
        identity, failures = await dispatch.first(
            self._manager, "bot_embedder_identity", only={name}, timeout=None
        )
        if identity is None:
            raise EmbeddingError(str(failures[0]) if failures else f"{name} has no identity.")
        settings["embedder"]["identity"] = dict(identity)
        return settings, identity["dimensions"]

    def wanted(self, embedder: str = "", changes: Mapping[str, Any] = NOTHING) -> dict[str, Any]:
        """Write down what `described` does, but for the embedder's identity; nothing is loaded."""
        options = {"embedder": {}, "splitter": {}, "index": {}}  # type: dict[str, dict[str, Any]]
        for key, value in changes.items():
            part, _, name = key.partition(".")
            if part not in options or not name:
                raise UsageError(
                    f"--set takes embedder.KEY, splitter.KEY or index.KEY, not {key!r}."
                )
            if key == "splitter.size" and self._checked.types["splitter", part] == "structure":
                name = "max_tokens"  # the word that people have for it
            options[part][name] = value
        return {
            "embedder": self._components.described(
                "embedder", embedder or "embedder", options["embedder"]
            ),
            "splitter": self._components.described("splitter", "splitter", options["splitter"]),
            "index": self._graph(options["index"]),
        }

    def _graph(self, changes: Mapping[str, Any]) -> dict[str, Any]:
        known = self._settings.index.model_dump(include={"vectors", "headings"})
        if unknown := changes.keys() - known:
            raise UsageError(
                f"--set index.{min(unknown)}: there is only index.vectors and index.headings."
            )
        try:
            valid = type(self._settings.index).model_validate(known | dict(changes))
        except ValueError:
            raise UsageError(
                "--set index.vectors is single, half or binary, index.headings true or false."
            ) from None
        return {"vectors": valid.vectors, "headings": valid.headings}
