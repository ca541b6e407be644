"""PostgreSQL's client programs: the wheel's own, or those on the path, and how they are run."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Literal

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from bot.embedded.account import Account
from bot.embedded.binaries import NEWEST, programs
from bot.embedded.trouble import last_words
from bot.errors import BackupError, EmbeddedServerError

_BUFFER = 1 << 22  # bytes read ahead of what a program prints
_VERSION = re.compile(r"\(PostgreSQL\) (\d+)")


def find(name: Literal["pg_dump", "pg_restore"], major: int) -> Path:
    """Find a program that can deal with a server of this major version.

    The newer program reads every older server and file, so the wheel's newest does for all that
    it knows.

    Raises:
        BackupError: there is none.
    """
    if major <= NEWEST:
        with suppress(EmbeddedServerError):  # no wheel for this platform
            ourselves = Account("", os.geteuid(), os.getegid())
            return programs(NEWEST, ourselves, Path()) / name
    if (found := shutil.which(name)) and _major(found) >= major:
        return Path(found)
    raise BackupError(
        f"{name} of PostgreSQL {major} or later is needed and is not on the PATH; install "
        "PostgreSQL's client programs."
    )


@asynccontextmanager
async def running(
    command: Sequence[Path | str], *, conninfo: str = "", inherits: int | None = None
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a program; it is ended with the block.

    Args:
        conninfo: the database to use. A password goes by the environment: others can read a
            command line.
        inherits: a file that it keeps open.
    """
    environ = {**os.environ, "LC_ALL": "C"}
    if conninfo:
        parts = conninfo_to_dict(conninfo)
        if password := parts.pop("password", None):
            environ["PGPASSWORD"] = str(password)
        command = [*command, f"--dbname={make_conninfo('', **parts)}"]
    process = await asyncio.create_subprocess_exec(
        *map(str, command),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environ,
        pass_fds=() if inherits is None else (inherits,),
        limit=_BUFFER,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()
        await process.wait()


async def output(command: Sequence[Path | str], what: str) -> str:
    """Run a program to its end and return what it prints.

    Args:
        what: the beginning of the sentence if it fails.

    Raises:
        BackupError: it fails.
    """
    async with running(command) as process:
        out, complaints = await process.communicate()
    if process.returncode != 0:
        raise BackupError(f"{what}: {last_words(complaints.decode(errors='replace'))}.")
    return out.decode(errors="replace")


def _major(program: str) -> int:
    told = subprocess.run([program, "--version"], capture_output=True, text=True)  # noqa: S603 - found by name on the path
    found = _VERSION.search(told.stdout)
    return int(found[1]) if found else 0
