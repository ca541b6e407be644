"""The loader of JSONL files: one JSON object a line, each a document."""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, NoReturn
from urllib.parse import quote

from bot.dispatch import in_thread
from bot.document import Document, Found, Skipped, Source
from bot.errors import DocumentError, SourceError
from bot.hookspecs import hookimpl
from bot.indexing.builtin import JsonlSettings
from bot.indexing.files import absolute, ahead, joined, opened, reason
from bot.indexing.formats import EXTRACTION
from bot.indexing.formats.storing import storable_json, storable_key
from bot.settings.principals import principal
from bot.turn import Principal

_BOM = b"\xef\xbb\xbf"
_SKIPPED_AT_ONCE = 1 << 20
_ID = re.compile(r'\s*\{\s*"_id"\s*:\s*("(?:[^"\\]|\\.)*+"|-?\d+)')


class _Invalid(ValueError):
    """A line is no document.

    Attributes:
        key: the document that it would have been, if what is indexed of it may stay.
    """

    def __init__(self, why: str, key: str = "") -> None:
        super().__init__(why)
        self.key = key


class JsonlLoader:
    """Loads a JSONL file line by line; the key and the passage id are a line's `_id`."""

    def __init__(self, settings: JsonlSettings) -> None:
        self._settings = settings

    @hookimpl
    async def bot_load(self, source: Source) -> AsyncIterator[Found | Skipped]:
        async for item in ahead(self._lines()):
            yield item

    def _lines(self) -> Iterator[Found | Skipped]:
        path = absolute(self._settings.path)
        try:
            with opened(path) as file:
                for number, offset, line in split(file, self._settings.max_line_bytes):
                    yield from self._line(path, number, offset, line)
        except OSError as error:
            raise SourceError(f"{path} cannot be read: {reason(error)}.") from error

    def _line(self, path: Path, number: int, offset: int, line: bytes) -> Iterator[Found | Skipped]:
        if not line.strip():
            return
        where = f"{path.name}:{number}"
        limit = self._settings.max_line_bytes
        try:
            if len(line) > limit:
                raise _Invalid(f"has more than {limit:,} bytes; raise `max_line_bytes`", _id(line))
            document = parse(line)
        except _Invalid as error:
            yield Skipped(where=where, reason=str(error), key=error.key)
            return
        uri = document.uri or joined(self._settings.url, document.key)
        uri = uri or f"{path.as_uri()}#{quote(document.key)}"
        fingerprint = _fingerprint(line, uri)
        read = partial(_read, path, offset, len(line), fingerprint, uri)
        yield Found(key=document.key, fingerprint=fingerprint, read=partial(in_thread, read))


def parse(line: bytes) -> Document:
    """Make a document of a line.

    Raises:
        ValueError: it is none; the message goes on where "FILE:LINE" stops.
    """
    try:
        text = line.decode()
        values = json.loads(text, parse_constant=_no_number, parse_float=_finite)
    except UnicodeDecodeError:
        raise _Invalid("is not UTF-8", _id(line)) from None
    except (ValueError, RecursionError) as error:
        raise _Invalid(f"is not JSON: {error}", _id(line)) from error
    if not isinstance(values, dict):
        raise _Invalid("is no JSON object")
    key = _key(values.pop("_id", None))
    readers = _readers(values.pop("readers", None))
    title, body, url = (
        _text(values.pop(name, None), name, key) for name in ("title", "text", "url")
    )
    if not (body or title).strip():
        raise _Invalid("has neither a `text` nor a `title`")
    try:
        metadata = storable_json(values)
    except ValueError as error:
        raise _Invalid(f"cannot be stored: {error}", key) from error
    return Document(
        key=key,
        passage_id=key,
        title=title,
        text=body if body.strip() else title,
        uri=url,
        readers=readers,
        metadata=metadata,
    )


def split(file: BinaryIO, limit: int) -> Iterator[tuple[int, int, bytes]]:
    """Yield lines with their number and offset; of one that is too long only its beginning.

    What is written behind the file's end meanwhile is for the next sync: a file that grows as fast
    as it is read has no end.
    """
    number = offset = 0
    size = os.fstat(file.fileno()).st_size
    while offset < size and (part := file.readline(limit + 2)):
        number += 1
        bom = len(_BOM) if number == 1 and part.startswith(_BOM) else 0
        yield number, offset + bom, part[bom:].rstrip(b"\r\n")
        offset += len(part)
        while part and not part.endswith(b"\n"):
            part = file.readline(_SKIPPED_AT_ONCE)
            offset += len(part)


def _read(path: Path, offset: int, length: int, fingerprint: str, uri: str) -> Document:
    try:
        with opened(path) as file:
            file.seek(offset)
            line = file.read(length)
        if _fingerprint(line, uri) == fingerprint:
            return replace(parse(line), uri=uri)
    except (OSError, ValueError) as error:
        raise DocumentError(f"It cannot be read: {error}.") from error
    raise DocumentError("The file was changed while it was read; run `bot reindex` again.")


def _fingerprint(line: bytes, uri: str) -> str:
    made_of = b"%d %s %s" % (EXTRACTION, uri.encode("utf-8", "replace"), line)
    return hashlib.blake2b(made_of, digest_size=16).hexdigest()


def _key(value: Any) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or not value.strip():
        raise _Invalid("has no `_id`, a string or a whole number")
    if storable_key(value) != value:
        raise _Invalid("has an `_id` that cannot be stored: too long, or with broken characters")
    return value


def _readers(value: Any) -> frozenset[Principal] | None:
    """Read who may read a line; what is wrong here must leave nothing behind for anybody."""
    if value is None:
        return None
    named = [value] if isinstance(value, str) else value
    if not isinstance(named, list) or not named or not all(isinstance(n, str) for n in named):
        raise _Invalid("has `readers` that are neither a string nor a list of strings")
    try:
        return frozenset(map(principal, named))
    except ValueError as error:
        raise _Invalid(f"has a reader that is none: {error}") from None


def _text(value: Any, name: str, key: str) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise _Invalid(f"has a `{name}` that is no string", key)
    return value


def _id(line: bytes) -> str:
    """Read the `_id` that a broken line begins with, so that what was indexed of it stays."""
    found = _ID.match(line.decode("utf-8", "replace"))
    try:
        return _key(json.loads(found[1])) if found else ""
    except ValueError:
        return ""


def _finite(number: str) -> float:
    value = float(number)
    if not math.isfinite(value):
        raise ValueError(f"{number} is too large a number")
    return value


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON value")
