"""How long people in Slack wait: milliseconds on loopback, and 200 conversations at once.

    python bench/slack_latency.py --chunks 2000

`bot serve` runs in a process of its own with its embedded PostgreSQL, the default retriever and the
default generator, on an index of so many chunks, against a Slack on this machine that has no rate
limits: what is timed is ours. All times begin when Slack sends the frame.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import psycopg
from table import show

from bot.embedded import EmbeddedServer
from bot.testing.fake_slack import Channel, Delivery, FakeSlack, User

CONFIG = """
[assistants.default]
[sources.inventory]
type = "jsonl"
path = "inventory.jsonl"
[channels.slack]
bot_token = {{env = "SLACK_BOT_TOKEN"}}
app_token = {{env = "SLACK_APP_TOKEN"}}
base_url = "{base_url}"
rate = 1000.0
per_minute = 1000000
per_day = 1000000
"""
THINGS = "projector ladder scanner camera kettle tripod printer heater microscope loom".split()
PLACES = "Lisbon Oslo Kyoto Quito Nairobi Turin Gdansk Perth Leeds Osaka Bergen Porto".split()
STATUS = frozenset({"agents.sessions.setStatus", "assistant.threads.setStatus"})
TEXT = frozenset({"chat.startStream", "chat.postMessage"})
ENDS = frozenset({"chat.stopStream", "chat.postMessage", "chat.update"})
PATIENCE = 300.0  # seconds


def documents(count: int) -> list[tuple[str, str]]:
    """Facts that no two documents share: what is asked, and where it is kept."""
    made = []
    for number in range(count):
        thing, place = THINGS[number % len(THINGS)], PLACES[number // 10 % len(PLACES)]
        name = f"{thing} of {place} team {number}"
        fact = f"The {name} is kept in cabinet {number * 7 % 997}, next to the stairs."
        made.append((name, f"{fact} Whoever takes it signs the list, and brings it back."))
    return made


class Office:
    """A Slack and a bot that serves it."""

    def __init__(self, folder: Path, chunks: int) -> None:
        self.folder = folder
        self.known = documents(chunks)
        users = [User(id=f"U{n}", name=f"p{n}", email=f"p{n}@example.com") for n in range(50)]
        self.slack = FakeSlack(users=users, channels=[Channel(id=f"C{n}") for n in range(20)])
        self.random = random.Random(1)
        self.server: asyncio.subprocess.Process | None = None

    async def bot(self, *arguments: str) -> asyncio.subprocess.Process:
        outside = {k: v for k, v in os.environ.items() if not k.startswith("BOT_")}
        environ = {
            **outside,
            "BOT_HOME": str(self.folder / "home"),
            "SLACK_BOT_TOKEN": self.slack.bot_token,
            "SLACK_APP_TOKEN": self.slack.app_token,
        }
        with (self.folder / "bot.log").open("ab") as log:
            return await asyncio.create_subprocess_exec(
                sys.executable, "-m", "bot", *arguments,
                cwd=self.folder, env=environ, stdout=log, stderr=log,
            )  # fmt: skip

    async def open(self) -> None:
        (self.folder / "bot.toml").write_text(CONFIG.format(base_url=self.slack.base_url))
        lines = (json.dumps({"_id": name, "text": text}) for name, text in self.known)
        (self.folder / "inventory.jsonl").write_text("\n".join(lines) + "\n")
        if await (await self.bot("reindex")).wait():
            raise SystemExit(f"bot reindex failed: see {self.folder}/bot.log")
        self.server = await self.bot("serve", "--monitor", "0")
        await self.slack.connected(2, timeout=PATIENCE)
        for _ in range(3):  # the model is loaded with the first question
            await self.complete([await self.ask()])

    async def close(self) -> None:
        assert self.server is not None
        self.server.terminate()
        await self.server.wait()

    async def ask(self) -> tuple[str, str, Sequence[Delivery]]:
        """Mention the bot; a channel, a timestamp, and the deliveries that tell of it."""
        room, user = f"C{self.random.randrange(20)}", f"U{self.random.randrange(50)}"
        before = len(self.slack.deliverer.sent)
        ts = await self.slack.mention(
            room, user, f"Where is the {self.random.choice(self.known)[0]} kept?"
        )
        return room, ts, self.slack.deliverer.sent[before:]

    async def chatter(self) -> Sequence[Delivery]:
        """Somebody says something that is not for the bot."""
        before = len(self.slack.deliverer.sent)
        await self.slack.post_message(f"C{self.random.randrange(20)}", "U1", "Lunch?")
        return self.slack.deliverer.sent[before:]

    async def complete(self, asked: Sequence[tuple[str, str, Sequence[Delivery]]]) -> None:
        """Wait until everything is answered.

        Raises:
            TimeoutError: it is not.
        """
        async with asyncio.timeout(PATIENCE):
            for room, ts, _ in asked:
                while not any(  # noqa: ASYNC110 -- nobody tells
                    one.stream is None for one in self.slack.answers(room, ts)
                ):
                    await asyncio.sleep(0.01)
            await self.slack.settled()

    def until(
        self,
        asked: Sequence[tuple[str, str, Sequence[Delivery]]],
        methods: frozenset[str],
        *,
        last: bool = False,
    ) -> list[float]:
        """Milliseconds from the frame to the first call, or the last, of these methods for it."""
        calls: dict[tuple[str, str], float] = {}
        threads = {ts: one.thread for (_, ts), one in self.slack.world.messages.items()}
        for call in self.slack.calls:
            given = call.arguments
            thread = str(given.get("thread_ts") or threads.get(str(given.get("ts")), ""))
            key = (str(given.get("channel") or given.get("channel_id")), thread)
            if call.method in methods and (last or key not in calls):
                calls[key] = call.at
        return [1000 * (calls[room, ts] - sent[0].sent_at) for room, ts, sent in asked]


async def measure(folder: Path, chunks: int, at_once: int) -> None:
    office = Office(folder, chunks)
    rows: list[tuple[object, ...]] = []

    def row(name: str, milliseconds: Sequence[float], target: str = "") -> None:
        p50, p95 = np.percentile(milliseconds, [50, 95])
        rows.append((name, len(milliseconds), f"{p50:.1f}", f"{p95:.1f}", target))

    async with office.slack:
        await office.open()
        row("limit: one committed row in this PostgreSQL", await committed(folder / "home"))
        acks, asked = await steadily(office)
        row("frame → stored and acked, 20 events/s", acks, "p95 ≤ 20")
        row("frame → status", office.until(asked, STATUS), "≤ 100")
        row("frame → first text", office.until(asked, TEXT), "≤ 400")
        row("frame → complete", office.until(asked, ENDS, last=True))
        memory = _memory(office, "VmRSS")
        begun = time.monotonic()
        many = await asyncio.gather(*(office.ask() for _ in range(at_once)))
        await office.complete(many)
        took = time.monotonic() - begun
        row(f"{at_once} at once: frame → acked", [1000 * d.seconds for *_, s in many for d in s])
        row(f"{at_once} at once: frame → status", office.until(many, STATUS))
        row(f"{at_once} at once: frame → first text", office.until(many, TEXT))
        row(f"{at_once} at once: frame → complete", office.until(many, ENDS, last=True))
        peak = _memory(office, "VmHWM")
        await office.close()
    show(f"Milliseconds, {chunks:,} chunks, {os.cpu_count()} cores",
         ("what", "times", "p50", "p95", "target"), rows)  # fmt: skip
    print(f"{at_once} answers in {took:.1f} s: {at_once / took:.1f} a second")
    print(f"memory of `bot serve`: {memory} MB before, {peak} MB at most")


async def steadily(
    office: Office, seconds: float = 30.0
) -> tuple[list[float], list[tuple[str, str, Sequence[Delivery]]]]:
    """20 events a second: one question (two events) and 18 messages that are not for the bot."""
    told: list[Delivery] = []
    asked = []
    begun = time.monotonic()
    for tick in range(int(seconds * 20)):
        await asyncio.sleep(max(0.0, begun + tick / 20 - time.monotonic()))
        if tick % 20 == 0:
            asked.append(await office.ask())
            told += asked[-1][2]
        elif tick % 20 != 1:  # the mention was two
            told += await office.chatter()
    await office.complete(asked)
    return [1000 * delivery.seconds for delivery in told], asked


async def committed(home: Path, times: int = 100) -> list[float]:
    """Milliseconds to insert one row and have it on the disk."""
    embedded = EmbeddedServer(home)
    found = []
    async with await psycopg.AsyncConnection.connect(
        await embedded.start(), autocommit=True
    ) as connection:
        await connection.execute("create table bench_row (number int)")
        for number in range(times):
            begun = time.perf_counter()
            await connection.execute("insert into bench_row values (%s)", (number,))
            found.append(1000 * (time.perf_counter() - begun))
        await connection.execute("drop table bench_row")
    await embedded.stop()
    return found


def _memory(office: Office, what: str) -> int:
    """Megabytes of the server's process."""
    assert office.server is not None
    status = Path(f"/proc/{office.server.pid}/status").read_text()
    (line,) = [line for line in status.splitlines() if line.startswith(what)]
    return int(line.split()[1]) // 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--chunks", type=int, default=2000)
    parser.add_argument("--at-once", type=int, default=200)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="latency-", dir="/tmp"))
    folder.chmod(0o711)  # the server's own user enters it
    print("load before:", *(f"{load:.1f}" for load in os.getloadavg()))
    asyncio.run(measure(folder, options.chunks, options.at_once))
    print("load after:", *(f"{load:.1f}" for load in os.getloadavg()))
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
