"""Kill workers, commands and PostgreSQL at random points of a rebuild, and look at what is left.

    python bench/faults.py --runs 500

In each run two workers build an index version while a sync brings changes, and the seed decides
which of the processes is killed when, with SIGKILL. What was killed is started again, as a service
manager or an operator would. Then every document must be in each version exactly once, as it is
now, nothing that was deleted may be left, and no more may have been embedded twice than the batches
that the killed had in hand. At last a promotion is killed: exactly one version must be live.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
from world import DOCUMENTS, PATIENCE, Trouble, World, copied, template, text_of

from bot.embedded import EmbeddedServer

BATCH = 256
WORKERS = 2


@dataclass
class Outcome:
    """What one run was, and what it cost."""

    seed: int
    kills: Counter[str] = field(default_factory=Counter)
    twice: int = 0
    seconds: float = 0.0
    trouble: str = ""


class Run:
    """One seeded run."""

    def __init__(self, world: World, server: EmbeddedServer, seed: int) -> None:
        self.world = world
        self.server = server
        self.random = random.Random(seed)
        self.outcome = Outcome(seed)
        self.documents = {f"n{n}": text_of(n) for n in range(DOCUMENTS)}

    def __call__(self) -> Outcome:
        self._change_documents()
        workers = [self.world.start("worker") for _ in range(WORKERS)]
        time.sleep(self.random.uniform(0, 2))  # they may live already, or not
        commands = {
            arguments: self.world.start(*arguments)
            for arguments in (("reindex", "--rebuild", "--embedder", "slow"), ("reindex",))
        }
        for _ in range(self.random.randint(2, 4)):
            time.sleep(self.random.uniform(0.1, 2.0))
            self._kill(workers, commands)
        for arguments in commands:
            self._finish(arguments, commands)
        self.world.run("reindex")  # what changed has reached both, whatever was killed before
        self._look({1: "live", 2: "ready"})
        self._count_twice()
        self._promote()
        for worker in workers:
            worker.terminate()
        for worker in workers:
            out, _ = worker.communicate(timeout=PATIENCE)
            # One that was started while the server was down has ended, for a manager to start it.
            ended = worker.returncode and b"Error: The database" not in out
            if ended or b"Traceback" in out:
                raise Trouble(f"a worker ended with {worker.returncode}: {out.decode()}")
        return self.outcome

    def _change_documents(self) -> None:
        keys = self.random.sample(sorted(self.documents), 120)
        for key in keys[:40]:
            del self.documents[key]
        for key in keys[40:80]:
            self.documents[key] = text_of(int(key[1:]), 2)
        for number in range(DOCUMENTS, DOCUMENTS + 40):
            self.documents[f"n{number}"] = text_of(number)
        self.world.write(self.documents)

    def _kill(
        self,
        workers: list[subprocess.Popen[bytes]],
        commands: dict[tuple[str, ...], subprocess.Popen[bytes]],
    ) -> None:
        victim = self.random.choice(["worker", "command", "postmaster", "backend"])
        self.outcome.kills[victim] += 1
        if victim == "worker":
            place = self.random.randrange(len(workers))
            workers[place].kill()
            workers[place].communicate()
            workers[place] = self.world.start("worker")
        elif victim == "command":
            arguments = self.random.choice(sorted(commands))
            commands[arguments].kill()
            commands[arguments].communicate()
            commands[arguments] = self.world.start(*arguments)
        else:
            self._kill_postgresql(everything=victim == "postmaster")

    def _kill_postgresql(self, everything: bool) -> None:
        """Kill the postmaster, or one backend, which makes it begin anew."""
        if everything:
            found = [*(self.world.folder / "home").rglob("postmaster.pid")]
            pid = int(found[0].read_text().split()[0]) if found else 0
        else:
            with self._connection() as connection:
                pids = connection.execute(
                    "select pid from pg_stat_activity where backend_type = 'client backend'"
                    " and pid <> pg_backend_pid() order by pid"
                ).fetchall()
            pid = self.random.choice(pids)[0] if pids else 0
        if pid:
            with suppress(ProcessLookupError):  # it has just ended by itself
                os.kill(pid, signal.SIGKILL)

    @contextmanager
    def _connection(self) -> Iterator[psycopg.Connection]:
        deadline = time.monotonic() + 120
        while True:
            asyncio.run(self.server.ensure())
            try:
                connection = psycopg.connect(self.server.conninfo, autocommit=True)
            except psycopg.OperationalError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
            else:
                break
        with connection:
            yield connection

    def _finish(
        self,
        arguments: tuple[str, ...],
        commands: dict[tuple[str, ...], subprocess.Popen[bytes]],
    ) -> None:
        """Wait for a command; one that failed is called again, as its message says."""
        for _ in range(10):
            out, _ = commands[arguments].communicate(timeout=PATIENCE)
            if b"Traceback" in out or b"defect" in out:
                raise Trouble(out.decode())
            if commands[arguments].returncode == 0:
                return
            time.sleep(1)
            commands[arguments] = self.world.start(*arguments)
        raise Trouble(f"bot {' '.join(arguments)} never succeeds: {out.decode()}")

    def _look(self, states: dict[int, str]) -> None:
        """Compare what the database holds with what the source holds."""
        with self._connection() as connection:
            found = dict(connection.execute("select id, state from index_version").fetchall())
            equal("versions", found, states)
            stored = dict(connection.execute("select key, text from document").fetchall())
            equal("documents", stored, self.documents)
            for version in states:
                self._look_into(connection, version)
            bad = connection.execute(
                "select (select count(*) from quarantine where error <> ''),"
                " (select count(*) from procrastinate_jobs where status = 'failed')"
            ).fetchall()
            equal("quarantined documents and failed jobs", bad, [(0, 0)])

    def _look_into(self, connection: psycopg.Connection, version: int) -> None:
        ledger = connection.execute(
            "select d.key, i.chunks, i.content_hash = d.content_hash from indexed i"
            " join document d on d.id = i.document_id where i.version_id = %s",
            [version],
        ).fetchall()
        expected = sorted((key, 2, True) for key in self.documents)
        equal(f"the ledger of version {version}", sorted(ledger), expected)
        chunks = connection.execute(
            "select d.key, c.ordinal, substr(d.text, c.start + 1, c.stop - c.start) = c.text"
            f" from pgvector_{version}.chunk c left join document d on d.id = c.document_id"
        ).fetchall()
        expected = sorted((key, n, True) for key in self.documents for n in (0, 1))
        equal(
            f"the chunks of version {version}", sorted(chunks, key=str), sorted(expected, key=str)
        )
        ((counted, postings),) = connection.execute(
            f"select chunks, (select sum(chunks) from pgvector_{version}.segment) - dead"
            " from pgvector_index where version_id = %s",
            [version],
        ).fetchall()
        equal(f"counters of version {version}", {counted, postings}, {len(chunks)})

    def _count_twice(self) -> None:
        """No more is embedded twice than what was in hand when somebody was killed."""
        counts = Counter(self.world.log.read_text().split("\n")[:-1])
        self.outcome.twice = sum(times - 1 for times in counts.values())
        kills = self.outcome.kills
        # A server takes along what each process had in hand: workers, command and sync.
        batches = kills["worker"] + kills["command"] * 2
        batches += (kills["postmaster"] + kills["backend"]) * (WORKERS + 2)
        chunks = 2 * BATCH * batches
        if self.outcome.twice > chunks:
            raise Trouble(f"{self.outcome.twice} chunks were embedded twice, {chunks} may be")

    def _promote(self) -> None:
        """Kill a promotion midway, then two at once: one wins, and one is told."""
        arguments = ("index", "promote", "2", "--yes")
        process = self.world.start(*arguments)
        time.sleep(self.random.uniform(0.2, 1.5))
        process.kill()
        process.communicate()
        self.outcome.kills["promotion"] += 1
        with self._connection() as connection:
            states = dict(connection.execute("select id, state from index_version").fetchall())
        if states not in ({1: "live", 2: "ready"}, {1: "retired", 2: "live"}):
            raise Trouble(f"after a killed promotion: {states}")
        if states[2] == "live":
            self.world.run("index", "rollback")
        pair = [self.world.start(*arguments) for _ in range(2)]
        ended = [(one.communicate(timeout=PATIENCE)[0], one.returncode) for one in pair]
        equal("two promotions", sorted(code for _, code in ended), [0, ended[0][1] + ended[1][1]])
        if sum(code for _, code in ended) not in (1, 2):
            raise Trouble(f"two promotions at once: {ended}")
        self._look({1: "retired", 2: "live"})


def equal(what: str, found: object, expected: object) -> None:
    if found != expected:
        raise Trouble(f"{what}: {_short(found, expected)}")


def _short(found: object, expected: object) -> str:
    if isinstance(found, dict) and isinstance(expected, dict):
        found, expected = list(found.items()), list(expected.items())
    if isinstance(found, list) and isinstance(expected, list):
        more = list((Counter(found) - Counter(expected)).items())
        less = list((Counter(expected) - Counter(found)).items())
        return f"{len(more)} too many {more[:3]}, {len(less)} missing {less[:3]}"
    return f"{found}, not {expected}"


def run(folder: Path, seed: int) -> Outcome:
    """Do one run; what went wrong stands in the outcome."""
    begun = time.monotonic()
    with copied(folder, str(seed)) as world:
        server = EmbeddedServer(world.folder / "home")
        asyncio.run(server.start())
        one = Run(world, server, seed)
        try:
            one()
        except Exception as error:  # the other runs go on
            one.outcome.trouble = f"{type(error).__name__}: {error}"
        finally:
            world.kill_all()
            asyncio.run(server.stop())
    one.outcome.seconds = time.monotonic() - begun
    return one.outcome


def run_all(seeds: range, at_once: int = 2) -> Iterator[Outcome]:
    """Do a run for each seed, some at once."""
    with template() as folder, ThreadPoolExecutor(at_once) as pool:
        yield from pool.map(lambda seed: run(folder, seed), seeds)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0, help="of the first run")
    given = parser.parse_args()
    kills: Counter[str] = Counter()
    twice = failed = 0
    begun = time.monotonic()
    for outcome in run_all(range(given.seed, given.seed + given.runs)):
        kills += outcome.kills
        twice += outcome.twice
        if outcome.trouble:
            failed += 1
            print(f"seed {outcome.seed}: {outcome.trouble}", flush=True)
    print(f"| runs | {' | '.join(kills)} killed | chunks embedded twice | failed | minutes |")
    print("|" + "---|" * (len(kills) + 4))
    minutes = (time.monotonic() - begun) / 60
    counts = " | ".join(map(str, kills.values()))
    print(f"| {given.runs} | {counts} | {twice} | {failed} | {minutes:.1f} |")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
