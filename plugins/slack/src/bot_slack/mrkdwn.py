"""Markdown that is clean already, in mrkdwn: what Slack's older fields understand.

Formatting: https://docs.slack.dev/messaging/formatting-message-text
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from markdown_it.token import Token

_MARKS = {"strong_open": "*", "strong_close": "*", "em_open": "_", "em_close": "_",
          "s_open": "~", "s_close": "~"}  # fmt: skip


def mrkdwn(clean: str) -> str:
    """Turn Markdown from `render.clean` into mrkdwn."""
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark", {"html": False}).enable("strikethrough")
    return _Writer().write(parser.parse(clean))


def label(text: str) -> str:
    """The words of a link: nothing in them ends it, is a link itself, or mentions anybody."""
    words = text.replace("<", "‹").replace(">", "›").replace("|", "¦").replace("\n", " ")
    return escaped(re.sub("([@&])(?!\u2060)", "\\1\u2060", words))


def escaped(text: str) -> str:
    """Text without the three characters that mean something to Slack."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


class _Writer:
    """Walks over the blocks of a document."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._lists: list[int | None] = []  # the next number of each open list; None for bullets
        self._quotes = 0
        self._marker = ""
        self._heading = False

    def write(self, tokens: Sequence[Token]) -> str:
        for token in tokens:
            self._block(token)
        return "\n".join(self._lines).strip("\n")

    def _block(self, token: Token) -> None:
        match token.type:
            case "bullet_list_open":
                self._lists.append(None)
            case "ordered_list_open":
                self._lists.append(int(token.attrGet("start") or 1))
            case "bullet_list_close" | "ordered_list_close":
                self._lists.pop()
                self._gap(outermost=True)
            case "list_item_open":
                self._begin_item()
            case "blockquote_open":
                self._quotes += 1
            case "blockquote_close":
                self._quotes -= 1
                self._gap()
            case "heading_open":
                self._heading = True
            case "inline":
                self._text(_inline(token.children or ()))
            case "fence" | "code_block":
                self._put("```\n" + escaped(token.content.rstrip("\n")) + "\n```")
                self._gap()
            case "hr":
                self._put("———")
            case "heading_close" | "paragraph_close":
                self._heading = False
                if not token.hidden:
                    self._gap(outermost=True)

    def _begin_item(self) -> None:
        number = self._lists[-1]
        self._marker = "• " if number is None else f"{number}. "
        if number is not None:
            self._lists[-1] = number + 1

    def _text(self, text: str) -> None:
        if self._heading:
            text = f"*{text.replace('*', '')}*"
        indent = "    " * (len(self._lists) - 1)
        self._put(f"{indent}{self._marker}{text}" if self._lists else text)
        self._marker = ""

    def _put(self, text: str) -> None:
        for line in text.split("\n"):
            self._lines.append(("> " if self._quotes else "") + line)

    def _gap(self, *, outermost: bool = False) -> None:
        if not (outermost and self._lists) and self._lines and self._lines[-1]:
            self._lines.append("")


def _inline(tokens: Sequence[Token]) -> str:
    out, linked = [], False
    for token in tokens:
        linked = token.type == "link_open" or (linked and token.type != "link_close")
        match token.type:
            case "text":
                out.append((label if linked else escaped)(token.content))
            case "code_inline":
                out.append("`" + escaped(token.content.replace("`", "'")) + "`")
            case "link_open":
                out.append(f"<{escaped(str(token.attrGet('href')))}|")
            case "link_close":
                out.append(">")
            case "softbreak" | "hardbreak":
                out.append(" " if linked else "\n")
            case "image":
                out.append(escaped(token.content))
            case other:
                out.append(_MARKS.get(other, ""))
    return "".join(out)
