"""The user that the server runs as: PostgreSQL refuses to run as root."""

from __future__ import annotations

import os
import pwd
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot.errors import EmbeddedServerError

_NAMES = ("domainbot", "postgres")


@dataclass(frozen=True)
class Account:
    """A user of this machine.

    Attributes:
        switch: arguments of `subprocess.Popen` that make a child run as this user.
    """

    name: str
    uid: int
    gid: int

    @property
    def switch(self) -> dict[str, Any]:
        if self.uid == os.geteuid():
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def reaches(self, folder: Path) -> bool:
        """Tell whether this user can enter a folder."""
        enter = ["/bin/sh", "-c", 'cd -- "$1"', "sh", str(folder)]
        done = subprocess.run(enter, capture_output=True, cwd="/", **self.switch)  # noqa: S603 - sh
        return done.returncode == 0


def owner(path: Path) -> Account:
    """The user a file belongs to."""
    return _by_id(path.stat().st_uid)


def server_account(data: Path) -> Account:
    """Choose the user to run as: oneself, or for root the data's owner or a system user.

    Raises:
        EmbeddedServerError: this user has no name, or there is no system user and none can be made.
    """
    if os.geteuid() != 0:
        return _by_id(os.geteuid())
    if data.exists() and data.stat().st_uid != 0:
        return owner(data)
    for name in _NAMES:
        if account := _by_name(name):
            return account
    return _create(_NAMES[0])


def _by_id(uid: int) -> Account:
    try:
        entry = pwd.getpwuid(uid)
    except KeyError:
        raise EmbeddedServerError(
            f"The user id {uid} has no name on this machine, and PostgreSQL needs one; add it to "
            "/etc/passwd, or set `database_url`."
        ) from None
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)


def _by_name(name: str) -> Account | None:
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        return None
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)


def _create(name: str) -> Account:
    command = ["useradd", "--system", "--user-group", "--no-create-home"]
    command += ["--home-dir", "/nonexistent", "--shell", "/usr/sbin/nologin", name]
    with suppress(OSError):  # told below, as is any other reason
        subprocess.run(command, capture_output=True, check=False)  # noqa: S603 - useradd
    # Another process may have been faster: what counts is that the user is there.
    if account := _by_name(name):
        return account
    raise EmbeddedServerError(
        f"PostgreSQL does not run as root, and the user {name} cannot be made; run "
        f"`useradd --system {name}`, run the bot as another user, or set `database_url`."
    )
