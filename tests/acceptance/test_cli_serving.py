"""`bot serve` and `bot worker`: how they end, and where they tell how they are."""

import json
import socket
import time
import urllib.error
import urllib.request
from contextlib import suppress

import pytest


@pytest.fixture
def port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def page(port, path, process):
    """A page of a process that is starting."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        address = f"http://127.0.0.1:{port}{path}"
        with suppress(urllib.error.URLError), urllib.request.urlopen(address, timeout=30) as answer:
            return answer.read().decode()
        time.sleep(0.05)
    pytest.fail(f"{path} does not come: {process.poll()}")


def test_serving_ends_with_its_only_channel(handbook, words):
    env = {**words, "BOT_CHANNELS__TERMINAL__TYPE": "terminal"}
    done = handbook.bot("serve", stdin="Where does the printer stand?\n", env=env)
    assert "second floor" in done.stdout
    assert "Error" not in done.stderr


CHANNEL = """
import logging
from pydantic import BaseModel
from bot import Component, hookimpl

class Empty(BaseModel):
    pass

class Radio:
    @hookimpl
    async def bot_serve(self, bot):
        logging.getLogger("radio.studio").info("on air")
        logging.getLogger("elsewhere").warning("noise")

@hookimpl
def bot_components():
    yield Component(kind="channel", type="radio", settings=Empty, make=lambda *_: Radio())
"""


def test_what_a_channel_logs_is_heard_and_nothing_else_below_an_error(handbook, site):
    env = {**site("radio", CHANNEL).environ, "BOT_CHANNELS__RADIO__TYPE": "radio"}
    done = handbook.bot("serve", "--no-worker", env=env)
    assert "on air" in done.stderr
    assert "noise" not in done.stderr


def test_a_worker_tells_how_it_is(world, port):
    worker = world.start("worker", "--monitor", str(port))
    health = json.loads(page(port, "/healthz", worker))
    metrics = page(port, "/metrics", worker)
    other = world.bot("worker", "--monitor", str(port), code=2)
    world.wait("select count(*) > 0 from procrastinate_workers", worker)
    code, _, err = world.stop(worker)
    assert (code, health) == (0, {"status": "ok", "problems": []}), err
    assert "\ndomainbot_database_up 1.0\n" in metrics
    assert 'domainbot_turns_total{assistant="default",outcome="failed"} 0.0' in metrics
    assert "give another --monitor" in other.stderr


@pytest.mark.parametrize("address", ["x", "99999", "localhost:", "-1"])
def test_what_is_no_address_is_a_usage_error(world, address):
    assert "is no [HOST:]PORT" in world.bot("worker", "--monitor", address, code=2).stderr
