"""Links in a stream of text: only those that stand in the sources come through.

A document can ask a model to write a link that carries what it has read to somebody else; whoever
follows it, or whose program shows it, sends that. What is no link of the sources is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

LEFT_OUT = "(link left out)"

_START = r"(?:\b[a-z][a-z0-9+.-]{1,15}://|\bwww\.|\b(?:mailto|javascript|data|tel):)"
_LINK = re.compile(_START + r"[^\s<>\"'`|]+", re.IGNORECASE)
_OPEN = re.compile(  # what may still become a link, or a longer one
    r"(?:(?<![a-z0-9+.-])[a-z][a-z0-9+.-]{0,15}(?::/{0,2})?|" + _START + r"[^\s<>\"'`|]*)$",
    re.IGNORECASE,
)
_TRAILING = ".,;:!?)]}*_~"
_LONGEST = 2000  # characters of a link that is waited for


class LinkStream:
    """Pass text on as it comes, without links that no source has.

    Args:
        sources: texts and addresses whose links are known.
    """

    def __init__(self, sources: Iterable[str] = ()) -> None:
        self._known: set[str] = set()
        self._held = ""
        self.add(sources)

    def add(self, sources: Iterable[str]) -> None:
        """Let the links of further texts through."""
        for source in filter(_may_link, sources):
            self._known |= {_bare(match.group()) for match in _LINK.finditer(source)}

    def feed(self, text: str) -> str:
        """Take the next piece; return what may be shown."""
        whole = self._held + text
        if whole[-1:].isspace():  # most pieces of a model: a link goes no further
            self._held = ""
            return self._checked(whole)
        cut = len(whole)
        if (tail := _OPEN.search(whole, max(0, cut - _LONGEST))) is not None:
            cut = tail.start()
        self._held = whole[cut:]
        return self._checked(whole[:cut])

    def end(self) -> str:
        """Return what was held back, when there is no more."""
        held, self._held = self._held, ""
        return self._checked(held)

    def _checked(self, text: str) -> str:
        return _LINK.sub(self._kept, text) if _may_link(text) else text

    def _kept(self, match: re.Match[str]) -> str:
        link = match.group()
        bare = _bare(link)
        return link if bare in self._known else LEFT_OUT + link[len(bare) :]


def _may_link(text: str) -> bool:
    """Tell at once of most texts that they hold no link."""
    return ":" in text or "www." in text.lower()


def _bare(link: str) -> str:
    """A link without the punctuation of the sentence around it."""
    bare = link.rstrip(_TRAILING)
    # A bracket that was opened inside belongs to the link: …/Mercury_(planet)
    while len(bare) < len(link) and bare.count("(") > bare.count(")") and link[len(bare)] == ")":
        bare += ")"
    return bare
