"""Retrieval quality on BEIR-shaped folders: by meaning, by words, and by both.

    python bench/quality.py DATA... [--questions 300]

Each DATA holds `corpus.jsonl` {_id, title, text}, `queries.jsonl` {_id, text} and `qrels.tsv` or
`qrels/*.tsv`. Every folder is indexed by the product as a team would, in a home of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import json
import tempfile
from pathlib import Path

import ir_measures
from ir_measures import RR, R, Success, nDCG
from table import show

from bot import Bot

MEASURES = [Success @ 1, R @ 5, R @ 10, nDCG @ 10, RR @ 10]
MODES = ("vector", "lexical", "hybrid")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", nargs="+", type=Path)
    parser.add_argument("--questions", type=int, default=300, help="at most so many a folder")
    options = parser.parse_args()
    rows = [
        row for folder in options.data for row in asyncio.run(measure(folder, options.questions))
    ]
    show("Retrieval quality", ["data", "mode", *map(str, MEASURES), "questions"], rows)


async def measure(folder: Path, most: int) -> list[list[object]]:
    """Index a folder, ask its questions in every mode, and compare with its judgements."""
    judged = judgements(folder)
    questions = [
        (line["_id"], line["text"])
        for line in map(json.loads, (folder / "queries.jsonl").open(encoding="utf-8"))
        if line["_id"] in judged
    ][:most]
    qrels = {key: judged[key] for key, _ in questions}
    rows: list[list[object]] = []
    with (
        tempfile.TemporaryDirectory(prefix="bench-", dir="/tmp") as home,
        tempfile.TemporaryDirectory() as work,
    ):
        config = Path(work) / "bot.toml"
        config.write_text(configuration(folder), encoding="utf-8")
        async with Bot.from_config(config, environ={"BOT_HOME": home}) as bot:
            await bot.sync()
            for mode in MODES:
                run = {}
                for key, question in questions:
                    passages, _ = await bot.search(question, k=10, assistant=mode)
                    # Passages come best first; equal scores must not change places.
                    run[key] = {p.id: 1.0 / place for place, p in enumerate(passages, 1)}
                found = ir_measures.calc_aggregate(MEASURES, qrels, run)
                rows.append(
                    [folder.name, mode, *(f"{found[m]:.3f}" for m in MEASURES), len(questions)]
                )
    return rows


def judgements(folder: Path) -> dict[str, dict[str, int]]:
    """Read the relevant documents of each question."""
    found: dict[str, dict[str, int]] = {}
    for path in [*folder.glob("qrels*.tsv"), *folder.glob("qrels/*.tsv")]:
        with path.open(encoding="utf-8", newline="") as lines:
            for row in csv.DictReader(lines, delimiter="\t"):
                found.setdefault(row["query-id"], {})[row["corpus-id"]] = int(row["score"])
    return found


def configuration(folder: Path) -> str:
    """Write a bot.toml with one assistant a mode."""
    path = json.dumps(str((folder / "corpus.jsonl").resolve()))
    return f'[sources.corpus]\ntype = "jsonl"\npath = {path}\n' + "".join(
        f'[retrievers.{mode}]\ntype = "pgvector"\nmode = "{mode}"\n'
        f'[assistants.{mode}]\nretrievers = ["{mode}"]\n'
        for mode in MODES
    )


if __name__ == "__main__":
    main()
