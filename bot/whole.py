"""Whole documents instead of passages, while they fit into the generator's window."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from bot.database import Database, load_queries
from bot.errors import DatabaseError
from bot.indexing.code import is_code
from bot.location import pages
from bot.prompt import CountTokens
from bot.turn import NOTHING, Passage, Turn

log = logging.getLogger(__name__)

QUERIES = load_queries(Path(__file__).parent / "queries" / "whole.sql")

_SHARE = 0.6  # of the context limit, for documents; the rest is history, question and answer


async def widened(
    database: Database,
    turn: Turn,
    passages: Sequence[Passage],
    limit: int | None,
    count: CountTokens,
) -> list[Passage]:
    """Replace passages by the documents that they are from, the best first, within a budget.

    A document that does not fit any more keeps its passages: the budget decides for each. Without
    a limit there is no window to fill, and all passages stay.
    """
    if limit is None or turn.assistant.context != "documents":
        return list(passages)
    try:
        texts = await _documents(database, turn, passages)
    except DatabaseError as error:  # passages answer, too
        log.warning("no whole documents: %s", error)
        return list(passages)
    room = int(limit * _SHARE) - sum([await count(passage.text) for passage in passages])
    chosen: list[Passage] = []
    whole: set[tuple[str, str]] = set()
    for passage in passages:
        key = (passage.source, passage.uri)
        if key in whole:
            continue
        document = texts.get(key)
        if document is not None:
            held = [one.text for one in passages if (one.source, one.uri) == key]
            cost = await count(document.text) - sum([await count(text) for text in held])
            if cost <= room:
                room -= max(0, cost)
                whole.add(key)
                chosen.append(replace(document, id=passage.id, retriever=passage.retriever))
                continue
        chosen.append(passage)
    return chosen


async def _documents(
    database: Database, turn: Turn, passages: Sequence[Passage]
) -> dict[tuple[str, str], Passage]:
    keys = dict.fromkeys((passage.source, passage.uri) for passage in passages if passage.uri)
    wanted = {
        "sources": [source for source, _ in keys],
        "uris": [uri for _, uri in keys],
        "principals": sorted(turn.principals),
    }
    async with database.connection() as connection:
        rows = await (await connection.execute(QUERIES["documents"], wanted)).fetchall()
    return {
        (source, uri): Passage(
            id=uri,
            text=text,
            title=title,
            uri=uri,
            source=source,
            location=_pages(uri, text),
            readers=frozenset(readers),
            start=0,
            end=len(text),
            metadata={"type": type_} if type_ else NOTHING,
        )
        for source, uri, title, text, type_, readers in rows
    }


def _pages(uri: str, text: str) -> str:
    """Tell a document's pages, so that a quote can be cited by its own; form feeds part them."""
    last = text.count("\f") + 1
    return pages(uri, 1, last) if last > 1 and not is_code(uri) else ""
