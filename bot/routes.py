"""The way of an answer through several generators: who wrote when, how long, and what it cost."""

from __future__ import annotations

import time
from dataclasses import replace

from bot.turn import Delta, Route, Usage


class Routes:
    """Follows the deltas of one answer.

    A generator tells its usage as a running total, so within one route the last counts, and the
    routes of an answer add up.
    """

    def __init__(self) -> None:
        self._done: list[Route] = []
        self._now = Route(generator="")
        self._since = time.perf_counter()

    def take(self, delta: Delta) -> bool:
        """Follow one delta; whether an answer that had begun elsewhere is taken over by it."""
        taken_over = False
        if delta.route is not None:
            taken_over = bool(self._now.generator)
            self._done = self._all()
            self._now, self._since = delta.route, time.perf_counter()
        if delta.usage is not None:
            self._now = replace(self._now, usage=delta.usage)
        return taken_over

    def end(self) -> tuple[Route, ...]:
        """The routes, the last one until now; none when a generator answered on its own."""
        return tuple(route for route in self._all() if route.generator)

    @property
    def usage(self) -> Usage | None:
        """What all of them have spent; None when nobody told."""
        told = [route.usage for route in self._all() if route.usage is not None]
        return sum(told[1:], start=told[0]) if told else None

    def _all(self) -> list[Route]:
        took = round((time.perf_counter() - self._since) * 1000, 3)
        return [*self._done, replace(self._now, milliseconds=took)]
