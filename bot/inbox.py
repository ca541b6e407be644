"""The inbox: what channels were told, stored with its job before anybody is told so.

A message is known by its event's id and by its own place (team, room, ts): whatever comes twice is
one row. Workers claim a conversation's messages one at a time, in order. Each claim counts the
attempt up, and only the newest attempt may write: see `standing`, `wrote` and `done`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from psycopg.rows import class_row, dict_row
from psycopg.types.json import Jsonb

from bot.database import Connection, Database, load_queries
from bot.jobs import Task, defer
from bot.text import cleaned
from bot.turn import NOTHING

QUERIES = load_queries(Path(__file__).parent / "queries" / "inbox.sql")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a message stands: a thread in a room of a team, as the channel names them."""

    channel: str
    team: str
    room: str
    thread: str
    ts: str | None

    @property
    def names(self) -> dict[str, str | None]:
        """The place as the queries' arguments."""
        return {name: getattr(self, name) for name in ("channel", "team", "room", "thread", "ts")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Incoming:
    """A message that a channel was told of.

    Attributes:
        event: the channel's own id of the event.
        key: which conversation it belongs to.
        edited: when the text was written, by the channel's clock; empty for the first one.
        details: what the channel needs to answer it; JSON values.
    """

    event: str
    place: Place
    key: str
    author: str
    text: str
    kind: str = "question"
    edited: str = ""
    details: Mapping[str, Any] = field(default_factory=lambda: NOTHING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """A message that this worker answers, and no other.

    Attributes:
        turn: the id of its turn, the same in every attempt.
        removal: the question was deleted; its answer is to be retracted.
        answers: ids of the channel's messages that hold the answer so far.
        disowned: somebody deleted the answer; it is not written again.
    """

    id: int
    channel: str
    team: str
    key: str
    room: str
    thread: str
    ts: str | None
    author: str
    kind: str
    text: str
    details: Mapping[str, Any]
    turn: str
    removal: bool
    stopped: bool
    attempt: int
    answers: list[str]
    disowned: bool
    received_at: datetime
    edited: str

    @property
    def place(self) -> Place:
        """Where the question stands."""
        return Place(
            channel=self.channel, team=self.team, room=self.room, thread=self.thread, ts=self.ts
        )


class Inbox:
    """The inbox of one channel.

    Args:
        channel: the name of the channel's table in bot.toml.
        task: what workers do for each message; its argument `key` names the conversation whose
            next message is to be claimed, and `channel` the channel.
    """

    def __init__(self, database: Database, channel: str, task: Task) -> None:
        self.database = database
        self.channel = channel
        self._task = task

    async def store(self, incoming: Incoming, *, addressed: bool, follows: bool = False) -> bool:
        """Store a message and its job in one transaction; what is known already changes nothing.

        Args:
            addressed: it is a question to the bot in any case.
            follows: it is one if the bot takes part in its thread. If it does not yet, its place is
                kept without its text: the question that it follows may still be on its way.

        Returns:
            Whether it is a question, and new.
        """
        from bot.app import new_id

        arguments = {
            **incoming.place.names,
            **_written(incoming),
            "event": incoming.event,
            "key": incoming.key,
            "author": incoming.author,
            "kind": incoming.kind,
            "turn": new_id(),
            "addressed": addressed,
            "follows": follows,
        }
        async with self.database.transaction() as connection:
            await connection.execute(QUERIES["serialise"], arguments)
            stored = await _one(connection, "store", arguments)
            if stored is None and addressed:
                if await _one(connection, "address", arguments) is None:
                    return False
            elif stored is None or stored["state"] == "unaddressed":
                return False
            await self._enqueue(connection, incoming.key)
            if addressed and incoming.kind == "question" and incoming.place.ts is not None:
                for joined in await _all(connection, "join", arguments):
                    await self._enqueue(connection, joined["conversation_key"])
        return True

    async def edit(self, incoming: Incoming) -> bool | None:
        """Take a newer text of a message; whoever is answering the older one will find out.

        Returns:
            Whether something changed; None when the message is not known.
        """
        arguments = {**incoming.place.names, **_written(incoming)}
        async with self.database.transaction() as connection:
            changed = await _one(connection, "edit", arguments)
            if changed is not None:
                await self._enqueue(connection, changed["conversation_key"])
                return True
            known = await _one(connection, "known", arguments)
        return None if known is None or known["state"] == "unaddressed" else False

    async def remove(self, place: Place, event: str) -> None:
        """A message was deleted: forget its text at once, and retract what answers it.

        When it was an answer of ours, that is respected: it is not written again.
        """
        context = f"{place.team}/{place.room}/{place.ts}"
        arguments = {**place.names, "event": event, "context": context}
        async with self.database.transaction() as connection:
            await connection.execute(QUERIES["forget_context"], arguments)
            if await _one(connection, "disown", arguments) is not None:
                return  # it was ours, and somebody wants it away
            gone = await _one(connection, "remove", arguments)
            if gone is None:
                await connection.execute(QUERIES["tombstone"], arguments)
            elif gone["state"] == "waiting":
                await self._enqueue(connection, gone["conversation_key"])

    async def stop(self, place: Place, answers: Sequence[str] = ()) -> int:
        """Stop answering: these answers, or all that is being answered in a thread."""
        async with self.database.connection() as connection:
            arguments = {**place.names, "answers": list(answers)}
            return len(await _all(connection, "stop", arguments))

    async def claim(self, key: str) -> Claimed | None:
        """Take the next message of a conversation; None when there is none."""
        async with self.database.connection() as connection:
            cursor = connection.cursor(row_factory=class_row(Claimed))
            await cursor.execute(QUERIES["claim"], {"channel": self.channel, "key": key})
            return await cursor.fetchone()

    async def state(self, place: Place) -> str:
        """How far a message is: unaddressed, waiting, answering or done; empty when unknown."""
        async with self.database.connection() as connection:
            found = await _one(connection, "known", place.names)
        return str(found["state"]) if found else ""

    async def standing(self, ids: Iterable[int]) -> dict[int, tuple[int, bool]]:
        """Say which attempt may write each message, and whether the person has stopped it."""
        async with self.database.connection() as connection:
            rows = await _all(connection, "standing", {"ids": list(ids)})
        return {row["id"]: (row["attempt"], row["stopped"]) for row in rows}

    async def wrote(self, claimed: Claimed, answers: Sequence[str]) -> bool:
        """Record which messages hold the answer; False when another attempt has taken over."""
        return await self._change("wrote", claimed, answers=list(answers))

    async def done(self, claimed: Claimed, outcome: str) -> bool:
        """Record how a message ended; False when another attempt has taken over."""
        return await self._change("done", claimed, outcome=outcome)

    async def release(self, claimed: Claimed) -> bool:
        """Give a message back, to be tried again; its job must be too."""
        return await self._change("release", claimed)

    async def ask(self, query: str, claimed: Claimed, **more: Any) -> dict[str, Any]:
        """Run one of the queries about a message that give one row."""
        arguments = {**claimed.place.names, "id": claimed.id, "key": claimed.key, **more}
        async with self.database.connection() as connection:
            return await _one(connection, query, arguments) or {}

    async def recent(self, place: Place, author: str, limit: int = 5) -> list[dict[str, Any]]:
        """Somebody's newest questions, with outcome and time."""
        async with self.database.connection() as connection:
            return await _all(
                connection, "recent", {**place.names, "author": author, "limit": limit}
            )

    async def blank(self, turn: str) -> None:
        """Forget every text of a turn; that it happened stays."""
        async with self.database.connection() as connection:
            await connection.execute(QUERIES["blank_turn"], {"turn": turn})

    async def told(self, claimed: Claimed, text: str) -> bool:
        """Record the text of a message that came without it."""
        return await self._change("told", claimed, text=cleaned(text))

    async def last(self) -> datetime | None:
        """When the newest message came."""
        async with self.database.connection() as connection:
            found = await _one(connection, "last", {"channel": self.channel})
        return found["at"] if found else None

    async def sweep(self) -> int:
        """Give messages that are not done jobs again, where a conversation has lost its own.

        The queue can lose one when the database dies between a job's steps: two attempts may then
        use up the jobs of two messages for one of them.
        """
        async with self.database.transaction() as connection:
            lost = await _all(connection, "jobless", {"channel": self.channel})
            for each in lost:
                await self._enqueue(connection, each["conversation_key"])
        return len(lost)

    async def _enqueue(self, connection: Connection, key: str) -> None:
        arguments = {"channel": self.channel, "key": key}
        await defer(connection, self._task, arguments, lock=f"{self.channel}:{key}")

    async def _change(self, query: str, claimed: Claimed, **more: Any) -> bool:
        arguments = {"id": claimed.id, "attempt": claimed.attempt, **more}
        async with self.database.connection() as connection:
            return await _one(connection, query, arguments) is not None


def _written(incoming: Incoming) -> dict[str, Any]:
    return {
        "text": cleaned(incoming.text),
        "edited": incoming.edited,
        "details": Jsonb(dict(incoming.details)),
    }


async def _one(
    connection: Connection, query: str, arguments: Mapping[str, Any]
) -> dict[str, Any] | None:
    cursor = connection.cursor(row_factory=dict_row)
    return await (await cursor.execute(QUERIES[query], arguments)).fetchone()


async def _all(
    connection: Connection, query: str, arguments: Mapping[str, Any]
) -> list[dict[str, Any]]:
    cursor = connection.cursor(row_factory=dict_row)
    return await (await cursor.execute(QUERIES[query], arguments)).fetchall()
