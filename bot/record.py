"""Recording turns: what was asked, what was answered, from what, and how long it took."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from bot.database import Database, load_queries
from bot.errors import NotFound
from bot.text import cleaned
from bot.turn import EVERYONE, Answer, Feedback, Message, Principal, Turn

QUERIES = load_queries(Path(__file__).parent / "queries" / "turns.sql")

HISTORY = 12  # messages of a conversation that a turn is given


async def start(database: Database, turn: Turn, author: str) -> None:
    """Store the question and that it is being answered; a further attempt takes its turn over.

    Called again, it begins the same turn anew.
    """
    arguments = {
        "channel": turn.conversation.channel,
        "key": turn.conversation.key,
        "assistant": turn.assistant.name,
        "author": cleaned(author),
        "question": cleaned(turn.question),
        "turn": turn.id,
        "attempt": turn.attempt,
        "principals": sorted(turn.principals),
    }
    queries = ("start", "restart") if turn.attempt == 1 else ("restart", "start")
    async with database.connection() as connection:
        # Each is a transaction: the other one when there is a turn already, or none yet.
        for query in queries:
            if (await connection.execute(QUERIES[query], arguments)).rowcount:
                return


async def finish(database: Database, turn: Turn, answer: Answer) -> None:
    """Store the answer with its citations and timings; twice is once.

    What this takes is added to the step `record` as it is stored.
    """
    citations = [
        {
            **{key: _cleaned(value) for key, value in asdict(citation).items()},
            "readers": sorted(citation.readers),
        }
        for citation in answer.citations
    ]
    async with database.connection() as connection:
        await connection.execute(
            QUERIES["finish"],
            {
                "turn": turn.id,
                "attempt": turn.attempt,
                "text": cleaned(answer.text),
                "outcome": answer.outcome.value,
                "generator": answer.generator,
                "queries": [cleaned(query) for query in turn.queries],
                "index": turn.index.id if turn.index else None,
                "timings": Jsonb(dict(answer.timings)),
                "waited": answer.timings.get("record", 0.0),
                "usage": Jsonb(asdict(answer.usage)) if answer.usage else None,
                "routes": Jsonb([asdict(route) for route in answer.routes]),
                "doubts": answer.doubts,
                "notices": [cleaned(notice) for notice in answer.notices],
                "error": cleaned(answer.error),
                "citations": Jsonb(citations),
                "readers": sorted(answer.readers),
            },
        )


async def history(
    database: Database,
    channel: str,
    key: str,
    principals: Collection[Principal] = (EVERYONE,),
    turn: str = "",
) -> tuple[Message, ...]:
    """Read the newest messages of a conversation, oldest first.

    Args:
        principals: who asks; an answer that cites what they may not read is left out.
        turn: the turn that is answered, when it has begun before: what came since is left out.
    """
    arguments = {"channel": channel, "key": key, "limit": HISTORY, "turn": turn}
    async with database.connection() as connection:
        cursor = await connection.execute(
            QUERIES["history"], {**arguments, "principals": list(principals)}
        )
        return tuple(
            Message(role=role, text=text, author=author, at=at, public=public)
            for role, text, author, at, public in await cursor.fetchall()
        )


async def overheard(
    database: Database, channel: str, key: str, assistant: str, said: Mapping[str, Message]
) -> None:
    """Store what people said in a conversation beside their questions, each message once.

    Args:
        said: by the channel's own ids of the messages, the oldest first.
    """
    messages = [
        {"external_id": name, "author": cleaned(one.author), "text": cleaned(one.text)}
        for name, one in said.items()
    ]
    async with database.connection() as connection:
        await connection.execute(
            QUERIES["overheard"],
            {"channel": channel, "key": key, "assistant": assistant, "said": Jsonb(messages)},
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
                "author": cleaned(given.author),
                "good": given.good,
                "comment": cleaned(given.comment),
            },
        )
        if cursor.rowcount == 0:
            raise NotFound(f"No turn is called {given.turn!r}; the id stands below each answer.")


def _cleaned(value: Any) -> Any:
    return cleaned(value) if isinstance(value, str) else value
