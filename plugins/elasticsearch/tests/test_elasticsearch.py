"""Against a server that speaks the needed part of the API, and a real one where there is one."""

import json
import os
import re
from fnmatch import fnmatch

import pytest
from aiohttp import web
from bot_elasticsearch import ElasticsearchSettings, make
from bot_elasticsearch.retriever import _fused

from bot import Context, Turn
from bot.database import Database
from bot.document import IndexVersion
from bot.errors import IndexingError
from bot.testing.conformance import IndexConformance
from bot.testing.conformance.index import embed

MIME = "application/vnd.elasticsearch+json;compatible-with=9"


def words(text):
    return set(re.findall(r"\w+", text.lower()))


class Server:
    """Indexes in memory. What is written is not searched before a refresh, as in the real one."""

    def __init__(self):
        self.indexes, self.written, self.aliases, self.calls = {}, {}, {}, []
        self.trouble = None

    def routes(self):
        app = web.Application(middlewares=[self.answer], client_max_size=100_000_000)
        app.router.add_put("/_bulk", self.bulk)
        app.router.add_post("/_aliases", self.alias)
        app.router.add_post("/_msearch", self.msearch)
        app.router.add_put("/{index}", self.create)
        app.router.add_delete("/{index}", self.delete)
        app.router.add_post("/{index}/_refresh", self.refresh)
        app.router.add_post("/{index}/_delete_by_query", self.delete_by_query)
        app.router.add_post("/{index}/_update_by_query", self.update_by_query)
        app.router.add_get("/{index}/_stats/store", self.stats)
        return app

    @web.middleware
    async def answer(self, request, handler):
        self.calls.append(f"{request.method} {request.path}")
        status, said = self.trouble or await handler(request)
        return web.Response(
            status=status,
            body=json.dumps(said),
            headers={"X-Elastic-Product": "Elasticsearch", "Content-Type": MIME},
        )

    async def create(self, request):
        name = request.match_info["index"]
        assert name not in self.indexes
        properties = (await request.json())["mappings"]["properties"]
        assert properties["vector"]["similarity"] == "dot_product"
        self.indexes[name], self.written[name] = {}, {}
        return 200, {"acknowledged": True}

    async def delete(self, request):
        name = request.match_info["index"]
        self.written.pop(name, None)
        known = self.indexes.pop(name, None)
        return (404, {"error": {"reason": "no such index"}}) if known is None else (200, {})

    async def bulk(self, request):
        lines = [json.loads(line) for line in (await request.read()).splitlines()]
        for action, source in zip(lines[::2], lines[1::2], strict=True):
            self.written[action["index"]["_index"]][action["index"]["_id"]] = source
        items = [{"index": {"_id": "1", "status": 201}} for _ in lines[::2]]
        return 200, {"errors": False, "items": items}

    async def refresh(self, request):
        name = request.match_info["index"]
        self.indexes[name] = json.loads(json.dumps(self.written[name]))
        return 200, {}

    async def delete_by_query(self, request):
        name, query = request.match_info["index"], (await request.json())["query"]
        for id_, source in self.indexes[name].items():
            if self.fits(query, source):
                self.written[name].pop(id_, None)
        return await self.refresh(request) if request.query["refresh"] == "true" else (200, {})

    async def update_by_query(self, request):
        name, body = request.match_info["index"], await request.json()
        assert body["script"]["source"] == "ctx._source.readers = params.readers"
        for id_, source in self.indexes[name].items():
            if self.fits(body["query"], source):
                self.written[name][id_]["readers"] = body["script"]["params"]["readers"]
        return await self.refresh(request) if request.query["refresh"] == "true" else (200, {})

    async def alias(self, request):
        for action in (await request.json())["actions"]:
            ((kind, given),) = action.items()
            alias = self.aliases.setdefault(given["alias"], set())
            if kind == "remove":
                alias -= {name for name in alias if fnmatch(name, given["index"])}
            else:
                alias.add(given["index"])
        return 200, {"acknowledged": True}

    async def stats(self, request):
        size = len(json.dumps(self.indexes[request.match_info["index"]]))
        return 200, {"_all": {"primaries": {"store": {"size_in_bytes": size}}}}

    async def msearch(self, request):
        lines = [json.loads(line) for line in (await request.read()).splitlines()]
        pairs = zip(lines[::2], lines[1::2], strict=True)
        return 200, {"responses": [self.search(head["index"], body) for head, body in pairs]}

    def search(self, name, body):
        if name not in self.indexes:
            return {"status": 404, "error": {"reason": f"no such index [{name}]"}}
        found = []
        for id_, source in self.indexes[name].items():
            if "knn" in body:
                asked, filters = body["knn"]["query_vector"], body["knn"]["filter"]
                score = sum(a * b for a, b in zip(asked, source["vector"], strict=True))
            else:
                filters = body["query"]["bool"]["filter"]
                (match,) = body["query"]["bool"]["must"]
                score = len(words(match["multi_match"]["query"]) & words(source["text"]))
                if not score:
                    continue
            if all(self.fits(one, source) for one in filters):
                shown = {key: value for key, value in source.items() if key != "vector"}
                found.append({"_id": id_, "_score": score, "_source": shown})
        found.sort(key=lambda hit: -hit["_score"])
        return {"status": 200, "hits": {"hits": found[: body["size"]]}}

    def fits(self, query, source):
        ((key, values),) = query["terms"].items()
        for part in key.split(".", 1):
            source = source.get(part) if isinstance(source, dict) else None
        there = source if isinstance(source, list) else [source]
        return bool(set(there) & set(values))


@pytest.fixture
async def elastic():
    made = Server()
    runner = web.AppRunner(made.routes())
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    made.url = f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}"
    yield made
    await runner.cleanup()


class TestConformance(IndexConformance):
    plugin = "elasticsearch"
    transactional = False

    @pytest.fixture(autouse=True)
    def _server(self, database, elastic):
        self.database = database
        self.settings = {"url": elastic.url}


if REAL := os.environ.get("ELASTICSEARCH_URL"):

    class TestRealServer(IndexConformance):
        plugin = "elasticsearch"
        transactional = False

        @pytest.fixture(autouse=True)
        def _server(self, database):
            self.database = database
            self.settings = {"url": REAL, "may_receive": "all", "index": "domainbot_test"}


VERSION = IndexVersion(id=7, state="live", dimensions=16, settings={})


@pytest.fixture
async def retriever(elastic, tmp_path):
    made = []

    def build(**given):
        async def embed_all(texts, purpose, version):
            return [embed(text) for text in texts]

        context = Context(home=tmp_path, database=Database(), embed=embed_all)
        settings = ElasticsearchSettings(**{"url": elastic.url, **given})
        made.append(make("elasticsearch", settings, context))
        return made[-1]

    yield build
    for one in made:
        await one.aclose()


TURN = Turn(id="t", question="printer", queries=("printer",), index=VERSION)


async def test_one_version_at_a_time_has_the_alias(elastic, retriever):
    one = retriever()
    other = IndexVersion(id=8, state="ready", dimensions=16, settings={})
    for version in (VERSION, other):
        await one.bot_index_begin(version)
        await one.bot_index_promote(version)
        assert elastic.aliases == {"domainbot-live": {f"domainbot-{version.id}"}}
    await one.bot_index_drop(VERSION)
    await one.bot_index_drop(VERSION)
    assert set(elastic.indexes) == {"domainbot-8"}
    assert await one.bot_index_size(other) > 0


async def test_an_index_that_is_not_there_is_told(retriever):
    with pytest.raises(IndexingError, match="bot reindex --rebuild"):
        await retriever().bot_retrieve(TURN)


async def test_a_server_that_refuses_is_named(elastic, retriever):
    elastic.trouble = 403, {"error": {"type": "security_exception", "reason": "no"}, "status": 403}
    with pytest.raises(IndexingError, match=r"127\.0\.0\.1 refused"):
        await retriever().bot_index_begin(VERSION)


async def test_a_server_that_is_away_is_named(retriever):
    with pytest.raises(IndexingError, match="cannot be reached"):
        await retriever(url="http://127.0.0.1:9").bot_index_begin(VERSION)


async def test_nothing_is_sent_to_another_machine_before_it_is_allowed(retriever):
    one = retriever(url="https://search.example.com:9200")
    for doing in (one.bot_index_begin(VERSION), one.bot_retrieve(TURN)):
        with pytest.raises(IndexingError, match="may_receive"):
            await doing
    assert ElasticsearchSettings(url="https://search.example.com", may_receive="all").allowed


def test_what_both_searches_find_comes_first():
    def hit(id_):
        kept = dict.fromkeys(("text", "title", "uri", "source", "context"), id_)
        return {"_id": id_, "_source": {**kept, "passage": id_, "readers": ["everyone"],
                                        "start": 0, "end": 1, "metadata": {}}}  # fmt: skip

    a, b, c = map(hit, "abc")
    assert next(one.id for one in _fused([[a, b], [c, b]])) == "b"
