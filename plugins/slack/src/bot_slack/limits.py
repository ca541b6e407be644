"""Slack's rate limits, kept by all workers together: a token bucket a method and workspace.

Slack counts calls a minute. A bucket holds a quarter of them and is refilled with the other three
quarters a minute, so no minute has more calls than Slack allows, wherever it begins.
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from bot.database import Database, load_queries

QUERIES = load_queries(Path(__file__).parent / "queries" / "limits.sql")

PER_MINUTE = {
    "chat.postMessage": 60,  # in each channel
    "chat.update": 50,
    "chat.delete": 50,
    "chat.startStream": 20,
    "chat.appendStream": 100,
    "chat.stopStream": 20,
}
"""Calls that Slack allows, by tier; other methods are held up only when Slack says so.

https://docs.slack.dev/apis/web-api/rate-limits
"""
_BY_CHANNEL = frozenset({"chat.postMessage"})


class Limiter:
    """The limits of one workspace.

    Args:
        rate: how many times the documented limits the workspace allows.
    """

    def __init__(self, database: Database, team: str, rate: float = 1.0) -> None:
        self._database = database
        self._team = team
        self._rate = rate
        self._refused: dict[str, float] = {}  # until when it is of no use to ask again
        self._blocked: dict[str, float] = {}  # what Slack itself holds up

    async def take(self, method: str, channel: str = "", patience: float = 0.0) -> bool:
        """Wait for the right to make one call, at most `patience` seconds.

        Returns:
            False when it would take longer; nothing is booked then.
        """
        held = self._blocked.get(_bucket_of(method, channel), 0.0) - time.monotonic()
        if held > patience:
            return False
        if held > 0:
            await asyncio.sleep(held)
        if method not in PER_MINUTE:
            return True
        name, each, burst = self._bucket(method, channel)
        if not patience and self._refused.get(name, 0.0) > time.monotonic():
            return False
        arguments = {"name": name, "each": each, "burst": burst, "patience": patience}
        async with self._database.connection() as connection:
            row = await (await connection.execute(QUERIES["take"], arguments)).fetchone()
        if row is None:
            self._refused[name] = time.monotonic() + each / 2
            return False
        if row[0] > 0:
            await asyncio.sleep(row[0])
        return True

    async def block(self, method: str, channel: str, seconds: float) -> None:
        """Obey a `Retry-After`, in every process."""
        self._blocked[_bucket_of(method, channel)] = time.monotonic() + seconds
        if method in PER_MINUTE:
            name, _, burst = self._bucket(method, channel)
            arguments = {"name": name, "burst": burst, "seconds": seconds}
            async with self._database.connection() as connection:
                await connection.execute(QUERIES["block"], arguments)

    async def tidy(self) -> None:
        """Forget buckets that have been full for a day."""
        async with self._database.connection() as connection:
            await connection.execute(QUERIES["tidy"])

    def _bucket(self, method: str, channel: str) -> tuple[str, float, float]:
        """Name a bucket; the seconds that one call takes of it, and those it holds beyond one."""
        allowed = PER_MINUTE[method] * self._rate
        size = max(allowed / 4, 1.0)
        each = 60 / (allowed - size)
        return f"{self._team}/{_bucket_of(method, channel)}", each, (size - 1) * each


def _bucket_of(method: str, channel: str) -> str:
    return f"{method}/{channel}" if method in _BY_CHANNEL else method
