"""Choosing the next token."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch


class Sampler:
    """Chooses for one answer, from its own random numbers: neighbours in a batch change nothing.

    Args:
        temperature: 0 takes the likeliest token.
        top_p: the likeliest tokens that have this share together; nucleus sampling, Holtzman et
            al., "The Curious Case of Neural Text Degeneration" (2020).
    """

    def __init__(self, temperature: float, top_p: float, seed: int | None) -> None:
        self.greedy = temperature == 0
        self._temperature = temperature
        self._top_p = top_p
        self._random = torch.Generator()
        if seed is None:
            self._random.seed()
        else:
            self._random.manual_seed(seed)

    def pick(self, logits: Any) -> int:
        """Choose a token from scores of shape (vocabulary,)."""
        if self.greedy:
            return int(logits.argmax())
        shares = torch.softmax(logits.float().cpu() / self._temperature, dim=-1)
        if self._top_p < 1:
            ordered, places = shares.sort(descending=True)
            before = ordered.cumsum(-1) - ordered
            ordered[before >= self._top_p] = 0
            return int(places[torch.multinomial(ordered, 1, generator=self._random)])
        return int(torch.multinomial(shares, 1, generator=self._random))


def log_probabilities(logits: Any, tokens: Sequence[int]) -> list[float]:
    """What the model itself thinks of the tokens, whatever temperature they were sampled at.

    Args:
        logits: scores, (rows, vocabulary).
        tokens: one a row.
    """
    # Row by row: a row is summed by one thread, and several wait for each other on a busy machine.
    whole = torch.stack([row.float().logsumexp(-1) for row in logits])
    chosen = logits[range(len(tokens)), list(tokens)].float()
    found: list[float] = (chosen - whole).tolist()
    return found
