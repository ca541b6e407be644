"""Where a key stands: the line of `bot.toml`, or the variable that set it."""

from __future__ import annotations

import json
import re
import tomllib
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

Key: TypeAlias = tuple[str | int, ...]

MAX_DEPTH = 32

_BLANK = re.compile(r"[ \t]*")
_BLANKS = re.compile(r"(?:\s|#[^\n]*)*")
_KEY = re.compile(r"""[A-Za-z0-9_-]+|"(?:\\.|[^"\\])*"|'[^']*'""")
_DOT = re.compile(r"[ \t]*\.[ \t]*")
_SCALAR = re.compile(
    r'"""(?:\\.|[^\\])*?"""(?!")' r"|'''.*?'''(?!')" r'|"(?:\\.|[^"\\])*"' r"|'[^']*'"
    r"|[^,\]}#\n]+",
    re.DOTALL,
)  # fmt: skip
_BARE = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True)
class Entry:
    """A table header, a key with its value, or a value in an array, and its lines from 1."""

    key: Key
    first: int
    last: int


def scan(text: str) -> list[Entry]:
    """Find the lines of every key of a valid TOML text, in order.

    Raises:
        ValueError: it is nested deeper than `MAX_DEPTH`.
    """
    return _Scanner(text).entries()


def dotted(key: Key) -> str:
    """Write a key the way TOML does."""
    return ".".join(
        part if isinstance(part, str) and _BARE.fullmatch(part) else json.dumps(part)
        for part in key
    )


@dataclass(kw_only=True)
class Origin:
    """Where settings come from.

    Attributes:
        path: the file; None when there is none.
        shown: the file's name in messages.
        places: line to sort by and place to show, of every key that somebody has written.
    """

    path: Path | None = None
    shown: str = "bot.toml"
    places: dict[Key, tuple[int, str]] = field(default_factory=dict)

    def add_file(self, entries: Iterable[Entry]) -> None:
        for entry in entries:
            for length in range(1, len(entry.key) + 1):  # `a.b.c = 1` also places `a.b`
                place = entry.first, f"{self.shown}:{entry.first}"
                self.places.setdefault(entry.key[:length], place)

    def add_variable(self, key: Key, variable: str, parts: Iterable[Key]) -> None:
        """Note that a variable sets a key, whatever the file says below it.

        Args:
            parts: the keys inside its value, relative to it.
        """
        kept = {k: place for k, place in self.places.items() if k[: len(key)] != key}
        for length in range(1, len(key)):
            kept.setdefault(key[:length], (0, variable))
        self.places = kept | {(*key, *part): (0, variable) for part in [(), *parts]}

    def of(self, key: Key) -> tuple[int, str]:
        """Return the place of a key, or of the nearest one that it is part of.

        A section's first table says nothing of the others: one that nobody wrote is a default.
        """
        for length in range(len(key), min(len(key), 2) - 1, -1):
            if place := self.places.get(key[:length]):
                return place
        return 0, self.shown if self.path and not key else "the defaults"


def parse(text: str) -> tuple[dict[str, Any], list[Entry]]:
    """Parse TOML with the lines of its keys.

    Raises:
        ValueError: it is not TOML, or nested too deeply.
    """
    try:
        return tomllib.loads(text), scan(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None


class _Scanner:
    """Walks over valid TOML; what tomllib refuses never gets here."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.found: list[Entry] = []
        self.starts = [0, *(match.end() for match in re.finditer("\n", text))]

    def entries(self) -> list[Entry]:
        table: Key = ()
        while self.skip(_BLANKS) < len(self.text):
            if self.text[self.at] == "[":
                begun = self.at
                brackets = 2 if self.text.startswith("[[", self.at) else 1
                self.at += brackets
                table = self.key(())
                self.skip(_BLANK)
                self.at += brackets
                self.add(table, begun)
            else:
                self.pair(table)
        return self.found

    def pair(self, table: Key) -> None:
        begun = self.at
        key = self.key(table)
        self.skip(_BLANK)
        self.at += 1  # the equals sign
        self.skip(_BLANK)
        place = len(self.found)
        self.value(key)
        self.found.insert(place, Entry(key, self.line(begun), self.line(self.at - 1)))

    def value(self, key: Key) -> None:
        opening = self.text[self.at]
        if opening not in "[{":
            self.skip(_SCALAR)
            return
        self.at += 1
        index = 0
        while self.text[self.skip(_BLANKS)] not in "]}":
            if opening == "{":
                self.pair(key)
            else:
                begun = self.at
                self.value(self.deeper(key, index))
                self.add((*key, index), begun)
            if self.text[self.skip(_BLANKS)] == ",":
                self.at += 1
            index += 1
        self.at += 1

    def key(self, table: Key) -> Key:
        while True:
            self.skip(_BLANK)
            match = _KEY.match(self.text, self.at)
            assert match is not None
            self.at = match.end()
            part = match[0]
            name = tomllib.loads(f"k={part}")["k"] if part[0] in "\"'" else part
            table = self.deeper(table, name)
            if _DOT.match(self.text, self.at) is None:
                return table
            self.skip(_DOT)

    def deeper(self, key: Key, part: str | int) -> Key:
        if len(key) >= MAX_DEPTH:
            raise ValueError(f"nested too deeply (at line {self.line(self.at)})")
        return (*key, part)

    def add(self, key: Key, begun: int) -> None:
        self.found.append(Entry(key, self.line(begun), self.line(self.at - 1)))

    def line(self, at: int) -> int:
        return bisect_right(self.starts, at)

    def skip(self, pattern: re.Pattern[str]) -> int:
        match = pattern.match(self.text, self.at)
        if match is not None:
            self.at = match.end()
        return self.at
