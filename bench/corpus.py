"""Chunks for benchmarks: real sentences, and vectors that lie together as real ones do."""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bot.document import Chunk

DIMENSIONS = 384


def make(folder: Path, count: int) -> tuple[list[Chunk], list[str]]:
    """Make chunks of eight sentences of a corpus, and questions of fifteen words.

    Args:
        folder: holds `corpus.jsonl` {_id, title, text}.
    """
    lines = [json.loads(line) for line in (folder / "corpus.jsonl").open(encoding="utf-8")]
    sentences = [s for line in lines for s in line["text"].split(". ") if len(s) > 30]
    chance = random.Random(0)
    vectors = clustered(count)
    chunks = [
        Chunk(
            id=str(number),
            document_id=number,
            source="bench",
            ordinal=0,
            start=0,
            end=1,
            text=". ".join(chance.choices(sentences, k=8)),
            vector=vectors[number],
            readers=("everyone",),
            title=lines[number % len(lines)]["title"],
        )
        for number in range(count)
    ]
    questions = [" ".join(chance.choice(sentences).split()[:15]) for _ in range(300)]
    return chunks, questions


def clustered(count: int) -> NDArray[np.float32]:
    """Draw unit vectors around centres; shape (count, 384)."""
    chance = np.random.default_rng(0)
    centres = chance.standard_normal((300, DIMENSIONS))
    vectors = centres[chance.integers(0, len(centres), count)]
    vectors = vectors + 0.6 * chance.standard_normal((count, DIMENSIONS))
    unit: NDArray[np.float32] = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(
        np.float32
    )
    return unit


def near(vectors: NDArray[np.float32], count: int) -> NDArray[np.float32]:
    """Draw vectors of questions, each close to one of the given; shape (count, 384)."""
    chance = np.random.default_rng(1)
    chosen = vectors[chance.integers(0, len(vectors), count)]
    noisy = chosen + 0.02 * chance.standard_normal(chosen.shape)
    unit: NDArray[np.float32] = (noisy / np.linalg.norm(noisy, axis=1, keepdims=True)).astype(
        np.float32
    )
    return unit
