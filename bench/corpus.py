"""Chunks for benchmarks: real sentences, and vectors that lie together as real ones do."""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np
from vectors import BATCH, Matrix, clustered, near

from bot.document import Chunk


def make(folder: Path, count: int) -> tuple[list[Chunk], list[str]]:
    """Make chunks of eight sentences of a corpus, and questions of fifteen words.

    Args:
        folder: holds `corpus.jsonl` {_id, title, text}.
    """
    lines = [json.loads(line) for line in (folder / "corpus.jsonl").open(encoding="utf-8")]
    sentences = [s for line in lines for s in line["text"].split(". ") if len(s) > 30]
    chance = random.Random(0)
    made = vectors(count)
    chunks = [
        Chunk(
            id=str(number),
            document_id=number,
            source="bench",
            ordinal=0,
            start=0,
            end=1,
            text=". ".join(chance.choices(sentences, k=8)),
            vector=made[number],
            readers=("everyone",),
            title=lines[number % len(lines)]["title"],
        )
        for number in range(count)
    ]
    asked = [" ".join(chance.choice(sentences).split()[:15]) for _ in range(300)]
    return chunks, asked


def vectors(count: int) -> Matrix:
    """Make the vectors of so many chunks; shape (count, 384)."""
    return np.concatenate([clustered(BATCH, batch) for batch in range(-(-count // BATCH))])[:count]


def questions(of: Matrix, count: int) -> Matrix:
    """Draw vectors of questions, each near a random one of the given; shape (count, 384)."""
    return near(of[np.random.default_rng(1).integers(0, len(of), count)])
