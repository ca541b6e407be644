"""Whatever two generators do: one answer, nothing shown that is not kept, nobody left running."""

import random

import pytest
from routing import Forever, Scripted

from bot import Delta
from bot.errors import GenerationError
from bot.turn import Outcome, Usage

TEXTS = [
    "The key hangs ", "beside the door [1]. ", "Nobody has seen it in Paris [2]. ", "[9]", "\n",
    "```sh\nopen\n", "The sources do not hold the answer. ", "看不见。", "x" * 300,
]  # fmt: skip
OTHERS = [
    Delta(),
    Delta(reasoning="Hm. "),
    Delta(text="As it stands [1]. ", verbatim=True),
    Delta(text="I found nothing. ", refusal=True),
    Delta(text="Perhaps ", logprobs=(-3.0, -0.1)),
    Delta(usage=Usage(input_tokens=5, output_tokens=2, cost=0.1)),
    Delta(notice="A word of warning."),
]
ENDS = [GenerationError("503"), ValueError("a defect"), KeyError()]


def script(chance, *, stuck):
    """Some steps, and for one in three a failure somewhere among them."""
    steps = [chance.choice([chance.choice(TEXTS), chance.choice(OTHERS)])
             for _ in range(chance.randrange(7))]  # fmt: skip
    if chance.random() < 0.35:
        end = chance.choice([*ENDS, *([Forever] if stuck else [])])
        steps.insert(chance.randrange(len(steps) + 1), end)
    return steps


def can_answer(steps):
    said = "".join(one if isinstance(one, str) else getattr(one, "text", "") for one in steps)
    return bool(said.replace("[9]", "").strip()) and not any(
        one is Forever or one in ENDS for one in steps
    )


@pytest.mark.parametrize("seed", range(40))
async def test_every_turn_ends_in_one_answer(world, seed):
    chance = random.Random(seed)
    steps = script(chance, stuck=False), script(chance, stuck=True)
    small, large = (Scripted(*one) for one in steps)
    show, start = chance.choice(["at_once", "when_sure"]), chance.choice(["small", "large"])
    weak = f"weak = {{supported = 0.6, probability = {chance.choice([0, 0.5])}}}"
    lines = f'show = "{show}"\nstart = "{start}"\npatience = 0.3\n{weak}\n'
    taken = await world.ask(small, large, lines)
    assert (small.closed, large.closed) == (len(small.prompts), len(large.prompts))
    assert max(small.closed, large.closed) <= 1
    asked = [route.generator for route in taken.answer.routes]
    assert asked[0] == ("edge" if start == "small" else "cloud")
    assert ("edge" in asked, "cloud" in asked) == (bool(small.prompts), bool(large.prompts))
    failed = taken.answer.outcome is Outcome.failed
    assert failed == (not can_answer(steps[0]) and not can_answer(steps[1]))
    if failed:
        assert "Neither generator could answer" in taken.answer.error
