"""What can be wrong with a home, as sentences that say what would do."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bot.errors import EmbeddedServerError

_ELSEWHERE = "choose another --home, or set `database_url`"


@contextmanager
def explained(home: Path) -> Iterator[None]:
    """Turn the operating system's errors into ours.

    Raises:
        EmbeddedServerError: something about the home is wrong.
    """
    try:
        yield
    except OSError as error:
        raise EmbeddedServerError(_sentence(home, error)) from error


def disk_full(home: Path) -> str:
    """Say that the home's disk is full."""
    return f"The disk that holds {home} is full; free some space, or {_ELSEWHERE}."


def failed(home: Path, what: str, output: str) -> EmbeddedServerError:
    """Make the error for a program of PostgreSQL that gave up.

    Args:
        what: the beginning of the sentence.
        output: what the program printed or logged; its last useful line is told.
    """
    if "No space left on device" in output or "Disk quota exceeded" in output:
        return EmbeddedServerError(disk_full(home))
    return EmbeddedServerError(
        f"{what}: {last_words(output)}. If it cannot be helped, {_ELSEWHERE}."
    )


def last_words(output: str) -> str:
    """Pick the line of a log that tells the reason."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    for severity in ("PANIC:", "FATAL:", "ERROR:", "error:"):
        for line in reversed(lines):
            if severity in line:
                return line.partition(severity)[2].strip().rstrip(".")
    return lines[-1].rstrip(".") if lines else "it said nothing"


def _sentence(home: Path, error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return disk_full(home)
    if error.errno in (errno.ENOTDIR, errno.EEXIST):
        return f"The home {home} cannot be a folder, a file is in its way; {_ELSEWHERE}."
    if error.errno == errno.EROFS:
        return f"The home {home} cannot be written to, its disk is read-only; {_ELSEWHERE}."
    if error.errno in (errno.EACCES, errno.EPERM):
        return (
            f"The home {home} does not let you in ({error.filename or error.strerror}), it may be "
            f"another user's; {_ELSEWHERE}."
        )
    return f"The embedded PostgreSQL cannot use the home {home} ({error}); {_ELSEWHERE}."
