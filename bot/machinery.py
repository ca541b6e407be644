"""What the loop works with, and how long it waits."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the settings need `Limits`, and no database
    import pluggy

    from bot.database import Database
    from bot.leaving import MayReceive
    from bot.plugins import Embed, Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How long a turn waits, in seconds, and how much it takes.

    Attributes:
        hook: for any hook that has no limit of its own.
        retrieve: for each retriever.
        token: for a generator's next token, the first one included.
        question: characters of a question; what is beyond is cut, and the answer says so.
    """

    hook: float = 5.0
    retrieve: float = 10.0
    token: float = 120.0
    question: int = 8_000


def _everything(_: str) -> MayReceive:
    return "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class Machinery:
    """What the loop works with.

    Attributes:
        resolve: makes the component of a kind and name, and returns its plugin name. It raises
            a `BotError` when there is none.
        embed: compares questions with those that have a curated answer; without it none is said.
        may_receive: how much the component behind a plugin name may be given.
    """

    manager: pluggy.PluginManager
    database: Database
    resolve: Callable[[Kind, str], Awaitable[str]]
    embed: Embed | None = None
    limits: Limits = Limits()
    may_receive: Callable[[str], MayReceive] = _everything
