"""Plugins: finding them, loading them one at a time, and making components of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

if TYPE_CHECKING:
    from pydantic import BaseModel

    from bot.database import Database
    from bot.document import IndexVersion, Purpose, Vectors

Kind: TypeAlias = Literal["retriever", "generator", "channel", "loader", "splitter", "embedder"]


class Embed(Protocol):
    """Embed texts with the embedder that an index version was built with."""

    async def __call__(
        self, texts: Sequence[str], purpose: Purpose, version: IndexVersion
    ) -> Vectors: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What a component may use of the bot that it is part of.

    Attributes:
        home: the bot's own folder, private to its user; caches go into `home / "cache"`.
        database: the bot's database.
        embed: turns texts into vectors that fit an index version.
    """

    home: Path
    database: Database
    embed: Embed


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """A factory of components, as `bot_components` offers it.

    Attributes:
        kind: which tables of `bot.toml` it serves; a loader serves `[sources.NAME]`.
        type: the `type` in such a table.
        settings: pydantic model of the table's other keys; its fields' descriptions are its
            documentation. Forbid unknown keys (`extra="forbid"`).
        make: called on first use with the table's name, its settings and the context; imports
            what it needs. The object it returns is registered as a plugin `KIND:NAME`. If it has
            an `async def aclose()`, that is called when the bot closes.
    """

    kind: Kind
    type: str
    settings: type[BaseModel]
    make: Callable[[str, Any, Context], object]
