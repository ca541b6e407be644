"""Against a MediaWiki-like server on this machine."""

import asyncio
import time
from dataclasses import dataclass, field

import pytest
from aiohttp import web
from bot_wikipedia import OutsideSettings, WikipediaSettings, make_generator, make_retriever
from bot_wikipedia.outside import NOTICE
from bot_wikipedia.retriever import searchable

from bot import Context, Delta, Passage, Turn, asking, hookimpl
from bot.database import Database
from bot.errors import SourceError
from bot.machinery import Limits, Machinery
from bot.plugins import Plugins
from bot.prompt import build, estimate_tokens
from bot.testing.conformance import RetrieverConformance

ARTICLES = {
    "Printer (computing)": "A printer is a device that puts text on paper. It is not a press.",
    "Printing press": "A printing press puts ink on paper. Gutenberg built one.",
    "Soup": "Soup is a food that is served warm.",
    "Empty": "",
}


@dataclass
class Wiki:
    url: str = ""
    asked: list = field(default_factory=list)
    at: list = field(default_factory=list)
    agents: set = field(default_factory=set)
    answers: list = field(default_factory=list)  # what it says first, instead of articles

    async def handle(self, request):
        self.asked.append(dict(request.query))
        self.at.append(time.monotonic())
        self.agents.add(request.headers["User-Agent"])
        if self.answers:
            answer = self.answers.pop(0)
            return await answer if asyncio.iscoroutine(answer) else answer
        words = {word for word in request.query["gsrsearch"].lower().split() if len(word) > 4}
        found = [
            (number, title, text)
            for number, (title, text) in enumerate(ARTICLES.items(), 1)
            if words & {*title.lower().split(), *text.lower().split()}
        ][: int(request.query["gsrlimit"])]
        pages = [
            {"pageid": number, "ns": 0, "title": title, "index": rank, "extract": text,
             "fullurl": f"https://en.wikipedia.org/wiki/{number}"}
            for rank, (number, title, text) in enumerate(found, 1)
        ]  # fmt: skip
        return web.json_response({"query": {"pages": pages[::-1]}} if pages else {})


@pytest.fixture
async def wiki():
    made = Wiki()
    app = web.Application()
    app.router.add_get("/w/api.php", made.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    made.url = f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}/w/api.php"
    yield made
    await runner.cleanup()


@pytest.fixture
async def make(wiki, tmp_path):
    made = []

    def retriever(**given):
        settings = {"may_receive": "all", "url": wiki.url, "delay": 0, **given}
        context = Context(home=tmp_path, database=Database(), embed=None)
        made.append(make_retriever("wikipedia", WikipediaSettings(**settings), context))
        return made[-1]

    yield retriever
    for one in made:
        await one.aclose()


def turn(question, **given):
    return Turn(id="t", question=question, **{"queries": (question,), **given})


class TestConformance(RetrieverConformance):
    plugin = "wikipedia"
    question = "What is a printer?"

    @pytest.fixture(autouse=True)
    async def _wiki(self, wiki):
        self.settings = {"may_receive": "all", "url": wiki.url, "delay": 0}


async def test_articles_come_with_their_links(make, wiki):
    first, second = await make().bot_retrieve(turn("printer press"))
    assert first.title == "Printer (computing)"
    assert first.uri == "https://en.wikipedia.org/wiki/1"
    assert first.text.startswith("A printer is a device")
    assert (first.source, first.readers) == ("wikipedia", {"everyone"})
    assert first.score > second.score
    assert all("domainbot/" in agent for agent in wiki.agents)


@pytest.mark.parametrize(
    ("allowed", "principals", "asked"),
    [
        ("nothing", {"everyone"}, 0),
        ("nothing", {"everyone", "email:bob@example.com"}, 0),
        ("public", {"everyone"}, 1),
        ("public", {"everyone", "email:bob@example.com"}, 0),
        ("all", {"everyone", "email:bob@example.com"}, 1),
    ],
)
async def test_no_question_leaves_before_it_is_allowed(make, wiki, allowed, principals, asked):
    found = await make(may_receive=allowed).bot_retrieve(
        turn("printer", principals=frozenset(principals))
    )
    assert len(wiki.asked) == asked
    assert bool(found) == bool(asked)


def test_nothing_is_allowed_unless_it_is_said():
    assert WikipediaSettings().may_receive == "nothing"
    assert WikipediaSettings(language="de").address == "https://de.wikipedia.org/w/api.php"


async def test_what_was_found_is_kept_also_by_the_next_process(make, wiki):
    expected = await make().bot_retrieve(turn("printer"))
    assert await make().bot_retrieve(turn("printer")) == expected
    assert len(wiki.asked) == 1
    await make(cache_hours=0).bot_retrieve(turn("printer"))
    assert len(wiki.asked) == 2


async def test_requests_go_out_one_at_a_time_with_a_pause(make, wiki):
    retriever = make(delay=0.1)
    await asyncio.gather(*(retriever.bot_retrieve(turn(f"printer {n}")) for n in range(4)))
    pauses = [after - before for before, after in zip(wiki.at, wiki.at[1:], strict=False)]
    assert len(pauses) == 3
    assert min(pauses) >= 0.09


async def test_a_wiki_that_asks_to_wait_is_waited_for(make, wiki):
    wiki.answers = [web.Response(status=429, headers={"Retry-After": "0.2"})]
    assert await make().bot_retrieve(turn("printer"))
    assert wiki.at[1] - wiki.at[0] >= 0.19


def busy(pause, status=503):
    return web.Response(status=status, headers={"Retry-After": pause})


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ([busy("600", 429)], "answered 429"),
        ([busy("Wed, 21 Oct 2099 07:28:00 GMT")], "answered 503"),
        ([busy("0"), busy("0")], "answered 503"),
        ([web.Response(status=500)], "answered 500"),
        ([web.Response(text="<html>")], "does not answer as a wiki"),
        ([web.json_response([1])], "does not answer as a wiki"),
        (
            [web.json_response({"query": {"pages": [{"title": "x"}]}})],
            "does not answer as a wiki",
        ),
        ([web.json_response({"query": 3})], "does not answer as a wiki"),
    ],
)
async def test_a_wiki_in_trouble_is_named(make, wiki, answers, said):
    wiki.answers = answers
    with pytest.raises(SourceError, match=rf"127\.0\.0\.1 {said}"):
        await make().bot_retrieve(turn("printer"))
    assert not wiki.answers


async def test_a_wiki_that_is_away_is_named(make):
    with pytest.raises(SourceError, match="cannot be reached"):
        await make(url="http://127.0.0.1:9/w/api.php").bot_retrieve(turn("printer"))


def test_a_question_is_searched_for_as_words():
    assert searchable('intitle:"x" -printer ~') == "intitle x printer"
    assert searchable("Where's the well-known Müller?") == "Where's the well-known Müller"
    assert searchable("?!") == ""
    assert len(searchable("數" * 1000).encode()) <= 280


async def test_long_beginnings_are_cut_after_a_sentence(make):
    (first, *_) = await make(characters=100).bot_retrieve(turn("printer"))
    assert len(first.text) <= 100


# -- own sources first --------------------------------------------------------------------------


class Quoter:
    """Quotes the last passage that shares a long word with the question, or refuses."""

    @hookimpl
    async def bot_generate(self, turn, prompt):
        asked = {word for word in turn.question.lower().strip("?").split() if len(word) > 4}
        for number, passage in reversed(list(enumerate(prompt.passages, 1))):
            if asked & set(passage.text.lower().split()):
                yield Delta(text=passage.text.partition(". ")[0], verbatim=True)
                yield Delta(text=f" [{number}]")
                return
        yield Delta(text="I found nothing.", refusal=True)


OWN = Passage(id="o", text="The canteen serves lunch.", readers=frozenset({"everyone"}))


async def generate(wiki, tmp_path, question, **given):
    plugins = Plugins()
    plugins.register(Quoter(), "generator:local")

    async def named(kind, name):
        return f"{kind}:{name}"

    machinery = Machinery(
        manager=plugins.manager, database=Database(), resolve=named, limits=Limits()
    )
    settings = OutsideSettings(**{"may_receive": "all", "url": wiki.url, "delay": 0, **given})

    async def generator(name):
        return await asking.generator(machinery, name)

    context = Context(home=tmp_path, database=Database(), embed=None, generator=generator)
    outside = make_generator("wikipedia", settings, context)
    asked = turn(question)
    prompt = await build(asked, [OWN], None, estimate_tokens)
    try:
        return [delta async for delta in outside.bot_generate(asked, prompt)]
    finally:
        await outside.aclose()


async def test_own_sources_come_first_and_nothing_leaves(wiki, tmp_path):
    deltas = await generate(wiki, tmp_path, "What about the canteen?")
    assert "".join(delta.text for delta in deltas) == "The canteen serves lunch. [1]"
    assert wiki.asked == []


async def test_outside_is_asked_when_they_hold_nothing_and_it_is_said(wiki, tmp_path):
    deltas = await generate(wiki, tmp_path, "What is a printer?")
    assert "".join(d.text for d in deltas) == "A printer is a device that puts text on paper [2]"
    assert [d.notice for d in deltas if d.notice] == [NOTICE]
    assert [p.title for d in deltas for p in d.passages] == ["Printer (computing)"]
    assert not any(d.refusal for d in deltas)


async def test_when_nobody_knows_it_is_a_refusal(wiki, tmp_path):
    deltas = await generate(wiki, tmp_path, "What is a kangaroo?")
    assert [(d.text, d.refusal) for d in deltas] == [("I found nothing.", True)]


async def test_what_may_not_leave_does_not(wiki, tmp_path):
    deltas = await generate(wiki, tmp_path, "What is a printer?", may_receive="nothing")
    assert [(d.text, d.refusal) for d in deltas] == [("I found nothing.", True)]
    assert wiki.asked == []
