"""A plugin that fails again and again is left out until somebody enables it."""

import asyncio

import pytest

from bot import dispatch, hookimpl
from bot.errors import DatabaseError
from bot.plugins import Plugins
from bot.quarantine import LIMIT, Quarantine
from bot.turn import Turn

TURN = Turn(id="t", question="?")


class Moody:
    def __init__(self, error=None):
        self.error = error
        self.called = 0

    @hookimpl
    async def bot_retrieve(self, turn):
        self.called += 1
        if self.error is not None:
            raise self.error
        return []


@pytest.fixture
def plugins(tmp_path):
    made = Plugins()
    made.remember(tmp_path)
    made.register(Moody(), "good")
    return made


async def ask(plugins, only=None, timeout=1):
    given = await dispatch.gather(
        plugins.manager, "bot_retrieve", only=only, timeout=timeout, turn=TURN
    )
    return {result.plugin: result.error for result in given}


async def test_after_the_limit_it_is_called_no_more_and_comes_back_when_released(plugins, tmp_path):
    bad = Moody(RuntimeError("no luck"))
    plugins.register(bad, "bad")
    for _ in range(LIMIT + 3):
        assert (await ask(plugins))["good"] is None
    assert bad.called == LIMIT
    (trouble,) = plugins.manager.quarantine.troubles()
    assert trouble.held
    assert "no luck" in str(trouble)
    assert "in quarantine" in str((await ask(plugins, {"good", "bad"}))["bad"])
    assert Quarantine(tmp_path / "plugins.json").release("bad"), "another process, while it runs"
    bad.error = None
    assert (await ask(plugins))["bad"] is None
    assert plugins.manager.quarantine.troubles() == []


async def test_failures_count_across_processes(tmp_path):
    for number in range(LIMIT):
        plugins = Plugins()
        plugins.remember(tmp_path)
        plugins.register(Moody(RuntimeError()), "bad")
        plugins.register(Moody(), "good")
        assert "bad" in await ask(plugins), number
    plugins = Plugins()
    plugins.remember(tmp_path)
    plugins.register(Moody(), "bad")
    assert await ask(plugins) == {}


async def test_what_hangs_counts_too(plugins):
    class Hangs:
        @hookimpl
        async def bot_retrieve(self, turn):
            await asyncio.sleep(60)

    plugins.register(Hangs(), "hangs")
    for _ in range(LIMIT):
        await ask(plugins, timeout=0.2)
    assert list(await ask(plugins)) == ["good"]


async def test_a_success_in_between_begins_anew(plugins):
    moody = Moody()
    plugins.register(moody, "moody")
    for _ in range(3):
        moody.error = RuntimeError()
        for _ in range(LIMIT - 1):
            await ask(plugins)
        moody.error = None
        await ask(plugins)
    assert plugins.manager.quarantine.troubles() == []


async def test_what_the_world_outside_did_is_not_the_plugins_fault(plugins):
    plugins.register(Moody(DatabaseError("It is down.")), "unlucky")
    for _ in range(LIMIT + 1):
        assert "unlucky" in await ask(plugins)


async def test_the_only_one_that_was_asked_for_is_asked_all_the_same(plugins):
    bad = Moody(RuntimeError())
    plugins.register(bad, "bad")
    for _ in range(LIMIT + 2):
        await ask(plugins, {"bad"})
    assert bad.called == LIMIT + 2


async def test_a_generator_is_not_left_out(plugins):
    for _ in range(LIMIT + 1):
        plugins.manager.quarantine.failed("generator:local", "bot_generate", "raised")
    assert not plugins.manager.quarantine.holds("generator:local", "bot_generate")


async def test_a_component_belongs_to_its_plugin(plugins):
    plugins.register(Moody(RuntimeError()), "retriever:mine", owner="mine")
    for _ in range(LIMIT):
        await ask(plugins)
    assert plugins.manager.quarantine.release("mine")
    assert "retriever:mine" in await ask(plugins)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"a": 1}', '{"a": {"b": 2}}', "\x00"])
async def test_a_broken_file_stops_nobody(tmp_path, text):
    (tmp_path / "plugins.json").write_text(text)
    plugins = Plugins()
    plugins.remember(tmp_path)
    plugins.register(Moody(RuntimeError()), "bad")
    await ask(plugins)
    assert len(Quarantine(tmp_path / "plugins.json").troubles()) == 1


async def test_a_home_that_cannot_be_written_stops_nobody(tmp_path):
    (tmp_path / "home").write_text("a file")
    plugins = Plugins()
    plugins.remember(tmp_path / "home")
    plugins.register(Moody(RuntimeError()), "bad")
    for _ in range(LIMIT):
        await ask(plugins)
    assert await ask(plugins) == {}
