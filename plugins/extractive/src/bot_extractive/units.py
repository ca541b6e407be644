"""What can be quoted from a passage: sentences, list items, table rows, code blocks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

from bot.sentences import sentences

Kind: TypeAlias = Literal["prose", "line", "item", "row", "code", "heading", "rule"]

LONGEST = 600  # characters of one quote

_WRAPPED = 60  # characters of a line of prose that goes on in the next one

_ITEM = re.compile(r"(?:>\s*)*(?:[-*+•·]|\d{1,3}[.)])\s")
_LINK = re.compile(r"!?\[[^\]\n]{0,200}\]\([^)\s]{0,500}\)|https?://\S+")
_ENDED = re.compile(r"[.!?。！？…:：;；\"'”’)\]」』）】*_`>]$")
# Mark-up for a documentation generator, comments and pictures say nothing when quoted.
_DIRECTIVE = ("///", ":::", "{*", "{%", "{{", "<!--", "![")
_FENCE = re.compile(r"(?:>\s*)*(`{3,}|~{3,})[ \t]*(?=\n)")
_PROSE = re.compile(r"[^\W\d_]{2,}[.!?]\s+[A-Z][a-z]|[\u3040-\u9fff][。！？]")
# As much as fits up to a space or a comma; what has neither is cut anywhere.
_PIECE = re.compile(rf"(?s)\S.{{0,{LONGEST - 2}}}(?:(?<=[\s,;:，、；：])|$)|\S.{{0,{LONGEST - 1}}}")


@dataclass(frozen=True, slots=True)
class Unit:
    """A part of a passage that is quoted whole: `passage.text[start:end]`."""

    start: int
    end: int
    kind: Kind
    text: str

    @property
    def leads_in(self) -> bool:
        """It announces what comes after it."""
        return self.text.endswith((":", "："))

    @property
    def in_table(self) -> bool:
        """It is a row of a table, or the line below its first row."""
        return self.text.lstrip("> \t").startswith("|")

    def heads(self, after: Unit | None) -> bool:
        """It is the first row of a table, which names its columns."""
        return self.kind == "row" and after is not None and after.in_table and after.kind == "rule"

    @property
    def is_part(self) -> bool:
        """It is a piece of a list, a table or code, which another unit may announce."""
        return self.kind in ("item", "code") or self.in_table

    @property
    def is_step(self) -> bool:
        """It is an item of a numbered list."""
        return self.kind == "item" and self.text.lstrip("> \t")[0].isdigit()

    @property
    def is_links(self) -> bool:
        """It is hardly more than links: a menu, a list of references."""
        bare = _LINK.sub("", self.text)
        return len(bare) < len(self.text) and len(bare.strip("-*+•·|>#., \t")) < 20


def units(text: str) -> Iterator[Unit]:
    """Yield the units of a text in reading order. None is longer than `LONGEST`, save code."""
    for start, end in _sentences(text):
        kind = _kind(text[start:end])
        if kind == "code":
            yield Unit(start, end, kind, text[start:end])
            continue
        for line_start, line_end in _lines(text, start, end):
            for match in _PIECE.finditer(text, line_start, line_end):
                piece = match[0].rstrip()
                yield Unit(match.start(), match.start() + len(piece), _kind(piece), piece)


def _sentences(text: str, at: int = 0) -> Iterator[tuple[int, int]]:
    """Yield the spans of sentences.

    A passage may begin within code, whose last fence then seems to begin some that never ends.
    """
    for start, end in sentences(text[at:]):
        fence = _FENCE.match(text, at + start)
        after = fence.end() if fence and not text[at + end :].strip() else len(text)
        if fence and _PROSE.search(text, after) and text.find(fence[1], after) < 0:
            yield at + start, after
            yield from _sentences(text, after)
        else:
            yield at + start, at + end


def _lines(text: str, start: int, end: int) -> list[tuple[int, int]]:
    """Take lines apart that only look like one sentence because none ends in a full stop.

    Prose wrapped at some column goes on in lower case, and its lines are long; list items and
    headings whose markup is lost begin with a capital each.
    """
    lines = list(re.finditer(r"\S[^\n]*", text[start:end]))
    begun = all(line[0][0].isupper() or line[0][0].isdigit() for line in lines[1:])
    if len(lines) > 1 and begun and min(len(line[0]) for line in lines[:-1]) < _WRAPPED:
        return [(start + line.start(), start + line.end()) for line in lines]
    return [(start, end)]


def _kind(text: str) -> Kind:
    bare = text.lstrip("> \t")
    if not re.search(r"\w", bare):
        return "rule"
    if bare.startswith(("```", "~~~")):
        return "code"
    if bare.startswith("#"):
        return "heading"
    if bare.startswith(_DIRECTIVE):
        return "rule"
    if bare.startswith("|"):
        return "row"
    if _ITEM.match(text):
        return "item"
    return "line" if len(bare) < 80 and not _ENDED.search(bare) else "prose"
