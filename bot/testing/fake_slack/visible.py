"""What Slack would make of a text: whom it notifies, and which links it makes or unfurls.

Stricter than Slack, so that a test that passes here does not depend on details of Slack's parser:
entities are found before and after the decoding of `&lt;`, and mentions in code count as well.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from typing import Any

from bot.testing.fake_slack.world import Json, Message

_ENTITY = re.compile(r"<([!@#][^<>\n]{0,200})>")
_BROADCAST = re.compile(r"(?<![\w@])@(channel|here|everyone)\b", re.IGNORECASE)
_LINK_ENTITY = re.compile(r"<((?:[a-z][a-z0-9+.-]*:)[^<>|\s]+)(?:\|[^<>]*)?>", re.IGNORECASE)
_URL = re.compile(r"\b[a-z][a-z0-9+.-]*://[^\s<>\"'`]+", re.IGNORECASE)
_BARE = re.compile(r"(?<![\w@./-])(?:[a-z0-9-]+\.)+[a-z]{2,24}(?:[/?#][^\s<>]*)?", re.IGNORECASE)
_CODE = re.compile(r"```.*?(?:```|\Z)|``[^\n]+?``|`[^`\n]+`", re.DOTALL)
_TEXT_KEYS = ("text", "markdown", "title", "alt_text", "description", "label", "value")


def notified(message: Message, names: frozenset[str] = frozenset()) -> set[str]:
    """Whom a message notifies: `!channel`, `@U1`, `!subteam^S1`; `names` are linked with `@`."""
    found: set[str] = set()
    for text in _texts(message):
        for each in (text, unescape(text), unescape(unescape(text))):
            found.update(_ENTITY.findall(each))
            found.update("!" + word.lower() for word in _BROADCAST.findall(each))
            found.update(
                f"@{name}" for name in names if re.search(rf"(?<!\w)@{re.escape(name)}\b", each)
            )
    return found


def links(message: Message) -> set[str]:
    """Every address that can be clicked in a message, or that Slack would fetch by itself."""
    found: set[str] = set()
    for source in (message.markdown, *_of_type(message.blocks, "markdown")):
        found |= markdown_links(source)
    for text in (message.text, *_of_type(message.blocks, "mrkdwn")):
        found |= _plain_links(text)
    found.update(_addresses(message.blocks))
    return found


def markdown_links(source: str) -> set[str]:
    """The links, images and bare addresses of a Markdown text."""
    from markdown_it import MarkdownIt

    found: set[str] = set()
    for token in _walk(MarkdownIt("gfm-like", {"linkify": False}).parse(source)):
        if token.type in ("link_open", "image"):
            found.add(str(token.attrGet("href") or token.attrGet("src")))
        elif token.type in ("text", "html_inline", "html_block"):
            found |= _plain_links(token.content)
    return found


def block_text(block: Json) -> str:
    """The words of a block, in reading order."""
    return "\n".join(_words(block))


def _plain_links(text: str) -> set[str]:
    found: set[str] = set()
    for each in (text, unescape(text)):
        found.update(_LINK_ENTITY.findall(each))
        bare = _CODE.sub(" ", _LINK_ENTITY.sub(" ", each))
        found.update(_URL.findall(bare))
        found.update(_BARE.findall(_URL.sub(" ", bare)))
    return found


def _texts(message: Message) -> list[str]:
    return [message.text, message.markdown, *(w for b in message.blocks for w in _words(b))]


def _words(value: Any, key: str = "") -> Iterator[str]:
    if isinstance(value, str) and key in _TEXT_KEYS:
        yield value
    elif isinstance(value, list):
        for each in value:
            yield from _words(each, key)
    elif isinstance(value, dict) and value.get("type") not in ("feedback_buttons",):
        for name, each in value.items():
            if name != "value":
                yield from _words(each, name)


def _of_type(value: Any, type_: str) -> Iterator[str]:
    if isinstance(value, list):
        for each in value:
            yield from _of_type(each, type_)
    elif isinstance(value, dict):
        if value.get("type") == type_ and isinstance(value.get("text"), str):
            yield value["text"]
        for each in value.values():
            yield from _of_type(each, type_)


def _addresses(value: Any) -> Iterator[str]:
    """Addresses in the fields of blocks: of buttons, images and sources."""
    if isinstance(value, list):
        for each in value:
            yield from _addresses(each)
    elif isinstance(value, dict):
        for key, each in value.items():
            if key.endswith("url") and isinstance(each, str):
                yield each
            else:
                yield from _addresses(each)


def _walk(tokens: Any) -> Iterator[Any]:
    for token in tokens:
        yield token
        yield from _walk(token.children or ())
