"""Paragraphs that stand in many documents of a source: notices, disclaimers, invitations.

Five documents keep such a paragraph, so that it can still be found; from the others it is left out.
Headings, code and table rows never count: that they come again means nothing.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Iterator

from bot.document import Span

DOCUMENTS = 5  # that keep a paragraph before it is left out, …
SHARE = 0.2  # … and this share of the source's documents has it
SHORTEST = 20  # characters; less is not worth it

_PARAGRAPH = re.compile(r"\S[^\n]*(?:\n(?![^\S\n]*\n)[^\n]*)*")
_FENCE = re.compile(r"[ \t]{0,3}(```+|~~~+)")
_LEFT_ALONE = ("#", "|", "    ", "\t", "```", "~~~", "---", "===")


class Boilerplate:
    """Knows the paragraphs of a source's documents.

    Only documents that were met in this sync count: others may be gone at its end, and a paragraph
    with them.

    Args:
        judged: paragraphs (their digests) that were found to be boilerplate before.
    """

    def __init__(self, judged: Iterable[bytes] = ()) -> None:
        self.judged = set(judged)
        self.fresh: set[bytes] = set()
        self._documents = 0
        self._having: Counter[bytes] = Counter()
        self._keeping: Counter[bytes] = Counter()
        self._stored: dict[str, frozenset[bytes]] = {}

    def store(self, key: str, text: str) -> None:
        """Learn what is stored of a document, in case that it is met unchanged."""
        self._stored[key] = _digests(text)

    def still(self, key: str) -> None:
        """Count a document that is as it was stored."""
        if (digests := self._stored.pop(key, None)) is not None:
            self._count(digests, digests)

    def without(self, text: str) -> tuple[str, int]:
        """Return a document's text without its boilerplate, and how many paragraphs that were.

        A text that is nothing else stays as it is: it would be empty.
        """
        having = _digests(text)
        dropped = {each for each in having if self._too_much(each)}
        kept: list[str] = []
        at = count = 0
        for start, end in paragraphs(text) if dropped else ():
            if _digest(text[start:end]) in dropped:
                kept.append(text[at:start])
                at = end + (text[end : end + 2] == "\n\n") * 2
                count += 1
        left = "".join([*kept, text[at:]])
        if not left.strip():
            self._count(having, having)
            return text, 0
        self._count(having, having - dropped)
        self.fresh |= dropped - self.judged
        return left, count

    def _too_much(self, paragraph: bytes) -> bool:
        often = self._having[paragraph] + 1 >= SHARE * (self._documents + 1)
        return self._keeping[paragraph] >= DOCUMENTS and (often or paragraph in self.judged)

    def _count(self, having: Iterable[bytes], keeping: Iterable[bytes]) -> None:
        self._documents += 1
        self._having.update(having)
        self._keeping.update(keeping)


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


def _digests(text: str) -> frozenset[bytes]:
    return frozenset(_digest(text[start:end]) for start, end in paragraphs(text))


def _digest(paragraph: str) -> bytes:
    plain = " ".join(paragraph.casefold().split())
    return hashlib.blake2b(plain.encode("utf-8", "surrogatepass"), digest_size=8).digest()
