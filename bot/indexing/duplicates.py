"""Documents that say nearly the same: MinHash signatures, found by bands.

Broder, "On the resemblance and containment of documents" (1997); Leskovec, Rajaraman, Ullman,
"Mining of Massive Datasets", chapter 3.
"""

from __future__ import annotations

import re
from collections import defaultdict
from functools import cache, lru_cache
from typing import TYPE_CHECKING
from zlib import crc32

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Signature = NDArray[np.uint64]

SAME = 0.9  # share of word triples that two documents have in common

_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|\w+")
_TRIPLE = 3
_HASHES = 128
_BANDS = 16  # of eight hashes: at .9 alike nearly all are found
_PRIME = (1 << 31) - 1
_AT_ONCE = 256  # triples, so that their hashes stay in the cache
_SHORTEST = 20  # words; below that a single one makes the difference


class Duplicates:
    """The documents that were seen, by who may read them: only equals can stand for each other."""

    def __init__(self) -> None:
        self._bands: defaultdict[tuple[object, int, bytes], set[str]] = defaultdict(set)
        self._signatures: dict[str, Signature] = {}

    def learn(self, key: str, text: str, readers: frozenset[str]) -> None:
        """Remember a document."""
        if (signed := signature(text)) is not None:
            self._signatures[key] = signed
            for band in _banded(signed, readers):
                self._bands[band].add(key)

    def like(self, text: str, readers: frozenset[str]) -> tuple[str, float] | None:
        """Find the document that is most like a text: its key, and how much is the same."""
        signed = signature(text)
        if signed is None:
            return None
        keys = set().union(*(self._bands.get(band, ()) for band in _banded(signed, readers)))
        alike = [(float((self._signatures[key] == signed).mean()), key) for key in keys]
        share, key = max(alike, default=(0.0, ""))
        return (key, share) if share >= SAME else None


@lru_cache(2)  # looked for first, then learned
def signature(text: str) -> Signature | None:
    """Sign a text's word triples, shape (128,); None when it is too short to compare."""
    import numpy as np

    words = _WORD.findall(text.casefold())
    if len(words) < _SHORTEST:
        return None
    triples = zip(*(words[n:] for n in range(_TRIPLE)), strict=False)
    hashed = {crc32(" ".join(triple).encode("utf-8", "surrogatepass")) for triple in triples}
    values = np.fromiter(hashed, np.uint64, len(hashed)) % _PRIME
    least = np.full(_HASHES, _PRIME, np.uint64)
    factors, terms = _permutations().T
    for at in range(0, len(values), _AT_ONCE):
        # Products of two numbers below 2^31 fit into 64 bits.
        hashes = factors[:, None] * values[at : at + _AT_ONCE] + terms[:, None]
        least = np.minimum(least, (hashes % _PRIME).min(1))
    return least


@cache
def _permutations() -> NDArray[np.uint64]:
    import numpy as np

    return np.random.default_rng(7).integers(1, _PRIME, (_HASHES, 2), np.uint64)


def _banded(signed: Signature, readers: frozenset[str]) -> list[tuple[object, int, bytes]]:
    rows = signed.reshape(_BANDS, -1)
    return [(readers, number, row.tobytes()) for number, row in enumerate(rows)]
