"""How many steps and tokens a training will have, before anything is loaded."""

from __future__ import annotations

from pathlib import Path

from bot_tune import gathering, rows
from bot_tune.examples import Pair
from bot_tune.gathering import Gathered
from bot_tune.recipe import Recipe
from bot_tune.training import count_steps


def count(plan: Recipe, base: Path, found: Gathered) -> tuple[int, int]:
    """Count with the base's own tokenizer and template.

    Returns:
        Steps of the optimizer and tokens, over the whole training.
    """
    chat, _ = rows.chat_of(base, plan.chat_template)
    learned, _ = gathering.held_out(found.data, plan.held_out, plan.seed)
    if plan.task == "dpo":
        pairs = [one for one in learned if isinstance(one, Pair)]
        tokens = sum(
            2 * sum(chat.count(m.content) for m in one.messages)
            + chat.count(one.chosen)
            + chat.count(one.rejected)
            for one in pairs
        )
        return count_steps(plan, len(pairs)), int(tokens * plan.epochs)
    own = rows.read(learned, chat, plan.length)
    sequences = list(own.sequences)
    whole = own.tokens / (1 - sum(one.share for one in plan.mix))
    for one in plan.mix:
        further, _ = gathering.held_out(found.mixed[one.name], max(plan.held_out, 0.1), plan.seed)
        read = rows.read(further, chat, plan.length)
        sequences += rows.drawn(read, whole * one.share, plan.seed)
    tokens = sum(len(one.ids) for one in sequences)
    packed = sequences and plan.task == "clm" and plan.method != "prompt"
    made = len(rows.dataset(sequences, plan.length, packed=True)) if packed else len(sequences)
    return count_steps(plan, made), int(tokens * plan.epochs)
