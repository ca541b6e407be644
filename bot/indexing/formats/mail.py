"""E-mail: one message (`.eml`), or a mailbox (`.mbox`), a section for each message."""

from __future__ import annotations

import mailbox
import tempfile
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.utils import parsedate_to_datetime
from typing import Any

from bot.errors import DocumentError
from bot.indexing.formats.extracted import Extracted, plain
from bot.indexing.formats.html import from_html

_NAMED = 20  # attachments


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
        messages = [_parsed(box.get_bytes(key)) for key in box.keys()]  # noqa: SIM118 - no dict
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
    return "\n".join(map(plain, said)) + "\n\n" + _body(message).strip() + "\n"


def _body(message: EmailMessage) -> str:
    """Read the plain text, else the HTML."""
    try:
        part: Any = message.get_body(("plain", "html"))
        if part is None:
            return ""
        text = str(part.get_content())
    except (LookupError, ValueError, AttributeError, KeyError):  # a charset or a part that is none
        text = _undeclared(message)
        return plain(text)
    return from_html(text)[1] if part.get_content_type() == "text/html" else plain(text)


def _undeclared(message: EmailMessage) -> str:
    for part in message.walk():
        if part.get_content_type() == "text/plain":
            payload = part.get_payload(decode=True)
            return payload.decode("utf-8", "replace") if isinstance(payload, bytes) else ""
    return ""


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
