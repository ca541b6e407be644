"""Text from outside, made safe to store and to show."""

from __future__ import annotations

import re
import unicodedata

# Han, Hiragana, Katakana and Hangul: written without spaces between words, or nearly so.
CJK = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff]")

# Everything a terminal may obey: C0 and C1 controls but tab and newline, and the invisible
# characters that turn the direction of a line.
_CONTROL = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # CSI sequences, whole
    r"|\x1b\][^\x07\x1b\n]*(?:\x07|\x1b\\)"  # OSC sequences, whole (titles, links)
    r"|[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]"
)


def printable(text: str) -> str:
    """Remove what a terminal would obey instead of show, and what cannot be written as UTF-8."""
    return _CONTROL.sub("", cleaned(text).replace("\r\n", "\n"))


def storable(text: str) -> str:
    """Make any `str` one that PostgreSQL takes: no NUL, no lone surrogates, composed (NFC)."""
    return unicodedata.normalize("NFC", cleaned(text))


def cleaned(text: str) -> str:
    """Remove what PostgreSQL cannot hold and leave all else as it stands, as quotations need."""
    return text.encode("utf-8", "replace").decode("utf-8").replace("\0", "")
