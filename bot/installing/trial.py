"""Trying a plugin in a process of its own: a check, not a sandbox.

The child loads the plugin alone and calls its hooks as the bot would, with the conformance suite
for what it retrieves. It tells what it is about to do, so that the parent can name what hangs.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from bot.installing.children import run, tell
from bot.plugins import IMPORT_TIMEOUT, Plugins

if TYPE_CHECKING:
    from bot.database import Database
    from bot.plugins import Component
    from bot.testing.conformance import RetrieverConformance

LIMIT = IMPORT_TIMEOUT + 60.0  # seconds for the whole trial of one plugin
HANGING = IMPORT_TIMEOUT + 30.0  # and for one without a database of its own

_CALLED = ("bot_turn_started", "bot_queries", "bot_rerank", "bot_turn_finished", "bot_around")
"""Hooks of a turn that are called as functions of a module, besides `bot_retrieve`."""

TRIED = frozenset({*_CALLED, "bot_retrieve"})

QUESTION = "What is a chunk?"


def tried(
    name: str, environ: Mapping[str, str], *, database: bool, timeout: float = 0.0
) -> list[str]:
    """Try one plugin; return what is wrong with it, a sentence each.

    Args:
        database: give it a scratch database, run its migrations there, and try the retrievers
            that need no settings. It takes seconds.
    """
    timeout = timeout or (LIMIT if database else HANGING)
    ended = run("bot.installing.trial", [name, str(int(database))], environ, timeout)
    problems = [line["problem"] for line in ended.lines if "problem" in line]
    if ended.code != 0:
        doing = next(
            (line["doing"] for line in reversed(ended.lines) if "doing" in line), "starting"
        )
        limit = f" ({timeout:g} s)" if ended.code is None else ""
        problems.append(f"{name}: {doing} {ended.how}{limit}")
    return problems


def main(descriptor: int, name: str, database: bool) -> None:
    """Try the plugin, in the child."""

    def doing(what: str) -> None:
        tell(descriptor, doing=what)

    def problem(text: str) -> None:
        tell(descriptor, problem=f"{name}: {text}")

    doing("loading it")
    plugins = Plugins()
    plugins.load({"BOT_PLUGINS": name})
    for loaded in plugins.loaded:
        if loaded.error:
            tell(descriptor, problem=loaded.error)
            return
    trial = _Trial(plugins, name, doing, problem)
    asyncio.run(trial.with_database() if database else trial.without())


class _Trial:
    def __init__(self, plugins: Plugins, name: str, doing: Any, problem: Any) -> None:
        self._plugins = plugins
        self._name = name
        self._doing = doing
        self._problem = problem

    async def without(self) -> None:
        """Try the module's own hooks of a turn."""
        await self._hooks()
        if "bot_retrieve" in self._plugins.hooks(self._name):
            await self._suite(self._retriever(None, None))

    async def with_database(self) -> None:
        """Try its migrations and its retrievers too, in a database that is thrown away."""
        from bot import schema
        from bot.database import Database
        from bot.embedded import EmbeddedServer

        makeable = [one for one in self._plugins.components if _without_settings(one)]
        retrievers = [one for one in makeable if one.kind == "retriever"]
        if not retrievers and "bot_migrations" not in self._plugins.hooks(self._name):
            await self.without()
            return
        with TemporaryDirectory(prefix="bot-trial-", dir="/tmp") as folder:
            os.chmod(folder, 0o711)  # noqa: S103 - the server may run as another user
            opened = Database(server=EmbeddedServer(Path(folder)))
            await opened.open()
            try:
                self._doing("bot_migrations")
                folders = self._plugins.migrations()
                for failure in (await schema.ensure_each(opened, folders)).values():
                    self._problem(str(failure))
                    return
                for loaded in self._plugins.loaded:
                    if loaded.error:
                        self._problem(loaded.error)
                        return
                await self.without()
                for one in retrievers:
                    await self._suite(self._retriever(one, opened))
            finally:
                await opened.close()

    async def _hooks(self) -> None:
        """Call the hooks that a turn calls on every plugin."""
        from bot import dispatch
        from bot.turn import EVERYONE, Answer, Outcome, Passage, Turn

        turn = Turn(id="t", question=QUESTION, queries=(QUESTION,))
        passage = Passage(id="p", text="A chunk is a piece.", readers=frozenset({EVERYONE}))
        answer = Answer(turn="t", outcome=Outcome.answered, text="A piece.")
        given = {"turn": turn, "passages": [passage], "answer": answer, "step": "queries"}
        for hook in _CALLED:
            for one in dispatch.implementations(self._plugins.manager, hook, {self._name}):
                self._doing(hook)
                try:
                    await one.call(5.0, **{key: given[key] for key in one.accepts})
                except Exception as error:
                    self._problem(str(error).removeprefix(f"{self._name}: "))

    async def _suite(self, suite: RetrieverConformance) -> None:
        """Run the checks of a suite until one fails."""
        for check in [name for name in dir(suite) if name.startswith("test_")]:
            self._doing(f"bot_retrieve ({check})")
            try:
                done = getattr(suite, check)()
                if asyncio.iscoroutine(done):
                    await done
            except Exception as error:
                said = str(error).splitlines()[0] if str(error) else type(error).__name__
                self._problem(f"{check.removeprefix('test_').replace('_', ' ')}: {said}")
                return

    def _retriever(self, component: Component | None, database: Database | None) -> Any:
        """Make the suite for a module or for a component; there may be nothing to find."""
        from bot.testing.conformance import IndexConformance, RetrieverConformance

        plugins, name = self._plugins, self._name
        keeps = component is not None and "bot_index_add" in self._plugins.hooks(name)
        base = IndexConformance if keeps else RetrieverConformance

        class Suite(base):  # type: ignore[misc, valid-type]
            plugin = name
            type = component.type if component else name
            finds = keeps
            question = base.question if keeps else QUESTION

        suite = Suite()
        suite.database = database
        del plugins
        return suite


def _without_settings(component: Component) -> bool:
    try:
        component.settings.model_validate({})
    except Exception:
        return False
    return True


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], sys.argv[3] == "1")
