"""Hybrid search in PostgreSQL with pgvector: the default retriever and its index."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from bot import Component, Context, hookimpl

if TYPE_CHECKING:
    from bot.database import Connection
    from bot.document import Chunk, IndexVersion


class PgvectorSettings(BaseModel):
    """`[retrievers.NAME]` with `type = "pgvector"`. All such retrievers share one index."""

    model_config = ConfigDict(extra="forbid")

    mode: Literal["hybrid", "vector", "lexical"] = Field(
        "hybrid", description="Search by meaning, by words, or by both."
    )
    candidates: int = Field(
        40, ge=1, le=1000, description="How many chunks each search brings before they are fused."
    )
    ef_search: int | None = Field(
        None,
        ge=10,
        le=1000,
        description="How many chunks a walk through the graph of vectors keeps in view: more of "
        "the nearest are found, and it takes longer. Without it, as many as find .95 of them.",
    )
    per_page: int = Field(
        4, ge=1, description="Chunks that a page may have; each further one counts less."
    )
    show: Literal["chunk", "neighbours", "section"] = Field(
        "chunk",
        description="What a found chunk is shown with: nothing, found chunks that touch it, or all "
        "of its section.",
    )
    show_characters: int = Field(
        4000, ge=200, le=100_000, description="How long such a passage may become."
    )
    half_life: float | None = Field(
        None, gt=0, description="Days after which a passage has lost a quarter of its score; at "
        "most it loses half. Without it, age does not matter."
    )  # fmt: skip
    date: str = Field(
        "date",
        description="The metadata that dates a document, ISO 8601 or a year; without it, the day "
        "it last changed counts.",
    )


def make(name: str, settings: Any, context: Context) -> object:
    from bot_pgvector.retrieval import Retriever

    return Retriever(settings, context)


@hookimpl
def bot_components() -> list[Component]:
    return [Component(kind="retriever", type="pgvector", settings=PgvectorSettings, make=make)]


@hookimpl
def bot_migrations() -> Path:
    return Path(__file__).parent / "migrations"


@hookimpl
async def bot_index_begin(version: IndexVersion, connection: Connection) -> None:
    from bot_pgvector import index

    await index.begin(version, connection)


@hookimpl
async def bot_index_add(
    version: IndexVersion, chunks: Sequence[Chunk], connection: Connection
) -> None:
    from bot_pgvector import index

    await index.add(version, chunks, connection)


@hookimpl
async def bot_index_delete(
    version: IndexVersion, document_ids: Sequence[int], connection: Connection
) -> None:
    from bot_pgvector import index

    await index.delete(version, document_ids, connection)


@hookimpl
async def bot_index_readers(
    version: IndexVersion, readers: Mapping[int, Sequence[str]], connection: Connection
) -> None:
    from bot_pgvector import index

    await index.change_readers(version, readers, connection)


@hookimpl
async def bot_index_finish(version: IndexVersion, connection: Connection) -> None:
    from bot_pgvector import index

    await index.finish(version, connection)


@hookimpl
async def bot_index_drop(version: IndexVersion, connection: Connection) -> None:
    from bot_pgvector import index

    await index.drop(version, connection)


@hookimpl
async def bot_index_size(version: IndexVersion, connection: Connection) -> int:
    from bot_pgvector import index

    return await index.size(version, connection)
