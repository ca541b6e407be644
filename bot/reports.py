"""What people asked in vain, grouped: what the documentation lacks."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from psycopg.rows import dict_row

from bot.database import Database, load_queries
from bot.errors import EmbeddingError
from bot.similarity import shared
from bot.text import CJK

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from bot.document import IndexVersion
    from bot.plugins import Embed

QUERIES = load_queries(Path(__file__).parent / "queries" / "reports.sql")

MOST = 5000  # questions that are grouped, the newest
ALIKE = 0.6  # cosine, or share of words, from which two questions are about the same
_NOTHING = -1.0  # a cosine that says nothing


@dataclass(frozen=True, slots=True)
class Asked:
    """A question that was refused.

    Attributes:
        turn: the id of its turn.
    """

    turn: str
    question: str
    at: datetime


async def unanswered(
    database: Database, since: datetime, index: IndexVersion | None, embed: Embed
) -> list[list[Asked]]:
    """Group the questions that were refused; the largest group first, in each the newest first.

    Args:
        index: its embedder compares the questions, besides their words; None for words alone.
    """
    async with database.connection() as connection:
        cursor = await connection.execute(QUERIES["unanswered"], {"since": since, "limit": MOST})
        asked = [Asked(*row) for row in await cursor.fetchall()]
    vectors = None
    if index is not None and asked:
        with suppress(EmbeddingError):  # words alone group less, and tell the same
            vectors = await embed([one.question for one in asked], "query", index)
    return grouped(asked, vectors)


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteFigures:
    """What became of the turns that took one route.

    Attributes:
        route: the generators that were asked, in their order.
        cause: why the last of them was asked; empty for a generator that chose among no others.
        share: of all turns.
        cost: of all of them, in the currency of bot.toml's prices.
        tokens: read and written.
        first_text_p50, p50, p95: milliseconds until the first word, and until the end.
        checked, doubted: answers whose citations were checked, and those with a claim that its
            sources do not support.
        good, bad: opinions of people.
    """

    route: str
    cause: str
    turns: int
    share: float
    cost: float
    tokens: int
    first_text_p50: float | None
    p50: float | None
    p95: float | None
    refused: int
    failed: int
    checked: int
    doubted: int
    good: int
    bad: int


async def routes(
    database: Database, since: datetime, assistant: str | None = None
) -> list[RouteFigures]:
    """Compare the routes that answers took, the most frequent first.

    Args:
        assistant: whose turns; None for those of all.
    """
    async with database.connection() as connection:
        cursor = connection.cursor(row_factory=dict_row)
        await cursor.execute(QUERIES["routes"], {"since": since, "assistant": assistant})
        return [
            RouteFigures(**{**row, "share": float(row["share"])}) for row in await cursor.fetchall()
        ]


def grouped(asked: Sequence[Asked], vectors: NDArray[np.float32] | None) -> list[list[Asked]]:
    """Put each question to the most similar group whose first one it resembles, or begin one.

    Args:
        vectors: unit length, one a question; shape (questions, dimensions).
    """
    groups: list[list[int]] = []
    for place, one in enumerate(asked):
        leaders = [group[0] for group in groups]
        cosines = [_NOTHING] * len(leaders)
        if vectors is not None and not CJK.search(one.question):
            cosines = (vectors[leaders] @ vectors[place]).tolist()
        near = (shared(one.question, asked[leader].question) for leader in leaders)
        scores = [max(words, cosine) for words, cosine in zip(near, cosines, strict=True)]
        best = max(range(len(scores)), key=scores.__getitem__, default=None)
        if best is not None and scores[best] >= ALIKE:
            groups[best].append(place)
        else:
            groups.append([place])
    groups.sort(key=len, reverse=True)  # stable: of equals the newest first
    return [[asked[place] for place in group] for group in groups]
