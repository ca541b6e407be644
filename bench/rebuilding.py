"""Rebuilds: how workers share them, how questions fare, and a sync of unchanged documents.

    python bench/rebuilding.py [--documents 8192] [--delay 2] [--times 20] [--unchanged 100000]

The embedder waits a fixed time for each chunk of a document, so that it and not the machine is the
limit. Questions are asked one after the other, from another process, through a rebuild by one
worker, promotions and rollbacks, and a drop; worker and commands share one core. A promotion is
over too soon for a percentile, so there are many; between them nothing happens for a while, so that
quiet and busy questions meet the same machine.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import resource
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from subprocess import Popen

import numpy as np
import psycopg
import world as worlds
from table import show

from bot import Bot
from bot.embedded import EmbeddedServer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--documents", type=int, default=8192)
    parser.add_argument("--delay", type=float, default=2, help="of the embedder, ms a chunk")
    parser.add_argument("--times", type=int, default=20, help="of promotion and rollback")
    parser.add_argument("--unchanged", type=int, default=100_000)
    given = parser.parse_args()
    worlds.PATIENCE = 3600
    worlds.DOCUMENTS = given.documents
    delay = given.delay / 1000
    with worlds.template() as folder:
        rows, alone = [], 0.0
        for workers in (1, 2, 4):
            seconds, twice = shared(folder, workers, delay)
            alone = alone or seconds
            rows.append((workers, f"{seconds:.1f}", f"{alone / seconds:.2f}", twice))
        show(
            f"a rebuild of {given.documents:,} documents, {given.delay:g} ms a chunk",
            ("workers", "seconds", "times as fast", "embedded twice"),
            rows,
        )
        show(
            f"questions through a rebuild of {given.documents:,} documents",
            ("while", "asked", "failed", "p50 ms", "p95 ms", "p95 ÷ quiet", "slowest ms"),
            questioned(folder, delay, given.times),
        )
    worlds.DOCUMENTS = given.unchanged
    with worlds.template() as folder:
        show(
            f"`bot reindex` of {given.unchanged:,} documents",
            ("changed", "seconds", "chunks embedded", "MB at most"),
            [unchanged(folder, changed) for changed in (0, 1)],
        )


def shared(folder: Path, workers: int, delay: float) -> tuple[float, int]:
    """Seconds from the beginning of a rebuild to its end, and how much was embedded twice."""
    with worlds.copied(folder, f"workers{workers}", delay=delay) as world:
        with served(world) as conninfo:
            running = [world.start("worker", "--queue", "index") for _ in range(workers)]
            wait(conninfo, "select count(*) from procrastinate_workers", workers)
            world.run("reindex", "--rebuild", "--embedder", "slow")
            with psycopg.connect(conninfo) as connection:
                ((seconds,),) = connection.execute(
                    "select extract(epoch from max(indexed_at) - min(v.created_at))::float8"
                    " from indexed i join index_version v on v.id = i.version_id where v.id = 2"
                ).fetchall()
            stop(running)
        lines = world.log.read_text().splitlines()
    return seconds, len(lines) - len(set(lines))


class served:
    """Keep a world's server running; gives how to reach it."""

    def __init__(self, world: worlds.World) -> None:
        self._server = EmbeddedServer(world.folder / "home")

    def __enter__(self) -> str:
        return asyncio.run(self._server.start())

    def __exit__(self, *_: object) -> None:
        asyncio.run(self._server.stop())


def wait(conninfo: str, query: str, expected: int) -> None:
    with psycopg.connect(conninfo, autocommit=True) as connection:
        while connection.execute(query).fetchall() != [(expected,)]:
            time.sleep(0.1)


def stop(running: list[object]) -> None:
    for process in running:
        process.terminate()  # type: ignore[attr-defined]
        process.communicate()  # type: ignore[attr-defined]


def questioned(folder: Path, delay: float, times: int) -> list[tuple[object, ...]]:
    """Ask while nothing happens, and while everything does."""
    with worlds.copied(folder, "questioned", delay=delay) as world, served(world):
        os.environ |= world.environ
        sys.path.insert(0, str(world.folder / "site"))
        return asyncio.run(_questioned(world, times))


async def _questioned(world: worlds.World, times: int) -> list[tuple[object, ...]]:
    promotion = "promotion", ("index", "promote", "2", "--yes")
    rollback = "rollback", ("index", "rollback")
    # The first promotion is apart: the version that it brings was never asked before.
    done: list[tuple[str, tuple[str, ...]]] = [
        ("rebuild", ("reindex", "--rebuild", "--embedder", "slow")),
        ("first promotion", promotion[1]),
        *[rollback, promotion] * times,
        ("drop", ("index", "drop", "1", "--yes")),
    ]
    async with Bot.from_config(world.folder / "bot.toml") as bot:
        await asked(bot, lambda: asyncio.sleep(2))  # warms up
        quiet = await asked(bot, lambda: asyncio.sleep(10))
        rows = {"nothing happens": quiet}
        worker = on_one_core(world, "worker", "--queue", "index")
        for what, arguments in done:
            took, failed = await asked(bot, lambda a=arguments: in_thread(world, a))
            row = rows.setdefault(what, ([], []))
            row[0].extend(took)
            row[1].extend(failed)
            took, failed = await asked(bot, lambda: asyncio.sleep(1))
            quiet[0].extend(took)
            quiet[1].extend(failed)
        stop([worker])
    p95 = np.percentile(quiet[0], 95)
    return [
        (
            what, len(took), len(failed), *np.percentile(took, [50, 95]),
            np.percentile(took, 95) / p95, max(took),
        )
        for what, (took, failed) in rows.items()
    ]  # fmt: skip


def on_one_core(world: worlds.World, *arguments: str) -> Popen[bytes]:
    process = world.start(*arguments)
    os.sched_setaffinity(process.pid, {min(os.sched_getaffinity(0))})
    return process


async def in_thread(world: worlds.World, arguments: tuple[str, ...]) -> None:
    process = on_one_core(world, *arguments)
    said, _ = await asyncio.to_thread(process.communicate)
    if process.returncode:
        raise worlds.Trouble(said.decode())


async def asked(bot: Bot, work: Callable[[], Awaitable[None]]) -> tuple[list[float], list[str]]:
    """Ask one question after the other until some work is done; milliseconds, and failures."""
    took: list[float] = []
    failed: list[str] = []
    working = asyncio.ensure_future(work())
    number = 0
    while not working.done():
        number = (number + 1) % worlds.DOCUMENTS
        begun = time.perf_counter()
        try:
            passages, run = await bot.search(f"note{number} edition1")
        except Exception as error:
            failed.append(str(error))
        else:
            if run.notices or not passages:
                failed.append(str(run.notices))
        took.append((time.perf_counter() - begun) * 1000)
    await working
    return took, failed


def unchanged(folder: Path, changed: int) -> tuple[object, ...]:
    """A sync in which that many documents have changed; memory is that of the command alone."""
    with worlds.copied(folder, f"unchanged{changed}") as world, served(world):
        documents = {f"n{n}": worlds.text_of(n) for n in range(worlds.DOCUMENTS)}
        documents |= {f"n{n}": worlds.text_of(n, 2) for n in range(changed)}
        world.write(documents)
        world.run("source", "list")  # the first command after a copy starts the server
        begun = time.perf_counter()
        process = world.start("reindex")
        peak = 0
        while process.poll() is None:
            peak = max(peak, resident(process.pid))
            time.sleep(0.05)
        seconds = time.perf_counter() - begun
        if process.returncode:
            raise worlds.Trouble(process.communicate()[0].decode())
        chunks = len(world.log.read_text().splitlines()) if world.log.exists() else 0
    return changed, f"{seconds:.1f}", chunks, peak >> 20


def resident(pid: int) -> int:
    try:
        pages = Path(f"/proc/{pid}/statm").read_text().split()[1]
    except (FileNotFoundError, ProcessLookupError, IndexError):
        return 0
    return int(pages) * resource.getpagesize()


if __name__ == "__main__":
    main()
