"""Paragraphs that stand in many documents of a source: notices, disclaimers, invitations.

The first documents keep such a paragraph, so that it can still be found; from then on it is left
out. Headings, code and table rows never count: that they come again means nothing.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterator

from bot.document import Span

DOCUMENTS = 5  # that keep a paragraph before it is boilerplate, …
SHARE = 0.2  # … and this share of the source's documents
SHORTEST = 20  # characters; less is not worth it

_PARAGRAPH = re.compile(r"\S[^\n]*(?:\n(?![^\S\n]*\n)[^\n]*)*")
_FENCE = re.compile(r"[ \t]{0,3}(```+|~~~+)")
_LEFT_ALONE = ("#", "|", "    ", "\t", "```", "~~~", "---", "===")


class Boilerplate:
    """Counts the paragraphs of a source's documents."""

    def __init__(self) -> None:
        self._documents = 0
        self._seen: Counter[bytes] = Counter()

    def learn(self, text: str) -> None:
        """Count the paragraphs of one document, each once."""
        self._documents += 1
        self._seen.update({_digest(text[start:end]) for start, end in paragraphs(text)})

    def without(self, text: str) -> tuple[str, int]:
        """Return a text without its boilerplate, and how many paragraphs that were.

        A text that is nothing else stays as it is: it would be empty.
        """
        enough = max(DOCUMENTS, SHARE * self._documents)
        kept: list[str] = []
        at = count = 0
        for start, end in paragraphs(text):
            if self._seen[_digest(text[start:end])] >= enough:
                kept.append(text[at:start])
                at = end + (text[end : end + 2] == "\n\n") * 2
                count += 1
        left = "".join([*kept, text[at:]])
        return (left, count) if left.strip() else (text, 0)


def paragraphs(text: str) -> Iterator[Span]:
    """Yield the spans of paragraphs of prose, in Markdown and in plain text."""
    fence = ""
    for match in _PARAGRAPH.finditer(text):
        start, end = match.span()
        line = text.rfind("\n", 0, start) + 1
        opened, inside = fence, bool(fence)
        for each in text[line:end].split("\n"):
            if mark := _FENCE.match(each):
                if not fence:
                    fence, inside = mark[1], True
                elif mark[1].startswith(fence):
                    fence = ""
        prose = not inside and not opened and not text[line:end].startswith(_LEFT_ALONE)
        if prose and end - start >= SHORTEST:
            yield start, end


def _digest(paragraph: str) -> bytes:
    plain = " ".join(paragraph.casefold().split())
    return hashlib.blake2b(plain.encode("utf-8", "surrogatepass"), digest_size=8).digest()
