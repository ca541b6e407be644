"""Asking the assistant's parts: retrievers for passages, a generator for its answer.

The loop asks them for every turn; a component asks them through its `Context`, as one does that
wraps a generator or searches once more.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing, contextmanager, suppress
from contextvars import ContextVar
from dataclasses import replace
from typing import Any

from bot import dispatch, leaving, prompt, ranking
from bot.errors import GenerationError, HookFailed, MayNotReceive, OverBudget, PluginError
from bot.machinery import Machinery
from bot.plugins import Kind
from bot.turn import Delta, Passage, Prompt, Turn

log = logging.getLogger(__name__)

LeftOut = Callable[[str, str], None]
"""Told the name of a plugin that did not work, and why."""

_asked: ContextVar[tuple[str, ...]] = ContextVar("asked", default=())


async def resolve(machinery: Machinery, kind: Kind, name: str) -> str:
    """Make a component; loading its model counts as waiting for the first token."""
    found: str = await dispatch.punctual(machinery.resolve(kind, name), machinery.limits.token)
    return found


async def retrieve(
    machinery: Machinery, turn: Turn, left_out: LeftOut
) -> Mapping[str, Sequence[Passage]]:
    """Ask all of the assistant's retrievers at once; passages by retriever.

    Raises:
        GenerationError: none of them gave a result.
    """
    names: dict[str, str] = {}
    for name in turn.assistant.retrievers:
        try:
            names[await resolve(machinery, "retriever", name)] = name
        except Exception as error:  # the other retrievers may find something
            log.warning("retriever %s: %s", name, error, exc_info=error)
            left_out(f"retriever:{name}", dispatch.describe(error))
    results = await _asked_of(machinery, turn, names, left_out)
    results = [checked(result, "bot_retrieve", is_passage) for result in results]
    for result in results:
        if result.error is not None:
            left_out(result.plugin, str(result.error))
    found = {names[r.plugin]: r.value for r in results if r.error is None}
    if not found and turn.assistant.retrievers:
        raise GenerationError("None of the assistant's retrievers gave a result.")
    return found


async def _asked_of(
    machinery: Machinery, turn: Turn, names: Mapping[str, str], left_out: LeftOut
) -> list[dispatch.Result]:
    """Ask retrievers at once, each with as much of the turn as it may receive."""
    groups: dict[leaving.MayReceive, set[str]] = {}
    for name in names:
        groups.setdefault(machinery.may_receive(name), set()).add(name)
    for name in groups.pop("nothing", ()):
        try:
            leaving.check(name, "nothing")
        except MayNotReceive as error:
            left_out(name, str(error))
    gathered = await dispatch.together(
        dispatch.gather(
            machinery.manager,
            "bot_retrieve",
            only=only,
            timeout=machinery.limits.retrieve,
            turn=leaving.narrowed(turn, may_receive),
        )
        for may_receive, only in groups.items()
    )
    return [result for results in gathered for result in results]


async def rank(
    machinery: Machinery,
    turn: Turn,
    found: Mapping[str, Sequence[Passage]],
    left_out: LeftOut,
) -> list[Passage]:
    """Make one list of what retrievers brought: what the asker may read, the best first."""
    allowed = {
        name: ranking.readable(passages, turn.principals) for name, passages in found.items()
    }
    fused = ranking.fuse(allowed, turn.k, turn.assistant.weights)
    if not fused:
        return []
    reranked, failures = await dispatch.first(
        machinery.manager,
        "bot_rerank",
        timeout=machinery.limits.hook,
        turn=turn,
        passages=fused,
    )
    for failure in failures:
        left_out(failure.plugin, str(failure))
    if reranked is None:
        return fused
    result = checked(dispatch.Result("a reranker", reranked), "bot_rerank", is_passage)
    if result.error is not None:
        left_out(result.plugin, str(result.error))
        return fused
    # A reranker may reorder and drop; what it adds is checked like everything else.
    return ranking.readable(result.value, turn.principals)[: turn.k]


async def search(machinery: Machinery, turn: Turn) -> list[Passage]:
    """Retrieve and rank for a turn whose queries somebody else has made; failures are logged."""

    def left_out(plugin: str, problem: str) -> None:
        log.warning("%s was left out of a further search: %s", plugin, problem)

    return await rank(machinery, turn, await retrieve(machinery, turn, left_out), left_out)


class Generator:
    """A generator of bot.toml, by name.

    Args:
        plugin: the name that its component is registered under.
    """

    def __init__(self, machinery: Machinery, plugin: str) -> None:
        self._with = machinery
        self._plugin = plugin

    @property
    def may_receive(self) -> leaving.MayReceive:
        """How much it may be given, with the generators that it asks in its turn."""
        return self._with.may_receive(self._plugin)

    async def context_limit(self) -> int | None:
        """Tokens that it reads and writes at once; None for no limit."""
        limit = await self._first("bot_context_limit")
        return None if limit is None else int(limit)

    async def count_tokens(self, text: str) -> int:
        """Count as it does; an estimate when it cannot."""
        tokens = await self._first("bot_count_tokens", text=text)
        return tokens if tokens is not None else await prompt.estimate_tokens(text)

    async def deltas(self, turn: Turn, asked: Prompt) -> AsyncGenerator[Delta]:
        """Stream its answer; plain text becomes a delta.

        Raises:
            GenerationError: it writes nothing, or something else.
            HookFailed: it raised or hung.
            MayNotReceive: the prompt holds what may not leave this machine; nothing was sent.
            PluginError: it asks itself, directly or through others.
        """
        leaving.check(self._plugin, self.may_receive, asked)
        turn = leaving.narrowed(turn, self.may_receive)
        found = dispatch.implementations(self._with.manager, "bot_generate", {self._plugin})
        if not found:
            raise GenerationError(
                f"{self._plugin} implements no `bot_generate`; choose another generator in "
                "bot.toml."
            )
        with _no_circle(self._plugin):
            stream = dispatch.stream(found[0], self._with.limits.token, turn=turn, prompt=asked)
            async with aclosing(stream) as items:
                async for item in items:
                    yield _delta(item)

    async def _first(self, hook: str, **arguments: str) -> Any:
        with _no_circle(self._plugin):
            value, _ = await dispatch.first(
                self._with.manager,
                hook,
                only={self._plugin},
                timeout=self._with.limits.hook,
                **arguments,
            )
        return value


@contextmanager
def _no_circle(plugin: str) -> Iterator[None]:
    """Refuse a generator that is asked while it is being asked."""
    on_the_way = _asked.get()
    if plugin in on_the_way:
        raise PluginError(
            f"{plugin} asks itself; name another `generator` in its table of bot.toml."
        )
    token = _asked.set((*on_the_way, plugin))
    try:
        yield
    finally:
        with suppress(ValueError):  # closed by another task: nothing to undo there
            _asked.reset(token)


async def generator(machinery: Machinery, name: str) -> Generator:
    """Make a generator that can be asked.

    Raises:
        PluginError: there is none by that name, or it cannot be made.
    """
    return Generator(machinery, await resolve(machinery, "generator", name))


async def answer(generator: Generator, turn: Turn, asked: Prompt) -> AsyncGenerator[Delta]:
    """Stream what a generator writes; a budget that is used up is told as a refusal."""
    said = False
    try:
        async with aclosing(generator.deltas(turn, asked)) as deltas:
            async for delta in deltas:
                said = said or bool(delta.text.strip())
                yield delta
    except HookFailed as failure:
        if said or not isinstance(failure.__cause__, OverBudget):
            raise
        yield Delta(text=str(failure.__cause__), verbatim=True, refusal=True)


def _delta(item: object) -> Delta:
    if isinstance(item, str):
        return Delta(text=item)
    if not isinstance(item, Delta):
        raise GenerationError(
            f"The generator yielded a {type(item).__name__} where a Delta or text belongs."
        )
    return item


def checked(result: dispatch.Result, hook: str, fits: Callable[[object], bool]) -> dispatch.Result:
    """Refuse what is no list of what fits: one careless plugin must not end the turn."""
    if result.error is not None:
        return result
    found = [] if result.value is None else result.value
    if isinstance(found, Sequence) and not isinstance(found, str) and all(map(fits, found)):
        return replace(result, value=found)
    error = HookFailed(result.plugin, hook, "gave something other than a list of what it should")
    log.warning("%s", error)
    return replace(result, value=None, error=error)


def is_text(value: object) -> bool:
    """Whether a hook that gives texts gave one."""
    return isinstance(value, str)


def is_passage(value: object) -> bool:
    """Whether a hook that gives passages gave one that can be checked for its readers."""
    return (
        isinstance(value, Passage)
        and isinstance(value.text, str)
        and isinstance(value.readers, frozenset)
    )
