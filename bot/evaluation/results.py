"""Evaluations, kept and listed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from psycopg.rows import dict_row
from psycopg.types.json import Json, Jsonb

from bot.database import Database, load_queries
from bot.errors import NotFound
from bot.evaluation.engine import Sheet
from bot.evaluation.golden import digest
from bot.evaluation.statistics import bootstrap

COSTS = ("refused", "tokens read", "tokens written", "cost")  # the lower, the better

QUERIES = load_queries(Path(__file__).parent.parent / "queries" / "evaluation.sql")


async def keep(database: Database, kind: str, sheet: Sheet, settings: Mapping[str, Any]) -> int:
    """Keep the results of one run; return their id."""
    async with database.transaction() as connection:
        cursor = await connection.execute(
            QUERIES["keep"],
            {
                "kind": kind,
                "golden": digest(sheet.golden),
                "questions": len(sheet.golden),
                "settings": Jsonb(dict(settings)),
                "started_at": sheet.started,
            },
        )
        row = await cursor.fetchone()
        assert row is not None
        for name in sheet.trials:
            await connection.execute(
                QUERIES["keep_variant"],
                {
                    "evaluation": row[0],
                    "name": name,
                    "summary": Json(summary(sheet, name)),
                    "trials": Json(trials(sheet, name)),
                },
            )
    return int(row[0])


async def listed(database: Database) -> list[dict[str, Any]]:
    """List what was measured, the newest first, one row a variant."""
    async with database.connection() as connection:
        cursor = connection.cursor(row_factory=dict_row)
        return await (await cursor.execute(QUERIES["list"])).fetchall()


def with_changes(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Say of each row how its first figure has changed since the same questions were asked last.

    Args:
        rows: as `listed` gives them.
    """
    last: dict[tuple[str, str, str, str], float] = {}
    found: list[dict[str, Any]] = []
    for row in reversed(rows):
        change = None
        if row["summary"]:
            first = row["settings"].get("by") or next(iter(row["summary"]))
            mean = (row["summary"].get(first) or {}).get("mean")
            key = (row["kind"], row["golden"], row["variant"], first)
            if mean is not None:
                change = mean - last[key] if key in last else None
                last[key] = mean
        found.append({**row, "change": change})
    return found[::-1]


async def newest(database: Database, kind: str = "") -> int:
    """Find the newest evaluation.

    Args:
        kind: of what; of anything, unless given.

    Raises:
        NotFound: there is none.
    """
    async with database.connection() as connection:
        row = await (await connection.execute(QUERIES["newest"], {"kind": kind})).fetchone()
    if row is None:
        raise NotFound("Nothing was measured yet; see `bot eval run` and `bot eval compare`.")
    return int(row[0])


async def kind(database: Database, evaluation: int) -> str:
    """What an evaluation has compared.

    Raises:
        NotFound: there is no such evaluation.
    """
    async with database.connection() as connection:
        cursor = await connection.execute(QUERIES["kind"], {"evaluation": evaluation})
        row = await cursor.fetchone()
    if row is None:
        raise NotFound(f"There is no evaluation {evaluation}; `bot eval list` shows them.")
    return str(row[0])


async def trials_of(database: Database, evaluation: int) -> dict[str, list[dict[str, Any]]]:
    """Read the figures of each question, by variant.

    Raises:
        NotFound: there is no such evaluation, or it was stopped before its end.
    """
    async with database.connection() as connection:
        cursor = await connection.execute(QUERIES["trials"], {"evaluation": evaluation})
        rows = await cursor.fetchall()
    if not rows:
        raise NotFound(
            f"Evaluation {evaluation} has no figures, as it is not finished; the command that "
            "began it goes on with it, and `bot eval list` shows the others."
        )
    return dict(rows)


def worst_first(
    trials: Mapping[str, Sequence[Mapping[str, Any]]],
) -> list[tuple[int, dict[str, Mapping[str, Any]]]]:
    """Put the figures of the variants side by side, the question with the lowest sum first."""
    questions: dict[int, dict[str, Mapping[str, Any]]] = {}
    for variant, rows in trials.items():
        for row in rows:
            questions.setdefault(row["golden"], {})[variant] = row
    aside = {"golden", "milliseconds", "error", *COSTS}

    def worth(item: tuple[int, dict[str, Mapping[str, Any]]]) -> float:
        rows = item[1].values()
        return sum(float(v) for row in rows for m, v in row.items() if m not in aside)

    return sorted(questions.items(), key=worth)


def interval(values: Sequence[float]) -> dict[str, float]:
    """A mean with its interval as JSON values."""
    return asdict(bootstrap(values))


def summary(sheet: Sheet, variant: str) -> dict[str, Any]:
    """Write down the figures of a variant as JSON values."""
    return {
        **{name: asdict(sheet.mean(variant, name)) for name in (*sheet.metrics, *sheet.costs)},
        "milliseconds": interval(sheet.waits(variant)),
        "p50_ms": round(sheet.latency(variant, 0.5), 3),
        "p95_ms": round(sheet.latency(variant, 0.95), 3),
        "errors": sheet.errors(variant),
    }


def trials(sheet: Sheet, variant: str) -> list[dict[str, Any]]:
    """Write down each question's figures; of the question itself its id alone."""
    return [
        {
            "golden": one.id,
            **trial.values,
            **trial.costs,
            "milliseconds": round(trial.milliseconds, 3),
            "error": trial.error,
        }
        for one, trial in zip(sheet.golden, sheet.trials[variant], strict=True)
    ]
