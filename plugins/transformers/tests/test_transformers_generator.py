"""A model on this machine as a generator: its own words, at once, alone or with others."""

import asyncio
from importlib.metadata import entry_points

import bot_transformers
import pytest
import tiny
import torch
from bot_transformers import sharing
from tiny import QUESTIONS
from transformers import AutoModelForCausalLM

from bot.errors import GenerationError


def test_it_is_installed_and_registered():
    (found,) = entry_points(group="bot", name="transformers")
    assert found.load() is bot_transformers
    kinds = {(one.kind, one.type) for one in bot_transformers.bot_components()}
    assert kinds == {("generator", "transformers"), ("generator", "lora")}


@pytest.mark.parametrize("shape", tiny.CLASSES)
async def test_it_says_what_the_bare_model_says(shapes, make, say, shape):
    generator = make(model=shapes[shape], max_tokens=24)
    generator._shared.engine.ready.wait()  # nothing else may load meanwhile
    model = AutoModelForCausalLM.from_pretrained(shapes[shape], dtype=torch.float32)
    chat = generator._chat
    for question in QUESTIONS:
        ids = chat.tokens([("system", "Answer."), ("user", question)])
        out = model.generate(
            torch.tensor([ids]), attention_mask=torch.ones(1, len(ids), dtype=torch.long),
            max_new_tokens=24, do_sample=False, eos_token_id=sorted(chat.ends()),
        )  # fmt: skip
        bare = chat.tokenizer.decode(out[0, len(ids) :], skip_special_tokens=True)
        assert (await say(generator, question)) == bare.lstrip()


@pytest.mark.parametrize("shape", tiny.CLASSES)
async def test_answers_at_once_are_those_given_alone(shapes, make, say, shape):
    generator = make(model=shapes[shape], max_tokens=24, batch=3)
    alone = [await say(generator, question) for question in QUESTIONS]
    assert alone[:2] == list(tiny.PAIRS.values())[:2]
    together = await asyncio.gather(
        *(say(generator, question, key=str(n)) for n, question in enumerate(QUESTIONS * 3))
    )
    assert together == alone * 3


async def test_text_comes_token_by_token(llama, make, ask):
    generator = make(model=llama, max_tokens=24)
    seen = [delta async for delta in generator.bot_generate(*ask(QUESTIONS[0]))]
    assert len([delta for delta in seen if delta.text]) > 3
    assert seen[-1].usage.output_tokens <= 24
    assert seen[-1].usage.input_tokens == len(
        generator._chat.tokens([("system", "Answer."), ("user", QUESTIONS[0])])
    )


async def test_a_cut_answer_says_so(llama, make, ask):
    generator = make(model=llama, max_tokens=3)
    *_, last = [delta async for delta in generator.bot_generate(*ask(QUESTIONS[0]))]
    assert "max_tokens" in last.notice


async def test_a_stop_sequence_ends_the_answer_and_is_left_out(llama, make, say):
    stopped = await say(make(model=llama, max_tokens=40, stop=["the blue"]), QUESTIONS[0])
    assert stopped == "The key is under "


async def test_a_seed_repeats_and_neighbours_change_nothing(llama, make, say):
    hot = {"model": llama, "max_tokens": 20, "temperature": 1.5, "top_p": 0.95}
    seeded = make(**hot, seed=7)
    first = await say(seeded, QUESTIONS[0])
    assert first == await say(seeded, QUESTIONS[0])
    crowd = await asyncio.gather(*(say(seeded, QUESTIONS[0], key=str(n)) for n in range(5)))
    assert set(crowd) == {first}
    assert first != await say(make(**hot, seed=8), QUESTIONS[0])
    unseeded = make(**hot)
    assert len({await say(unseeded, QUESTIONS[0]) for _ in range(4)}) > 1


async def test_closing_the_stream_stops_the_model_within_a_token(llama, make, ask):
    generator = make(model=llama, max_tokens=2000, context_limit=2048)
    engine = generator._shared.engine
    steps = []
    await asyncio.to_thread(engine.ready.wait)
    write = engine._write
    engine._write = lambda: (steps.append(1), write())
    generator._chat.ends = lambda generation: frozenset()  # so that it would never end by itself
    stream = generator.bot_generate(*ask(QUESTIONS[0]))
    async for delta in stream:
        if delta.text:
            break
    await stream.aclose()
    at_close = len(steps)
    while engine._rows:  # noqa: ASYNC110 - it changes on another thread
        await asyncio.sleep(0.001)
    assert len(steps) <= at_close + 2
    assert not engine._rows


async def test_a_model_that_crashes_in_the_middle_fails_its_answers_at_once(llama, make, ask, say):
    generator = make(model=llama, max_tokens=50)
    engine = generator._shared.engine
    generator._chat.ends = lambda generation: frozenset()
    whole = await say(generator, QUESTIONS[0])
    calls, forward = [], engine.model.forward

    def crash(*given, **named):
        calls.append(1)
        if len(calls) == 6:
            raise RuntimeError("a kernel died")
        return forward(*given, **named)

    engine.model.forward = crash
    said = ""
    with pytest.raises(GenerationError, match="a kernel died"):  # noqa: PT012 - a stream
        async for delta in generator.bot_generate(*ask(QUESTIONS[0])):
            said += delta.text
    assert said
    assert whole.startswith(said)
    assert await say(generator, QUESTIONS[0]) == whole  # and the next one is answered


async def test_beyond_the_queue_it_says_that_it_is_busy(llama, make, ask):
    generator = make(model=llama, max_tokens=30, batch=1, queue=2)
    await asyncio.to_thread(generator._shared.engine.ready.wait)

    async def outcome(number):
        turn, prompt = ask("Where is the key?", key=str(number))
        return [delta async for delta in generator.bot_generate(turn, prompt)]

    answers = await asyncio.gather(*map(outcome, range(12)))
    refused = [deltas for deltas in answers if deltas[0].refusal]
    assert refused
    assert "ask again" in refused[0][0].text
    assert any(deltas[-1].usage for deltas in answers)


async def test_a_prompt_that_is_too_long_is_refused_with_what_to_do(llama, make, say):
    generator = make(model=llama, context_limit=256)
    assert await generator.bot_context_limit() == 256
    with pytest.raises(GenerationError, match="lower the assistant's `k`"):
        await say(generator, "word " * 400)


async def test_two_generators_share_one_base(llama, make, say):
    first, second = make(model=llama, max_tokens=5), make(model=llama, max_tokens=9)
    assert first._shared is second._shared
    await first.aclose()
    first._shared.users += 1  # the fixture closes it once more
    assert await say(second, QUESTIONS[0])
    assert len(sharing._shared) == 1


async def test_a_base_that_cannot_be_loaded_fails_and_is_tried_again(make, say, tmp_path):
    folder = tiny.model(tmp_path / "model")
    weights = folder / "model.safetensors"
    whole = weights.read_bytes()
    tiny.configured(folder, hidden_act="no such function")
    with pytest.raises(GenerationError, match="cannot be loaded"):
        await say(make(model=folder), "Who?")
    tiny.configured(folder, hidden_act="silu")
    assert await say(make(model=folder, max_tokens=5), "Who?")
    assert weights.read_bytes() == whole


async def test_two_bases_at_once_are_loaded_one_after_the_other(shapes, make, say):
    made = [make(model=folder, max_tokens=3) for folder in shapes.values()]
    await asyncio.gather(*(say(generator, "Who?") for generator in made))


async def test_closing_while_answers_are_written_fails_them(llama, make, ask):
    generator = make(model=llama, max_tokens=2000)
    generator._chat.ends = lambda generation: frozenset()
    with pytest.raises(GenerationError, match="closed"):  # noqa: PT012 - a stream
        async for delta in generator.bot_generate(*ask("Where is the key?")):
            if delta.text:
                await asyncio.to_thread(generator._shared.engine.close)
