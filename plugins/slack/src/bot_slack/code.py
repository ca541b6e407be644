"""Code in an answer: shown as it stands, but for mentions and addresses nobody has retrieved."""

from __future__ import annotations

import re

from bot_slack.links import Links, host

JOINER = "\u2060"  # word joiner: nothing to see, and no word of Slack's behind it

# Slack has more commands than it documents, such as `<!group>`; of them, a doctype is none.
_MENTION = re.compile(
    r"(<(?=!(?!doctype\b)|@|#\w|[a-z][a-z0-9+.-]*://|mailto:|tel:)"
    r"|(?<!\w)@(?=channel|here|everyone))",
    re.IGNORECASE,
)
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,30}://[^\s<>\"'`|\\^{}]*")


def spanned(text: str, links: Links) -> str:
    """A code span; its own backticks are wrapped by a longer run."""
    inner = re.sub("`(?=`)", f"`{JOINER}", _harmless(text, links))
    if not inner.strip():
        return inner
    fence, pad = ("``", " ") if "`" in inner else ("`", "")
    return f"{fence}{pad}{inner}{pad}{fence}"


def fenced(line: str, links: Links) -> str:
    """A line of a code block."""
    return _harmless(line, links)


def shown(url: str, links: Links) -> str:
    """What of an address is shown when it is no source: all that a source says, or the host."""
    return url if links.quoted(url) else host(url) or "link"


def _harmless(text: str, links: Links) -> str:
    text = _URL.sub(lambda found: shown(found[0], links), text)
    text = text.replace("```", f"``{JOINER}`")
    return _MENTION.sub(lambda found: found[0] + JOINER, text)
