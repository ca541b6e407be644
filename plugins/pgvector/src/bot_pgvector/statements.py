"""The SQL of one index version: the queries of `queries/`, with its schema's name set in."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import LiteralString, TypeAlias

from psycopg import sql

from bot.database import load_queries
from bot.document import IndexVersion

_FOLDER = Path(__file__).parent / "queries"
INDEX = load_queries(_FOLDER / "index.sql")
SEARCH = load_queries(_FOLDER / "search.sql")

GRAPH_LIMIT = 4000  # dimensions: HNSW holds half precision up to here, and single up to 2,000

INLINE_LIMIT = 1024  # dimensions: half a page of 8 kB

Statement: TypeAlias = Callable[[str], LiteralString]


@cache
def statements(version: int, dimensions: int) -> Statement:
    """Return a function from a query's name to the query for one version."""
    parts = {
        "index": sql.Identifier(schema(version)),
        "dimensions": sql.Literal(dimensions),
        "storage": sql.SQL("plain" if dimensions <= INLINE_LIMIT else "external"),
        **_graph(dimensions),
    }

    @cache
    def statement(name: str) -> LiteralString:
        return _written(sql.SQL(INDEX[name]).format(**parts))

    return statement


@cache
def search_statement(
    name: str, version: int, dimensions: int, sources: bool, filters: tuple[int, ...]
) -> LiteralString:
    """Return a search query for one version.

    Args:
        sources: whether it looks at some sources only.
        filters: how many values each metadata filter allows; its parameters are named
            `filter_FILTER_VALUE`.
    """
    conditions: list[sql.Composable] = [sql.SQL(SEARCH["readable"])]
    if sources:
        conditions.append(sql.SQL(SEARCH["in_sources"]))
    for place, values in enumerate(filters):
        allowed = [
            sql.SQL(SEARCH["has_metadata"]).format(value=sql.Placeholder(f"filter_{place}_{each}"))
            for each in range(values)
        ]
        conditions.append(sql.SQL("({})").format(sql.SQL(" or ").join(allowed)))
    return _written(
        sql.SQL(SEARCH[name]).format(
            index=sql.Identifier(schema(version)),
            permitted=sql.SQL(" and ").join(conditions),
            distance=_distance(dimensions),
        )
    )


def _written(composed: sql.Composed) -> LiteralString:
    """Write a query out once: a composed one would be written anew for each execution.

    It is made of literals, identifiers and placeholders alone.
    """
    return composed.as_string(None)


def of(version: IndexVersion) -> Statement:
    """Return the statements of a version."""
    return statements(version.id, version.dimensions)


def schema(version: int) -> str:
    """Name the schema that holds a version."""
    return f"pgvector_{version}"


def _graph(dimensions: int) -> dict[str, sql.Composable]:
    if dimensions <= 2000:
        return {"column": sql.SQL("embedding"), "operators": sql.SQL("vector_ip_ops")}
    half = sql.SQL("(embedding::halfvec({}))").format(sql.Literal(dimensions))
    return {"column": half, "operators": sql.SQL("halfvec_ip_ops")}


def _distance(dimensions: int) -> sql.Composable:
    """Write the negative inner product, on unit vectors the negative cosine."""
    if dimensions <= 2000 or dimensions > GRAPH_LIMIT:
        return sql.SQL("c.embedding <#> %(vector)s")
    half = sql.SQL("halfvec({})").format(sql.Literal(dimensions))
    return sql.SQL("c.embedding::{half} <#> %(vector)s::{half}").format(half=half)
