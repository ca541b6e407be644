"""Keys and values of prompts that were read before, so that what begins alike is read once."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from itertools import count
from typing import Any

import numpy as np

from bot_transformers.batch import Batch, Pairs

SHORTEST = 64  # tokens; less is read faster than it is looked up


class Prefixes:
    """Remembers prompts within some bytes; those longest unused go first.

    A prefix is reused only where every token is the same, and only with the same adapter: keys and
    values depend on both.
    """

    def __init__(self, room: int) -> None:
        self._room = room
        self._held = 0
        self._numbers = count()
        self._known: OrderedDict[int, tuple[str, Any, Pairs]] = OrderedDict()

    @property
    def held(self) -> int:
        """Bytes in use."""
        return self._held

    def longest(self, adapter: str, tokens: Sequence[int]) -> Batch | None:
        """Find the longest beginning that is known; at least one token is always left to read."""
        asked = np.asarray(tokens[:-1])
        best, length = -1, SHORTEST - 1
        for number, (key, known, _) in self._known.items():
            size = min(len(known), len(asked))
            if key != adapter or size <= length:
                continue
            differing = np.flatnonzero(known[:size] != asked[:size])
            common = int(differing[0]) if len(differing) else size
            if common > length:
                best, length = number, common
        if best < 0:
            return None
        self._known.move_to_end(best)
        return Batch.beginning(self._known[best][2], length)

    def keep(self, adapter: str, tokens: Sequence[int], pairs: Pairs) -> None:
        """Remember a prompt; one that it begins with is forgotten, as this one does for both."""
        if len(tokens) < SHORTEST:
            return
        size = sum(keys.nbytes + values.nbytes for keys, values in pairs)
        if size > self._room:
            return
        own = np.asarray(tokens)
        for number, (key, known, _) in list(self._known.items()):
            if key == adapter and len(known) <= len(own) and (own[: len(known)] == known).all():
                self._drop(number)
        self._known[next(self._numbers)] = (adapter, own, pairs)
        self._held += size
        while self._held > self._room:
            self._drop(next(iter(self._known)))

    def _drop(self, number: int) -> None:
        _, _, pairs = self._known.pop(number)
        self._held -= sum(keys.nbytes + values.nbytes for keys, values in pairs)
