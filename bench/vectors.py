"""Vectors as near to each other as those of texts are, made batch by batch."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

DIMENSIONS = 384
BATCH = 2000

Matrix = NDArray[np.float32]

# What a chunk's vector is made of: its own part, one for each group it is in, one of all; the
# squares sum to about 1.
OWN, EVERYWHERE = 0.58, 0.3
GROUPS = {10: 0.42, 100: 0.4, 1000: 0.38, 10_000: 0.28}
SPECTRUM = np.arange(1, DIMENSIONS + 1, dtype=np.float32) ** -0.3
SPECTRUM /= np.linalg.norm(SPECTRUM)
TURN = np.linalg.qr(np.random.default_rng(0).standard_normal((DIMENSIONS, DIMENSIONS)))[0]
TURN = TURN.astype(np.float32)


def coloured(count: int, *seed: int) -> Matrix:
    """Draw vectors of length one in the mean, whose variance falls from axis to axis.

    Seeds are a batch, or a group and its size; 0 and a size of no group give what is drawn once.
    """
    drawn = np.random.default_rng(seed).standard_normal((count, DIMENSIONS)).astype(np.float32)
    found: Matrix = (drawn * SPECTRUM) @ TURN
    return found


def clustered(count: int, seed: int) -> Matrix:
    """Draw unit vectors that are neighbours in groups of 10, of 100, of 1,000 and of 10,000.

    So their cosines fall with the rank of the neighbour as those of real texts do: among 11,266 the
    median of the 5th, 10th, 100th and 1,000th is .66, .57, .43 and .28; of what MiniLM makes of
    SciFact's abstracts it is .60, .56, .41 and .27. Shape (count, DIMENSIONS).
    """
    vectors = OWN * coloured(BATCH, seed)
    for size, share in GROUPS.items():
        shared = coloured(max(1, BATCH // size), seed * BATCH // size, size)
        vectors += share * np.repeat(shared, BATCH // len(shared), axis=0)
    return unit(vectors + EVERYWHERE * coloured(1, 0, 2))[:count]


def unit(vectors: Matrix) -> Matrix:
    found: Matrix = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return found


def near(vectors: Matrix) -> Matrix:
    """Draw questions, each with a cosine of about .7 to its chunk; shape as given."""
    return unit(vectors + coloured(len(vectors), 0, 1))
