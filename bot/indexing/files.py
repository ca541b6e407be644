"""The loaders of files: one file, or all of a folder's."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import time
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from pathlib import Path
from typing import BinaryIO, TypeAlias, TypeVar
from urllib.parse import quote

from bot.dispatch import in_thread
from bot.document import Document, Found, Skipped, Source
from bot.errors import DocumentError, SourceError
from bot.hookspecs import hookimpl
from bot.indexing.builtin import FileSettings, FolderSettings
from bot.indexing.formats import EXTRACTION
from bot.indexing.formats.storing import storable_key
from bot.indexing.patterns import matcher
from bot.indexing.sandbox import read_bytes

T = TypeVar("T")
Extract: TypeAlias = Callable[[str, bytes, str], Document]

_STRETCH = 0.05  # seconds of listing on a thread before the event loop sees it
_UNREADABLE_NAMED = 3


class FileLoader:
    """Loads one file as one document; its key is the file's name."""

    def __init__(self, settings: FileSettings) -> None:
        self._settings = settings

    @hookimpl
    async def bot_load(self, source: Source) -> AsyncIterator[Found | Skipped]:
        path = absolute(self._settings.path)
        uri = self._settings.url or path.as_uri()
        try:
            status = await in_thread(path.stat)
        except OSError as error:
            raise SourceError(f"{path} cannot be read: {reason(error)}.") from error
        if not stat.S_ISREG(status.st_mode):
            raise SourceError(f"{path} is no file; a folder is a source of the type 'folder'.")
        limit = self._settings.max_bytes
        yield _found(path.name, status, uri, partial(_read, path, path.name, uri, limit))


class FolderLoader:
    """Loads the files of a folder, each as one document; the key is its path in the folder.

    Links that lead out of the folder are not followed, nor are links to folders: what they lead
    to inside the folder is found by its own name.

    Args:
        extract: makes a document of a key, a file's bytes and an address.
        stamp: goes into the fingerprints: another one makes all be read again.
    """

    def __init__(
        self, settings: FolderSettings, extract: Extract = read_bytes, stamp: str = ""
    ) -> None:
        self._settings = settings
        self._extract = extract
        self._stamp = stamp
        self._included = matcher(settings.include)
        self._excluded = matcher(settings.exclude)

    @hookimpl
    async def bot_load(self, source: Source) -> AsyncIterator[Found | Skipped]:
        root = absolute(self._settings.path)
        async for item in ahead(self._walk(root)):
            yield item

    def _walk(self, root: Path) -> Iterator[Found | Skipped]:
        """Walk the folder, the files of a folder before its subfolders, each by name.

        What stands in a part that cannot be listed is unknown, and must not be taken for
        deleted: the walk then ends with an error, after all the rest.
        """
        unreadable: list[str] = []
        real = os.path.realpath(root)
        folders = [""]
        while folders:
            folder = folders.pop()
            below: list[str] = []
            try:
                with os.scandir(root / folder) as listing:
                    entries = sorted(listing, key=lambda entry: entry.name)
            except OSError as error:
                if not folder:
                    raise SourceError(_no_folder(root, error)) from error
                if not isinstance(error, FileNotFoundError):  # deleted while we walked: gone
                    unreadable.append(f"{folder}: {reason(error)}")
                continue
            for entry in entries:
                try:
                    yield from self._look(entry, folder + entry.name, root, real, below)
                except FileNotFoundError:
                    pass  # deleted while we walked
                except OSError as error:
                    unreadable.append(f"{folder}{entry.name}: {reason(error)}")
            folders += reversed(below)
        if unreadable:
            named = "; ".join(unreadable[:_UNREADABLE_NAMED])
            more = len(unreadable) - _UNREADABLE_NAMED
            raise SourceError(
                f"Parts of {root} cannot be read ({named}{f'; {more} more' if more > 0 else ''}), "
                "so nothing was deleted from the index; make them readable or list them in "
                "`exclude`."
            )

    def _look(
        self, entry: os.DirEntry[str], key: str, root: Path, real: str, below: list[str]
    ) -> Iterator[Found | Skipped]:
        hidden = entry.name.startswith(".") and not self._settings.hidden
        if hidden or self._excluded(key):
            return
        if entry.is_dir(follow_symlinks=False):
            if not os.path.lexists(root / key / "pyvenv.cfg"):  # a Python environment
                below.append(key + "/")
            return
        linked_folder = entry.is_symlink() and os.path.isdir(entry.path)
        if not linked_folder and not self._included(key):
            return
        if entry.is_symlink() and not _inside(real, root / key):
            why = "is a link that leads out of the folder"
            yield Skipped(where=storable_key(key), reason=why)
            return
        if linked_folder:
            if _inside(os.path.realpath(root / key), root / os.path.dirname(key)):
                yield Skipped(where=storable_key(key), reason="is a link to a folder around it")
            return
        if key != storable_key(key):
            yield Skipped(
                where=storable_key(key), reason="has a path that is not UTF-8, or too long"
            )
            return
        yield from self._file(entry, key, root, real)

    def _file(
        self, entry: os.DirEntry[str], key: str, root: Path, real: str
    ) -> Iterator[Found | Skipped]:
        if entry.is_symlink() and not os.path.exists(entry.path):
            yield Skipped(where=key, reason="is a link that leads nowhere")
            return
        status = entry.stat()
        if not stat.S_ISREG(status.st_mode):
            yield Skipped(where=key, reason="is no regular file")
        elif not status.st_size:
            yield Skipped(where=key, reason="is empty")
        else:
            uri = joined(self._settings.url, key) or (root / key).as_uri()
            limit = self._settings.max_bytes
            read = partial(_read, root / key, key, uri, limit, real, self._extract)
            yield _found(key, status, uri + self._stamp, read)


async def ahead(items: Iterator[T]) -> AsyncIterator[T]:
    """Iterate over blocking items on a thread, as many at a time as come within a moment."""

    def batch() -> tuple[list[T], bool, Exception | None]:
        until = time.monotonic() + _STRETCH
        taken: list[T] = []
        try:
            for item in items:
                taken.append(item)
                if time.monotonic() > until:
                    return taken, False, None
        except Exception as error:
            return taken, True, error  # what came before it counts
        return taken, True, None

    ended = False
    while not ended:
        taken, ended, error = await in_thread(batch)
        for item in taken:
            yield item
        if error is not None:
            raise error


def opened(path: Path) -> BinaryIO:
    """Open a regular file to read it; a pipe or a device would hold up its reader for ever.

    Raises:
        OSError: it is none, or cannot be read.
    """
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        os.close(descriptor)
        folder = "it is a directory" if stat.S_ISDIR(mode) else ""
        raise OSError(errno.EINVAL, folder or "it is no regular file")
    return os.fdopen(descriptor, "rb")


def joined(url: str, key: str) -> str:
    """Write a document's link: the source's address and the key, quoted."""
    if not url:
        return ""
    return url + ("" if url[-1] in "/=#?&" else "/") + quote(key)


def absolute(path: Path) -> Path:
    """Make a path absolute, links and all."""
    return Path(os.path.abspath(path))


def reason(error: OSError) -> str:
    """Say in a few words why the system refused."""
    return (error.strerror or str(error)).lower()


def _found(key: str, status: os.stat_result, uri: str, read: Callable[[], Document]) -> Found:
    # The time of the inode tells of a file that another was moved over, with its times kept.
    parts = (EXTRACTION, status.st_size, status.st_mtime_ns, status.st_ctime_ns, uri)
    fingerprint = hashlib.blake2b(repr(parts).encode(), digest_size=16).hexdigest()
    return Found(key=key, fingerprint=fingerprint, read=partial(in_thread, read))


def _read(
    path: Path, key: str, uri: str, limit: int, inside: str = "", extract: Extract = read_bytes
) -> Document:
    try:
        if inside and not _inside(inside, path):
            raise DocumentError("It has become a link that leads out of the folder.")
        with opened(path) as file:
            data = file.read(limit + 1)
    except OSError as error:
        raise DocumentError(f"It cannot be read: {reason(error)}.") from error
    if len(data) > limit:
        raise DocumentError(
            f"It has more than {limit:,} bytes; raise `max_bytes`, or leave it out with `exclude`."
        )
    return extract(key, data, uri)


def _inside(real: str, path: Path) -> bool:
    return os.path.commonpath([real, os.path.realpath(path)]) == real


def _no_folder(root: Path, error: OSError) -> str:
    if isinstance(error, NotADirectoryError):
        return f"{root} is no folder; a file is a source of the type 'file' or 'jsonl'."
    return f"The folder {root} cannot be read: {reason(error)}. Correct `path` in bot.toml."
