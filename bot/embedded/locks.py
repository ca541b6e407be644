"""Locks between processes that the kernel frees when their holder dies, however it dies."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bot.errors import EmbeddedServerError

EXCLUSIVE = fcntl.LOCK_EX

_PATIENCE = 180.0  # seconds; more than the longest start, which happens under the lock
_PAUSE = 0.004


def open_private(path: Path, flags: int = os.O_RDWR) -> int:
    """Open a file of the server's folder, made if missing; it belongs to the folder's owner.

    Root may work in another user's folder, so no symbolic link is followed.
    """
    try:
        return os.open(path, flags | os.O_NOFOLLOW)
    except FileNotFoundError:
        descriptor = os.open(path, flags | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        if os.geteuid() == 0:
            owner = path.parent.stat()
            os.fchown(descriptor, owner.st_uid, owner.st_gid)
        return descriptor


def attempt(descriptor: int, operation: int) -> bool:
    """Take a lock if it can be had at once."""
    try:
        fcntl.flock(descriptor, operation | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def exclusive(path: Path) -> Iterator[int]:
    """Hold a file's lock alone; yields its descriptor.

    Raises:
        EmbeddedServerError: somebody else holds it for minutes.
    """
    descriptor = open_private(path)
    try:
        _wait(descriptor, path)
        yield descriptor
    finally:
        os.close(descriptor)


def shared(path: Path) -> int:
    """Take a file's lock together with others; closing the descriptor gives it back."""
    descriptor = open_private(path)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def unused(path: Path) -> bool:
    """Tell whether nobody holds a file's lock."""
    descriptor = open_private(path)
    try:
        return attempt(descriptor, EXCLUSIVE)
    finally:
        os.close(descriptor)


def sync_folder(folder: Path) -> None:
    """Make a folder's new names survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _wait(descriptor: int, path: Path) -> None:
    deadline = time.monotonic() + _PATIENCE
    while not attempt(descriptor, EXCLUSIVE):
        if time.monotonic() > deadline:
            raise EmbeddedServerError(
                f"Another process has been starting or stopping the PostgreSQL in {path.parent} "
                f"for {_PATIENCE:.0f} seconds; end that process, then try again."
            )
        time.sleep(_PAUSE)
