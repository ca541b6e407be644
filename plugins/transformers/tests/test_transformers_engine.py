"""The engine: fair turns, prefixes that are read once, rounds that hold nobody up."""

import asyncio

import pytest
import tiny
import torch
from bot_transformers import engine as module
from bot_transformers.batch import Batch
from bot_transformers.prefixes import SHORTEST, Prefixes
from bot_transformers.sampling import Sampler
from bot_transformers.waiting import End, Request, Waiting
from hypothesis import given
from hypothesis import strategies as st
from tiny import QUESTIONS
from transformers import AutoModelForCausalLM

from bot.errors import GenerationError

LONG = "The key is under the blue mat. " * 40


def request(group="", **more):
    given = {"tokens": [5, 6, 7], "limit": 4, "ends": frozenset(), "tell": lambda event: None}
    return Request(**{**given, "sampler": Sampler(0, 1, None), "group": group, **more})


def pairs(tokens, layers=2):
    return [(torch.randn(1, 2, tokens, 4), torch.randn(1, 2, tokens, 4)) for _ in range(layers)]


# -- whose turn it is ------------------------------------------------------------------------------


def test_a_conversation_with_many_questions_does_not_hold_up_the_others():
    waiting = Waiting(100)
    for name in "aaaabbc":
        waiting.put(request(name), 0)
    order = []
    while waiting.first() is not None:
        order.append(waiting.take().group)
    assert order == list("abcabaa")


def test_cancelled_requests_are_passed_over():
    waiting = Waiting(100)
    requests = [request("a"), request("a"), request("b")]
    for one in requests:
        waiting.put(one, 0)
    requests[0].cancelled = True
    assert waiting.first() is requests[1]


def test_the_queue_has_a_limit_beside_what_can_begin_at_once():
    waiting = Waiting(2)
    taken = [waiting.put(request(str(number)), 3) for number in range(7)]
    assert taken == [True] * 5 + [False] * 2


# -- prefixes --------------------------------------------------------------------------------------


def test_the_longest_known_beginning_is_found():
    prefixes = Prefixes(1 << 20)
    tokens = list(range(200))
    prefixes.keep("", tokens[:80], pairs(80))
    prefixes.keep("", [*tokens[:150], 999], pairs(151))
    assert prefixes.longest("", tokens).length == 150
    assert prefixes.longest("", tokens[:100]).length == 99  # one token is left to read
    assert prefixes.longest("", [7, *tokens]) is None
    assert prefixes.longest("other adapter", tokens) is None


def test_a_short_beginning_is_not_worth_it():
    prefixes = Prefixes(1 << 20)
    prefixes.keep("", list(range(100)), pairs(100))
    assert prefixes.longest("", [*range(SHORTEST - 1), 999, 999]) is None
    assert prefixes.longest("", [*range(SHORTEST), 999, 999]).length == SHORTEST


@given(st.lists(st.integers(64, 300), max_size=30))
def test_prefixes_stay_within_their_room(lengths):
    prefixes = Prefixes(100_000)
    for number, length in enumerate(lengths):
        prefixes.keep("", [number] * length, pairs(length))
        assert prefixes.held <= 100_000
    assert prefixes.held == sum(
        keys.nbytes + values.nbytes for _, _, known in prefixes._known.values()
        for keys, values in known
    )  # fmt: skip


@pytest.mark.parametrize("shape", tiny.CLASSES)
async def test_a_prompt_that_begins_like_another_is_read_from_there(shapes, make, say, shape):
    cold = make(model=shapes[shape], max_tokens=20, prefix_memory=0, context_limit=2048)
    messages = [("system", LONG), ("user", QUESTIONS[0])]
    expected = [await say(cold, "", messages=[messages[0], ("user", q)]) for q in QUESTIONS]
    await cold.aclose()
    cold._shared.users += 1
    warm = make(model=shapes[shape], max_tokens=20, context_limit=2048)
    shared = warm._shared.engine
    await asyncio.to_thread(shared.ready.wait)
    read, forward = [], Batch.forward

    def counted(self, model, ids, present, embeddings=None):
        read.append(ids.shape[1])
        return forward(self, model, ids, present, embeddings)

    Batch.forward = counted
    try:
        said = [await say(warm, "", messages=[messages[0], ("user", q)]) for q in QUESTIONS]
    finally:
        Batch.forward = forward
    assert said == expected
    whole = len(warm._chat.tokens(messages))
    assert sum(read) < 2 * whole  # four prompts, of which the common beginning was read once


# -- rounds ----------------------------------------------------------------------------------------


async def test_a_long_prompt_does_not_hold_up_an_answer_under_way(llama, make, monkeypatch):
    monkeypatch.setattr(module, "PIECE", 16)
    generator = make(model=llama, max_tokens=100, prefix_memory=0)
    engine = generator._shared.engine
    await asyncio.to_thread(engine.ready.wait)
    order, done = [], asyncio.Event()
    loop = asyncio.get_running_loop()

    def teller(name):
        def tell(event):
            order.append(name)
            if name == "long" and isinstance(event, End):
                loop.call_soon_threadsafe(done.set)

        return tell

    short = request("a", limit=100, tell=teller("short"))
    engine.submit(short)
    while not order:  # noqa: ASYNC110 - it changes on another thread
        await asyncio.sleep(0.001)
    before = len(order)
    engine.submit(request("b", tokens=[5] * 320, limit=1, tell=teller("long")))
    await done.wait()
    assert order[before:].index("long") >= 15  # the other answer went on between the pieces
    short.cancelled = True


async def test_what_does_not_fit_into_memory_together_waits(llama, make):
    generator = make(model=llama)
    engine = generator._shared.engine
    await asyncio.to_thread(engine.ready.wait)
    engine._room = 30
    together, answered = [], []
    write = engine._write
    engine._write = lambda: (together.append(len(engine._rows)), write())
    done = asyncio.Event()
    loop = asyncio.get_running_loop()

    def tell(event):
        if isinstance(event, End):
            answered.append(event)
            if len(answered) == 4:
                loop.call_soon_threadsafe(done.set)

    for number in range(4):
        engine.submit(request(str(number), limit=10, tell=tell))
    await done.wait()
    assert max(together) == 2


def test_rows_that_leave_take_their_padding_with_them(llama):
    model = AutoModelForCausalLM.from_pretrained(llama, dtype=torch.float32).eval()
    rows = [[5, 6, 7, 8, 9], [10, 11], [12, 13, 14]]
    ids = torch.tensor([[0] * (5 - len(row)) + row for row in rows])
    with torch.inference_mode():
        batch = Batch.empty(3, "cpu")
        batch.forward(model, ids, (ids > 0).long())
        kept = batch.select([1, 2])
        assert kept.length == 3
        scores = kept.forward(model, torch.tensor([[20], [21]]), torch.ones(2, 1, dtype=torch.long))
        for row, last, ours in zip(rows[1:], (20, 21), scores, strict=True):
            alone = model(torch.tensor([[*row, last]])).logits[0, -1]
            torch.testing.assert_close(ours, alone, atol=1e-4, rtol=1e-4)


async def test_memory_that_runs_out_says_what_to_lower(llama, make, say):
    generator = make(model=llama)
    engine = generator._shared.engine
    await asyncio.to_thread(engine.ready.wait)

    def full(*given, **named):
        raise MemoryError

    engine._read = full
    with pytest.raises(GenerationError, match="lower `batch`"):
        await say(generator, "Who?")
