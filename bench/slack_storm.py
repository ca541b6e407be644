"""A storm over a bot in Slack, and a count of what is left of it.

    python bench/slack_storm.py --events 5000 --conversations 200

`bot serve` runs in a process of its own, with its embedded PostgreSQL, against a Slack on this
machine. The seed decides who asks what and when, which events come twice or overtake others, which
calls Slack refuses, limits or loses, which plugin fails, when sockets close, and when the server
and PostgreSQL are killed with SIGKILL. Afterwards every message must have exactly one answer,
refusal or apology, complete, in order within its conversation, and there must be no other post.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from slack_count import Asked, Report, look, still_waiting, stored
from table import show

from bot.embedded import EmbeddedServer
from bot.testing.fake_slack import TIERS, Channel, FakeSlack, User

RATE = 50  # times Slack's limits, so that an hour's storm takes minutes
PATIENCE = 900  # seconds from the last event until everything must be answered
CONFIG = """
[assistants.default]
retrievers = ["storm", "lame"]
generator = "storm"
[channels.slack]
bot_token = {{env = "SLACK_BOT_TOKEN"}}
app_token = {{env = "SLACK_APP_TOKEN"}}
base_url = "{base_url}"
rate = {rate}.0
per_minute = 1000000
per_day = 1000000
"""
PLUGIN = """
import asyncio
from bot import Delta, Passage, hookimpl

@hookimpl
async def bot_retrieve(turn):
    return [Passage(id="p", text="It is written.", readers=frozenset({"everyone"}), title="Book",
                    uri="https://docs.example.com/book")]

@hookimpl
async def bot_generate(turn, prompt):
    name, how = turn.question.split()[:2]
    if how == "breaks":
        raise RuntimeError("a plugin fails")
    yield Delta(text=f"Begin {name} [1]. ", refusal=how == "refused")
    await asyncio.sleep(1.5 if how == "slowly" else 0.02)
    if how == "breaks-off":
        raise RuntimeError("a plugin fails in the midst")
    yield Delta(text=f"End {name}.", refusal=how == "refused")
"""
LAME = """
from bot import hookimpl

@hookimpl
async def bot_retrieve(turn):
    if "half" in turn.question:
        raise RuntimeError("one of two retrievers fails")
    return []
"""
HOW = {"answered": 60, "slowly": 10, "half": 10, "refused": 8, "breaks": 6, "breaks-off": 6}
WRITING = ("chat.startStream", "chat.appendStream", "chat.stopStream", "chat.postMessage",
           "chat.update")  # fmt: skip
READING = ("users.info", "conversations.info", "conversations.replies")


class Storm:
    """One seeded storm in a folder of its own.

    Args:
        pace: events a second.
        kills: how often the server is killed; PostgreSQL is killed as often.
    """

    def __init__(
        self, folder: Path, seed: int, *, events: int, conversations: int, pace: float, kills: int
    ) -> None:
        self.folder = folder
        # Each its own, so that a seed's messages are the same however long anything takes.
        self.people, self.weather, self.killer = (random.Random(f"{seed} {n}") for n in range(3))
        self.events, self.conversations, self.pace = events, conversations, pace
        self.kills = kills
        self.report = Report(seed)
        self.asked: list[Asked] = []
        users = [User(id=f"U{n}", name=f"person{n}", email=f"p{n}@example.com") for n in range(20)]
        channels = [Channel(id=f"C{n}", name=f"room{n}") for n in range(10)]
        self.slack = FakeSlack(
            users=users,
            channels=channels,
            rate_limits={method: RATE * calls for method, calls in TIERS.items()},
            retry_delays=(0.0, 10.0, 60.0),  # shorter than Slack's
            seed=seed,
        )
        self.slack.deliverer.jitter = 1.0
        self.server: asyncio.subprocess.Process | None = None

    async def run(self) -> Report:
        """Let it blow, wait until it is calm, and count."""
        begun = time.monotonic()
        self._prepare()
        async with self.slack:
            (self.folder / "bot.toml").write_text(
                CONFIG.format(base_url=self.slack.base_url, rate=RATE)
            )
            try:
                await self._start()
                await self.slack.connected(2, timeout=120)
                blowing = asyncio.create_task(self._blow())
                killing = asyncio.create_task(self._kill())
                await self._ask()
                await killing
                blowing.cancel()
                await asyncio.gather(blowing, return_exceptions=True)
                self.slack.faults.clear()
                await self._calm()
            finally:
                await self._stop()
        self.report.seconds = time.monotonic() - begun
        return self.report

    # -- the bot ----------------------------------------------------------------------------------

    def _prepare(self) -> None:
        for name, text in (("storm", PLUGIN), ("lame", LAME)):
            about = self.folder / "site" / f"{name}-1.0.dist-info"
            about.mkdir(parents=True)
            (self.folder / "site" / f"{name}.py").write_text(text)
            (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
            (about / "entry_points.txt").write_text(f"[bot]\n{name} = {name}\n")

    async def _start(self) -> None:
        outside = {k: v for k, v in os.environ.items() if not k.startswith("BOT_")}
        environ = {
            **outside,
            "BOT_HOME": str(self.folder / "home"),
            "BOT_PLUGINS": "slack,storm,lame",
            "PYTHONPATH": f"{self.folder / 'site'}:{os.environ.get('PYTHONPATH', '')}",
            "SLACK_BOT_TOKEN": self.slack.bot_token,
            "SLACK_APP_TOKEN": self.slack.app_token,
        }
        with (self.folder / "serve.log").open("ab") as log:
            self.server = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "bot", "serve", "--monitor", "0",
                cwd=self.folder, env=environ, stdout=log, stderr=log,
            )  # fmt: skip

    async def _stop(self) -> None:
        if self.server is not None and self.server.returncode is None:
            self.server.terminate()
            try:
                await asyncio.wait_for(self.server.wait(), 60)
            except TimeoutError:
                self.server.kill()
                await self.server.wait()
                self.report.troubles.append("the server does not stop")

    # -- the people -------------------------------------------------------------------------------

    async def _ask(self) -> None:
        """Write messages until there are enough events."""
        threads: list[tuple[str, str, str]] = []  # channel, user and first message
        events = 0
        while events < self.events:
            if len(threads) < self.conversations:
                room, user = self._somewhere()
                asked = await self._say(room, user, "", mention=room != "dm")
                threads.append((asked.channel, user, asked.ts))
            else:
                room, user, thread = self.people.choice(threads)
                mention = self.people.random() < 0.4 and not room.startswith("D")
                asked = await self._say(room, user, thread, mention=mention)
            for _ in range(self.people.choices((0, 1, 2), (80, 15, 5))[0]):
                self._again(asked)
            events += len(asked.deliveries)
            await asyncio.sleep(self.people.expovariate(self.pace / len(asked.deliveries)))
        self.report.counts["events"] = events
        self.report.counts["messages"] = len(self.asked)

    def _somewhere(self) -> tuple[str, str]:
        user = f"U{self.people.randrange(20)}"
        room = "dm" if self.people.random() < 0.3 else f"C{self.people.randrange(10)}"
        return room, user

    async def _say(self, room: str, user: str, thread: str, *, mention: bool) -> Asked:
        name = f"q{len(self.asked)}x"
        how = self.people.choices(list(HOW), list(HOW.values()))[0]
        before = len(self.slack.deliverer.sent)
        text = f"{name} {how} please"
        if mention:
            ts = await self.slack.mention(room, user, text, thread or None)
        else:
            ts = await self.slack.post_message(room, user, text, thread or None)
        channel = self.slack.world.direct(user).id if room == "dm" else room
        asked = Asked(channel, ts, thread or ts, name, how, mention or channel.startswith("D"))
        asked.deliveries = self.slack.deliverer.sent[before:]
        self.asked.append(asked)
        return asked

    def _again(self, asked: Asked) -> None:
        """Slack tells of the same event once more, though it was acknowledged."""
        delivery = self.slack.redeliver(self.people.choice(asked.deliveries))
        asked.deliveries.append(delivery)
        self.report.counts["told again"] += 1

    # -- the weather ------------------------------------------------------------------------------

    async def _blow(self) -> None:
        """Let calls and sockets fail, a few a second."""
        while True:
            await asyncio.sleep(self.weather.expovariate(4.0))
            if self.weather.random() < 0.06:
                reason = self.weather.choice(("refresh_requested", "warning", "abort"))
                await self.slack.deliverer.disconnect(reason, one=self.weather.random() < 0.7)
                self.report.faults[f"socket: {reason}"] += 1
                continue
            kinds = ("rate_limit", "lost_reply", "lost_call", "status", "error", "delay")
            kind = self.weather.choice(kinds)
            method = self.weather.choice(WRITING if self.weather.random() < 0.8 else READING)
            seconds = self.weather.randint(1, 2)
            self.slack.faults.add(method, kind, seconds=seconds)

    async def _kill(self) -> None:
        """Kill the server and PostgreSQL in turn, spread over the storm."""
        length = self.events / self.pace
        for number in range(2 * self.kills):
            await asyncio.sleep(length / (2 * self.kills + 1))
            if number % 2:
                await self._kill_postgresql(everything=self.killer.random() < 0.5)
                continue
            assert self.server is not None
            self.server.kill()
            await self.server.wait()
            self.report.faults["server killed"] += 1
            await asyncio.sleep(self.killer.uniform(0.0, 2.0))
            await self._start()

    async def _kill_postgresql(self, *, everything: bool) -> None:
        """Kill the postmaster, or one of its processes, which makes it begin anew.

        One that is still beginning anew, on a busy machine, is waited for.
        """
        while True:
            try:
                postmaster, backends = _processes(self.folder / "home/postgresql/data")
                victims = [postmaster] if everything else backends or [postmaster]
                os.kill(self.killer.choice(victims), signal.SIGKILL)
                break
            except (FileNotFoundError, IndexError, ProcessLookupError):
                await asyncio.sleep(0.1)
        self.report.faults["PostgreSQL killed" if everything else "backend killed"] += 1

    # -- what is left -----------------------------------------------------------------------------

    async def _calm(self) -> None:
        """Wait until everything is acknowledged and answered, then look at all of it."""
        embedded = EmbeddedServer(self.folder / "home")
        conninfo = await embedded.start()
        try:
            deadline = time.monotonic() + PATIENCE
            while (
                waiting := await asyncio.to_thread(still_waiting, conninfo)
            ) or self._unsettled():
                if time.monotonic() > deadline:
                    self.report.troubles.append(f"after {PATIENCE} s: {waiting} are not answered")
                    break
                assert self.server is not None
                if self.server.returncode is not None:
                    self.report.troubles.append(f"the server ended: {self.server.returncode}")
                    break
                await asyncio.sleep(0.5)
            await asyncio.sleep(2.0)  # a stray writer would be seen
            look(self.report, self.slack, self.asked, stored(conninfo))
        finally:
            await embedded.stop()

    def _unsettled(self) -> bool:
        return any(not one.acked and one.attempts < 4 for one in self.slack.deliverer.sent)


def _processes(data: Path) -> tuple[int, list[int]]:
    """The postmaster, and those of its processes that serve somebody."""
    pid = int((data / "postmaster.pid").read_text().split()[0])
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return pid, [int(one) for one in children if _is_backend(int(one))]


def _is_backend(pid: int) -> bool:
    with suppress(FileNotFoundError):
        return b"bot" in Path(f"/proc/{pid}/cmdline").read_bytes()
    return False


def storm(seed: int, **options: Any) -> Report:
    """Run one storm in a new folder, which is removed unless something is wrong."""
    folder = Path(tempfile.mkdtemp(prefix="storm-", dir="/tmp"))
    folder.chmod(0o711)  # the server's own user enters it
    report = asyncio.run(Storm(folder, seed, **options).run())
    if report.troubles:
        report.troubles.append(f"see {folder}/serve.log")
    else:
        shutil.rmtree(folder, ignore_errors=True)
    return report


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--events", type=int, default=5000, help="That people cause.")
    parser.add_argument("--conversations", type=int, default=200)
    parser.add_argument("--pace", type=float, default=20.0, help="Events a second.")
    parser.add_argument("--kills", type=int, default=6, help="Of the server; of PostgreSQL, too.")
    options = vars(parser.parse_args())
    report = storm(options.pop("seed"), **options)
    counted = [*report.counts.items(), *report.faults.items(), *report.outcomes.items()]
    counted += [("seconds", round(report.seconds)), ("troubles", len(report.troubles))]
    show(f"Storm {report.seed}", ["", "count"], counted)
    for trouble in report.troubles[:20]:
        print(trouble)
    return 1 if report.troubles else 0


if __name__ == "__main__":
    sys.exit(main())
