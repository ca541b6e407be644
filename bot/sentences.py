"""Sentences of plain text and Markdown, as character spans."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cache

# What stands at the start of a line and ends the paragraph before it.
_MARK = re.compile(
    r"[ \t]*+(?:>[ \t]*+)*+(?:"
    r"(?P<fence>`{3,}+(?=[^`]*$)|~{3,}+)"
    r"|(?P<unit>\#{1,6}(?=\s|$)|\||(?:[-*_=][ \t]*+){3,}+\s*$)"  # heading, table row, rule
    r"|(?P<item>(?:[-*+•·]|\d{1,3}[.)])(?:[ \t]++|$))"
    r")"
)
_WIDE = "。！？；｡！？"  # end a sentence without a space after them
_STOP = re.compile(
    r"`[^`\n]{1,200}`"  # inline code, passed over
    rf"|(?P<stop>[.!?…।۔؟{_WIDE}]++)"
    r"(?P<close>[\"'”’»)\]」』）】》〉*_]*+(?:\[\d{1,3}\])*+)"
    r"(?P<space>\s*+)(?=[\"'“‘«(\[「『（【《〈*_¿¡]*+(?P<next>.?))"
)
_NO_SPACES = re.compile(r"[\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef]")
_GOES_ON = "，、,と"  # 「…。」と言った
_LAST_WORD = re.compile(r"\b(?:\w++\.)*+\w++$")
_CAPITALS = 0.002  # share of the characters below which a text is written without them
_NEVER_LAST = frozenset(
    "mr mrs ms dr prof st rev hon gen col lt capt sgt sen rep gov pres messrs mme mlle"
    " vs cf e.g i.e eg ie viz al fig figs eq eqs vol vols pp ca approx resp incl".split()
)
_BEFORE_NUMBERS = frozenset(
    "no nos p ch sec art par jan feb mar apr jun jul aug sep sept oct nov dec".split()
)
_SELDOM_LAST = frozenset("inc ltd co corp jr sr bros dept est ave blvd".split())
_STARTER = re.compile(
    r"(?:The|This|That|These|Those|It|Its|He|She|They|We|You|I|In|On|At|As|A|An|If|But|And|However"
    r"|When|While|After|Before|For|There|His|Her|Their|Our|To|By|With|Since|Although)\b"
)


def sentences(text: str) -> list[tuple[int, int]]:
    """Return the character spans of a text's sentences, in reading order.

    The spans do not overlap, begin and end with something visible, and leave out nothing but
    white space. A heading, a table row and a fenced code block are one span each; a list item
    and a blank line begin a new one. Lines wrapped inside a paragraph do not. Linear in the
    length of the text.
    """
    spans: list[tuple[int, int]] = []
    # Few texts have to be asked, and that looks at all of it.
    cased = cache(lambda: sum(map(str.isupper, text)) > _CAPITALS * len(text))
    for start, prose, end in _blocks(text):
        for match in _STOP.finditer(text, prose, end):
            if match["stop"] and _is_end(text, match, start, cased):
                _append(spans, text, start, match.start("space"))
                start = match.end("space")
        _append(spans, text, start, end)
    return spans


def _append(spans: list[tuple[int, int]], text: str, start: int, end: int) -> None:
    part = text[start:end]
    if visible := part.strip():
        start += len(part) - len(part.lstrip())
        spans.append((start, start + len(visible)))


def _blocks(text: str) -> Iterator[tuple[int, int, int]]:
    """Yield blocks as (start, where its prose starts, end); a unit has no prose."""
    start = prose = at = 0
    fence = ""
    for line in text.split("\n"):
        end = at + len(line)
        if fence:
            bare = line.strip("> \t\r")
            if len(bare) >= len(fence) and not bare.strip(fence[0]):
                yield start, end, end
                fence, start, prose = "", end, end
        elif (mark := _MARK.match(text, at, end)) or not line.strip():
            yield start, prose, at
            start = prose = at
            if mark and mark["fence"]:
                fence = mark["fence"]
            elif mark and mark["unit"]:
                yield start, end, end
                start = prose = end
            elif mark:
                prose = mark.end()
        at = end + 1
    yield start, len(text) if fence else prose, len(text)


def _is_end(text: str, match: re.Match[str], start: int, cased: Callable[[], bool]) -> bool:
    """Decide whether a full stop, or what stands for one, ends a sentence.

    Args:
        cased: whether sentences begin with capitals in this text.
    """
    stop, following = match["stop"], match["next"]
    if not match["space"]:
        wide = stop[-1] in _WIDE or (stop[-1] in "!?…" and _NO_SPACES.match(following))
        return bool(wide) and following not in _GOES_ON
    if following.islower() and (cased() or text.endswith("etc", start, match.start())):
        return stop[-1] in _WIDE
    return stop != "." or bool(match["close"]) or not _is_abbreviated(text, match, start)


def _is_abbreviated(text: str, match: re.Match[str], start: int) -> bool:
    found = _LAST_WORD.search(text[max(start, match.start() - 24) : match.start()])
    if found is None:
        return False
    word, following = found[0].lower(), match["next"]
    if word in _NEVER_LAST:
        return True
    if word in _BEFORE_NUMBERS:
        return following.isdigit()
    # Initials and U.S. end a sentence only when what follows looks like the start of one.
    initials = (len(word) == 1 and word.isalpha() and word != "i") or (
        "." in word and all(len(part) == 1 and part.isalpha() for part in word.split("."))
    )
    at = match.end()
    return (initials or word in _SELDOM_LAST) and not _STARTER.match(text, at)
