"""Each delta tells how probable the model finds its tokens."""

import pytest
import torch
from bot_transformers.sampling import log_probabilities
from tiny import QUESTIONS
from transformers import AutoModelForCausalLM


@pytest.mark.parametrize("hot", [{}, {"temperature": 1.5, "seed": 3}])
async def test_they_are_the_bare_model_s(llama, make, ask, hot):
    """Also of sampled tokens: the temperature changes the choice, not what the model thinks."""
    generator = make(model=llama, max_tokens=12, **hot)
    deltas = [one async for one in generator.bot_generate(*ask(QUESTIONS[0]))]
    said = "".join(one.text for one in deltas)
    told = [value for one in deltas for value in one.logprobs]
    chat = generator._chat
    prompt = chat.tokens([("system", "Answer."), ("user", QUESTIONS[0])])
    written = deltas[-1].usage.output_tokens
    assert len(told) == written
    model = AutoModelForCausalLM.from_pretrained(llama, dtype=torch.float32)
    answer = chat.tokenizer(said, add_special_tokens=False)["input_ids"]
    assert len(answer) == written  # the text has the spelling in tokens that was written
    with torch.inference_mode():
        logits = model(torch.tensor([prompt + answer])).logits[0, len(prompt) - 1 : -1]
    expected = logits.log_softmax(-1)[range(written), answer].tolist()
    assert told == pytest.approx(expected, abs=1e-3)


def test_they_are_computed_in_full_precision():
    logits = torch.tensor([[0.0, 10.0, -1e4], [3.0, 3.0, -1e4]])
    expected = [0.0, torch.tensor(0.5).log().item()]
    found = log_probabilities(logits.bfloat16(), [1, 0])
    assert found == pytest.approx(expected, abs=1e-3)
    assert log_probabilities(torch.zeros(1, 150_000, dtype=torch.float16), [7]) == pytest.approx(
        [-torch.tensor(150_000.0).log().item()], abs=1e-3
    )
