"""The answer to "What can you answer?", the question that the app's manifest suggests.

No document answers it, so it is answered from the ledger: sources with some of their titles, of
what this person may read here. A curated answer of the team's own comes first.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from typing import TYPE_CHECKING, Any

from psycopg.rows import dict_row

from bot import curated, record
from bot.similarity import same
from bot.turn import Answer, Citation, Event, Finished, Outcome, Passage, Status, TextDelta
from bot_slack.home import QUERIES, day

if TYPE_CHECKING:
    from bot import Bot, Turn

QUESTION = "What can you answer?"
NOTHING = "Nothing yet: there is no document that you may read here."

_SOURCES = 8
_TITLES = 3  # of each source
_TITLE = 120  # characters


def asks(text: str) -> bool:
    """Whether a question is the suggested one."""
    return text.strip(" ?.!").casefold() == QUESTION.strip("?").casefold()


async def is_curated(bot: Bot, turn: Turn) -> bool:
    """Whether the team has its own answer to the question."""
    approved = await curated.load(bot.database)
    return any(
        one.readers & turn.principals and same(turn.question, one.question, None)
        for one in approved
    )


async def events(bot: Bot, turn: Turn, author: str) -> AsyncGenerator[Event]:
    """Answer, and record it: a turn like any other, without retrieval or generator."""
    await record.start(bot.database, turn, author)
    names, shown = await _known(bot, turn)
    lines = ["Questions about what stands in these sources:", ""] if names else [NOTHING]
    for name in names[:_SOURCES]:
        titles = [n for n, passage in enumerate(shown, 1) if passage.source == name]
        such = ", ".join(f"“{shown[n - 1].title}” [{n}]" for n in titles)
        lines.append(f"- {name} ({shown[titles[0] - 1].location}), such as {such}")
    if len(names) > _SOURCES:
        lines.append(f"- and {len(names) - _SOURCES} more")
    text = "\n".join(lines)
    answer = Answer(
        turn=turn.id,
        outcome=Outcome.answered if names else Outcome.refused,
        text=text,
        citations=tuple(_citation(n, passage) for n, passage in enumerate(shown, 1)),
    )
    yield Status("", passages=tuple(shown))
    yield TextDelta(text)
    await record.finish(bot.database, turn, answer)
    yield Finished(answer)


async def _known(bot: Bot, turn: Turn) -> tuple[list[str], list[Passage]]:
    """The sources, and the newest titles of the first ones as passages.

    A passage's `location` says how much its source holds.
    """
    arguments = {
        "sources": sorted(turn.sources),
        "principals": sorted(turn.principals),
        "titles": _TITLES,
    }
    async with bot.database.connection() as connection:
        cursor = connection.cursor(row_factory=dict_row)
        rows = await (await cursor.execute(QUERIES["titles"], arguments)).fetchall()
    names = list(dict.fromkeys(row["name"] for row in rows))
    return names, [_passage(row) for row in rows if row["name"] in names[:_SOURCES]]


def _passage(row: Mapping[str, Any]) -> Passage:
    title = " ".join(row["title"].split())[:_TITLE]
    count = row["documents"]
    return Passage(
        id=str(row["id"]),
        text=title,
        title=title,
        uri=row["uri"],
        readers=frozenset(row["readers"]),
        source=row["name"],
        location=f"{count} document{'s' * (count > 1)}, as of {day(row['synced_at'])}",
    )


def _citation(number: int, passage: Passage) -> Citation:
    return Citation(
        marker=number,
        uri=passage.uri,
        title=passage.title,
        quote=passage.text,
        passage_id=passage.id,
        source=passage.source,
        readers=passage.readers,
    )
