"""The metrics: what this process has done, and what stands in the database."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from bot.database import Database, load_queries
from bot.jobs import DEAD

QUERIES = load_queries(Path(__file__).parent.parent / "queries" / "monitoring.sql")

# Seconds. An answer takes from a tenth of a second to minutes, a batch of a rebuild about as long.
BUCKETS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0)

# Each gauge: its query, what it tells, its labels.
GAUGES: Mapping[str, tuple[str, str, Sequence[str]]] = {
    "domainbot_queue_jobs": ("queue_jobs", "Jobs by queue and state.", ("queue", "state")),
    "domainbot_queue_oldest_seconds": (
        "queue_oldest", "How long the job that has waited longest could have been begun.",
        ("queue",),
    ),
    "domainbot_jobs_stalled": ("stalled", "Jobs in the hands of workers that are dead.", ()),
    "domainbot_workers": ("workers", "Workers that live, on all machines.", ()),
    "domainbot_documents": (
        "documents", "Documents by source, and by their state in the live version.",
        ("source", "state"),
    ),
    "domainbot_chunks": ("chunks", "Chunks by index version.", ("version", "state")),
    "domainbot_source_synced_timestamp_seconds": (
        "synced", "When the last whole sync of a source ended.", ("source",)
    ),
    "domainbot_source_failed": ("sync_failed", "Whether its last sync ended early.", ("source",)),
    "domainbot_inbox_messages": (
        "inbox", "Messages that are not answered yet.", ("channel", "state")
    ),
    "domainbot_database_bytes": ("bytes", "What the database takes on disk.", ()),
}  # fmt: skip


class Metrics:
    """One process's metrics."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        own: Any = {"registry": self.registry}
        timed = {"buckets": BUCKETS, **own}
        self.turns = Counter(
            "domainbot_turns", "Turns by assistant and outcome.", ["assistant", "outcome"], **own
        )
        self.turn_seconds = Histogram(
            "domainbot_turn_seconds", "How long each step of a turn took.", ["step"], **timed
        )
        self.jobs = Counter(
            "domainbot_jobs", "Attempts at jobs by task and outcome.", ["task", "outcome"], **own
        )
        self.job_seconds = Histogram(
            "domainbot_job_seconds", "How long each attempt at a job took.", ["task"], **timed
        )
        self.stored = Stored()
        self.registry.register(self.stored)


class Stored(Collector):
    """What was last read from the database."""

    def __init__(self) -> None:
        self._read: Mapping[str, Sequence[Sequence[Any]]] | None = None

    async def read(self, database: Database) -> None:
        """Count everything anew.

        Raises:
            DatabaseError: it cannot be read; the next `collect` tells that alone.
        """
        self._read = None
        found = {}
        async with database.connection() as connection:
            for name, (query, _, _) in GAUGES.items():
                cursor = await connection.execute(QUERIES[query], {"dead": DEAD})
                found[name] = await cursor.fetchall()
        self._read = found

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """Hand over what was read, as prometheus_client asks for it."""
        up = GaugeMetricFamily("domainbot_database_up", "Whether the database could be read.")
        up.add_metric([], int(self._read is not None))
        return [up, *self._families()]

    def _families(self) -> Iterator[GaugeMetricFamily]:
        for name, rows in (self._read or {}).items():
            _, tells, labels = GAUGES[name]
            family = GaugeMetricFamily(name, tells, labels=labels)
            for *values, value in rows:
                family.add_metric(values, value)
            yield family
