"""Plugins that pass the conformance suites, and for each check one that fails it."""

import asyncio
import re
import time
from collections.abc import Iterator

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from bot import Component, Delta, Document, Found, Passage, hookimpl
from bot.errors import SourceError
from bot.plugins import Plugins
from bot.testing.conformance import (
    LoaderConformance,
    RetrieverConformance,
)
from bot.testing.conformance import embedder as embedder_suite


class Settings(BaseModel):
    model_config = ConfigDict(extra="forbid")

    path: str = Field("", description="Where it is.")


def offering(kind, make, settings=Settings):
    """A plugin that offers one component, `mine`."""

    class Plugin:
        @hookimpl
        def bot_components(self):
            return [Component(kind=kind, type="mine", settings=settings, make=make)]

    return Plugin()


def suite(base, make, **attributes):
    """A suite that runs on what `make` makes, without an installed distribution."""

    def loaded(self):
        plugins = Plugins()
        plugins.register(offering(base.kind, make), "mine")
        plugins.loaded = [type("Loaded", (), {"error": ""})]
        return plugins

    return type("Suite", (base,), {"plugin": "mine", "loaded": loaded, **attributes})


WORDS = {"chunk": "a piece of a document", "turn": "one question", "channel": "where people talk"}


EVERYBODY = frozenset({"everyone"})


class Glossary:
    @hookimpl
    async def bot_retrieve(self, turn):
        found = await self.find(turn)
        return found[: turn.k]

    async def find(self, turn):
        await asyncio.sleep(0)
        asked = set(re.findall(r"\w+", " ".join(turn.queries).lower()))
        return [
            self.passage(word, score=1 / rank)
            for rank, word in enumerate(WORDS, 1)
            if word in asked
        ]

    def passage(self, word, **more):
        return Passage(id=word, text=f"{word}: {WORDS[word]}", **{"readers": EVERYBODY, **more})


class Tuples(Glossary):
    async def find(self, turn):
        return [(one.id, one.text) for one in await super().find(turn)]


class Generous(Glossary):
    @hookimpl
    async def bot_retrieve(self, turn):
        return await self.find(turn)


class Careless(Glossary):
    def passage(self, word, **more):
        return super().passage(word, **more, readers=frozenset({"email:boss@example.com"}))


class Pattern(Glossary):
    async def find(self, turn):
        re.compile(" ".join(turn.queries))
        return await super().find(turn)


class Slow(Glossary):
    async def find(self, turn):
        if len(turn.question) > 50_000:
            raise ValueError("the URI is too long")
        return await super().find(turn)


class Moody(Glossary):
    def __init__(self):
        self.asked = 0

    async def find(self, turn):
        self.asked += 1
        return (await super().find(turn))[self.asked % 2 :]


class Shared(Glossary):
    async def find(self, turn):
        self.turn = turn
        await asyncio.sleep(0.001)
        return await super().find(self.turn)


class Stubborn(Glossary):
    async def find(self, turn):
        for _ in range(75):
            try:
                await asyncio.sleep(0.05)
            except asyncio.CancelledError:
                continue
        return await super().find(turn)


class Locked(Glossary):
    """Stays locked when it is cancelled."""

    locked = False

    async def find(self, turn):
        if self.locked:
            raise RuntimeError("the lock is not given back")
        self.locked = True
        await asyncio.sleep(0.1)
        self.locked = False
        return await super().find(turn)


class Blocking(Glossary):
    async def find(self, turn):
        time.sleep(1.5)  # noqa: ASYNC251 - what it is there to show
        return await super().find(turn)


class Leaky(Glossary):
    def __init__(self):
        self.files = []

    async def find(self, turn):
        self.files.append(open("/dev/null"))  # noqa: SIM115, ASYNC230 - what it is there to show
        return await super().find(turn)


RETRIEVERS = {
    "test_passages_are_well_formed": Tuples,
    "test_no_more_than_k_and_the_best_first": Generous,
    "test_nobody_reads_what_is_not_theirs": Careless,
    "test_no_question_breaks_it": Pattern,
    "test_a_huge_question": Slow,
    "test_the_same_question_twice": Moody,
    "test_many_turns_at_once": Shared,
    "test_a_turn_that_is_stopped": Stubborn,
    "test_a_turn_that_took_too_long": Locked,
    "test_it_lets_others_run": Blocking,
    "test_it_leaks_no_files": Leaky,
}


def retriever(make):
    return suite(RetrieverConformance, lambda *_: make(), question="What are chunk and turn?")


class Quoting:
    """Quotes the first passage, word by word."""

    @hookimpl
    async def bot_generate(self, turn, prompt):
        await self.begin()
        if not prompt.passages:
            yield Delta(text="I found nothing.", refusal=True)
        for passage in prompt.passages[:1]:
            for word in self.words(passage.text):
                await asyncio.sleep(0)
                yield Delta(text=f"{word} ", verbatim=True)
            yield Delta(text="[1]")

    async def begin(self):
        pass

    def words(self, text):
        return text.split()[:20]

    @hookimpl
    def bot_context_limit(self):
        return 1000

    @hookimpl
    def bot_count_tokens(self, text):
        return len(text.split())


class Silent(Quoting):
    def words(self, text):
        return []

    @hookimpl
    async def bot_generate(self, turn, prompt):
        yield Delta(text="  ")


class AtOnce(Quoting):
    @hookimpl
    async def bot_generate(self, turn, prompt):
        said = [one.text async for one in super().bot_generate(turn, prompt)]
        yield "".join(said)


class Needy(Quoting):
    @hookimpl
    async def bot_generate(self, turn, prompt):
        yield prompt.passages[0].text


class Inventing(Quoting):
    @hookimpl
    async def bot_generate(self, turn, prompt):
        async for one in super().bot_generate(turn, prompt):
            yield one
        yield " as in [3]"


class Small(Quoting):
    def words(self, text):
        if len(text) > 2_000:
            raise ValueError("too long")
        return super().words(text)


class Restless(Quoting):
    async def begin(self):
        self.task = asyncio.create_task(asyncio.sleep(30))


class Mixing(Quoting):
    @hookimpl
    async def bot_generate(self, turn, prompt):
        self.prompt = prompt
        await asyncio.sleep(0.01)
        async for one in super().bot_generate(turn, self.prompt):
            yield one


class BlockingWriter(Quoting):
    async def begin(self):
        time.sleep(1.5)  # noqa: ASYNC251 - what it is there to show


class Miscounting(Quoting):
    @hookimpl
    def bot_count_tokens(self, text):
        return 10 - len(text)


GENERATORS = {
    "test_it_answers": Silent,
    "test_it_streams": AtOnce,
    "test_no_passages": Needy,
    "test_anything_may_stand_in_question_and_passages": Inventing,
    "test_much_text": Small,
    "test_a_person_stops_the_answer": Restless,
    "test_many_turns_at_once": Mixing,
    "test_it_lets_others_run": BlockingWriter,
    "test_it_counts_tokens": Miscounting,
}


class Hashed:
    """Adds up a direction for each word."""

    @hookimpl
    def bot_embedder_identity(self):
        return {"name": "hashed", "sha256": "0", "dimensions": 16, "max_tokens": 100}

    @hookimpl
    def bot_token_spans(self, texts):
        return [[match.span() for match in re.finditer(r"\S+", text)] for text in texts]

    @hookimpl
    def bot_embed(self, texts, purpose):
        return np.array([self.one(text) for text in texts], np.float32).reshape(-1, 16)

    def one(self, text):
        total = np.full(16, 1e-3)
        for word in re.findall(r"\w+", text.lower())[:100]:
            total += np.random.default_rng(sum(word.encode()) * len(word)).standard_normal(16)
        return total / np.linalg.norm(total)


class Nameless(Hashed):
    @hookimpl
    def bot_embedder_identity(self):
        return {"name": "hashed", "dimensions": 16}


class Long(Hashed):
    def one(self, text):
        return super().one(text) * 2


class Batched(Hashed):
    @hookimpl
    def bot_embed(self, texts, purpose):
        vectors = super().bot_embed(texts, purpose) + len(texts) / 10
        return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


class Opposite(Hashed):
    """What is alike is far: the second of two sentences points the other way."""

    def one(self, text):
        return super().one(text) * (-1 if text == embedder_suite.ALIKE[1] else 1)


class English(Hashed):
    def one(self, text):
        return super().one(text.encode("ascii").decode())


class Cut(Hashed):
    @hookimpl
    def bot_token_spans(self, texts):
        return [spans[:100] for spans in super().bot_token_spans(texts)]


class SharedBuffer(Hashed):
    @hookimpl
    async def bot_embed(self, texts, purpose):
        self.texts = texts
        await asyncio.sleep(0.01)
        return super().bot_embed(self.texts, purpose)


EMBEDDERS = {
    "test_it_says_who_it_is": Nameless,
    "test_vectors_are_of_length_one": Long,
    "test_a_text_is_one_vector": Batched,
    "test_what_is_alike_is_near": Opposite,
    "test_any_text": English,
    "test_tokens_lie_in_the_text": Cut,
    "test_many_at_once": SharedBuffer,
}


class Box:
    """Loads what stands in a list; a path that is not `here` cannot be read."""

    def __init__(self, items):
        self.items = items

    @hookimpl
    def bot_load(self, source) -> Iterator[Document]:
        if source.settings.path != "here":
            self.missing(source)
        for key in list(self.items):
            yield self.document(key)

    def missing(self, source):
        raise SourceError(f"{source.settings.path} is not there; check `path`.")

    def document(self, key):
        return Document(key=key, text=f"The text of {key}.", fingerprint=key)


class Keyless(Box):
    def document(self, key):
        return Document(key="", text="Text.")


class Changing(Box):
    def document(self, key):
        return Document(key=key, text="Text.", fingerprint=str(time.perf_counter_ns()))


class Keeping(Box):
    def __init__(self, items):
        super().__init__(list(items))


class Forgiving(Box):
    def missing(self, source):
        self.items = []


class Once(Box):
    """Goes on where it was left."""

    @hookimpl
    def bot_load(self, source):
        self.left = getattr(self, "left", None) or [*self.items]
        while self.left:
            yield self.document(self.left.pop(0))
        if source.settings.path != "here":
            self.missing(source)


class OneAtATime(Box):
    busy = False

    @hookimpl
    async def bot_load(self, source):
        if self.busy:
            return
        self.busy = True
        for item in super().bot_load(source):
            await asyncio.sleep(0.01)
            yield item
        self.busy = False


class LeavingOpen(Box):
    def document(self, key):
        self.files = [*getattr(self, "files", ()), open("/dev/null")]  # noqa: SIM115

        async def read():
            return super(LeavingOpen, self).document(key)

        return Found(key=key, fingerprint=key, read=read)


LOADERS = {
    "test_it_finds_documents": Keyless,
    "test_twice_the_same": Changing,
    "test_what_is_deleted_is_not_yielded": Keeping,
    "test_what_cannot_be_read_is_an_error": Forgiving,
    "test_it_can_be_stopped": Once,
    "test_two_syncs_at_once": OneAtATime,
    "test_it_leaks_no_files": LeavingOpen,
}


def loader(make):
    items = [f"document {number}" for number in range(40)]

    async def remove(self):
        return items.pop()

    return suite(
        LoaderConformance,
        lambda *_: make(items),
        settings={"path": "here"},
        unreadable={"path": "away"},
        remove=remove,
    )
