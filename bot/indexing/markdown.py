"""What indexing needs to know of Markdown: its blocks, its headings, its front matter."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, time
from functools import cache
from itertools import takewhile

from markdown_it import MarkdownIt
from markdown_it.token import Token

# The lines as markdown-it counts them; str.splitlines would also split at U+2028 and form feeds.
_NEWLINE = re.compile(r"\r\n?+|\n")
_FRONT_MATTER = re.compile(r"\ufeff?---[ \t]*(?:\r\n?|\n)")
_FRONT_END = re.compile(r"(?:---|\.\.\.)[ \t]*$")
_ENTRY = re.compile(r"([A-Za-z_][\w.-]*)[ \t]*:(?:[ \t]+(.*))?$")
_ITEMS = re.compile(r"""\s*(?:"[^"]*"|'[^']*')\s*(?=,|$)|[^,]+""")
_TOML = re.compile(r"\ufeff?\+\+\+[ \t]*\r?\n((?:(?!\+\+\+).*\n){0,200}?)\+\+\+[ \t]*(?:\r?\n|$)")
_FRONT_LIMIT = 200  # lines; a longer one is no front matter
_ATTRIBUTES = re.compile(r"\s*\{:?\s*[#.][^{}]*\}\s*$")  # {#anchor}, as MkDocs and pandoc write it
_WINDOW = 1 << 18  # characters parsed at once: each may become a token of half a kilobyte
_ITEM, _ROW = 1, 2  # the depth of a list's items and of a table's rows
_HEADING_LIMIT = 300  # characters of a heading that are kept in paths and titles


@dataclass(frozen=True, slots=True)
class Block:
    """The start of a block.

    Attributes:
        start: position of its first line in the text.
        depth: 0 for a block of the document itself, more inside lists, quotes and tables.
        heading: 1 to 6 for a heading of the document itself, else 0.
        title: a heading's text without its markup.
        columns: the names of a table's columns, for a row below them.
    """

    start: int
    depth: int
    heading: int = 0
    title: str = ""
    columns: str = ""


def blocks(text: str, window: int = _WINDOW) -> Iterator[Block]:
    """Find the blocks of a text (CommonMark with tables), one for each position, in order.

    A long text is parsed in windows, each from the last block of the one before, which may have
    been cut, or from the last item of a list. Of a table that goes on, the header comes along.

    Args:
        window: characters that are parsed at once.
    """
    at, size = 0, window
    head, inner = "", 0
    while True:
        end = text.rfind("\n", at, at + size) + 1
        if at + size >= len(text):
            end = len(text)
        elif not end:  # a line longer than the window
            size *= 2
            continue
        part = head + text[at:end]
        lines = [0, *(match.end() for match in _NEWLINE.finditer(part))]
        tokens = _block_parser().parse(part)
        until, header, depth = len(part), "", 0
        if end < len(text):
            until, header, depth = _restart(part, tokens, lines)
        if until <= len(head) and end < len(text):  # one block fills all of it
            size *= 2
            continue
        for block in _blocks(tokens, lines):
            if len(head) <= block.start < until:
                own = inner if inner and block.start == len(head) else block.depth
                yield replace(block, start=block.start - len(head) + at, depth=own)
        if end == len(text):
            return
        at, size = at + until - len(head), window
        head, inner = header, depth


def _restart(part: str, tokens: Sequence[Token], lines: Sequence[int]) -> tuple[int, str, int]:
    """Tell where the next window begins: where the last block does, a table's row, a list's item.

    Returns:
        The place, what goes before it (a table's header), and how deep it stands, if it is the part
        of a block.
    """
    opened = [token for token in tokens if token.map and token.nesting >= 0 and not token.level]
    if not opened:
        return 0, "", 0
    last = opened[-1]
    assert last.map is not None
    first = last.map[0]
    if last.type == "table_open":
        rows = [token.map[0] for token in tokens if token.type == "tr_open" and token.map]
        if rows[-1] > first + 2:
            return lines[rows[-1]], part[lines[first] : lines[first + 2]], _ROW
    if last.type in ("bullet_list_open", "ordered_list_open"):
        items = [token.map[0] for token in tokens if token.level == _ITEM and token.map]
        if items[-1] > first:
            return lines[items[-1]], "", _ITEM
    return lines[first], "", 0


def _blocks(tokens: Sequence[Token], lines: Sequence[int]) -> Iterator[Block]:
    last = -1
    columns = ""
    for number, token in enumerate(tokens):
        if token.type == "thead_close":
            columns = _columns(tokens, number)
        elif token.type == "table_close":
            columns = ""
        if token.map is None or token.nesting < 0 or token.type == "inline":
            continue
        start = lines[token.map[0]]
        if start <= last:  # an item begins where its list begins
            continue
        last = start
        if token.type == "heading_open" and token.level == 0:
            yield Block(start, 0, int(token.tag[1]), _plain(tokens[number + 1].content))
        else:
            yield Block(start, token.level, columns=columns)


def _columns(tokens: Sequence[Token], end: int) -> str:
    """Read the header of a table whose `thead` ends there."""
    row = takewhile(lambda token: token.type != "tr_open", reversed(tokens[:end]))
    names = [_plain(token.content) for token in row if token.type == "inline"]
    return " | ".join(filter(None, reversed(names)))[:_HEADING_LIMIT]


def first_heading(text: str) -> str:
    """Return the text's first first-level heading, or nothing."""
    return next((b.title for b in blocks(text[:65_536]) if b.heading == 1 and b.title), "")


def front_matter(text: str) -> tuple[dict[str, str | list[str]], str]:
    """Take simple front matter off a text: YAML between `---`, or TOML between `+++`.

    Plain `key: value` lines and one-line lists are read; whatever is nested is left out.

    Returns:
        What it says, and the text after it. Without front matter: nothing, and the whole text.
    """
    if (found := _TOML.match(text)) and (said := _toml(found[1])) is not None:
        return said, text[found.end() :].lstrip("\r\n")
    opening = _FRONT_MATTER.match(text)
    if opening is None:
        return {}, text
    entries: dict[str, str | list[str]] = {}
    any_entry = False
    for line, end in _lines(text, opening.end()):
        if _FRONT_END.match(line):
            return (entries, text[end:].lstrip("\r\n")) if any_entry else ({}, text)
        if entry := _ENTRY.match(line):
            any_entry = True
            value = _scalar((entry[2] or "").strip())
            if value:
                entries[entry[1]] = value
        elif line.strip() and line[0] not in " \t#-":
            return {}, text  # no YAML: the text begins with a rule
    return {}, text


def _toml(text: str) -> dict[str, str | list[str]] | None:
    try:
        table = tomllib.loads(text.replace("\r\n", "\n"))
    except (ValueError, RecursionError):
        return None  # the text begins with three plus signs
    entries: dict[str, str | list[str]] = {}
    for key, value in table.items():
        if isinstance(value, list) and all(isinstance(each, str) for each in value):
            entries[key] = value
        elif isinstance(value, date | time):
            entries[key] = value.isoformat()
        elif not isinstance(value, list | dict) and value != "":
            entries[key] = str(value).lower() if isinstance(value, bool) else str(value)
    return entries


def _lines(text: str, start: int) -> Iterator[tuple[str, int]]:
    for _ in range(_FRONT_LIMIT):
        newline = _NEWLINE.search(text, start)
        if newline is None:
            yield text[start:], len(text)
            return
        yield text[start : newline.start()], newline.end()
        start = newline.end()


def _scalar(value: str) -> str | list[str]:
    if value[:1] == "[" and value[-1:] == "]":
        items = (_unquoted(item.strip()) for item in _ITEMS.findall(value[1:-1]))
        return [item for item in items if item]
    # Anchors, tags, block scalars, mappings and comments say nothing that is simple.
    return "" if value[:1] in set("|>{[&*!#%@`") else _unquoted(value)


def _unquoted(value: str) -> str:
    if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"":
        return value[1:-1]
    return re.split(r"\s#", value, maxsplit=1)[0].rstrip()


def _plain(source: str) -> str:
    """Strip a heading's markup."""
    inline = _inline_parser().parseInline(source[:_HEADING_LIMIT])[0].children or []
    parts = (" " if "break" in token.type else token.content for token in inline
             if token.type != "html_inline")  # fmt: skip
    return _ATTRIBUTES.sub("", " ".join("".join(parts).split()))


@cache
def _block_parser() -> MarkdownIt:
    return MarkdownIt("commonmark").enable("table").disable(["inline", "text_join"])


@cache
def _inline_parser() -> MarkdownIt:
    return MarkdownIt("commonmark")
