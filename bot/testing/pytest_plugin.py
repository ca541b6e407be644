"""pytest fixtures for plugins: a database, a bot, a Slack and language models of one's own.

    # conftest.py
    pytest_plugins = ["bot.testing.pytest_plugin"]

`server`, `template`, `conninfo`, `database` and `rows` come from `bot.testing.postgres`.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from bot.testing.postgres import conninfo, database, rows, server, template

if TYPE_CHECKING:
    from bot import Bot
    from bot.database import Database
    from bot.testing.fake_models import FakeModels
    from bot.testing.fake_slack import FakeSlack

__all__ = [
    "conninfo",
    "database",
    "fake_models",
    "fake_slack",
    "home",
    "make_bot",
    "rows",
    "server",
    "template",
]


@pytest.fixture
def home() -> Iterator[Path]:
    """A bot's home of this test alone, which the server's own user can reach."""
    folder = Path(tempfile.mkdtemp(prefix="bot-", dir="/tmp"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
async def make_bot(database: Database, home: Path) -> AsyncIterator[Callable[..., Awaitable[Bot]]]:
    """Make open bots: `await make_bot(TOML, NAME=PLUGIN, …)`.

    The plugins are those that are installed, and those that are given by name. `TOML` is what
    would stand in `bot.toml`; paths in it are relative to `home`. They are closed afterwards.
    """
    from bot import Bot
    from bot.assembly import installed
    from bot.database import Database
    from bot.settings import read

    async with AsyncExitStack() as opened:

        async def make(toml: str = "", **given: Any) -> Bot:
            path = home / "bot.toml"
            path.write_text(toml, encoding="utf-8")
            settings = read(path, {"BOT_HOME": str(home)})
            plugins = installed(settings, {})
            for name, plugin in given.items():
                plugins.register(plugin, name)
            bot = Bot(settings, plugins=plugins, database=Database(database.conninfo))
            return await opened.enter_async_context(bot)

        yield make


@pytest.fixture
async def fake_slack() -> AsyncIterator[FakeSlack]:
    """A running Slack on this machine; needs the extra `fake-slack`."""
    from bot.testing.fake_slack import FakeSlack

    async with FakeSlack() as slack:
        yield slack


@pytest.fixture
def fake_models() -> Iterator[FakeModels]:
    """Running language models on this machine; needs the extra `fake-models`."""
    from bot.testing.fake_models import FakeModels

    with FakeModels() as models:
        yield models
