"""Hashing large files once: a file that has not changed since is not read again."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any


def digest(path: Path) -> str:
    """Return a file's sha256 in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Digests:
    """The sha256 of files, remembered in a JSON file with what told the files apart."""

    def __init__(self, memory: Path) -> None:
        self._memory = memory

    def of(self, path: Path) -> str:
        """Return a file's sha256, from memory when its size, times and inode are the same."""
        path = path.resolve()
        stat = path.stat()
        state = [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino]
        remembered = self._read()
        match remembered.get(str(path)):
            case [known, str(sha256)] if known == state:
                return sha256
        sha256 = digest(path)
        self._write({**remembered, str(path): [state, sha256]})
        return sha256

    def _read(self) -> dict[str, Any]:
        with suppress(OSError, ValueError):
            remembered = json.loads(self._memory.read_text())
            if isinstance(remembered, dict):
                return remembered
        return {}

    def _write(self, remembered: dict[str, Any]) -> None:
        # Only time is lost when the home cannot be written to.
        with suppress(OSError):
            self._memory.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=self._memory.parent)
            with os.fdopen(handle, "w") as file:
                json.dump(remembered, file)
            os.replace(name, self._memory)
