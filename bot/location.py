"""Where in its document a quote stands: a passage may hold several sections and pages."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from bot.indexing.code import is_code
from bot.sentences import sentences
from bot.turn import Passage

SEPARATOR = " › "
WEB_PAGE = "text/html"
"""The `type` in the metadata of what was read as HTML, whatever its address ends with."""

_PAGE = re.compile(r"(?P<name>page|slide)(?:s (?P<first>\d+)–\d+| \d+)$")
_HEADING = re.compile(r"(#{1,6})[ \t]+(.*?)[ \t#]*$")
_MARKUP = re.compile(r"\[([^\]]*)\]\([^)]*\)|\s*\{:?\s*[#.][^{}]*\}$|[*`]+|\\(?=\W)")
_LENGTH = 300  # characters of a heading
# Where `#` begins a comment, or a line like any other.
_PLAIN = frozenset(".txt .text .yaml .yml .toml .ini .cfg .conf".split())


def pages(address: str, first: int, last: int) -> str:
    """Write down pages, or slides of a presentation."""
    name = "slide" if address.lower().endswith(".pptx") else "page"
    return f"{name} {first}" if first == last else f"{name}s {first}–{last}"


def located(passage: Passage, quote: str) -> str:
    """Tell where a quote stands, as closely as its passage shows it.

    Small sections share a passage, which is known by the headings above all of them: those that
    stand in the passage above the quote are added. Of several pages the quote's own is told; form
    feeds part them.
    """
    at = passage.text.find(quote)
    if at < 0 or not quote:
        return passage.location
    names = passage.location.split(SEPARATOR) if passage.location else []
    page = [_page(names.pop(), passage.text, at, quote)] if names and _PAGE.match(names[-1]) else []
    if names and " | " in names[-1] and _is_after_table(passage.text, at):
        del names[-1]  # the columns' names
    below = [name for name in _above(passage, at) if name not in names]
    return SEPARATOR.join([*names, *below, *page])


def _page(told: str, text: str, at: int, quote: str) -> str:
    pages = _PAGE.match(told)
    if pages is None or pages["first"] is None or "\f" in quote:
        return told
    return f"{pages['name']} {int(pages['first']) + text.count(chr(12), 0, at)}"


def _is_after_table(text: str, at: int) -> bool:
    """Tell whether a position of a text that begins in a table stands behind it."""
    return text.startswith("|") and not text.startswith("|", text.rfind("\n", 0, at) + 1)


def _above(passage: Passage, at: int) -> list[str]:
    """List the Markdown headings above a position of a passage, the highest first."""
    text = passage.text
    if "#" not in text or not _has_headings(passage):
        return []
    path: list[tuple[int, str]] = []
    for start, end in sentences(text):
        if start > at:
            break
        if heading := _HEADING.match(text, start, end):
            level = len(heading[1])
            path = [each for each in path if each[0] < level]
            path.append((level, " ".join(_MARKUP.sub(r"\1", heading[2]).split())[:_LENGTH]))
    return [name for _, name in path if name]


def _has_headings(passage: Passage) -> bool:
    """Tell whether `#` may begin a heading: a web page is no code, however it is named."""
    if passage.metadata.get("type") == WEB_PAGE:
        return True
    return not (is_code(passage.uri) or PurePosixPath(passage.uri).suffix in _PLAIN)
