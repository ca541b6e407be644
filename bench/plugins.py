"""What plugins cost: loading 50 of them, and calling a hook of each.

    python bench/plugins.py [--rounds 9]

Loading is measured in fresh processes, against the same process with none of them; "import alone"
imports the same modules without a plugin manager. A hook is called through `bot.dispatch.gather`;
"awaits alone" awaits the same coroutines, and "pluggy" calls plain functions, unguarded.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pluggy
from table import show

from bot import Turn, dispatch, hookimpl, hookspecs
from bot.plugins import Plugins

PLUGINS = 50
CALLS = 200

MODULE = """
from pydantic import BaseModel, Field
from bot import Component, hookimpl

class Settings(BaseModel):
    path: str = Field("", description="Where it is.")

@hookimpl
async def bot_retrieve(turn):
    return []

@hookimpl
def bot_components():
    return [Component(kind="retriever", type=__name__, settings=Settings, make=print)]
"""

LOAD = """
import sys, time
import pydantic
from bot.plugins import Plugins
begun, used = time.perf_counter(), time.process_time()
if sys.argv[1] == "alone":
    for number in range(int(sys.argv[2])):
        __import__(f"bot_bench_{number}")
else:
    plugins = Plugins()
    plugins.load({})
    assert not [one for one in plugins.loaded if one.error], plugins.loaded
print(time.perf_counter() - begun, time.process_time() - used)
"""


class Asynchronous:
    @hookimpl
    async def bot_retrieve(self, turn: Turn) -> list[object]:
        return []


class Plain:
    @hookimpl
    def bot_retrieve(self, turn: Turn) -> list[object]:
        return []


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as site, tempfile.TemporaryDirectory() as empty:
        write(Path(site))
        none, none_used = median("plugins", empty, rounds)
        alone, alone_used = median("alone", site, rounds)
        loaded, loaded_used = median("plugins", site, rounds)
    show(
        f"loading {PLUGINS} plugins, median of {rounds} processes",
        ("", "ms", "ms of processor"),
        [
            ("import alone", alone, alone_used),
            ("loaded, over none", loaded - none, loaded_used - none_used),
            ("the limit", 150.0, "–"),
        ],
    )
    show(
        f"one hook of {PLUGINS} plugins, median of {CALLS} calls",
        ("", "µs a plugin"),
        [*asyncio.run(calls()), ("the limit", 20.0)],
    )


def write(site: Path) -> None:
    """Install plugins as pip leaves them."""
    for number in range(PLUGINS):
        name = f"bench_{number}"
        (site / f"bot_{name}.py").write_text(MODULE)
        about = site / f"{name}-1.0.dist-info"
        about.mkdir()
        (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (about / "entry_points.txt").write_text(f"[bot]\n{name} = bot_{name}\n")


def median(what: str, site: str, rounds: int) -> tuple[float, float]:
    """Milliseconds of a step, by the clock and by the processor, in a fresh process.

    The first, which compiles, does not count.
    """
    environ = {**os.environ, "PYTHONPATH": site}
    environ.pop("BOT_PLUGINS", None)
    took, used = [], []
    for _ in range(rounds + 1):
        done = subprocess.run(
            [sys.executable, "-c", LOAD, what, str(PLUGINS)],
            env=environ, capture_output=True, text=True, check=True,
        )  # fmt: skip
        clock, processor = map(float, done.stdout.split())
        took.append(clock * 1000)
        used.append(processor * 1000)
    return statistics.median(took[1:]), statistics.median(used[1:])


async def calls() -> list[tuple[str, float]]:
    turn = Turn(id="t", question="?")
    guarded, threads = Plugins(), Plugins()
    unguarded = pluggy.PluginManager("bot")
    unguarded.add_hookspecs(hookspecs)
    implementations = [Asynchronous() for _ in range(PLUGINS)]
    for number, one in enumerate(implementations):
        guarded.register(one, str(number))
        threads.register(Plain(), str(number))
        unguarded.register(Plain(), str(number))

    async def alone() -> None:
        for one in implementations:
            await one.bot_retrieve(turn)

    async def plain() -> None:
        unguarded.hook.bot_retrieve(turn=turn)

    async def gathered(plugins: Plugins) -> None:
        await dispatch.gather(plugins.manager, "bot_retrieve", timeout=5.0, turn=turn)

    return [
        ("awaits alone", await timed(alone)),
        ("pluggy, unguarded", await timed(plain)),
        ("asynchronous, guarded", await timed(lambda: gathered(guarded))),
        ("on a thread, guarded", await timed(lambda: gathered(threads))),
    ]


async def timed(call) -> float:
    took = []
    for _ in range(CALLS):
        begun = time.perf_counter()
        await call()
        took.append((time.perf_counter() - begun) / PLUGINS * 1e6)
    return statistics.median(took)


if __name__ == "__main__":
    main()
