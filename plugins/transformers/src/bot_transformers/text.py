"""Tokens become text while they come: whole characters, no stop sequence, thoughts apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

_OPEN, _CLOSE = "<think>", "</think>"
_UNFINISHED = "\ufffd"  # what a tokenizer makes of half a character


class Text:
    """The text of one answer.

    Args:
        tokenizer: of the model.
        stops: texts that end the answer.
        thinking: whether the prompt has left the model inside its thoughts.
    """

    def __init__(self, tokenizer: Any, stops: Sequence[str] = (), thinking: bool = False) -> None:
        self._tokenizer = tokenizer
        self._stops = tuple(stops)
        self._thinking = thinking
        self._tokens: list[int] = []
        self._begin = self._read = 0  # of the tokens, as decoding needs some before it
        self._held = ""
        self._begun = False
        self.stopped = False

    def feed(self, token: int) -> tuple[str, str]:
        """Take a token; return the answer's text and the thoughts that it completes."""
        self._tokens.append(token)
        return self._pass(self._decoded(), final=False)

    def end(self) -> tuple[str, str]:
        """Return what was held back, when the model has ended."""
        return self._pass(self._decoded(final=True), final=True)

    def _decoded(self, final: bool = False) -> str:
        """Decode what is new, with the tokens before it: a space may belong to both."""
        before = self._text(self._tokens[self._begin : self._read])
        whole = self._text(self._tokens[self._begin :])
        if len(whole) <= len(before) or (whole.endswith(_UNFINISHED) and not final):
            return ""
        self._begin, self._read = self._read, len(self._tokens)
        return whole[len(before) :]

    def _text(self, tokens: list[int]) -> str:
        text: str = self._tokenizer.decode(tokens, skip_special_tokens=True)
        return text

    def _pass(self, new: str, *, final: bool) -> tuple[str, str]:
        said, thought = "", ""
        self._held += new
        while self._held and not self.stopped:
            mark = self._mark()
            place = self._held.find(mark) if mark else -1
            cut = place
            if place < 0:
                marks = (*self._stops, mark) if mark else self._stops
                cut = len(self._held) - (0 if final else _tail(self._held, marks))
            before, self._held = self._held[:cut], self._held[cut:]
            if self._thinking:
                thought += before
            else:
                said += self._trimmed(self._cut(before))
            if place < 0:
                break
            if self._mark() == mark:  # else the answer has begun in between
                self._held = self._held[len(mark) :]
                self._thinking = not self._thinking
        return said, thought

    def _mark(self) -> str:
        """What turns thoughts on or off; an answer that has begun is not interrupted by any."""
        if self._thinking:
            return _CLOSE
        return "" if self._begun else _OPEN

    def _cut(self, text: str) -> str:
        """Cut at the first stop sequence."""
        places = [at for stop in self._stops if (at := text.find(stop)) >= 0]
        if not places:
            return text
        self.stopped = True
        return text[: min(places)]

    def _trimmed(self, said: str) -> str:
        """An answer does not begin with white space."""
        if not self._begun:
            said = said.lstrip()
            self._begun = bool(said)
        return said


def _tail(text: str, marks: Sequence[str]) -> int:
    """How many characters at the end of a text may still become one of the marks."""
    longest = 0
    for mark in marks:
        for size in range(min(len(mark) - 1, len(text)), 0, -1):
            if text.endswith(mark[:size]):
                longest = max(longest, size)
                break
    return longest
