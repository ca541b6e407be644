"""Programs in processes of their own: what they run may hang, crash or end the process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Ended:
    """How a child ended.

    Attributes:
        lines: the JSON objects that it told, one a line.
        code: its exit code; negative when a signal ended it, None when it took too long.
        errors: the end of what it wrote to standard error.
    """

    lines: list[dict[str, Any]]
    code: int | None
    errors: str

    @property
    def how(self) -> str:
        """Say how it ended, in words."""
        if self.code is None:
            return "did not end in time"
        if self.code < 0:
            return f"was ended by {signal.Signals(-self.code).name}"
        said = self.errors.strip().splitlines()
        return f"ended with exit code {self.code}" + (f" ({said[-1][:200]})" if said else "")


def run(module: str, arguments: Sequence[str], environ: Mapping[str, str], timeout: float) -> Ended:
    """Run `python -m MODULE` and read what it tells; kill it, with all it started, when time is up.

    It tells through a file of its own, for plugins print to standard output.
    """
    with tempfile.TemporaryFile() as told, tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(  # noqa: S603 - our own module, in our own interpreter
            [sys.executable, "-m", module, str(told.fileno()), *arguments],
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            pass_fds=[told.fileno()],
            start_new_session=True,
        )
        code: int | None = None
        try:
            code = process.wait(timeout)
        except subprocess.TimeoutExpired:
            pass
        finally:
            _end(process)
        told.seek(0)
        errors.seek(0)
        lines = []
        for line in told.read().splitlines():
            try:
                lines.append(json.loads(line))
            except ValueError:  # cut off in the middle
                break
        return Ended(lines, code, errors.read()[-4000:].decode(errors="replace"))


def tell(descriptor: int, **said: Any) -> None:
    """Tell the parent something, in the child."""
    os.write(descriptor, json.dumps(said, default=str).encode() + b"\n")


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill the child's whole group: what it started must not outlive it."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
