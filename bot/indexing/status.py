"""What there is of the index: versions, how far they are, and what went wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from psycopg.rows import dict_row

from bot import jobs
from bot.indexing import versions
from bot.indexing.ledger import QUERIES as LEDGER
from bot.indexing.versions import QUERIES, tell_index

if TYPE_CHECKING:
    from bot.app import Bot


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """One index version.

    Attributes:
        documents: how many there are; indexed: how many of them it holds; quarantined: how many
            it cannot take.
        jobs: batches that wait or run.
        bytes: what it takes on disk.
        chunks_per_second: of the last minute.
        seconds_left: at that speed; None when nothing moves.
        error: why it does not get on.
        verdict: what the golden set said when it went live.
    """

    version: int
    state: str
    paused: bool
    embedder: str
    dimensions: int
    settings: Mapping[str, Any]
    documents: int
    indexed: int
    quarantined: int
    chunks: int
    jobs: int
    bytes: int
    chunks_per_second: float
    seconds_left: float | None
    error: str
    verdict: Mapping[str, Any] | None
    created_at: datetime
    ready_at: datetime | None
    promoted_at: datetime | None

    @property
    def progress(self) -> float:
        """The share of the documents that are indexed or set aside."""
        return (self.indexed + self.quarantined) / self.documents if self.documents else 1.0

    @property
    def moves(self) -> bool:
        """Whether it is being built, and nobody has to do anything for that."""
        return self.state == "building" and not self.paused and self.jobs > 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """The whole index.

    Attributes:
        workers: how many have shown a sign of life lately.
        quarantined: documents that a version could not take: version, source, document, error.
        unreadable: what no version has, as it cannot be read or is left out: source, document,
            error.
        sources: those whose last sync ended early: source, error.
    """

    versions: Sequence[Overview]
    workers: int
    quarantined: Sequence[Mapping[str, Any]]
    unreadable: Sequence[Mapping[str, Any]]
    sources: Sequence[Mapping[str, Any]]


async def read(bot: Bot, *, dropped: bool = False) -> Status:
    """Look at the index as it is now.

    Args:
        dropped: tell of versions too that are dropped.
    """
    await bot.indexer.prepare()
    async with bot.database.transaction() as connection:
        cursor = connection.cursor(row_factory=dict_row)
        await cursor.execute(QUERIES["overview"], {"all": dropped})
        rows = await cursor.fetchall()
        sizes = {}
        for version in await versions.kept(connection):
            told = await tell_index(bot.plugins.manager, "bot_index_size", version, connection)
            sizes[version.id] = sum(told)
        await cursor.execute(QUERIES["quarantined"])
        quarantined = await cursor.fetchall()
        await cursor.execute(LEDGER["unreadable"])
        unreadable = await cursor.fetchall()
        await cursor.execute(LEDGER["source_errors"])
        sources = await cursor.fetchall()
        workers = await jobs.living(connection)
    return Status(
        versions=[_overview(row, sizes.get(row["version"], 0)) for row in rows],
        workers=workers,
        quarantined=quarantined,
        unreadable=unreadable,
        sources=sources,
    )


def _overview(row: dict[str, Any], size: int) -> Overview:
    row.pop("replaced")
    speed = row["chunks_per_second"]
    left = row["documents"] - row["indexed"] - row["quarantined"]
    a_document = row["chunks"] / row["indexed"] if row["indexed"] else 0
    moves = row["state"] == "building" and not row["paused"] and row["jobs"] > 0
    seconds = left * a_document / speed if speed and moves else None
    embedder = row["settings"].get("embedder", {})
    return Overview(
        **row,
        bytes=size,
        seconds_left=0.0 if left == 0 and moves else seconds,
        embedder=embedder.get("identity", {}).get("name", embedder.get("type", "")),
    )
