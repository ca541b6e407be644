"""What may leave this machine: nothing before it is allowed, and then no more than that."""

from contextlib import AsyncExitStack
from dataclasses import replace

import numpy as np
import pytest

from bot import Bot, Component, hookimpl, leaving, prompt, record
from bot.curated import Curated, find, put
from bot.database import Database
from bot.document import IndexVersion
from bot.errors import EmbeddingError, MayNotReceive
from bot.indexing import builtin
from bot.leaving import Remote
from bot.plugins import Plugins
from bot.settings import read
from bot.turn import (
    Answer,
    Assistant,
    Conversation,
    Failed,
    Finished,
    Message,
    Outcome,
    Passage,
    Turn,
)

EVERYBODY, HR = frozenset({"everyone"}), frozenset({"group:hr"})
PRINTER = Passage(id="p", text="The printer stands upstairs.", readers=EVERYBODY, source="s")
WAGES = Passage(id="w", text="The printer costs a secret wage.", readers=HR, source="s")
HR_ASKS = {"principals": ["email:ann@example.com"]}
TOML = """
[assistants.default]
generator = "cloud"
retrievers = ["shelf"]
[generators.cloud]
type = "cloud"
{allowed}
[groups]
hr = ["email:ann@example.com"]
"""


class CloudSettings(Remote):
    """Sends text to a host, unless it is this one."""

    host: str = "api.example.com"

    @property
    def elsewhere(self):
        return leaving.host_elsewhere(self.host)


class WrapperSettings(CloudSettings):
    generator: str
    host: str = "localhost"


class Cloud:
    """A generator that remembers what it was sent."""

    def __init__(self):
        self.sent = []

    @hookimpl
    async def bot_generate(self, turn, prompt):
        self.sent.append((turn, prompt))
        yield "It is upstairs. [1]"

    @hookimpl
    async def bot_retrieve(self, turn):
        self.sent.append((turn, None))
        return [PRINTER]

    @property
    def text(self):
        return "\n".join(f"{turn} {asked}" for turn, asked in self.sent)


class Wrapper:
    def __init__(self, context):
        self.context = context

    @hookimpl
    async def bot_generate(self, turn, prompt):
        inner = await self.context.generator("cloud")
        async for delta in inner.deltas(turn, prompt):
            yield delta


class Plugin:
    """Offers the cloud, and a wrapper around it."""

    def __init__(self, cloud):
        self.cloud = cloud

    @hookimpl
    def bot_components(self):
        return [
            Component(kind=kind, type="cloud", settings=CloudSettings,
                      make=lambda name, settings, context: self.cloud)
            for kind in ("generator", "retriever")
        ] + [
            Component(kind="generator", type="wrapper", settings=WrapperSettings,
                      make=lambda name, settings, context: Wrapper(context))
        ]  # fmt: skip


class Shelf:
    @hookimpl
    async def bot_retrieve(self, turn):
        return [WAGES, PRINTER]


@pytest.fixture
async def make_bot(database, tmp_path):
    """Make open bots of a configuration and some plugins; they are closed afterwards."""
    async with AsyncExitStack() as opened:

        async def make(toml, **given):
            (tmp_path / "bot.toml").write_text(toml)
            environ = {"BOT_HOME": str(tmp_path / "home")}
            plugins = Plugins()
            for name, plugin in {"builtin": builtin, **given}.items():
                plugins.register(plugin, name)
            bot = Bot(
                read(tmp_path / "bot.toml", environ),
                plugins=plugins,
                database=Database(database.conninfo),
                environ=environ,
            )
            return await opened.enter_async_context(bot)

        yield make


@pytest.fixture
def cloud():
    return Cloud()


@pytest.fixture
async def bot(make_bot, cloud):
    async def make(allowed='may_receive = "public"', more=""):
        toml = TOML.format(allowed=allowed) + more
        return await make_bot(toml, cloudy=Plugin(cloud), shelf=Shelf())

    return make


async def ask(bot, question="Where is the printer?", **more):
    events = [event async for event in bot.reply(question, **more)]
    assert isinstance(events[-1], Finished | Failed)
    return events[-1].answer


async def test_nothing_is_sent_before_it_is_allowed(bot, cloud):
    answer = await ask(await bot(allowed=""))
    assert answer.outcome is Outcome.failed
    assert "may receive nothing" in answer.error
    assert cloud.sent == []


async def test_a_component_of_this_machine_needs_no_permission(bot, cloud):
    answer = await ask(await bot(allowed='host = "127.0.0.1"'), **HR_ASKS)
    assert answer.outcome is Outcome.answered
    assert "secret wage" in cloud.text


async def test_public_is_what_everyone_may_read(bot, cloud):
    answer = await ask(await bot(), **HR_ASKS)
    assert answer.outcome is Outcome.answered
    assert "upstairs" in cloud.text
    assert "secret" not in cloud.text
    assert "ann@example.com" not in cloud.text
    assert any("1 of the passages found" in notice for notice in answer.notices)


async def test_all_is_what_the_asker_may_read(bot, cloud):
    made = await bot(allowed='may_receive = "all"')
    await ask(made)
    assert "secret" not in cloud.text
    await ask(made, **HR_ASKS)
    assert "secret" in cloud.text


async def test_when_all_that_was_found_is_private_nothing_is_sent(make_bot, cloud):
    class Safe:
        @hookimpl
        async def bot_retrieve(self, turn):
            return [WAGES]

    toml = TOML.format(allowed='may_receive = "public"')
    made = await make_bot(toml, cloudy=Plugin(cloud), shelf=Safe())
    answer = await ask(made, **HR_ASKS)
    assert "may not leave this machine" in answer.error
    assert cloud.sent == []


async def test_a_generator_around_it_receives_no_more(bot, cloud):
    wrapped = '[assistants.wrapped]\ngenerator = "around"\nretrievers = ["shelf"]\n'
    wrapped += '[generators.around]\ntype = "wrapper"\ngenerator = "cloud"\n'
    answer = await ask(await bot(more=wrapped), assistant="wrapped", **HR_ASKS)
    assert answer.outcome is Outcome.answered
    assert "secret" not in cloud.text


async def test_who_chooses_it_later_is_refused_with_a_private_prompt(bot, cloud):
    """As a router does, which is asked with all that the asker may read."""
    made = await bot()
    generator = await made._components._context.generator("cloud")
    turn = Turn(id="t", question="?", assistant=Assistant(retrievers=("shelf",)))
    asked = await prompt.build(turn, [PRINTER, WAGES], None, prompt.estimate_tokens)
    with pytest.raises(MayNotReceive, match="holds more"):
        await anext(generator.deltas(turn, asked))
    told = Message(role="assistant", text="The wage is 5.", public=False)
    later = replace(turn, conversation=Conversation(history=(told,)))
    asked = await prompt.build(later, [PRINTER], None, prompt.estimate_tokens)
    assert not asked.public
    with pytest.raises(MayNotReceive):
        await anext(generator.deltas(later, asked))
    assert cloud.sent == []


async def test_an_earlier_answer_from_private_passages_stays_here(bot, cloud, database):
    made = await bot()
    for number, (text, readers) in enumerate([("A wage of 5.", HR), ("Upstairs.", EVERYBODY)]):
        turn = Turn(id=f"t{number}", question="q", conversation=Conversation(channel="x", key="k"))
        answer = Answer(
            turn=turn.id, outcome=Outcome.answered, text=text, generator="curated", readers=readers
        )
        await record.start(database, turn, "ann")
        await record.finish(database, turn, answer)
    await ask(made, channel="x", conversation="k", **HR_ASKS)
    assert "Upstairs." in cloud.text
    assert "wage of 5" not in cloud.text


async def test_who_may_not_read_a_curated_answer_is_not_told_it_in_a_follow_up(database):
    turn = Turn(id="t", question="q", conversation=Conversation(channel="x", key="k"))
    answer = Answer(turn="t", outcome=Outcome.answered, text="5 a month.", readers=HR)
    await record.start(database, turn, "ann")
    await record.finish(database, turn, answer)
    told = await record.history(database, "x", "k", EVERYBODY)
    assert [one.text for one in told] == ["q"]
    told = await record.history(database, "x", "k", HR | EVERYBODY)
    assert [(one.text, one.public) for one in told] == [("q", True), ("5 a month.", False)]


async def test_a_retriever_elsewhere_asks_as_nobody_in_particular(bot, cloud):
    more = '[assistants.far]\nretrievers = ["shelf", "far"]\ngenerator = "here"\n'
    more += '[retrievers.far]\ntype = "cloud"\nmay_receive = "public"\n'
    more += '[generators.here]\ntype = "cloud"\nhost = "localhost"\n'
    made = await bot(more=more)
    await made.search("Where?", assistant="far", **HR_ASKS)
    (searched, _), *_ = cloud.sent
    assert searched.principals == EVERYBODY
    cloud.sent.clear()
    forbidden = await bot(more=more.replace('"public"', '"nothing"'))
    passages, run = await forbidden.search("Where?", assistant="far", **HR_ASKS)
    assert {one.id for one in passages} == {"p", "w"}
    assert cloud.sent == []
    assert any("far" in notice for notice in run.notices)


class FarEmbedder:
    """Remembers what it was sent."""

    def __init__(self):
        self.texts = []

    @hookimpl
    def bot_embedder_identity(self):
        return {"name": "far", "sha256": "0", "dimensions": 2, "max_tokens": 256}

    @hookimpl
    def bot_token_spans(self, texts):
        return [[(0, len(text))] if text else [] for text in texts]

    @hookimpl
    async def bot_embed(self, texts, purpose):
        self.texts += texts
        return np.array([[1.0, 0.0]] * len(texts), np.float32)


@pytest.fixture
def far():
    return FarEmbedder()


def embedding_plugin(far):
    class Offers:
        @hookimpl
        def bot_components(self):
            return [Component(kind="embedder", type="far", settings=CloudSettings,
                              make=lambda name, settings, context: far)]  # fmt: skip

    return Offers()


def embedding_toml(allowed):
    return f"""
[assistants.default]
retrievers = []
generator = "far_plugin"
[embedders.far]
may_receive = "{allowed}"
[index]
embedder = "far"
[sources.open]
type = "jsonl"
path = "open.jsonl"
[sources.closed]
type = "jsonl"
path = "closed.jsonl"
readers = ["group:hr"]
[groups]
hr = ["email:ann@example.com"]
"""


@pytest.fixture
def sources(tmp_path):
    (tmp_path / "open.jsonl").write_text('{"_id": "1", "text": "The canteen opens at noon."}\n')
    (tmp_path / "closed.jsonl").write_text('{"_id": "2", "text": "The secret wage is 5."}\n')


async def test_an_embedder_elsewhere_is_sent_public_documents_alone(make_bot, far, sources):
    made = await make_bot(embedding_toml("public"), far_plugin=embedding_plugin(far))
    finished = await made.sync()
    assert any("noon" in text for text in far.texts)
    assert not any("secret" in text for text in far.texts)
    problems = [problem for progress in finished for problem in progress.problems]
    assert problems == [
        ("2", "not everyone may read it, and its embedder may receive only what is public")
    ]


async def test_an_embedder_that_may_receive_nothing_is_sent_nothing(make_bot, far, sources):
    made = await make_bot(embedding_toml("nothing"), far_plugin=embedding_plugin(far))
    with pytest.raises(EmbeddingError, match="may receive nothing"):
        await made.sync()
    assert far.texts == []


async def test_a_private_curated_question_is_not_sent_to_be_compared(make_bot, far, database):
    made = await make_bot(embedding_toml("public"), far_plugin=embedding_plugin(far))
    version = IndexVersion(
        id=1, state="live", dimensions=2,
        settings={"embedder": {"type": "far", "options": {"may_receive": "public"}}},
    )  # fmt: skip
    await put(database, Curated(question="What is the secret wage?", answer="5", readers=HR))
    await put(database, Curated(question="When is noon?", answer="At 12.", readers=EVERYBODY))
    turn = Turn(id="t", question="When is it noon?", index=version, principals=HR | EVERYBODY)
    found = await find(database, turn, made._components.embed)
    assert found is not None
    assert found.answer == "At 12."
    assert far.texts == ["When is it noon?", "When is noon?"]
    with pytest.raises(EmbeddingError, match="more than"):
        await made._components.embed(["text of a passage"], "document", version)
    exact = replace(turn, question="What is the secret wage?")
    found = await find(database, exact, made._components.embed)
    assert found is not None
    assert found.answer == "5", "the same words still find it"


def test_what_is_this_machine_and_what_is_not():
    for url in ("http://localhost:8000/v1", "http://127.0.0.1", "http://[::1]:80", "localhost:1"):
        assert leaving.host_elsewhere(url) == "", url
    for url, host in {
        "https://api.openai.com/v1": "api.openai.com",
        "http://127.0.0.1.evil.example": "127.0.0.1.evil.example",
        "http://localhost@evil.example": "evil.example",
        "http://192.168.0.7:8000": "192.168.0.7",
        "http://0.0.0.0": "0.0.0.0",
    }.items():
        assert leaving.host_elsewhere(url) == host
