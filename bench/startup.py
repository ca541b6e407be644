"""From process start to last word: version, help, and an answer on an indexed corpus.

    python bench/startup.py FOLDER [--rounds 9]

FOLDER holds Markdown documents; they are indexed first. Beside each command stands what the
machine cannot undercut: starting Python alone.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from table import show

QUESTION = "How do I declare a path parameter?"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    bot = str(Path(sys.executable).with_name("bot"))
    with tempfile.TemporaryDirectory(prefix="bench-", dir="/tmp") as home:
        environ = {**os.environ, "BOT_HOME": home}
        with tempfile.TemporaryDirectory() as work:
            run([bot, "source", "add", "docs", str(options.folder.resolve())], environ, work)
            run([bot, "reindex"], environ, work)
            commands = {
                "python -c pass": [sys.executable, "-c", "pass"],
                "bot --version": [bot, "--version"],
                "bot --help": [bot, "--help"],
                "bot ask, cold server": [bot, "ask", QUESTION],
            }
            rows = [timed(name, command, environ, work, options.rounds)
                    for name, command in commands.items()]  # fmt: skip
    show("median of process start to last word", ("command", "s", "MB"), rows)


def timed(
    name: str, command: list[str], environ: dict[str, str], work: str, rounds: int
) -> tuple[str, float, int]:
    run(command, environ, work)
    seconds, memory = [], []
    for _ in range(rounds):
        started = time.perf_counter()
        memory.append(run(command, environ, work))
        seconds.append(time.perf_counter() - started)
    return name, statistics.median(seconds), round(statistics.median(memory))


def run(command: list[str], environ: dict[str, str], work: str) -> float:
    """Run a command; return its greatest resident memory in MB."""
    with subprocess.Popen(
        command, env=environ, cwd=work, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL
    ) as process:
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} failed")
    return _megabytes(used)


def _megabytes(used: resource.struct_rusage) -> float:
    return used.ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1 << 10)


if __name__ == "__main__":
    main()
