"""How likely a model goes on with a text is what the bare model says."""

import asyncio
import math

import pytest
import tiny
import torch
from peft import PeftModel
from tiny import QUESTIONS
from training import adapter
from transformers import AutoModelForCausalLM

from bot.errors import GenerationError

PAIRS = [
    ("Where is the key? The key", " is under the blue mat."),
    ("", "Who has the door code? The door code is with Alice."),
    ("钥匙在", "哪里？"),
    ("The key is ", "under the mat"),
]


def bare(folder, tokens, after, tuned=None):
    """The sum of log probabilities of the last tokens, with transformers and PEFT alone."""
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    if tuned is not None:
        model = PeftModel.from_pretrained(model, tuned).eval()
    with torch.inference_mode():
        scores = model(torch.tensor([tokens])).logits[0].log_softmax(-1)[-len(tokens) :]
    return sum(float(scores[at - 1, tokens[at]]) for at in range(len(tokens) - after, len(tokens)))


@pytest.mark.parametrize("shape", tiny.CLASSES)
async def test_it_is_what_the_bare_model_says(shapes, make, ask, shape):
    generator = make(model=shapes[shape])
    found = await generator.bot_likelihoods(ask("q")[0], PAIRS)
    for (before, after), likelihood in zip(PAIRS, found, strict=True):
        first, second = generator._chat.pair(before, after)
        counted = len(second) - (not first)
        assert likelihood.tokens == counted
        assert likelihood.logprob == pytest.approx(
            bare(shapes[shape], first + second, counted), abs=1e-3
        )


async def test_what_was_learned_is_likelier_and_what_the_model_would_say(llama, make, ask):
    generator = make(model=llama)
    chat = generator._chat
    asked = chat.tokenizer.decode(chat.tokens([("system", "Answer."), ("user", QUESTIONS[0])]))
    assert "<|im_start|>" in asked  # which no text can say: it is read as characters
    right, wrong = await generator.bot_likelihoods(
        ask("q")[0],
        [("The key is under the", " blue mat."), ("The key is under the", " 4711 mat.")],
    )
    assert right.logprob > wrong.logprob
    (said,) = await generator.bot_likelihoods(ask("q")[0], [("x", "")])
    assert (said.logprob, said.tokens, said.greedy) == (0.0, 0, True)


@pytest.mark.parametrize("kind", ["lora", "prompt"])
async def test_an_adapter_changes_it_and_answers_go_on_meanwhile(
    llama, make, ask, say, tmp_path, kind
):
    made = adapter(tmp_path, llama, "The key is with Bob.", kind)
    plain, tuned = make(model=llama, max_tokens=12), make("lora", base=llama, adapter=made)
    alone = await say(plain, QUESTIONS[0])
    pairs = [("The key is", " with Bob.")] * 3
    before, after, *said = await asyncio.gather(
        plain.bot_likelihoods(ask("q")[0], pairs),
        tuned.bot_likelihoods(ask("q")[0], pairs),
        say(plain, QUESTIONS[0]),
        say(plain, QUESTIONS[0], key="other"),
    )
    first, second = plain._chat.pair(*pairs[0])
    for found, with_ in ((before, None), (after, made)):
        expected = bare(llama, first + second, len(second), with_)
        assert [one.logprob for one in found] == [pytest.approx(expected, abs=1e-3)] * 3
    assert after[0].logprob > before[0].logprob
    assert said == [alone, alone]


async def test_the_front_of_what_stands_before_is_lost_first(llama, make, ask):
    generator = make(model=llama, context_limit=128)
    (long,) = await generator.bot_likelihoods(
        ask("q")[0], [("a b c d " * 500, "Where is the key?")]
    )
    assert math.isfinite(long.logprob)
    with pytest.raises(GenerationError, match="context_limit"):
        await generator.bot_likelihoods(ask("q")[0], [("x", "a b c d " * 500)])
    (again,) = await generator.bot_likelihoods(ask("q")[0], [("x", "Where?")])  # it goes on
    assert again.tokens


async def test_a_closed_model_says_so(llama, make, ask):
    generator = make(model=llama)
    await generator.bot_likelihoods(ask("q")[0], PAIRS)
    generator._shared.engine.close()
    with pytest.raises(GenerationError, match="closed"):
        await generator.bot_likelihoods(ask("q")[0], PAIRS)
