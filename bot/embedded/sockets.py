"""The server's private socket folder, which must have a short path."""

from __future__ import annotations

import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

from bot.embedded.account import Account, owner

PORT = 5432
FILES = (f".s.PGSQL.{PORT}", f".s.PGSQL.{PORT}.lock")
_LONGEST = 100  # bytes; the kernel's own limit is 104 to 108


def current(folder: Path) -> Path:
    """The socket folder of the server in a folder; it need not exist."""
    direct = folder / "socket"
    if _fits(direct):
        return direct
    try:
        return Path((folder / "socket-path").read_text())
    except FileNotFoundError:
        return direct


def make(folder: Path, account: Account) -> Path:
    """Make the socket folder, the account's own; a long path gets one among the temporary files.

    There, anybody could have taken the name of one that was cleaned away: it is used again only
    if it is the account's and private.
    """
    chosen = current(folder)
    if chosen.exists() and _private(chosen, account):
        return chosen
    if _fits(folder / "socket"):
        chosen.mkdir(mode=0o700, exist_ok=True)
        chosen.chmod(0o700)
    else:
        chosen = Path(tempfile.mkdtemp(prefix="domainbot-"))
        (folder / "socket-path").write_text(str(chosen))
    os.chown(chosen, account.uid, account.gid)
    return chosen


def discard(folder: Path) -> None:
    """Remove the socket folder of a stopped server from among the temporary files."""
    chosen = current(folder)
    if chosen != folder / "socket":
        with suppress(OSError):  # not if it is used, or somebody else's by now
            if _private(chosen, owner(folder / "data")):
                chosen.rmdir()
        (folder / "socket-path").unlink(missing_ok=True)


def _fits(folder: Path) -> bool:
    path = str(folder / FILES[0])
    # libpq and PostgreSQL split lists of sockets at commas.
    return len(os.fsencode(path)) <= _LONGEST and not set(',"') & set(path)


def _private(folder: Path, account: Account) -> bool:
    status = folder.lstat()
    return (
        stat.S_ISDIR(status.st_mode)
        and status.st_uid == account.uid
        and stat.S_IMODE(status.st_mode) == 0o700
    )
