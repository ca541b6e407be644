"""Patterns of paths, as `.gitignore` writes them, without its exceptions."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

_WILDCARD = re.compile(r"\[(?P<inverse>!?)(?P<set>[^\]/]+)\]|.", re.DOTALL)


def matcher(patterns: Iterable[str]) -> Callable[[str], bool]:
    """Compile patterns into one test of a relative POSIX path, blind to case.

    A pattern without a slash matches a name at any depth; one with a slash matches the whole
    path, where `**` stands for any number of folders.
    """
    alternatives = "|".join(_translate(pattern) for pattern in patterns)
    compiled = re.compile(alternatives or r"(?!)", re.IGNORECASE | re.DOTALL)
    return lambda path: compiled.fullmatch(path) is not None


def _translate(pattern: str) -> str:
    parts = pattern.removeprefix("./").strip("/").split("/")
    if "/" not in pattern.rstrip("/"):
        parts = ["**", *parts]
    written = ["(?:[^/]+/)*" if part == "**" else _segment(part) + "/" for part in parts[:-1]]
    last = ".+" if parts[-1] == "**" else _segment(parts[-1])
    return "".join(written) + last


def _segment(part: str) -> str:
    """Translate the pattern of one name; its wildcards do not cross a slash."""
    return _WILDCARD.sub(_wildcard, part)


def _wildcard(match: re.Match[str]) -> str:
    if match[0] == "*":
        return "[^/]*"
    if match[0] == "?":
        return "[^/]"
    if match["set"]:
        inverse = "^" if match["inverse"] else ""
        return f"(?!/)[{inverse}{re.escape(match['set']).replace(chr(92) + '-', '-')}]"
    return re.escape(match[0])
