"""Citations: markers in a stream of text, checked against the passages of the prompt."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from itertools import pairwise

from bot.location import located
from bot.sentences import sentences
from bot.text import CJK
from bot.turn import Citation, Passage

# Bounded, so that the longest marker still fits what is held back.
_MARKER = re.compile(
    r"(?<![ \t])([ \t]*)[\[【]\s{0,2}(\d{1,3}(?:\s{0,2}[,;、]\s{0,2}\d{1,3}){0,15})\s{0,2}[\]】]"
)
# What may still become a marker when more text comes.
_OPEN = re.compile(r"(?<![ \t])[ \t]*(?:[\[【][\d\s,;、]{0,127})?$")
_UNCLOSED = re.compile(r"[\[【][\d\s,;、]*$")
_FENCE = re.compile(r"^[ \t]*(?:```(?!.*```)|~~~)", re.MULTILINE)
_WORD = re.compile(r"\w+")
_TELLING = 20  # a shorter claim, such as "No", stands in many words
_TAIL = 2000  # characters looked back for a sentence


class CitationStream:
    """Pass an answer's text on as it comes, without markers that stand for no passage.

    `[1, 2]` becomes `[1][2]`; a marker without a passage is removed. An unfinished marker at the
    end of one piece of text is held back until the next.
    """

    def __init__(self, passages: Sequence[Passage]) -> None:
        self._passages = tuple(passages)
        self._held = ""
        self._said: list[str] = []
        self._tail = ""  # the end of what was said, for the sentence that a marker stands behind
        self._own = ""  # what was said that is no quotation
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

    def extend(self, passages: Sequence[Passage]) -> tuple[Passage, ...]:
        """Let further markers stand for further passages; return all of them."""
        self._passages = (*self._passages, *passages)
        return self._passages

    @property
    def texts(self) -> list[str]:
        """What markers stand for, as texts; marker N for `texts[N - 1]`."""
        return [passage.text for passage in self._passages]

    @property
    def text(self) -> str:
        """The whole answer so far, as shown."""
        return "".join(self._said)

    @property
    def cited(self) -> Collection[int]:
        """The markers that the answer has so far."""
        return self._claims.keys()

    def citations(self) -> tuple[Citation, ...]:
        """The passages that the answer cites, each once, in the order of their markers."""
        return tuple(
            _cite(marker, self._passages[marker - 1], claim)
            for marker, claim in sorted(self._claims.items())
        )

    def _checked(self, text: str, *, final: bool) -> str:
        if "[" not in text and "【" not in text:  # most pieces: only spaces are held back
            shown = text if final else text.rstrip(" \t")
            self._held = text[len(shown) :]
            self._own += shown
            return shown
        cut = len(text)
        if not final and (tail := _OPEN.search(text)) is not None:
            cut = tail.start()
        self._held = text[cut:]
        shown = ""
        at = 0
        for match in _MARKER.finditer(text, 0, cut):
            before = text[at : match.start()]
            at = match.end()
            if _in_code(self._own + before):
                shown += before + match.group()
                self._own += before + match.group()
                continue
            shown += before
            marked = self._marked(match, shown)
            shown += marked
            self._own += before + marked
        self._own += text[at:cut]
        return shown + text[at:cut]

    def _marked(self, match: re.Match[str], shown: str) -> str:
        """What stands where the answer has a marker."""
        said = self._tail + shown
        markers = self._known(match.group(2))
        if new := [marker for marker in markers if marker not in self._claims]:
            self._claims |= dict.fromkeys(new, last_sentence(said))
        if markers:
            return match.group(1) + "".join(f"[{marker}]" for marker in markers)
        # Inside another bracket, nothing would leave a marker that nobody checked: [1[9]2].
        return "[]" if _UNCLOSED.search(said) else ""

    def _known(self, numbers: str) -> list[int]:
        found = [int(number) for number in re.findall(r"\d+", numbers)]
        known = (number for number in found if 1 <= number <= len(self._passages))
        return list(dict.fromkeys(known))

    def _pass(self, text: str) -> str:
        if text:
            self._said.append(text)
            self._tail = (self._tail + text)[-_TAIL:]
        return text


def _in_code(text: str) -> bool:
    """Whether a text ends inside a fence or between backticks, where brackets are code."""
    if len(_FENCE.findall(text)) % 2:
        return True
    line = text.rpartition("\n")[2]
    return line.count("`") % 2 == 1


def last_sentence(text: str) -> str:
    """The sentence that ends a text, without markers."""
    plain = _MARKER.sub("", text[-_TAIL:])
    spans = sentences(plain)
    return plain[slice(*spans[-1])] if spans else plain.strip()


def _cite(marker: int, passage: Passage, claim: str) -> Citation:
    quote = _quote(passage.text, claim)
    return Citation(
        marker=marker,
        uri=passage.uri,
        title=passage.title,
        quote=quote,
        location=located(passage, quote),
        passage_id=passage.id,
        source=passage.source,
        readers=passage.readers,
        retriever=passage.retriever,
    )


def _quote(text: str, claim: str) -> str:
    """The passage's own sentence that says most of what is claimed; verbatim."""
    if len(claim) > _TELLING and claim in text:
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
