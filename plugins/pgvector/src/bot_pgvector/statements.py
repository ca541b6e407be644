"""The SQL of one index version: the queries of `queries/`, with its schema's name set in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import LiteralString, TypeAlias

from psycopg import sql

from bot.database import load_queries
from bot.document import IndexVersion

_FOLDER = Path(__file__).parent / "queries"
INDEX = load_queries(_FOLDER / "index.sql")
SEARCH = load_queries(_FOLDER / "search.sql")

INLINE_LIMIT = 1024  # dimensions: half a page of 8 kB

_SINGLE_LIMIT = 2000  # dimensions that a graph holds in single precision; in half, twice as many
_BITS_LIMIT = 64_000

Statement: TypeAlias = Callable[[str], LiteralString]


@dataclass(frozen=True, slots=True)
class Form:
    """What the vectors of a version are.

    Attributes:
        vectors: `single` and `half` precision; `binary` keeps them whole and searches by one bit a
            dimension, whose finds are then compared whole.
    """

    version: int
    dimensions: int
    vectors: str

    @classmethod
    def of(cls, version: IndexVersion) -> Form:
        """Read it off a version's settings."""
        given = version.settings.get("index", {}).get("vectors", "single")
        return cls(version.id, version.dimensions, given)

    @property
    def graph_limit(self) -> int:
        """Dimensions that a graph can have."""
        return _BITS_LIMIT if self.vectors == "binary" else 2 * _SINGLE_LIMIT

    @property
    def node_bytes(self) -> int:
        """What a vector takes in the graph."""
        if self.vectors == "binary":
            return self.dimensions // 8
        return self.dimensions * (2 if self._halved or self.vectors == "half" else 4)

    @property
    def type(self) -> str:
        """The type of the column."""
        return "halfvec" if self.vectors == "half" else "vector"

    @property
    def _halved(self) -> bool:
        """Whether the graph is of half precision though the column is not."""
        wide = _SINGLE_LIMIT < self.dimensions <= self.graph_limit
        return self.vectors == "single" and wide

    @property
    def column(self) -> sql.Composed:
        """What the graph is built on."""
        if self.vectors == "binary":
            return self._bits(sql.SQL("embedding"))
        if self._halved:
            return sql.SQL("(embedding::halfvec({}))").format(self._length)
        return sql.Composed([sql.SQL("embedding")])

    @property
    def operators(self) -> str:
        """The operator class of the graph."""
        if self.vectors == "binary":
            return "bit_hamming_ops"
        return "halfvec_ip_ops" if self._halved or self.vectors == "half" else "vector_ip_ops"

    @property
    def exact(self) -> sql.Composed:
        """The negative inner product, on unit vectors the negative cosine."""
        return sql.SQL("c.embedding <#> %(vector)s::{}({})").format(
            sql.SQL(self.type), self._length
        )

    @property
    def distance(self) -> sql.Composed:
        """What the graph orders by."""
        if self.vectors == "binary":
            asked = sql.SQL("%(vector)s::vector({})").format(self._length)
            return sql.SQL("{} <~> {}").format(
                self._bits(sql.SQL("c.embedding")), self._bits(asked)
            )
        if self._halved:
            return sql.SQL("c.embedding::halfvec({0}) <#> %(vector)s::halfvec({0})").format(
                self._length
            )
        return self.exact

    @property
    def _length(self) -> sql.Literal:
        return sql.Literal(self.dimensions)

    def _bits(self, vector: sql.Composable) -> sql.Composed:
        return sql.SQL("(binary_quantize({})::bit({}))").format(vector, self._length)


@cache
def statements(form: Form) -> Statement:
    """Return a function from a query's name to the query for one version."""
    parts = {
        "index": sql.Identifier(schema(form.version)),
        "dimensions": sql.Literal(form.dimensions),
        "type": sql.SQL(form.type),
        "storage": sql.SQL("plain" if form.dimensions <= INLINE_LIMIT else "external"),
        "column": form.column,
        "operators": sql.SQL(form.operators),
    }

    @cache
    def statement(name: str) -> LiteralString:
        return _written(sql.SQL(INDEX[name]).format(**parts))

    return statement


@cache
def search_statement(
    name: str, form: Form, sources: bool, filters: tuple[int, ...], *parts: str
) -> LiteralString:
    """Return a search query for one version.

    Args:
        sources: whether it looks at some sources only.
        filters: how many values each metadata filter allows; its parameters are named
            `filter_FILTER_VALUE`.
        parts: names of the queries that it is made of.
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
    inside = {
        "index": sql.Identifier(schema(form.version)),
        "permitted": sql.SQL(" and ").join(conditions),
        "distance": form.distance,
        "exact": form.exact,
    }
    made_of = [sql.SQL(SEARCH[part]).format(**inside) for part in parts]
    return _written(sql.SQL(SEARCH[name]).format(*made_of, **inside))


def _written(composed: sql.Composed) -> LiteralString:
    """Write a query out once: a composed one would be written anew for each execution.

    It is made of literals, identifiers and placeholders alone.
    """
    return composed.as_string(None)


def of(version: IndexVersion) -> Statement:
    """Return the statements of a version."""
    return statements(Form.of(version))


def schema(version: int) -> str:
    """Name the schema that holds a version."""
    return f"pgvector_{version}"
