"""What a format's reader makes of a file's bytes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from bot.turn import NOTHING

PAGE = "\n\n\f\n\n"
"""What stands between two pages: the splitter counts the form feeds."""

_BLOCK = re.compile(r"^([ \t]{0,3})(?=#{1,6}(?:\s|$)|`{3}|~{3}|<|(?:=+|-+)[ \t]*$)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Extracted:
    """A document's text, and what its format says about it.

    Attributes:
        title: empty when the format has none or the author gave none.
    """

    text: str
    format: Literal["markdown", "text"] = "text"
    title: str = ""
    metadata: Mapping[str, Any] = field(default_factory=lambda: NOTHING)


def plain(text: str) -> str:
    """Escape what Markdown would take for a heading, a fence or HTML in text that has none."""
    return _BLOCK.sub(r"\1\\", text)
