"""An answer's clean text as it grows, cut into messages that Slack takes."""

from __future__ import annotations

from collections.abc import Iterable

SIZE = 9_000  # bytes of UTF-8 a message: streams of 10.6 kB were refused, undocumented
NEARLY = 8_000  # bytes after which a message ends with its line
_CLOSING = "\n```"


class Draft:
    """The messages of one answer; all but the last are complete, and none ever loses text.

    A code block that is cut is closed, and opened again in the next message.
    """

    def __init__(self) -> None:
        self.parts: list[str] = []
        self._size = 0
        self._cut = True  # the next token begins a message
        self._fence = ""  # the line that opened the code block that is open

    def add(self, tokens: Iterable[str]) -> None:
        """Append what `Cleaner` gave: tokens that must not be cut."""
        for token in tokens:
            size = len(token.encode())
            if not self._cut and self._size + size + len(_CLOSING) > SIZE:
                self.cut()
            if self._cut:
                self._begin()
            self.parts[-1] += token
            self._size += size
            if token.startswith("```"):
                self._fence = "" if self._fence else token
            if self._size > NEARLY and token.endswith("\n"):
                self.cut()

    def cut(self) -> None:
        """Complete the message that is being written; what follows begins another."""
        if self._cut:
            return
        if self._fence:
            self.parts[-1] += _CLOSING.lstrip("\n" if self.parts[-1].endswith("\n") else "")
        self._cut = True

    def _begin(self) -> None:
        self.parts.append(self._fence)
        self._size = len(self._fence.encode())
        self._cut = False

    def complete(self, number: int) -> bool:
        """Whether a message gets no more text."""
        return number < len(self.parts) - 1 or self._cut

    def begun(self) -> bool:
        """Whether there is enough to show: a first sentence or line."""
        return any(len(self.parts) > 1 or end in part for part in self.parts[:1] for end in _ENDS)


_ENDS = (". ", "! ", "? ", ".\n", "\n", "。", "！", "？")
