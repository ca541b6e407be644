"""The loader of git repositories: the files of a folder, at a branch."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from bot.dispatch import in_thread
from bot.document import Document, Found, Skipped, Source
from bot.errors import DocumentError
from bot.hookspecs import hookimpl
from bot.indexing.builtin import GitSettings
from bot.indexing.files import joined
from bot.indexing.formats import EXTRACTION
from bot.indexing.formats.storing import storable_key
from bot.indexing.patterns import matcher
from bot.indexing.repositories import Entry, Mirror
from bot.indexing.sandbox import read_bytes

_LARGE_FILE_STORAGE = b"version https://git-lfs.github.com/spec/"
_FILES = ("100644", "100755")
_LINK, _REPOSITORY = "120000", "160000"


class GitLoader:
    """Loads the files of a folder in a repository; the key is the path in that folder.

    Args:
        cache: where copies of repositories are kept.
    """

    def __init__(self, settings: GitSettings, cache: Path) -> None:
        self._settings = settings
        self._repository = str(settings.repository)
        wanted = repr((self._repository, settings.branch)).encode()
        folder = cache / hashlib.blake2b(wanted, digest_size=12).hexdigest()
        self._mirror = Mirror(folder, self._repository, settings.branch, settings.allow_private)
        self._included = matcher(settings.include)
        self._excluded = matcher(settings.exclude)

    @hookimpl
    async def bot_load(self, source: Source) -> AsyncIterator[Found | Skipped]:
        commit = await self._mirror.fetch()
        for entry in await self._mirror.files(commit, self._settings.folder):
            if self._wanted(entry.path):
                if why := self._refused(entry):
                    yield Skipped(where=storable_key(entry.path), reason=why)
                else:
                    yield self._found(entry)

    def _wanted(self, path: str) -> bool:
        parts = PurePosixPath(path).parts
        above = ["/".join(parts[: n + 1]) for n in range(len(parts))]
        hidden = not self._settings.hidden and any(part.startswith(".") for part in parts)
        return not hidden and self._included(path) and not any(map(self._excluded, above))

    def _refused(self, entry: Entry) -> str:
        """Tell why a file is no document, as far as the listing shows it."""
        if entry.mode == _LINK:
            return "is a link, and links in repositories are not followed"
        if entry.mode == _REPOSITORY:
            return "is another repository (a submodule); add it as a source of its own"
        if entry.mode not in _FILES:
            return "is no regular file"
        if entry.path != storable_key(entry.path):
            return "has a path that is not UTF-8, or too long"
        return "" if entry.size else "is empty"

    def _found(self, entry: Entry) -> Found:
        uri = self._uri(entry.path)
        made_of = repr((EXTRACTION, entry.object, uri)).encode()
        fingerprint = hashlib.blake2b(made_of, digest_size=16).hexdigest()
        reading = _Reading(self._mirror, entry, uri, self._settings.max_bytes)
        return Found(key=entry.path, fingerprint=fingerprint, read=reading.read)

    def _uri(self, path: str) -> str:
        if self._settings.url:
            return joined(self._settings.url, path)
        inside = str(PurePosixPath(self._settings.folder.strip("/")) / path)
        at = self._settings.repository
        return joined(f"{at.as_uri() if isinstance(at, Path) else at}#", inside)


@dataclass(frozen=True, slots=True)
class _Reading:
    """Reads a file that was listed."""

    mirror: Mirror
    entry: Entry
    uri: str
    limit: int

    async def read(self) -> Document:
        if self.entry.size > self.limit:
            raise DocumentError(
                f"It has more than {self.limit:,} bytes; raise `max_bytes`, or leave it out with "
                "`exclude`."
            )
        data = await self.mirror.read(self.entry)
        if data.startswith(_LARGE_FILE_STORAGE):
            raise DocumentError("Its content is kept in Git LFS, which is not read.")
        arguments = (self.entry.path, data, self.uri)
        document = await in_thread(lambda: read_bytes(*arguments))
        assert isinstance(document, Document)
        return document
