"""A bot in this process, or `bot serve` in one of its own, and a Slack on this machine."""

import asyncio
import os
import shutil
import sys
import tempfile
from contextlib import asynccontextmanager
from pathlib import Path

import bot_slack
import pytest

from bot import Bot
from bot.database import Database
from bot.indexing import builtin
from bot.plugins import Plugins
from bot.settings import read
from bot.testing.fake_slack import FakeSlack

sys.path.insert(0, str(Path(__file__).parent))  # for slack_world.py

from slack_world import ASSISTANT, PLUGIN, Process, Toy, environ, eventually, toml


@pytest.fixture
async def slack():
    async with FakeSlack(retry_delays=(0.0, 0.2, 0.2)) as running:
        yield running


@pytest.fixture
def toy():
    return Toy()


@pytest.fixture
def serving(slack, toy, conninfo, tmp_path):
    """Start `async with serving(...)`: `Bot.serve` with a worker, in this process."""

    @asynccontextmanager
    async def serve(*, concurrency=8, sockets=2, assistants=ASSISTANT, **options):
        config = tmp_path / "bot.toml"
        config.write_text(toml(slack, assistants=assistants, **options))
        plugins = Plugins()
        plugins.register(builtin, "builtin")
        plugins.register(bot_slack, "slack")
        plugins.register(toy, "toy")
        settings = read(config, {**environ(slack), "BOT_HOME": str(tmp_path)})
        async with Bot(settings, plugins=plugins, database=Database(conninfo)) as bot:
            running = asyncio.create_task(bot.serve(concurrency=concurrency))
            try:
                if sockets:
                    await slack.connected(sockets)
                yield bot
            finally:
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)

    return serve


@pytest.fixture
async def settled(rows):
    """Wait until no stored message waits any more, and every event is acknowledged."""

    async def wait(slack, database):
        await slack.settled()

        async def done():
            async with database.connection() as connection:
                cursor = await connection.execute(
                    "select count(*) from inbox where state in ('waiting', 'answering')"
                )
                return (await cursor.fetchone())[0] == 0

        await eventually(done, "the inbox")

    return wait


@pytest.fixture
async def process(slack, conninfo):
    """A folder with a bot.toml for this Slack, where `bot` is run, with the plugin `toy`."""
    folder = Path(tempfile.mkdtemp(prefix="bot-", dir="/tmp"))
    plugins = folder / "plugins"
    info = plugins / "toy-1.0.dist-info"
    info.mkdir(parents=True)
    (plugins / "toy.py").write_text(PLUGIN)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: toy\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[bot]\ntoy = toy\n")
    outside = {k: v for k, v in os.environ.items() if not k.startswith("BOT_")}
    variables = {
        **outside, **environ(slack), "PYTHONPATH": str(plugins), "BOT_DATABASE_URL": conninfo,
        "BOT_HOME": str(folder / "home"), "NO_COLOR": "1",
    }  # fmt: skip
    made = Process(folder, variables)
    yield made
    await made.kill()
    shutil.rmtree(folder)
