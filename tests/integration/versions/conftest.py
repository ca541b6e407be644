"""Index versions on a real database with the real index."""

import pytest
from versioned import TEXTS, Toys, doc

from bot import worker as working
from bot.evaluation import golden
from bot.indexing import rebuild


@pytest.fixture
def offered():
    return Toys()


@pytest.fixture
async def bot(make_bot):
    async with make_bot() as made:
        yield made


@pytest.fixture
def fill(bot, offered):
    """Sync these documents: keys with their texts."""

    async def sync(_documents=None, **texts):
        offered.loader.items = _documents or [doc(key, text) for key, text in texts.items()]
        [progress] = await bot.sync()
        return progress

    return sync


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(working, "POLL", 0.05)
    monkeypatch.setattr(working, "LONGEST_WAIT", 0)
    monkeypatch.setattr(rebuild, "LOOK", 0.05)


@pytest.fixture
async def asked(bot, fill):
    """A golden question that the live version answers best."""
    await fill(**TEXTS)
    question = golden.Golden(question="text 3 one", sources={"doc:d3": 1})
    await golden.put(bot.database, [question])
