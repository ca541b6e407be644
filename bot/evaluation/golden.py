"""The golden set: questions with the sources, and perhaps the answer, that a good bot finds."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, TypeAlias

from bot.database import Database, load_queries, of_all
from bot.errors import UsageError
from bot.turn import EVERYONE, NOTHING, Principal

QUERIES = load_queries(Path(__file__).parent.parent / "queries" / "golden.sql")

_UNKNOWN = "There is no golden question {id}; `bot golden list` shows their ids."

Origin: TypeAlias = Literal["person", "file", "feedback", "suggested"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Golden:
    """One golden question.

    Attributes:
        sources: how relevant each expected source is, by a passage's id or a document's URI; 1 is
            relevant, more is more relevant.
        answer: what a good answer says; empty when only the sources are known.
        readers: who may read it; it is asked as them.
        reference: where it comes from: a turn's id, or the id it had in a file.
        draft: not used until a person has accepted it.
    """

    question: str
    sources: Mapping[str, int] = field(default_factory=lambda: NOTHING)
    answer: str = ""
    readers: frozenset[Principal] = frozenset({EVERYONE})
    origin: Origin = "person"
    reference: str = ""
    draft: bool = False
    id: int = 0


async def put(database: Database, golden: Iterable[Golden]) -> tuple[int, int]:
    """Keep questions, all or none; one that is there already, for the same readers, is replaced.

    One that is given twice for the same readers expects the sources of both.

    Returns:
        How many are new, and how many were replaced.
    """
    new = replaced = 0
    async with database.transaction() as connection:
        for one in _joined(golden):
            cursor = await connection.execute(
                QUERIES["put"],
                {
                    "question": one.question,
                    "answer": one.answer,
                    "readers": sorted(one.readers),
                    "origin": one.origin,
                    "reference": one.reference,
                    "draft": one.draft,
                },
            )
            row = await cursor.fetchone()
            assert row is not None
            new, replaced = new + row[1], replaced + (not row[1])
            await connection.execute(QUERIES["clear_sources"], {"id": row[0]})
            places, grades = list(one.sources), list(one.sources.values())
            await connection.execute(
                QUERIES["put_sources"], {"id": row[0], "places": places, "grades": grades}
            )
    return new, replaced


async def load(database: Database, *, drafts: bool = False) -> list[Golden]:
    """Read the golden set, in the order in which it grew.

    Args:
        drafts: with the questions that nobody has accepted yet.
    """
    async with database.connection() as connection:
        rows = await (await connection.execute(QUERIES["all"])).fetchall()
    found = [_golden(row) for row in rows]
    return [one for one in found if drafts or not one.draft]


async def remove(database: Database, ids: Collection[int]) -> None:
    """Remove questions, all or none.

    Raises:
        NotFound: there is none by one of these ids.
    """
    await of_all(database, QUERIES["remove"], ids, f"{_UNKNOWN} Nothing was removed.")


async def accept(database: Database, ids: Collection[int]) -> None:
    """Make drafts golden questions that are measured with, all or none.

    Raises:
        NotFound: there is none by one of these ids.
    """
    await of_all(database, QUERIES["accept"], ids, f"{_UNKNOWN} Nothing was accepted.")


async def gone(database: Database, golden: Iterable[Golden]) -> list[str]:
    """List the expected sources that no document has, or has any more."""
    places = {place for one in golden for place in one.sources}
    return sorted(places - (await _readers(database, places)).keys())


async def inheriting(database: Database, golden: Iterable[Golden]) -> list[Golden]:
    """Narrow who may read each question to who may read all of its sources.

    Raises:
        UsageError: nobody is named who may read all of them.
    """
    given = list(golden)
    readers = await _readers(database, {place for one in given for place in one.sources})
    made = []
    for one in given:
        known = [each for place in one.sources for each in readers.get(place, ())]
        if not (narrowed := narrowest([one.readers, *known])):
            raise UsageError(
                f"Nobody is named who may read all sources of {one.question[:80]!r}; ask about "
                "sources that the same people may read. Nothing was kept."
            )
        made.append(replace(one, readers=narrowed))
    return made


async def _readers(
    database: Database, places: Collection[str]
) -> dict[str, list[frozenset[Principal]]]:
    found: dict[str, list[frozenset[Principal]]] = {}
    async with database.connection() as connection:
        cursor = await connection.execute(QUERIES["expected"], {"places": list(places)})
        for place, readers in await cursor.fetchall():
            found.setdefault(place, []).append(frozenset(readers))
    return found


async def praised(database: Database) -> tuple[list[Golden], int]:
    """Make golden questions of the answers that people call good and nobody calls bad.

    What an answer cites is what its question expects, and only who may read all of it may read
    the question.

    Returns:
        The questions, and how many were left out because nobody is named who may read it all.
    """
    async with database.connection() as connection:
        rows = await (await connection.execute(QUERIES["praised"])).fetchall()
    made: list[Golden] = []
    for turn, question, answer, cited in rows:
        if readers := narrowest(frozenset(one["readers"]) for one in cited):
            places = [one["uri"] or one["passage"] for one in cited]
            made.append(
                Golden(
                    question=question.strip(),
                    sources=dict.fromkeys(filter(None, places), 1),
                    answer=answer,
                    readers=readers,
                    origin="feedback",
                    reference=turn,
                )
            )
    return made, len(rows) - len(made)


def narrowest(readers: Iterable[frozenset[Principal]]) -> frozenset[Principal]:
    """Who may read all of several things; nobody when that cannot be said by name."""
    common: frozenset[Principal] | None = None
    for each in readers:
        if EVERYONE not in each:
            common = each if common is None else common & each
    return frozenset({EVERYONE}) if common is None else common


def digest(golden: Sequence[Golden]) -> str:
    """Name a golden set by what it asks and expects: results on equal sets compare."""
    parts = sorted(
        json.dumps([one.question, sorted(one.sources.items()), one.answer, sorted(one.readers)])
        for one in golden
    )
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def _joined(golden: Iterable[Golden]) -> Iterable[Golden]:
    found: dict[tuple[str, frozenset[Principal]], Golden] = {}
    for one in golden:
        key = (one.question, one.readers)
        if (before := found.get(key)) is not None:
            one = replace(one, sources={**before.sources, **one.sources})
        found[key] = one
    return found.values()


def _golden(row: Sequence[Any]) -> Golden:
    id_, question, answer, readers, origin, reference, draft, sources = row
    return Golden(
        id=id_,
        question=question,
        sources=sources,
        answer=answer,
        readers=frozenset(readers),
        origin=origin,
        reference=reference,
        draft=draft,
    )
