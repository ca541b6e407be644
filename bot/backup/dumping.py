"""Writing a backup: whole under its name, or not there."""

from __future__ import annotations

import asyncio
import errno
import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from bot.backup import programs
from bot.backup.archive import seal
from bot.database import Database, load_queries
from bot.embedded.locks import sync_folder
from bot.embedded.trouble import last_words
from bot.errors import BackupError

QUERIES = load_queries(Path(__file__).parent.parent / "queries" / "backup.sql")

_PAUSE = 0.2  # seconds between two looks at the file's size


async def backup(
    database: Database, file: Path, told: Callable[[int], None] = lambda size: None
) -> int:
    """Write everything that the database holds into one file, while it is in use.

    What stands in the file is one moment of the database. It is written beside its name, for its
    owner alone, and gets the name when it is whole.

    Args:
        told: the size so far, in bytes.

    Returns:
        Its size in bytes.

    Raises:
        BackupError: it cannot be written; what had that name before is still there.
    """
    async with database.connection() as connection:
        major = connection.info.server_version // 10_000
        ((made,),) = await (await connection.execute(QUERIES["made"])).fetchall()
    if not made:
        raise BackupError(
            "The database is empty, no bot has used it yet; is this the right --home, or the right "
            "`database_url`?"
        )
    pg_dump = programs.find("pg_dump", major)
    with _writing(file) as partial:
        # Not its standard output, to which it would append its table of contents a second time.
        # The descriptor itself, as another file may lie at the path by now.
        output = f"--file=/dev/fd/{partial}"
        command: list[Path | str] = [pg_dump, "--format=custom", "--no-password", output]
        async with programs.running(
            command, conninfo=database.conninfo, inherits=partial
        ) as process:
            ended = asyncio.ensure_future(process.communicate())
            while not ended.done():
                await asyncio.wait({ended}, timeout=_PAUSE)
                told(os.fstat(partial).st_size)
            _, complaints = await ended
        if process.returncode != 0:
            raise _failed(file, complaints.decode(errors="replace"))
        await asyncio.to_thread(seal, partial)
        os.fsync(partial)
        size = os.fstat(partial).st_size
    return size


@contextmanager
def _writing(file: Path) -> Iterator[int]:
    """Open a file under a passing name; it gets its own when the block ends well.

    A killed one leaves the passing name behind, and the next one writes over it. The lock is
    pg_dump's as well, which may live a moment longer than we do.
    """
    partial = file.with_name(f"{file.name}.partial")
    try:
        descriptor = os.open(partial, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise BackupError(
            f"{partial} cannot be written ({error.strerror}); give another file."
        ) from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BackupError(
                f"Another backup is writing {file}; wait for it, or give another file."
            ) from None
        try:
            os.ftruncate(descriptor, 0)
            yield descriptor
            partial.rename(file)
            sync_folder(file.parent)
        except OSError as error:
            partial.unlink(missing_ok=True)
            raise _failed(file, os.strerror(error.errno or 0)) from error
        except BaseException:
            partial.unlink(missing_ok=True)
            raise
    finally:
        os.close(descriptor)


def _failed(file: Path, output: str) -> BackupError:
    if os.strerror(errno.ENOSPC) in output or os.strerror(errno.EDQUOT) in output:
        return BackupError(
            f"The disk that holds {file} is full; free some space, or give a file elsewhere. "
            "Nothing was kept of this backup."
        )
    return BackupError(
        f"The backup was not made: {last_words(output)}. Run `bot db status` and try again."
    )
