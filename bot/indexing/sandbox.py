"""Reading documents in a process of their own, with limits of memory and time.

Parsers of binary formats meet hostile bytes. A worker process runs them without the bot's
environment, under limits that the kernel keeps. It is used again for the next document, and
replaced when it dies, is too slow or has grown. Messages are a line of JSON that tells how many
bytes follow; nothing of the worker's is trusted but its shape.
"""

from __future__ import annotations

import atexit
import json
import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from bot.document import Document
from bot.errors import DocumentError
from bot.indexing.formats import extract, parsed

SECONDS = 120  # for one document
MEMORY = 1 << 30  # bytes of address space
CHARACTERS = 20_000_000  # of a document's text
_REUSED = 1000  # documents until a worker is replaced: what leaks does not add up
_IDLE = 60.0  # seconds until a worker that nobody needs ends
_ENVIRONMENT = ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH", "LANG", "LC_ALL", "TMPDIR", "SYSTEMROOT")


@dataclass(frozen=True, slots=True)
class Limits:
    """What reading one document may take.

    Attributes:
        memory: bytes of address space, the interpreter's included.
    """

    seconds: float = SECONDS
    memory: int = MEMORY
    characters: int = CHARACTERS


class Sandbox:
    """A worker process, started when it is first needed. Safe to use from several threads."""

    def __init__(self, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._idle: threading.Timer | None = None
        self._done = 0

    def extract(
        self,
        key: str,
        data: bytes,
        uri: str,
        charset: str = "",
        loader: Mapping[str, Any] | None = None,
    ) -> Document:
        """Read a document as `bot.indexing.formats.extract` does, or with another's loader.

        Args:
            loader: what `bot.indexing.formats.community.extract` takes: `name` and `options`.

        Raises:
            DocumentError: it cannot be read, or takes too much memory or time.
        """
        asked = {"key": key, "uri": uri, "charset": charset, "size": len(data), "loader": loader}
        with self._lock:
            if self._idle is not None:
                self._idle.cancel()
            try:
                answer = self._ask(asked, data)
            finally:
                self._idle = threading.Timer(_IDLE, self.close)
                self._idle.daemon = True
                self._idle.start()
        if "error" in answer:
            raise DocumentError(str(answer["error"]))
        return _document(key, uri, answer)

    def close(self) -> None:
        """End the worker; the next document starts another."""
        with self._lock:
            self._end()

    @property
    def pid(self) -> int | None:
        """The worker's process id, when one is running."""
        return self._process.pid if self._process else None

    def _ask(self, asked: dict[str, Any], data: bytes) -> dict[str, Any]:
        process = self._running()
        late = threading.Event()

        def kill() -> None:
            late.set()
            process.kill()

        timer = threading.Timer(self._limits.seconds, kill)
        timer.daemon = True
        timer.start()
        try:
            answer = _exchange(process, asked, data, self._limits.characters)
        except (OSError, ValueError) as error:
            used = self._done
            self._end()
            if used and not late.is_set():  # what it read before may have harmed it
                return self._ask(asked, data)
            raise DocumentError(self._died(process, late.is_set())) from error
        finally:
            timer.cancel()
        self._done += 1
        if self._done >= _REUSED or answer.pop("grown", False):
            self._end()
        return answer

    def _died(self, process: subprocess.Popen[bytes], late: bool) -> str:
        if late:
            return (
                f"Reading it takes longer than {self._limits.seconds:g} s; leave it out with "
                "`exclude`, or split it."
            )
        return (
            f"Its parser broke down ({_ending(process.returncode)}); the file is damaged or too "
            "large, leave it out with `exclude`."
        )

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is not None and self._process.poll() is None:
            return self._process
        self._end()
        limits = self._limits
        numbers = (limits.memory, int(limits.seconds) + 1, limits.characters)
        self._process = subprocess.Popen(  # noqa: S603 - our own module and three numbers
            [sys.executable, "-P", "-m", "bot.indexing.worker", *map(str, numbers)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={name: os.environ[name] for name in _ENVIRONMENT if name in os.environ},
            start_new_session=True,  # Ctrl-C at the terminal is the bot's to handle
        )
        atexit.register(self._process.kill)
        return self._process

    def _end(self) -> None:
        process, self._process, self._done = self._process, None, 0
        if process is None:
            return
        process.kill()
        for pipe in (process.stdin, process.stdout):
            with suppress(OSError):
                assert pipe is not None
                pipe.close()
        process.wait()
        atexit.unregister(process.kill)


def _exchange(
    process: subprocess.Popen[bytes], asked: dict[str, Any], data: bytes, characters: int
) -> dict[str, Any]:
    """Send a document and read what it became.

    Raises:
        OSError, ValueError: the worker is gone, or says what it should not.
    """
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(json.dumps(asked).encode() + b"\n")
    process.stdin.write(data)
    process.stdin.flush()
    size = int(process.stdout.readline(32))
    if size > characters * 12 + 1_000_000:  # a character of JSON takes twelve bytes at most
        process.kill()
        raise ValueError("the answer is too long")
    answer = json.loads(process.stdout.read(size))
    if not isinstance(answer, dict):
        raise ValueError("the answer is no object")
    return answer


def _document(key: str, uri: str, answer: dict[str, Any]) -> Document:
    metadata = answer.get("metadata")
    return Document(
        key=key,
        uri=uri,
        text=str(answer.get("text", "")),
        title=str(answer.get("title", "")),
        format="markdown" if answer.get("format") == "markdown" else "text",
        metadata=metadata if isinstance(metadata, dict) else {},
    )


def _ending(code: int | None) -> str:
    return f"signal {-code}" if code is not None and code < 0 else f"exit status {code}"


_shared = Sandbox()  # all loaders of this process use one worker


def read_bytes(key: str, data: bytes, uri: str, charset: str = "") -> Document:
    """Make a document of a file's bytes; those that take a parser are read in the sandbox.

    Raises:
        DocumentError: it cannot be read, or takes too much memory or time.
    """
    read = _shared.extract if parsed(key) else extract
    return read(key, data, uri, charset)


def read_with(loader: Mapping[str, Any], key: str, data: bytes, uri: str) -> Document:
    """Make a document of a file's bytes with one of langchain-community's loaders.

    Raises:
        DocumentError: it cannot be read, or takes too much memory or time.
    """
    return _shared.extract(key, data, uri, loader=loader)
