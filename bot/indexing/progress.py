"""How far the sync of a source has come."""

from __future__ import annotations

from dataclasses import dataclass, field

from bot.indexing.cleaning import Told


@dataclass(slots=True)
class Progress:
    """How far the sync of one source has come.

    Attributes:
        found: documents that the loader has told of; final when `listed`.
        done: documents looked at.
        stored: documents looked at and, where they changed, stored.
        embedded: chunks embedded, those of unfinished batches included.
        problems: what could not be read, told for the first time: place and reason.
        lost: documents that the source has no more, and that were kept: they were too many.
        duplicates: documents left out because they say nearly the same as another.
        told: what else was left out of documents.
        finished: the sync has come to its end.
    """

    source: str
    found: int = 0
    listed: bool = False
    done: int = 0
    stored: int = 0
    added: int = 0
    changed: int = 0
    unchanged: int = 0
    deleted: int = 0
    unreadable: int = 0
    embedded: int = 0
    problems: list[tuple[str, str]] = field(default_factory=list)
    lost: int = 0
    duplicates: int = 0
    told: Told = field(default_factory=Told)
    finished: bool = False
