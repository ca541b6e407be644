"""How likely a model goes on with a text: what multiple choice and loss are measured by."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch

from bot import Likelihood
from bot.errors import GenerationError
from bot_transformers.batch import accepted
from bot_transformers.mixing import as_batch, virtual_tokens

if TYPE_CHECKING:
    from bot_transformers.lora import Adapter
    from bot_transformers.mixing import Mixer

Row = tuple[list[int], list[int]]
"""Tokens of what stands before, and of what comes after it."""


def of(
    model: Any, mixer: Mixer, rows: Sequence[Row], adapter: Adapter | None, limit: int
) -> list[Likelihood]:
    """Read some rows, on the inference thread; one after the other, as their scores are large.

    Args:
        limit: tokens that the model reads at once.

    Raises:
        GenerationError: what comes after is longer than that alone.
    """
    mixer.compose([adapter])
    return [_of_row(model, row, adapter, limit) for row in rows]


def _of_row(model: Any, row: Row, adapter: Adapter | None, limit: int) -> Likelihood:
    before, after = row
    virtual = virtual_tokens(adapter)
    if not before and not virtual:  # nothing says what the first token should be
        before, after = after[:1], after[1:]
    room = limit - virtual - len(after)
    if room < 1:
        raise GenerationError(
            f"A text of {len(after)} tokens is longer than what the model reads at once, {limit}; "
            "raise `context_limit`, or give shorter texts."
        )
    if not after:
        return Likelihood(logprob=0.0, tokens=0, greedy=True)
    before = before[-room:]
    ids = torch.as_tensor([[*before, *after]], device=model.device)
    given: dict[str, Any] = {"input_ids": ids, "use_cache": False}
    if virtual:
        embedded = model.get_input_embeddings()(ids)
        prompt = as_batch(adapter).to(embedded.dtype)  # type: ignore[arg-type]
        given = {"inputs_embeds": torch.cat([prompt, embedded], dim=1), "use_cache": False}
    if "logits_to_keep" in accepted(type(model).forward):
        given["logits_to_keep"] = len(after) + 1
    # (tokens after, vocabulary): what each of them was predicted with
    scores = model(**given).logits[0, -len(after) - 1 : -1].float().log_softmax(-1)
    wanted = ids[0, -len(after) :]
    told = scores.gather(1, wanted[:, None]).sum()
    return Likelihood(
        logprob=float(told),
        tokens=len(after),
        greedy=bool((scores.argmax(-1) == wanted).all()),
    )
