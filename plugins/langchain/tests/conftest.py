"""Fixtures of the kit for plugin authors, and a generator that asks the local models."""

import sys
from pathlib import Path

import pytest

from bot.testing.pytest_plugin import fake_models, home, make_bot

sys.path.insert(0, str(Path(__file__).parent))  # for langchain_toys.py

__all__ = ["fake_models", "home", "make_bot"]

SOURCES = [
    '{"_id": "printer", "text": "The printer stands on the second floor.", "title": "Office"}',
    '{"_id": "soup", "text": "The canteen serves soup at noon.", "title": "Canteen"}',
    '{"_id": "wage", "text": "The secret wage for the printer is five.", "readers": ["group:hr"]}',
]


@pytest.fixture(autouse=True)
def nothing_from_outside(monkeypatch):
    """No key, no address and no tracing of whoever runs the tests."""
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "OLLAMA_HOST", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LANGSMITH_TRACING", "false")


@pytest.fixture
def toml(home, fake_models):
    """A bot.toml whose generator `cloud` is a local model, with documents to answer from."""
    (home / "office.jsonl").write_text("\n".join(SOURCES))

    def written(generator="", more=""):
        return f"""
[assistants.default]
generator = "cloud"
[generators.cloud]
type = "langchain"
model = "openai:small"
base_url = "{fake_models.openai_url}"
{generator}
[sources.office]
type = "jsonl"
path = "office.jsonl"
[index]
embedder = "words"
[embedders.words]
type = "langchain"
class = "langchain_toys.WordEmbeddings"
dimensions = 64
may_receive = "all"
[groups]
hr = ["email:ann@example.com"]
{more}
"""

    return written


@pytest.fixture
def answered(make_bot, toml):
    """Make a bot, index its documents, and ask it something: its answer."""

    async def ask(question="Where does the printer stand?", generator="", more="", **given):
        bot = await make_bot(toml(generator, more))
        await bot.sync()
        events = [event async for event in bot.reply(question, **given)]
        return events[-1].answer

    return ask
