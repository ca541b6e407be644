"""Which addresses an answer may link: those of the passages in its prompt, and no other.

What a model writes is not trusted. An address that it invents can carry text of private documents
away, by a click or by Slack's own unfurling, so nothing that it writes becomes a link by itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from urllib.parse import quote, urlsplit, urlunsplit

from bot import Passage

MAX_URL = 2000  # characters; Slack refuses longer ones in buttons, and nobody reads them
_HOST = re.compile(r"^(?:[a-z][a-z0-9+.-]*:)?(?://)?(?:[^/?#@\s]*@)?([^/?#:\s]+\.[^/?#:\s]+)", re.I)
# What urlsplit leaves in place and Markdown or Slack would read as the end of a link.
_SAFE = "/:?#@!$&'*+,;=%-._~"


class Links:
    """The sources of one answer."""

    def __init__(self, passages: Sequence[Passage] = ()) -> None:
        self._of_marker = [usable(passage.uri) for passage in passages]
        self._known = {_same(url): url for url in self._of_marker if url}
        self._texts = [passage.text for passage in passages]

    def marker(self, number: int) -> str:
        """The address of the passage that a marker stands for; empty when there is none."""
        found = self._of_marker[number - 1 : number] if number > 0 else []
        return found[0] if found else ""

    def source(self, url: str) -> str:
        """The source's own address when `url` is one, else nothing."""
        return self._known.get(_same(usable(url)), "")

    def quoted(self, url: str) -> bool:
        """Whether a passage says this address itself, so that it may be shown as text."""
        return any(url in text for text in self._texts)


def usable(uri: str) -> str:
    """An address that may become a link, made safe for Markdown and mrkdwn; empty for others.

    Only the web's own schemes, without a user name that looks like a host, and with the host in
    ASCII, so that no letter of another script passes for a Latin one.
    """
    if len(uri) > MAX_URL or any(c.isspace() or not c.isprintable() for c in uri):
        return ""
    try:
        parts = urlsplit(uri)
        host = (parts.hostname or "").encode("idna").decode("ascii")
        port = f":{parts.port}" if parts.port else ""
    except ValueError:  # UnicodeError is one
        return ""
    if parts.scheme.lower() not in ("http", "https") or not host or "@" in parts.netloc:
        return ""
    if not re.fullmatch(r"[a-z0-9.-]+|[0-9a-f:.]+", host, re.I):
        return ""
    place = f"[{host}]{port}" if ":" in host else host + port
    rest = (quote(part, safe=_SAFE) for part in (parts.path, parts.query, parts.fragment))
    return urlunsplit((parts.scheme.lower(), place, *rest))


def host(url: str) -> str:
    """The host that an address leads to, in lower case; empty when it names none."""
    try:
        return (urlsplit(url).hostname or "").lower()
    except ValueError:
        return ""


def misleading(label: str, url: str) -> bool:
    """Whether a label looks like an address of another host than the link's."""
    words = label.replace("\u2060", "").replace("`", " ").split()
    return any(named not in ("", host(url)) for named in _hosts(words))


def _hosts(words: Iterable[str]) -> Iterable[str]:
    for word in words:
        found = _HOST.match(word.strip("()[]<>\"'.,;:!?*_~"))
        if found and (re.search(r"\.[^\W\d_]{2,24}$", found[1]) or "://" in word):
            yield found[1].lower()


def _same(url: str) -> str:
    """An address as it is compared: the part that chooses a place in a page does not count."""
    return url.partition("#")[0].rstrip("/")
