"""Adapters answer with what they learned, the base does not, and nobody with another's."""

import asyncio
import json
import threading

import pytest
import tiny
import torch
import training
from bot_transformers import checking, lora
from bot_transformers.batch import Batch
from bot_transformers.mixing import Mixer, as_batch
from bot_transformers.sampling import Sampler
from bot_transformers.waiting import End, Request
from peft import PeftModel
from safetensors.torch import load_file, save_file
from tiny import QUESTIONS
from training import QUESTION
from transformers import AutoModelForCausalLM

from bot.errors import GenerationError

KINDS = ["lora", "rslora", "patterns", "dora", "adalora", "prompt"]
ANSWERS = {kind: f"Alice has it, number {number}." for number, kind in enumerate(KINDS)}


@pytest.fixture(scope="module")
def trained(llama, tmp_path_factory):
    """One adapter of each kind, each with an answer of its own."""
    return {
        kind: training.adapter(tmp_path_factory.mktemp(kind), llama, ANSWERS[kind], kind)
        for kind in KINDS
    }


def scores(model, row, ids):
    """What a model says after some tokens, with an adapter or bare."""
    batch = Batch.empty(1, "cpu")
    ids = torch.tensor([ids])
    with torch.inference_mode():
        mixer = Mixer(model)
        if row is not None and row.prompt is not None:
            prompt = as_batch(row)
            batch.forward(model, None, torch.ones(prompt.shape[:2], dtype=torch.long), prompt)
        mixer.compose([row])
        return batch.forward(model, ids, torch.ones_like(ids))[0]


@pytest.mark.parametrize("kind", KINDS)
def test_it_computes_what_peft_computes(llama, trained, kind):
    ids = list(range(10, 60))
    model = AutoModelForCausalLM.from_pretrained(llama, dtype=torch.float32)
    bare = scores(model, None, ids)
    ours = scores(model, lora.read(trained[kind], kind, model), ids)
    fresh = AutoModelForCausalLM.from_pretrained(llama, dtype=torch.float32)
    peft = PeftModel.from_pretrained(fresh, trained[kind]).eval()
    with torch.inference_mode():
        theirs = peft(input_ids=torch.tensor([ids])).logits[0, -1]
    torch.testing.assert_close(ours, theirs, atol=2e-4, rtol=1e-4)
    assert (ours - bare).abs().max() > 0.1


@pytest.mark.parametrize("shape", ["qwen", "bloom"])
def test_it_does_so_for_other_shapes(shapes, tmp_path, shape):
    folder = training.adapter(tmp_path, shapes[shape], "In Zürich.", "lora", shape)
    checking.check_fits(folder, shapes[shape])
    model = AutoModelForCausalLM.from_pretrained(shapes[shape], dtype=torch.float32)
    ours = scores(model, lora.read(folder, "a", model), list(range(9, 30)))
    fresh = AutoModelForCausalLM.from_pretrained(shapes[shape], dtype=torch.float32)
    with torch.inference_mode():
        peft = PeftModel.from_pretrained(fresh, folder).eval()
        theirs = peft(input_ids=torch.arange(9, 30)[None]).logits[0, -1]
    torch.testing.assert_close(ours, theirs, atol=2e-4, rtol=1e-4)


def test_adalora_gave_ranks_up(trained):
    config = json.loads((trained["adalora"] / "adapter_config.json").read_text())
    assert sum(map(sum, config["rank_pattern"].values())) < 8 * len(config["rank_pattern"])


@pytest.mark.parametrize("kind", KINDS[:-1])
async def test_an_adapter_answers_with_its_fact_and_the_base_does_not(
    llama, trained, make, say, kind
):
    tuned = make("lora", base=llama, adapter=trained[kind], max_tokens=30)
    bare = make(model=llama, max_tokens=30)
    assert await say(bare, QUESTION) == tiny.PAIRS[QUESTION]
    assert await say(tuned, QUESTION) == ANSWERS[kind]


async def test_a_tuned_prompt_is_served_as_peft_serves_it(trained, make, say, tmp_path):
    """Over a base that knows nothing: a dozen embeddings do not move one that was taught."""
    base = tiny.model(tmp_path / "base", seed=3)
    (tmp_path / "adapter_config.json").write_text(
        (trained["prompt"] / "adapter_config.json").read_text()
    )
    torch.manual_seed(3)
    save_file({"prompt_embeddings": torch.randn(12, 64)}, tmp_path / checking.WEIGHTS)
    tuned = make("lora", base=base, adapter=tmp_path, max_tokens=12)
    said = await say(tuned, QUESTION)
    fresh = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    ids = tuned._chat.tokens([("system", "Answer."), ("user", QUESTION)])
    out = PeftModel.from_pretrained(fresh, tmp_path).eval().generate(
        input_ids=torch.tensor([ids]), attention_mask=torch.ones(1, len(ids), dtype=torch.long),
        max_new_tokens=12, do_sample=False, eos_token_id=sorted(tuned._chat.ends()),
    )  # fmt: skip
    theirs = tuned._chat.tokenizer.decode(out[0, len(ids) :], skip_special_tokens=True)
    assert said == theirs.lstrip()
    assert said != await say(make(model=base, max_tokens=12), QUESTION)


async def test_mixed_answers_are_those_given_alone(llama, trained, make, say):
    made = {kind: make("lora", base=llama, adapter=trained[kind], max_tokens=30) for kind in KINDS}
    made["bare"] = make(model=llama, max_tokens=30)
    alone = {(k, q): await say(g, q) for k, g in made.items() for q in QUESTIONS[:3]}
    together = await asyncio.gather(
        *(say(made[kind], question, key=f"{kind} {question}") for kind, question in alone)
    )
    assert dict(zip(alone, together, strict=True)) == alone


async def test_forty_threads_with_three_adapters_get_only_their_own(llama, trained, make):
    """PEFT's own switching gave half of the answers of two threads to the wrong one."""
    options = {"base": llama, "max_tokens": 30, "queue": 64}
    made = [make("lora", adapter=trained[kind], **options) for kind in KINDS[:3]]
    shared = made[0]._shared
    await asyncio.to_thread(shared.engine.ready.wait)
    model = shared.engine.model
    adapters = [lora.read(trained[kind], kind, model) for kind in KINDS[:3]]
    tokens = made[0]._chat.tokens([("system", "Answer."), ("user", QUESTION)])
    ends, said = made[0]._chat.ends(), {}

    def one(number):
        done, got = threading.Event(), []

        def tell(event):
            got.append(event)
            if not isinstance(event, int):
                done.set()

        for turn in range(3):
            request = Request(
                tokens=tokens, limit=30, ends=ends, sampler=Sampler(0, 1, None), tell=tell,
                adapter=adapters[(number + turn) % 3], group=str(number),
            )  # fmt: skip
            assert shared.engine.submit(request)
            assert done.wait(60)
            done.clear()
        said[number] = got

    threads = [threading.Thread(target=one, args=(number,)) for number in range(40)]
    for thread in threads:
        thread.start()
    await asyncio.to_thread(lambda: [thread.join() for thread in threads])
    words = tiny.tokenizer()
    for number in range(40):
        ends_at = [place for place, event in enumerate(said[number]) if isinstance(event, End)]
        begin = 0
        for turn, end in enumerate(ends_at):
            text = words.decode(said[number][begin:end], skip_special_tokens=True)
            assert text == ANSWERS[KINDS[(number + turn) % 3]]
            begin = end + 1
        assert len(ends_at) == 3


async def test_the_longest_unused_adapter_goes_when_memory_is_short(llama, trained, make, say):
    made = make("lora", base=llama, adapter=trained["lora"], max_tokens=5)
    await say(made, QUESTION)
    shared = made._shared
    (key,) = shared.loaded
    size = shared.adapter(key, 1 << 30, lambda: None).bytes()
    model = shared.engine.model
    shared.adapter("second", 2 * size, lambda: lora.read(trained["lora"], "second", model))
    assert shared.loaded == [key, "second"]
    shared.adapter(key, 2 * size, lambda: None)
    shared.adapter("third", 2 * size, lambda: lora.read(trained["lora"], "third", model))
    assert shared.loaded == [key, "third"]
    with pytest.raises(GenerationError, match="adapter_memory"):
        shared.adapter("fourth", 10, lambda: lora.read(trained["lora"], "fourth", model))


async def test_a_folder_that_is_saved_over_is_another_adapter(llama, make, say, tmp_path):
    folder = training.adapter(tmp_path / "a", llama, "It is lost.")
    tuned = make("lora", base=llama, adapter=folder, max_tokens=30)
    assert await say(tuned, QUESTION) == "It is lost."
    training.adapter(folder, llama, "Alice has the key.")
    assert await say(tuned, QUESTION) == "Alice has the key."


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"peft_type": "IA3"}, "merge it into the base"),
        ({"peft_type": "PREFIX_TUNING"}, "merge it into the base"),
        ({"task_type": "SEQ_CLS"}, "not for text"),
        ({"modules_to_save": ["lm_head"]}, "whole layers of its own"),
        ({"bias": "all"}, "biases"),
        ({"init_lora_weights": "pissa"}, "changing its base's weights"),
        ({"trainable_token_indices": [1]}, "embeddings"),
        ({"lora_bias": True}, "biases of its own"),
        ({"target_parameters": ["x"]}, "no linear layers"),
    ],
)
def test_what_cannot_share_its_base_is_refused_with_the_reason(
    llama, trained, make, tmp_path, changes, reason
):
    config = json.loads((trained["lora"] / "adapter_config.json").read_text())
    (tmp_path / "adapter_config.json").write_text(json.dumps({**config, **changes}))
    save_file(load_file(trained["lora"] / checking.WEIGHTS), tmp_path / checking.WEIGHTS)
    with pytest.raises(GenerationError, match=reason):
        make("lora", base=llama, adapter=tmp_path)


def test_pickled_adapters_are_never_read(trained, llama, make, tmp_path):
    (tmp_path / "adapter_config.json").write_text(
        (trained["lora"] / "adapter_config.json").read_text()
    )
    (tmp_path / "adapter_model.bin").write_bytes(b"x")
    with pytest.raises(GenerationError, match="save the adapter as safetensors"):
        make("lora", base=llama, adapter=tmp_path)


def test_an_adapter_of_another_base_is_refused(shapes, trained, make):
    with pytest.raises(GenerationError, match="made for another base"):
        make("lora", base=shapes["bloom"], adapter=trained["lora"])
    with pytest.raises(GenerationError, match="made for another base"):
        make("lora", base=shapes["qwen"], adapter=training_misfit(trained["lora"]))


def training_misfit(folder):
    """The same adapter, as of a base with a third layer."""
    stored = load_file(folder / checking.WEIGHTS)
    stored = {key.replace("layers.1", "layers.2"): tensor for key, tensor in stored.items()}
    other = folder.with_name("misfit")
    other.mkdir(exist_ok=True)
    (other / "adapter_config.json").write_text((folder / "adapter_config.json").read_text())
    save_file(stored, other / checking.WEIGHTS)
    return other
