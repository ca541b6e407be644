"""The server's configuration, written anew for every start."""

from __future__ import annotations

import os
from pathlib import Path

from bot.embedded import sockets
from bot.embedded.account import Account

# `alter system` overrides these, except for the logins.
_SETTINGS = """\
include = {defaults}
hba_file = {hba}
ident_file = {ident}
listen_addresses = ''
port = {port}
unix_socket_directories = {socket}
unix_socket_permissions = 0700
cluster_name = 'domainbot'
logging_collector = off
log_checkpoints = off

# A machine that the bot shares with its models.
shared_buffers = {buffers}kB
effective_cache_size = {cache}kB
maintenance_work_mem = 256MB
max_wal_size = 2GB
checkpoint_timeout = 15min
random_page_cost = 1.1
jit = off
dynamic_shared_memory_type = {shared_memory}

# Nobody replicates from here, and an index then is built without a second copy in the log.
wal_level = minimal
max_wal_senders = 0
"""
_HBA = "local all all peer map=domainbot\n"
_BUFFERS = 1 << 27, 1 << 31  # bytes: at least, and at most, of an eighth of the memory
_LIMIT = Path("/sys/fs/cgroup/memory.max")  # of a container
_ENOUGH = 1 << 29  # bytes; containers often have 64 MB, too few to build an index in parallel


def write(folder: Path, data: Path, account: Account) -> Path:
    """Write the configuration into the server's folder; returns the main file."""
    main, hba, ident = (
        folder / name for name in ("postgresql.conf", "pg_hba.conf", "pg_ident.conf")
    )
    # Who may log in: the server's user and root, each as the bot or as the administrator.
    people = dict.fromkeys((account.name, "root"))
    maps = [f"domainbot {_quoted(who)} {role}\n" for who in people for role in ("bot", "postgres")]
    _write(hba, _HBA)
    _write(ident, "".join(maps))
    memory = _memory()
    settings = _SETTINGS.format(
        buffers=min(max(memory // 8, _BUFFERS[0]), _BUFFERS[1]) >> 10,
        cache=memory // 2 >> 10,
        defaults=_text(data / "postgresql.conf"),
        hba=_text(hba),
        ident=_text(ident),
        port=sockets.PORT,
        socket=_text(sockets.current(folder)),
        shared_memory="posix" if _shared_memory() >= _ENOUGH else "mmap",
    )
    _write(main, settings)
    return main


def _write(path: Path, text: str) -> None:
    """Write a file that the server's user can read, whatever our umask; its folder is private."""
    fresh = path.with_suffix(".new")
    fresh.write_text(text, encoding="utf-8")
    fresh.chmod(0o644)
    fresh.replace(path)


def _memory() -> int:
    """Bytes that this machine has, or this container may use."""
    whole = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    try:
        return min(whole, int(_LIMIT.read_text()))
    except (OSError, ValueError):  # no container, or one without a limit
        return whole


def _shared_memory() -> int:
    try:
        status = os.statvfs("/dev/shm")  # noqa: S108 - where POSIX shared memory lives on Linux
    except FileNotFoundError:
        return _ENOUGH  # not Linux
    return status.f_frsize * status.f_blocks


def _text(path: Path) -> str:
    return "'" + str(path).replace("\\", "\\\\").replace("'", "''") + "'"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
