"""Recording turns: what was asked, what was answered, from what, and how long it took."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from bot.database import Database, load_queries
from bot.errors import NotFound
from bot.text import storable
from bot.turn import Answer, Feedback, Message, Turn

QUERIES = load_queries(Path(__file__).parent / "queries" / "turns.sql")

HISTORY = 12  # messages of a conversation that a turn is given


async def start(database: Database, turn: Turn, author: str) -> None:
    """Store the question and that it is being answered."""
    async with database.connection() as connection:
        await connection.execute(
            QUERIES["start"],
            {
                "channel": turn.conversation.channel,
                "key": turn.conversation.key,
                "assistant": turn.assistant.name,
                "author": author,
                "question": turn.question,
                "turn": turn.id,
                "attempt": turn.attempt,
                "principals": sorted(turn.principals),
            },
        )


async def finish(database: Database, turn: Turn, answer: Answer) -> None:
    """Store the answer with its citations and timings."""
    citations = [
        {**asdict(citation), "readers": sorted(citation.readers)} for citation in answer.citations
    ]
    async with database.connection() as connection:
        await connection.execute(
            QUERIES["finish"],
            {
                "turn": turn.id,
                "text": storable(answer.text),
                "outcome": answer.outcome.value,
                "generator": answer.generator,
                "queries": list(turn.queries),
                "index": turn.index.id if turn.index else None,
                "timings": Jsonb(dict(answer.timings)),
                "usage": Jsonb(asdict(answer.usage)) if answer.usage else None,
                "notices": list(answer.notices),
                "error": storable(answer.error),
                "citations": Jsonb(citations),
            },
        )


async def history(database: Database, channel: str, key: str) -> tuple[Message, ...]:
    """Read the newest messages of a conversation, oldest first."""
    async with database.connection() as connection:
        cursor = await connection.execute(
            QUERIES["history"], {"channel": channel, "key": key, "limit": HISTORY}
        )
        return tuple(
            Message(role=role, text=text, author=author, at=at)
            for role, text, author, at in await cursor.fetchall()
        )


async def show(database: Database, turn: str) -> Mapping[str, Any]:
    """Read everything that is known of a turn, as JSON-like values.

    Raises:
        NotFound: no turn has this id.
    """
    async with database.connection() as connection:
        cursor = connection.cursor(row_factory=dict_row)
        found = await (await cursor.execute(QUERIES["show"], {"turn": turn})).fetchone()
        if found is None:
            raise NotFound(f"No turn is called {turn!r}; the id stands below each answer.")
        citations = await (await cursor.execute(QUERIES["citations"], {"turn": turn})).fetchall()
        feedback = await (await cursor.execute(QUERIES["feedback_of"], {"turn": turn})).fetchall()
    return {**found, "citations": citations, "feedback": feedback}


async def feedback(database: Database, given: Feedback) -> None:
    """Store what a person thinks of an answer; a second opinion replaces the first.

    Raises:
        NotFound: no turn has this id.
    """
    async with database.connection() as connection:
        cursor = await connection.execute(
            QUERIES["feedback"],
            {
                "turn": given.turn,
                "author": given.author,
                "good": given.good,
                "comment": storable(given.comment),
            },
        )
        if cursor.rowcount == 0:
            raise NotFound(f"No turn is called {given.turn!r}; the id stands below each answer.")
