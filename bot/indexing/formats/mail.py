"""E-mail: one message (`.eml`), or a mailbox (`.mbox`), a section for each message."""

from __future__ import annotations

import mailbox
import re
import tempfile
from collections.abc import Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.utils import parsedate_to_datetime
from itertools import islice
from typing import Any

from bot.errors import DocumentError
from bot.indexing.formats.decoding import web_charset
from bot.indexing.formats.extracted import Extracted, plain
from bot.indexing.formats.html import from_html

_NAMED = 20  # attachments
_FORWARDED = 20  # messages in a message
_QUOTED_FROM = re.compile(rb"^>(?=>*From )", re.MULTILINE)  # as the format mbox writes it


def read_message(data: bytes, charset: str) -> Extracted:
    """Read one message.

    Raises:
        DocumentError: it has no headers, or a body that cannot be read.
    """
    message = _parsed(data)
    if not message.keys():
        raise DocumentError("It is no e-mail message.")
    metadata = {"from": _header(message, "From"), "date": _date(message)}
    return Extracted(
        _written(message),
        "markdown",
        _header(message, "Subject"),
        {name: value for name, value in metadata.items() if value},
    )


def read_mailbox(data: bytes, charset: str) -> Extracted:
    """Read a mailbox.

    Raises:
        DocumentError: it holds no message.
    """
    with tempfile.NamedTemporaryFile(suffix=".mbox") as file:
        file.write(data)
        file.flush()
        box = mailbox.mbox(file.name, create=False)
        keys = box.keys()
        messages = [_parsed(_QUOTED_FROM.sub(b"", box.get_bytes(key))) for key in keys]
        box.close()
    if not messages:
        raise DocumentError("It is no mailbox in the format mbox.")
    return Extracted(
        "\n".join(
            f"## {_header(message, 'Subject') or 'No subject'}\n\n{_written(message)}"
            for message in messages
        ),
        "markdown",
    )


def _parsed(data: bytes) -> EmailMessage:
    return message_from_bytes(data, policy=policy.default)


def _written(message: EmailMessage) -> str:
    said = [
        f"{name}: {value}" for name in ("From", "To", "Date") if (value := _header(message, name))
    ]
    names = [name for part in message.walk() if (name := part.get_filename())]
    if names:
        more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
        said.append(f"Attachments: {', '.join(names[:_NAMED])}{more}")
    parts = ["\n".join(map(plain, said)), _body(message).strip()]
    for inner in islice(_forwarded(message), _FORWARDED):
        about = [f"{name}: {value}" for name in ("Subject", "From", "Date")
                 if (value := _header(inner, name))]  # fmt: skip
        parts += ["\n".join(map(plain, ["Forwarded:", *about])), _body(inner).strip()]
    return "\n\n".join(filter(None, parts)) + "\n"


def _forwarded(message: EmailMessage) -> Iterator[Any]:
    """Yield the messages that a message brings along as attachments."""
    for part in message.walk():
        if part.get_content_type() == "message/rfc822" and part.is_multipart():
            yield part.get_payload(0)


def _body(message: EmailMessage) -> str:
    """Read the plain text; the HTML, where there is none."""
    for kind in ("plain", "html"):
        try:
            part: Any = message.get_body((kind,))
        except (LookupError, ValueError, AttributeError, TypeError):  # broken parts
            part = None
        if part is not None and (text := _text(part)).strip():
            return from_html(text)[1] if kind == "html" else plain(text)
    return ""


def _text(part: Any) -> str:
    """Decode a part: as it says, else as UTF-8, else as the Western Europe of old mail programs."""
    try:
        data = part.get_payload(decode=True)
    except (LookupError, ValueError, AttributeError, TypeError):
        data = None
    if not isinstance(data, bytes):
        return ""
    for charset in (web_charset(str(part.get_content_charset() or "")), "utf-8"):
        try:
            return data.decode(charset) if charset else data.decode("ascii")
        except (UnicodeError, LookupError):
            continue
    return data.decode("cp1252", "replace")


def _header(message: EmailMessage, name: str) -> str:
    try:
        return " ".join(str(message.get(name, "")).split())
    except Exception:  # the header's parser fails over some broken ones
        return ""


def _date(message: EmailMessage) -> str:
    try:
        return parsedate_to_datetime(_header(message, "Date")).date().isoformat()
    except (ValueError, TypeError):
        return ""
