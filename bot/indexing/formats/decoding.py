"""From bytes to text."""

from __future__ import annotations

import codecs
import re

from bot.errors import DocumentError

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_DECLARED = re.compile(rb"""<(?:meta|\?xml)[^>]{1,500}?(?:charset|encoding)\s*=\s*["']?([\w-]+)""",
                       re.IGNORECASE)  # fmt: skip
# Python knows codecs that no page is written in, and some of them are a trap.
_WEB_CHARSET = re.compile(
    r"utf-?8|iso-?8859-\d+|windows-\d+|cp\d+|koi8-[ru]|gb\d+|gbk|big5|shift[_-]jis|euc-\w+"
    r"|iso-2022-\w+|us-ascii|ascii|latin-?1|mac\w*"
)


def decode(data: bytes, charset: str = "") -> str:
    """Decode text: by its byte order mark, else by its declared charset, else as UTF-8.

    Raises:
        DocumentError: it is binary, or in another encoding.
    """
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            text = data[len(mark) :].decode(encoding, "replace")
            break
    else:
        text = _decode(data, charset)
    if "\0" in text:
        raise DocumentError("It is a binary file, not text; leave it out with `exclude`.")
    return text


def _decode(data: bytes, charset: str) -> str:
    if charset:
        try:
            return data.decode(charset)
        except (UnicodeError, LookupError):
            pass  # pages often declare what they are not
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        if b"\0" in data:
            return "\0"
        raise DocumentError(
            f"It is not UTF-8 text (byte {error.start}); save it as UTF-8, or leave it out with "
            "`exclude`."
        ) from error


def declared_charset(data: bytes) -> str:
    """Read the charset that a page declares at its top; nothing when the web has no such one."""
    found = _DECLARED.search(data[:2048])
    return web_charset(found[1].decode("ascii", "replace")) if found else ""


def web_charset(name: str) -> str:
    """Translate a charset's name as browsers do; nothing when the web has no such one."""
    name = name.strip().strip("\"'").lower()
    if name in ("iso-8859-1", "latin1", "latin-1", "us-ascii", "ascii"):
        return "cp1252"
    if name in ("gb2312", "gbk"):
        return "gb18030"
    return name if _WEB_CHARSET.fullmatch(name) else ""
