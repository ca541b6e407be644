"""What a process tells of itself over HTTP: its health, and what was done and is left to do."""

import asyncio
import http.client
import json
import socket
from concurrent.futures import ThreadPoolExecutor

import pytest
from prometheus_client.parser import text_string_to_metric_families
from pydantic import BaseModel

from bot import Bot, hookimpl
from bot.errors import MonitoringError, PluginError
from bot.jobs import Task, defer
from bot.monitoring import http as pages
from bot.monitoring import monitor as module
from bot.monitoring import monitored
from bot.plugins import Component, Plugins
from bot.settings import Settings
from bot.worker import Worker

HOST = "127.0.0.1"


class NoKeys(BaseModel):
    """Nothing to set."""


class Toy:
    """A generator, a channel that does as it is told, and a task that may fail."""

    def __init__(self):
        self.behaves = {}
        self.done = asyncio.Event()

    @hookimpl
    def bot_components(self):
        for kind in ("generator", "channel"):
            yield Component(kind=kind, type=f"toy-{kind}", settings=NoKeys, make=self.make)

    def make(self, name, settings, context):
        return Part(name, self.behaves)

    @hookimpl
    def bot_tasks(self):
        return [TASK]


class Part:
    def __init__(self, name, behaves):
        self.name = name
        self.behaves = behaves

    @hookimpl
    async def bot_generate(self, turn, prompt):
        if "fail" in turn.question:
            raise ValueError("no")
        yield "Nine."

    @hookimpl
    async def bot_serve(self, bot):
        await self.behaves[self.name]()


async def work(bot, job):
    if job.arguments["fail"]:
        raise ValueError("no")


TASK = Task("toy.work", work, queue="toy", attempts=1)


@pytest.fixture
def port():
    with socket.socket() as free:
        free.bind((HOST, 0))
        return free.getsockname()[1]


@pytest.fixture
def toy():
    return Toy()


@pytest.fixture
async def bot(database, toy, tmp_path):
    plugins = Plugins()
    plugins.register(toy, "toy")
    settings = Settings.model_validate({
        "home": tmp_path,
        "assistants": {"default": {"retrievers": [], "generator": "toy"}},
        "generators": {"toy": {"type": "toy-generator"}},
        "channels": {"one": {"type": "toy-channel"}, "two": {"type": "toy-channel"}},
    })  # fmt: skip
    async with Bot(settings, plugins=plugins, database=database) as made:
        yield made


async def get(port, path, method="GET"):
    """A page's status, its headers, and its text."""
    return await asyncio.to_thread(ask, port, path, method)


def ask(port, path, method="GET"):
    connection = http.client.HTTPConnection(HOST, port, timeout=30)
    connection.request(method, path)
    answer = connection.getresponse()
    return answer.status, answer.headers, answer.read().decode()


async def samples(port):
    """All values by name and labels, which come in alphabetic order."""
    status, headers, text = await get(port, "/metrics")
    assert status == 200
    assert headers["Content-Type"].startswith("text/plain; version=")
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def health(port):
    status, _, text = await get(port, "/healthz")
    found = json.loads(text)
    assert (status, found["status"]) in ((200, "ok"), (503, "failing"))
    return found["problems"]


# -- metrics ------------------------------------------------------------------------------------


async def test_turns_are_counted_and_timed(bot, port):
    async with monitored(bot, HOST, port):
        assert (await samples(port))["domainbot_turns_total", "default", "failed"] == 0
        for question in ("When?", "Where?", "fail"):
            async for _ in bot.reply(question):
                pass
        found = await samples(port)
    assert found["domainbot_turns_total", "default", "answered"] == 2
    assert found["domainbot_turns_total", "default", "failed"] == 1
    assert found["domainbot_turn_seconds_count", "total"] == 3
    assert found["domainbot_turn_seconds_count", "generate"] == 3
    assert 0 < found["domainbot_turn_seconds_sum", "total"] < 30
    assert not bot.plugins.manager.has_plugin("monitoring")


async def test_jobs_are_counted_and_timed(bot, port, database):
    async with monitored(bot, HOST, port) as monitor:
        async with database.transaction() as connection:
            for fail in (False, False, True):
                await defer(connection, TASK, {"fail": fail})
        waiting = await samples(port)
        working = asyncio.create_task(Worker(bot, monitor=monitor).run())
        async with asyncio.timeout(60):
            found = {}
            while found.get(("domainbot_queue_jobs", "toy", "failed")) != 1:
                monitor._read_again = 0
                found = await samples(port)
        assert await health(port) == []
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
    assert waiting["domainbot_queue_jobs", "toy", "todo"] == 3
    assert 0 <= waiting["domainbot_queue_oldest_seconds", "toy"] < 60
    assert waiting["domainbot_workers",] == 0
    assert found["domainbot_workers",] == 1
    assert ("domainbot_queue_jobs", "toy", "todo") not in found
    assert found["domainbot_jobs_total", "done", "toy.work"] == 2
    assert found["domainbot_jobs_total", "failed", "toy.work"] == 1
    assert found["domainbot_job_seconds_count", "toy.work"] == 3


async def test_the_index_is_counted_by_source_and_state(bot, port, database):
    async with database.connection() as connection:
        await connection.execute(
            "insert into source (name, type, readers, synced_at, error) values "
            "('wiki', 'web', '{everyone}', 'epoch'::timestamptz + interval '1 hour', ''), "
            "('mail', 'folder', '{everyone}', null, 'it is gone')"
        )
        await connection.execute(
            "insert into document (source_id, key, uri, title, text, format, readers, content_hash)"
            " select 1, n::text, '', '', '', 'text', '{everyone}', 'x' from generate_series(1, 5) n"
        )
        await connection.execute(
            "insert into index_version (state, dimensions, settings) values "
            "('live', 8, '{}'), ('building', 8, '{}'), ('dropped', 8, '{}')"
        )
        await connection.execute(
            "insert into indexed (version_id, document_id, content_hash, chunks) values "
            "(1, 1, 'x', 10), (1, 2, 'x', 20), (2, 3, 'x', 7)"
        )
        await connection.execute(
            "insert into quarantine (version_id, document_id, content_hash, error) values "
            "(1, 3, 'x', 'poison'), (2, 4, 'x', 'poison'), (1, 5, 'older', 'poison')"
        )
        await connection.execute("insert into unreadable values (1, 'a.pdf', 'is broken')")
    async with monitored(bot, HOST, port):
        found = await samples(port)
    documents = {key[1:]: value for key, value in found.items() if key[0] == "domainbot_documents"}
    assert documents == {("wiki", "indexed"): 2, ("wiki", "quarantined"): 1, ("wiki", "waiting"): 2,
                         ("wiki", "unreadable"): 1}  # fmt: skip
    chunks = {key[1:]: value for key, value in found.items() if key[0] == "domainbot_chunks"}
    assert chunks == {("live", "1"): 30, ("building", "2"): 7}
    assert found["domainbot_source_synced_timestamp_seconds", "wiki"] == 3600
    assert found["domainbot_source_failed", "wiki"] == 0
    assert found["domainbot_source_failed", "mail"] == 1
    assert found["domainbot_database_bytes",] > 1_000_000
    assert found["domainbot_database_up",] == 1


# -- health -------------------------------------------------------------------------------------


async def test_a_lost_database_is_told_and_found_again(bot, port, database):
    async with monitored(bot, HOST, port) as monitor:
        assert await health(port) == []
        await database.close()
        assert "database" in (await health(port))[0]
        found = await samples(port)
        assert found["domainbot_database_up",] == 0
        assert ("domainbot_workers",) not in found
        assert ("domainbot_turns_total", "default", "answered") in found
        await database.open()
        monitor._read_again = 0
        assert await health(port) == []
        assert (await samples(port))["domainbot_database_up",] == 1


async def test_a_worker_that_no_longer_reaches_the_database_is_told(bot, port, monkeypatch):
    async with monitored(bot, HOST, port) as monitor:
        monitor.beat()
        assert await health(port) == []
        monkeypatch.setattr(module, "SILENCE", -1.0)
        assert "the worker has not reached the database" in (await health(port))[0]


async def test_a_loop_that_hangs_is_told(bot, port, monkeypatch):
    monkeypatch.setattr(pages, "PATIENCE", 0.3)
    async with monitored(bot, HOST, port):
        with ThreadPoolExecutor(1) as pool:
            status, _, text = pool.submit(ask, port, "/healthz").result()  # and nothing else runs
        assert (status, "the event loop does not answer" in text) == (503, True)
        assert await health(port) == []


async def test_a_channel_that_fails_is_told_and_one_that_ends_is_not(bot, toy, port):
    over = asyncio.Event()

    async def fail():
        raise ValueError("token is wrong")

    toy.behaves = {"one": fail, "two": over.wait}
    async with monitored(bot, HOST, port) as monitor:
        serving = asyncio.create_task(bot.serve(monitor=monitor))
        async with asyncio.timeout(30):
            while not (problems := await health(port)):
                pass
        assert problems == ["channel one: ValueError: token is wrong"]
        over.set()
        with pytest.raises(PluginError, match="token is wrong"):
            await serving


async def test_serving_ends_in_peace_when_every_channel_has_ended(bot, toy):
    async def end():
        pass

    toy.behaves = {"one": end, "two": end}
    await bot.serve()


# -- the address --------------------------------------------------------------------------------


async def test_other_pages_and_methods(bot, port):
    async with monitored(bot, HOST, port):
        assert (await get(port, "/"))[0] == 404
        assert (await get(port, "/healthz?verbose=1"))[0] == 200
        status, headers, text = await get(port, "/metrics", "HEAD")
        assert (status, text) == (200, "")
        assert int(headers["Content-Length"]) > 100
        assert (await get(port, "/metrics", "POST"))[0] == 501
    with pytest.raises(ConnectionRefusedError):
        await get(port, "/healthz")


async def test_an_address_that_is_taken(bot, port):
    told = []
    with socket.socket() as taken:
        taken.bind((HOST, port))
        taken.listen()
        with pytest.raises(MonitoringError, match="give another --monitor"):
            async with monitored(bot, HOST, port):
                pass
        async with monitored(bot, HOST, port, told.append):
            assert "Nothing can listen" in told[0]
    async with monitored(bot, HOST, 0):
        pass
    with pytest.raises(MonitoringError):
        async with monitored(bot, "192.0.2.1", port):
            pass
