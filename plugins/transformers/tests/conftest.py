"""Tiny models, generators over them, and what a turn of theirs says."""

import os
import sys
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"
sys.path.insert(0, str(Path(__file__).parent))  # for tiny.py

import bot_transformers
import pytest
import tiny
import torch
from bot_transformers import sharing

from bot import Context, Turn, schema
from bot.plugins import Plugins
from bot.settings import principal
from bot.turn import Conversation, Prompt

torch.set_num_threads(1)


@pytest.fixture(scope="session")
def shapes(tmp_path_factory):
    """A folder with a tiny model of each shape, which knows some answers."""
    return {name: tiny.taught(tmp_path_factory.mktemp(name), name) for name in tiny.CLASSES}


@pytest.fixture(scope="session")
def llama(shapes):
    return shapes["llama"]


@pytest.fixture
async def make():
    """Make generators; they are closed at the end, and no base stays behind."""
    made = []

    def open_(kind="transformers", context=None, **settings):
        (offer,) = [one for one in bot_transformers.bot_components() if one.type == kind]
        settings = {key: str(v) if isinstance(v, Path) else v for key, v in settings.items()}
        valid = offer.settings.model_validate({"precision": "float32", **settings})
        made.append(offer.make("local", valid, context))
        return made[-1]

    yield open_
    for one in made:
        await one.aclose()
    assert not sharing._shared


@pytest.fixture
async def context(database, tmp_path):
    plugins = Plugins()
    plugins.register(bot_transformers, "transformers")
    await schema.ensure(database, [schema.core_migrations(), *plugins.migrations()])
    return Context(home=tmp_path, database=database, embed=None)


def asked(question, *, messages=None, key="k", principals=("everyone",)):
    """A turn with its prompt."""
    messages = messages or (("system", "Answer."), ("user", question))
    turn = Turn(
        id="t",
        question=question,
        conversation=Conversation(channel="test", key=key),
        principals=frozenset(map(principal, principals)),
    )
    return turn, Prompt(messages=tuple(messages), passages=(), question=question)


async def answer(generator, question, **options):
    """All that a generator says: its text, and its last usage."""
    deltas = [delta async for delta in generator.bot_generate(*asked(question, **options))]
    return "".join(delta.text for delta in deltas)


@pytest.fixture
def say():
    return answer


@pytest.fixture
def ask():
    return asked
