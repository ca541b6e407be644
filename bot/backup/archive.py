"""What a backup file is, and looking into one without running any of it.

It is a dump of pg_dump's custom format, which pg_restore reads as it stands, and a last line with
the digest of the rest: pg_restore itself does not notice that a byte has changed.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path

from bot.backup import programs
from bot.errors import BackupError

_MAGIC = b"PGDMP"
_SEAL = "\n-- The SHA-256 of the backup above is {}.\n"
_SEALED = re.compile(re.escape(_SEAL).replace(r"\{\}", "([0-9a-f]{64})").encode())
_BLOCK = 1 << 20
_EXTENSION = re.compile(r"\d+; \d+ \d+ (?P<kind>COMMENT )?(?:- )?EXTENSION (?:- )?(?P<name>\S+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """What a backup file says of itself.

    Attributes:
        created: when, in PostgreSQL's words.
        server: the version of the server that it was taken from.
        migrations: the schema's history in it.
        extensions: what it needs of the server.
        contents: the list of its other entries, as `pg_restore --use-list` reads it.
    """

    file: Path
    created: str
    server: str
    migrations: frozenset[str]
    extensions: tuple[str, ...]
    contents: str

    @property
    def major(self) -> int:
        """The major version of the server that it was taken from."""
        return int(self.server.partition(".")[0])


def seal(descriptor: int) -> None:
    """Write the last line of a file whose dump is complete."""
    size = os.fstat(descriptor).st_size
    os.lseek(descriptor, size, os.SEEK_SET)
    os.write(descriptor, _SEAL.format(_digest(descriptor, size)).encode())


async def inspect(file: Path) -> Archive:
    """Read what a backup holds; nothing of it is run.

    Raises:
        BackupError: it is no backup of a bot, or not a whole one.
    """
    await asyncio.to_thread(_check_seal, file)
    pg_restore = programs.find("pg_restore", 0)
    damaged = f"{file} was made by a newer PostgreSQL, or is damaged; give another file"
    listed = await programs.output([pg_restore, "--list", file], damaged)
    history = await programs.output(
        [pg_restore, "--data-only", "--table=_yoyo_migration", "--file=-", file], damaged
    )
    migrations = _migrations(history)
    if not migrations:
        raise BackupError(
            f"{file} holds another database than a bot's; give a file that `bot db backup` has "
            "written."
        )
    lines = listed.splitlines(keepends=True)
    extensions = [found for line in lines if (found := _extension(line))]
    return Archive(
        file=file,
        created=_said(listed, "Archive created at "),
        server=_said(listed, "Dumped from database version: ") or "0",
        migrations=migrations,
        # An embedded server's own pgvector counts as built in, so that its dumps do not name it.
        extensions=(
            "vector",
            *(name for kind, name in extensions if not kind and name != "vector"),
        ),
        contents="".join(line for line in lines if not _extension(line)),
    )


def _check_seal(file: Path) -> None:
    try:
        with file.open("rb") as stream:
            if stream.read(len(_MAGIC)) != _MAGIC:
                raise BackupError(
                    f"{file} is no backup; give a file that `bot db backup` has written."
                )
            end = stream.seek(0, os.SEEK_END) - len(_SEAL.format("0" * 64))
            found = None
            if end >= len(_MAGIC):
                stream.seek(end)
                found = _SEALED.fullmatch(stream.read())
            if found is None:
                raise BackupError(f"{file} is not whole, its end is missing; give another file.")
            if _digest(stream.fileno(), end).encode() != found[1]:
                raise BackupError(
                    f"{file} is damaged, it is not what was written; give another file."
                )
    except OSError as error:
        raise BackupError(
            f"{file} cannot be read ({error.strerror}); give another file."
        ) from error


def _digest(descriptor: int, size: int) -> str:
    digest = hashlib.sha256()
    for at in range(0, size, _BLOCK):
        digest.update(os.pread(descriptor, min(_BLOCK, size - at), at))
    return digest.hexdigest()


def _said(listed: str, name: str) -> str:
    found = re.search(rf"^; +{re.escape(name)}(.+)$", listed, re.MULTILINE)
    return found[1].strip() if found else ""


def _extension(line: str) -> tuple[str, str] | None:
    """Read an extension's entry, or that of its comment: what stands before its name, its name."""
    found = _EXTENSION.match(line)
    return (found["kind"] or "", found["name"]) if found else None


def _migrations(history: str) -> frozenset[str]:
    """Read the ids out of the table's `copy`: the second of its columns."""
    head, _, rest = history.partition("FROM stdin;\n")
    columns = head.rpartition("(")[2].rstrip(") ").split(", ")
    if "migration_id" not in columns:
        return frozenset()
    place = columns.index("migration_id")
    rows = rest.partition("\n\\.\n")[0].splitlines()
    return frozenset(row.split("\t")[place] for row in rows if row.count("\t") >= place)
