"""A team's own words: acronyms and synonyms, from a file that it keeps.

A line is a group of phrases that mean the same, with `=` between them:

    PTO = paid time off = holiday
    # a line like this one is a comment
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import TypeAlias

from bot.errors import ConfigError
from bot.text import CJK, storable

Group: TypeAlias = tuple[str, ...]
"""Phrases that mean the same."""

_WORD = re.compile(r"\w+")
_COMMON = frozenset(
    "it is us or an am who all as at be by do go he if in me my no of on so to up we are can has"
    " may".split()
)


def read(path: Path) -> tuple[Group, ...]:
    """Read a glossary; what was read is kept until the file changes.

    Raises:
        ConfigError: it cannot be read.
    """
    try:
        return _read(path, path.stat().st_mtime_ns)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"The glossary {path} cannot be read ({error}); it is a text file with a line "
            '"PTO = paid time off" for each group.'
        ) from None


def mentioned(groups: Iterable[Group], text: str) -> tuple[Group, ...]:
    """Find the groups that a text has a phrase of; that phrase comes first in each.

    Case does not matter, but for a phrase like IT or WHO that is a common word in lower case.
    """
    said = ((next((each for each in group if _has(text, each)), ""), group) for group in groups)
    return tuple((own, *(each for each in group if each != own)) for own, group in said if own)


@lru_cache(8)
def _read(path: Path, changed: int) -> tuple[Group, ...]:
    groups = []
    for line in path.read_text(encoding="utf-8-sig").splitlines():
        phrases = dict.fromkeys(storable(part).strip() for part in line.split("="))
        phrases.pop("", None)
        if not line.lstrip().startswith("#") and len(phrases) > 1:
            groups.append(tuple(phrases))
    return tuple(groups)


def _has(text: str, phrase: str) -> bool:
    if CJK.search(phrase):
        return phrase.casefold() in text.casefold()
    exact = phrase.lower() in _COMMON
    said, meant = (text, phrase) if exact else (text.casefold(), phrase.casefold())
    words = _WORD.findall(meant)
    if not words:
        return False
    pattern = r"\W+".join(map(re.escape, words))
    return re.search(rf"(?<!\w){pattern}(?!\w)", said) is not None
