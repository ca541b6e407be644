"""Rows of tokens on their way through a model together: keys and values, padding, positions."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import torch
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

Pairs = list[tuple[Any, Any]]  # keys and values of each layer, (rows, heads, tokens, size)


class Batch:
    """Some rows with what the model has computed for them, padded on the left.

    Attributes:
        pairs: keys and values by layer; empty before the first pass.
        mask: (rows, tokens), 1 where a token stands and 0 where there is padding.
        places: (rows,), the position of each row's next token.
    """

    def __init__(self, pairs: Pairs, mask: Any, places: Any) -> None:
        self.pairs = pairs
        self.mask = mask
        self.places = places
        self._padded = self.rows > 1 and not bool(mask.all())

    @classmethod
    def empty(cls, rows: int, device: Any) -> Batch:
        """Rows that have nothing yet."""
        return cls(
            [],
            torch.zeros(rows, 0, dtype=torch.long, device=device),
            torch.zeros(rows, dtype=torch.long, device=device),
        )

    @classmethod
    def beginning(cls, pairs: Pairs, tokens: int) -> Batch:
        """One row that begins with keys and values computed before; their first `tokens`."""
        device = pairs[0][0].device
        cut = [(keys[:, :, :tokens], values[:, :, :tokens]) for keys, values in pairs]
        mask = torch.ones(1, tokens, dtype=torch.long, device=device)
        return cls(cut, mask, torch.full((1,), tokens, dtype=torch.long, device=device))

    @property
    def rows(self) -> int:
        return int(self.mask.shape[0])

    @property
    def length(self) -> int:
        """Tokens of the longest row."""
        return int(self.mask.shape[1])

    def forward(self, model: Any, ids: Any, present: Any, embeddings: Any = None) -> Any:
        """Give the model further tokens; return the scores after the last, (rows, vocabulary).

        Args:
            ids: (rows, tokens).
            present: like `ids`, 0 where there is only padding.
            embeddings: (rows, tokens, width) instead of `ids`.
        """
        mask = torch.cat([self.mask, present], dim=1)
        held = _cache(self.pairs)
        if present.shape[1] > 1:
            self._padded = self._padded or not bool(present.all())
        given: dict[str, Any] = {
            "attention_mask": mask if self._padded else None,
            "position_ids": (self.places[:, None] + present.cumsum(1) - 1).clamp(min=0),
            "past_key_values": held,
            "use_cache": True,
            "logits_to_keep": 1,
        }
        given |= {"inputs_embeds": embeddings} if embeddings is not None else {"input_ids": ids}
        known = accepted(type(model).forward)
        out = model(**{name: value for name, value in given.items() if name in known})
        self.pairs = [(layer.keys, layer.values) for layer in held.layers]
        self.mask = mask
        self.places = self.places + present.sum(1)
        return out.logits[:, -1]

    def select(self, rows: Sequence[int]) -> Batch:
        """Some of the rows, without the padding that none of them needs."""
        index = torch.as_tensor(list(rows), dtype=torch.long, device=self.mask.device)
        mask = self.mask.index_select(0, index)
        pad = int((mask.cumsum(1) == 0).all(0).sum())
        pairs = [
            (keys.index_select(0, index)[:, :, pad:], values.index_select(0, index)[:, :, pad:])
            for keys, values in self.pairs
        ]
        return Batch(pairs, mask[:, pad:], self.places.index_select(0, index))

    def row(self, number: int) -> Pairs:
        """One row's keys and values, without padding, in memory of their own."""
        pad = self.length - int(self.mask[number].sum())
        return [
            (
                keys[number : number + 1, :, pad:].clone(),
                values[number : number + 1, :, pad:].clone(),
            )
            for keys, values in self.pairs
        ]

    @staticmethod
    def joined(batches: Sequence[Batch]) -> Batch:
        """All rows of several batches, padded to the longest."""
        if len(batches) == 1:
            return batches[0]
        length = max(batch.length for batch in batches)
        mask = torch.cat([_padded(batch.mask, length, 1) for batch in batches])
        places = torch.cat([batch.places for batch in batches])
        layers = zip(*(batch.pairs for batch in batches), strict=True)
        pairs = [
            (
                torch.cat([_padded(keys, length, 2) for keys, _ in layer]),
                torch.cat([_padded(values, length, 2) for _, values in layer]),
            )
            for layer in layers
        ]
        return Batch(pairs, mask, places)


@cache
def accepted(forward: Callable[..., Any]) -> frozenset[str]:
    """The arguments that a class of models takes; BLOOM, for one, knows no positions."""
    return frozenset(inspect.signature(forward).parameters)


def _cache(pairs: Pairs) -> DynamicCache:
    """A cache around tensors as they are; its own `update` would copy them once more a token."""
    made = DynamicCache()
    for keys, values in pairs:
        layer = DynamicLayer()
        layer.lazy_initialization(keys, values)
        layer.keys, layer.values = keys, values
        made.layers.append(layer)
    return made


def _padded(tensor: Any, length: int, dim: int) -> Any:
    missing = length - tensor.shape[dim]
    if not missing:
        return tensor
    shape = list(tensor.shape)
    shape[dim] = missing
    return torch.cat([tensor.new_zeros(shape), tensor], dim=dim)
