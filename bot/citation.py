"""Citations: markers in a stream of text, checked against the passages of the prompt."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from bot.sentences import sentences
from bot.text import CJK
from bot.turn import Citation, Passage

_MARKER = re.compile(r"([ \t]*)[\[【]\s*(\d{1,3}(?:\s*[,;、]\s*\d{1,3})*)\s*[\]】]")
# What may still become a marker when more text comes.
_OPEN = re.compile(r"[ \t]*(?:[\[【][\d\s,;、]{0,40})?$")
_WORD = re.compile(r"\w+")


class CitationStream:
    """Pass an answer's text on as it comes, without markers that stand for no passage.

    `[1, 2]` becomes `[1][2]`; a marker without a passage is removed. An unfinished marker at the
    end of one piece of text is held back until the next.
    """

    def __init__(self, passages: Sequence[Passage]) -> None:
        self._passages = passages
        self._held = ""
        self._said: list[str] = []
        self._claims: dict[int, str] = {}

    def feed(self, text: str, *, verbatim: bool = False) -> str:
        """Take the next piece of the answer; return what may be shown.

        Args:
            verbatim: the text is a quotation, so brackets in it are no markers.
        """
        if verbatim:
            return self._pass(self._checked(self._held, final=True)) + self._pass(text)
        return self._pass(self._checked(self._held + text, final=False))

    def end(self) -> str:
        """Return what was held back, when the answer is complete."""
        return self._pass(self._checked(self._held, final=True))

    @property
    def text(self) -> str:
        """The whole answer so far, as shown."""
        return "".join(self._said)

    def citations(self) -> tuple[Citation, ...]:
        """The passages that the answer cites, each once, in the order of their markers."""
        return tuple(
            _cite(marker, self._passages[marker - 1], claim)
            for marker, claim in sorted(self._claims.items())
        )

    def _checked(self, text: str, *, final: bool) -> str:
        cut = len(text)
        if not final and (tail := _OPEN.search(text)) is not None:
            cut = tail.start()
        self._held = text[cut:]
        shown: list[str] = []
        at = 0
        for match in _MARKER.finditer(text, 0, cut):
            shown.append(text[at : match.start()])
            at = match.end()
            markers = self._known(match.group(2))
            if markers:
                claim = "".join([*self._said[-40:], *shown])
                for marker in markers:
                    self._claims.setdefault(marker, _last_sentence(claim))
                shown.append(match.group(1) + "".join(f"[{marker}]" for marker in markers))
        shown.append(text[at:cut])
        return "".join(shown)

    def _known(self, numbers: str) -> list[int]:
        found = [int(number) for number in re.findall(r"\d+", numbers)]
        return [number for number in found if 1 <= number <= len(self._passages)]

    def _pass(self, text: str) -> str:
        if text:
            self._said.append(text)
        return text


def _last_sentence(text: str) -> str:
    """The sentence that ends a text, without markers."""
    plain = _MARKER.sub("", text[-2000:])
    spans = sentences(plain)
    return plain[slice(*spans[-1])] if spans else plain.strip()


def _cite(marker: int, passage: Passage, claim: str) -> Citation:
    return Citation(
        marker=marker,
        uri=passage.uri,
        title=passage.title,
        quote=_quote(passage.text, claim),
        location=passage.location,
        passage_id=passage.id,
        source=passage.source,
        readers=passage.readers,
    )


def _quote(text: str, claim: str) -> str:
    """The passage's own sentence that says most of what is claimed; verbatim."""
    if claim and claim in text:
        return claim
    wanted = _terms(claim)
    best, best_share = "", 0.0
    for start, end in sentences(text):
        terms = _terms(text[start:end])
        if not terms:
            continue
        share = len(wanted & terms) / (len(wanted | terms) or 1)
        if share > best_share or not best:
            best, best_share = text[start:end], share
    return best or text[:300]


def _terms(text: str) -> set[str]:
    words = {word.lower() for word in _WORD.findall(text)}
    characters = CJK.findall(text)
    return words | {a + b for a, b in pairwise(characters)}
