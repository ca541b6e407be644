"""Showing more than what was found: neighbours as one passage, or the section around a chunk.

Small chunks are found best, and larger passages are understood best. Nothing is shown twice: each
chunk is part of one passage, that of the best hit that reaches it.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias

from bot import Passage
from bot_pgvector.search import Hit, Search

Show: TypeAlias = Literal["chunk", "neighbours", "section"]
Row: TypeAlias = tuple[int, int, int, str]
"""A chunk: document, start, stop, context."""

_PAGE = re.compile(r" › (page|slide)s? (\d+)(?:–(\d+))?$")


@dataclass(slots=True)
class _Part:
    """Chunks of one document that are shown as one passage, by their places in the document."""

    hit: Hit
    first: int
    last: int
    held: int = field(default=1)


async def widened(search: Search, hits: Sequence[Hit], show: Show, limit: int) -> list[Passage]:
    """Join or widen hits, the best first; a passage keeps the id and the score of its best hit.

    Args:
        limit: characters of a passage, unless a single chunk has more.
    """
    spans = [hit for hit in hits if hit.passage.start is not None]
    rows: Mapping[int, list[Row]] = defaultdict(list)
    for row in await search.around(
        [hit.document for hit in spans],
        [(hit.passage.start or 0) - limit for hit in spans],
        [(hit.passage.end or 0) + limit for hit in spans],
    ):
        rows[row[0]].append(row)
    parts: list[_Part] = []
    for hit in hits:
        if not rows[hit.document]:
            return [each.passage for each in hits]  # it is gone: what was found stands
        _place(hit, rows[hit.document], parts, show, limit)
    joined = _joined(parts, rows, limit)
    texts = await search.texts(
        [part.hit.document for part in joined],
        [rows[part.hit.document][part.first][1] for part in joined],
        [rows[part.hit.document][part.last][2] for part in joined],
    )
    return [
        _passage(part, rows[part.hit.document], text)
        for part, text in zip(joined, texts, strict=True)
    ]


def _place(hit: Hit, rows: Sequence[Row], parts: list[_Part], show: Show, limit: int) -> None:
    """Make a part of a hit, unless one holds it already."""
    at = bisect_right([row[1] for row in rows], hit.passage.start or 0) - 1
    others = [part for part in parts if part.hit.document == hit.document]
    for part in others:
        if part.first <= at <= part.last:
            part.held += 1
            return
    first = last = at
    if show == "section":
        free = range(
            max((part.last + 1 for part in others if part.last < at), default=0),
            min((part.first for part in others if part.first > at), default=len(rows)),
        )
        first, last = _section(rows, at, free, limit)
    parts.append(_Part(hit, first, last))


def _section(rows: Sequence[Row], at: int, free: range, limit: int) -> tuple[int, int]:
    """Grow from a chunk to both sides, as far as its section and the limit go."""
    first = last = at
    section = _PAGE.sub("", rows[at][3])
    while True:
        sides = []
        if first - 1 in free:
            sides.append((first - 1, last))
        if last + 1 in free:
            sides.append((first, last + 1))
        fitting = [
            (a, b)
            for a, b in sides
            if rows[b][2] - rows[a][1] <= limit
            and all(_PAGE.sub("", rows[n][3]) == section for n in (a, b))
        ]
        if not fitting:
            return first, last
        first, last = min(fitting, key=lambda span: rows[span[1]][2] - rows[span[0]][1])


def _joined(parts: Sequence[_Part], rows: Mapping[int, Sequence[Row]], limit: int) -> list[_Part]:
    """Join parts that touch, as long as they fit."""
    kept: list[_Part] = []
    for part in parts:
        while touching := next((one for one in kept if _fit(one, part, rows, limit)), None):
            kept.remove(touching)
            part = _Part(
                touching.hit,
                min(touching.first, part.first),
                max(touching.last, part.last),
                touching.held + part.held,
            )
        kept.append(part)
    return sorted(kept, key=lambda part: -part.hit.passage.score)


def _fit(one: _Part, other: _Part, rows: Mapping[int, Sequence[Row]], limit: int) -> bool:
    if one.hit.document != other.hit.document:
        return False
    if one.last + 1 != other.first and other.last + 1 != one.first:
        return False
    chunks = rows[one.hit.document]
    start, stop = chunks[min(one.first, other.first)][1], chunks[max(one.last, other.last)][2]
    return stop - start <= limit


def _passage(part: _Part, rows: Sequence[Row], text: str) -> Passage:
    start, stop = rows[part.first][1], rows[part.last][2]
    passage = part.hit.passage
    if passage.start is None or not text.startswith(passage.text, passage.start - start):
        return passage  # the document has changed since it was found
    evidence = {**passage.evidence, "chunks": part.last - part.first + 1, "found": part.held}
    location = _located(passage.location, rows[part.first][3], rows[part.last][3])
    return replace(passage, text=text, start=start, end=stop, location=location, evidence=evidence)


def _located(location: str, first: str, last: str) -> str:
    """Tell all pages that a widened passage goes over."""
    begin, end = _PAGE.search(first), _PAGE.search(last)
    if begin is None or end is None:
        return location
    name, number, until = begin[1], begin[2], end[3] or end[2]
    pages = f"{name} {number}" if number == until else f"{name}s {number}–{until}"
    return f"{_PAGE.sub('', location)} › {pages}"
