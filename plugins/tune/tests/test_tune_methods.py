"""Every method with every task on every shape trains, saves, reloads and serves."""

import asyncio
import json

import bot_transformers
import pytest
import tiny
import torch
from bot_transformers import sharing
from bot_tune import report
from peft import PeftModel
from transformers import AutoModelForCausalLM

from bot import Turn
from bot.turn import Conversation, Prompt

METHODS = ["lora", "dora", "adalora", "prompt", "full"]
RUNS = [
    (shape, method, task)
    for shape in tiny.CLASSES
    for method in METHODS
    for task in ("sft", "clm", "dpo")
    if task != "dpo" or method in ("lora", "dora", "full")
]
QUESTION = "Where is the key 3?"
LENGTH = 8  # tokens of an answer


async def served(kind, **settings):
    """What the bot's own generator answers."""
    (offer,) = [one for one in bot_transformers.bot_components() if one.type == kind]
    settings = {key: str(value) for key, value in settings.items()}
    valid = offer.settings.model_validate(
        {"precision": "float32", "max_tokens": LENGTH, **settings}
    )
    made = offer.make("local", valid, None)
    turn = Turn(id="t", question=QUESTION, conversation=Conversation(channel="t", key="k"),
                principals=frozenset({"everyone"}))  # fmt: skip
    prompt = Prompt(messages=(("user", QUESTION),), passages=(), question=QUESTION)
    try:
        ids = made._chat.tokens(prompt.messages)
        deltas = [one.text async for one in made.bot_generate(turn, prompt)]
        return "".join(deltas), ids, made._chat
    finally:
        await made.aclose()
        assert not sharing._shared


def generated(model, ids, chat):
    """What the same model answers to transformers and PEFT."""
    with torch.inference_mode():
        out = model.eval().generate(
            input_ids=torch.tensor([ids]), attention_mask=torch.ones(1, len(ids)).long(),
            max_new_tokens=LENGTH, do_sample=False, eos_token_id=sorted(chat.ends()),
        )  # fmt: skip
    return chat.tokenizer.decode(out[0, len(ids) :], skip_special_tokens=True).lstrip()


@pytest.mark.parametrize(("shape", "method", "task"), RUNS)
def test_it_trains_saves_reloads_and_serves(shapes, train, shape, method, task):
    more = {"epochs": 3} if method == "adalora" else {}
    folder, found = train(shape, method, task, **more)
    loss = found["losses"]["held_out"]
    assert loss["after"] < loss["before"]
    assert not [*folder.rglob("*.bin"), *folder.rglob("*.pt"), *folder.rglob("*.pth")]
    if method == "full":
        assert found["trainable"] == found["parameters"]
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
        said, ids, chat = asyncio.run(served("transformers", model=folder))
    else:
        assert found["trainable"] < found["parameters"] / 4
        fresh = AutoModelForCausalLM.from_pretrained(shapes[shape], dtype=torch.float32)
        model = PeftModel.from_pretrained(fresh, folder)
        said, ids, chat = asyncio.run(served("lora", base=shapes[shape], adapter=folder))
    assert said == generated(model, ids, chat)


def test_adalora_gives_ranks_up_and_says_how_many_numbers_it_trains(train):
    folder, found = train("bloom", "adalora", "sft", rank=16, epochs=4)
    assert found["ranks"] == (16 * 8, 24 * 8)
    config = json.loads((folder / "adapter_config.json").read_text())
    kept = [sum(pattern) for pattern in config["rank_pattern"].values()]
    assert sum(kept) == 16 * 8
    assert len(set(kept)) > 1  # given to the layers that need them, not cut alike
    told = report.told(found)
    share = 100 * found["trainable"] / found["parameters"]
    assert f"({share:.2f} %)" in told[0]
    assert "128 of 192 are left" in told[1]


def test_adalora_is_measured_without_the_term_that_only_training_has(train):
    _, found = train("llama", "adalora", "sft", epochs=3)
    _, plain = train("llama", "lora", "sft", epochs=3)
    assert found["losses"]["held_out"]["before"] == pytest.approx(
        plain["losses"]["held_out"]["before"], abs=1e-3
    )  # both begin as the base


def test_it_ends_early_when_the_held_out_loss_rises(train):
    _, found = train("llama", "full", "sft", rate=0.5, epochs=12, evaluations=30, patience=2)
    assert found["steps"] < found["planned_steps"]
    assert any("Ended after" in line for line in report.told(found))


def test_general_data_are_mixed_in_as_told_and_measured(train, files):
    mix = [{"data": files / "general.txt", "share": 0.3}]
    _, found = train("llama", "lora", "clm", mix=mix)
    tokens = found["tokens"]
    assert tokens["general"] / sum(tokens.values()) == pytest.approx(0.3, abs=0.05)
    assert set(found["losses"]) == {"held_out", "general"}
    _, watched = train("llama", "lora", "clm", mix=[{"data": files / "general.txt", "share": 0}])
    assert watched["tokens"]["general"] == 0
    assert watched["losses"]["general"]["after"] > found["losses"]["general"]["after"]
