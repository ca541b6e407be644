"""Each failure of either generator, made to happen."""

import asyncio

import pytest
from bot_router import asking as legs
from routing import LARGE, SURE, WEAK, Forever, Scripted

from bot import Delta, record
from bot.errors import GenerationError
from bot.turn import Outcome, TextDelta

DOWN = GenerationError("The server gave 503.")
LARGE_FIRST = 'start = "large"\n'
HASTY = "patience = 0.2\n"
BROKEN = "The answer above broke off."
STANDS = "This broke off. What edge has said above stands."


# -- the large one was chosen, and fails ----------------------------------------------------------


async def test_down_before_its_first_word_the_small_one_answers_and_says_so(world):
    taken = await world.ask(Scripted(SURE), Scripted(DOWN), LARGE_FIRST)
    assert taken.text == SURE
    assert taken.answer.notices == ("“cloud” did not work, so “edge” answered.",)
    assert taken.routes == [("cloud", "start"), ("edge", "failed")]
    assert "503" in taken.shown["routes"][1]["reason"]  # for operators
    assert "503" not in taken.text + "".join(taken.answer.notices)


async def test_down_in_the_middle_what_was_shown_stays(world):
    taken = await world.ask(Scripted(SURE), Scripted("It hangs", DOWN), LARGE_FIRST)
    assert taken.text == f"It hangs\n\n{BROKEN} edge answers again:\n\n{SURE}"
    assert taken.routes == [("cloud", "start"), ("edge", "failed")]
    assert taken.answer.outcome is Outcome.answered


@pytest.mark.parametrize("before", [(), ("It hangs ",)])
async def test_too_slow_the_small_one_answers(world, before):
    large = Scripted(*before, Forever)
    taken = await world.ask(Scripted(SURE), large, LARGE_FIRST + HASTY)
    assert taken.text.endswith(SURE)
    assert taken.text.startswith("".join(before))
    assert taken.answer.notices == ("“cloud” took too long, so “edge” answered.",)
    assert taken.routes == [("cloud", "start"), ("edge", "slow")]
    assert large.closed == 1


async def test_pieces_without_words_are_no_progress(world):
    large = Scripted(lambda: Delta())
    taken = await world.ask(Scripted(SURE), large, LARGE_FIRST + HASTY)
    assert taken.text == SURE
    assert taken.routes == [("cloud", "start"), ("edge", "slow")]
    assert large.closed == 1


async def test_while_one_thinks_the_core_is_told_that_somebody_still_writes(monkeypatch):
    """The core's own patience ends as soon as the one below; it would end the router with it."""
    monkeypatch.setattr(legs, "ALIVE", 0.01)
    gate = asyncio.Event()

    class Thinking:
        async def deltas(self, turn, prompt):
            await gate.wait()
            yield Delta(text=SURE)

    async def ask(name):
        return Thinking()

    came = []
    async with asyncio.timeout(60):
        async for delta in legs.Leg("edge", None, 1000).deltas(ask, None, None):
            came.append(delta.text)
            if len(came) == 3:
                gate.set()
    assert came[:3] == ["", "", ""]
    assert came[-1] == SURE


@pytest.mark.parametrize("endless", ["again and ", Delta(reasoning="hmm, ")])
async def test_an_endless_answer_is_cut(world, endless):
    large = Scripted("It hangs ", lambda: endless)
    small = Scripted(SURE)
    taken = await world.ask(small, large, LARGE_FIRST + "longest = 1000\n")
    said = len(taken.text) + len(taken.answer.reasoning)
    assert 1000 < said < 1100
    assert any(one.startswith("The answer was cut after 10") for one in taken.answer.notices)
    assert large.closed == 1
    assert small.prompts == []


async def test_without_a_word_the_small_one_answers(world):
    taken = await world.ask(Scripted(SURE), Scripted(Delta(reasoning="Hm.")), LARGE_FIRST)
    assert taken.text == SURE
    assert taken.answer.notices == ("“cloud” gave no answer, so “edge” answered.",)


async def test_what_does_not_exist_is_as_if_it_were_down(world):
    class Nothing:
        """A plugin that writes nothing."""

    taken = await world.ask(Scripted(SURE), Nothing(), LARGE_FIRST)
    assert taken.text == SURE
    assert taken.routes[1] == ("edge", "failed")


async def test_one_that_fails_again_and_again_is_left_alone_for_a_while(world, monkeypatch):
    large = Scripted(DOWN)
    async with world.bot(Scripted(SURE), large, LARGE_FIRST) as bot:

        async def ask():
            return (await _all(bot.reply("Where is the key?")))[-1].answer

        for _ in range(legs.FAILURES):
            assert (await ask()).routes[1].cause == "failed"
        left = await ask()
        assert left.text == SURE
        assert left.routes[1].cause == "resting"
        assert "left alone for a minute" in left.notices[0]
        assert len(large.prompts) == legs.FAILURES
        monkeypatch.setattr(legs, "REST", 0.0)
        large.steps = LARGE
        assert (await ask()).routes[-1].generator == "cloud"
        large.steps = (DOWN,)
        monkeypatch.setattr(legs, "REST", 3600.0)
        assert (await ask()).routes[1].cause == "failed"  # the count begins anew
        assert len(large.prompts) == legs.FAILURES + 2


# -- the small one fails --------------------------------------------------------------------------


@pytest.mark.parametrize("before", [(), ("The key ",)])
async def test_the_large_one_answers_for_a_small_one_that_is_down(world, before):
    taken = await world.ask(Scripted(*before, RuntimeError("a defect")), Scripted(*LARGE))
    assert taken.text == "It hangs beside the door [1]."  # the first sentence was held back
    assert taken.answer.notices == ("“edge” did not work, so “cloud” answered.",)
    assert taken.routes == [("edge", "start"), ("cloud", "failed")]
    if before:
        assert "The key" in taken.answer.reasoning


async def test_a_small_one_that_breaks_off_after_its_first_sentence(world):
    small = Scripted("It is here [1]. ", "And ", DOWN)
    taken = await world.ask(small, Scripted(*LARGE))
    assert taken.text.startswith(f"It is here [1]. And \n\n{BROKEN} cloud answers again:\n\n")
    assert taken.text.endswith("It hangs beside the door [1].")


async def test_a_small_one_that_is_stuck_is_ended_by_the_core_and_taken_over(world):
    small = Scripted(Forever)
    taken = await world.ask(small, Scripted(*LARGE), "[limits]\ntoken = 6\n")
    assert taken.text == "It hangs beside the door [1]."
    assert taken.routes == [("edge", "start"), ("cloud", "failed")]
    assert small.closed == 1


async def test_both_fail_and_the_turn_fails_with_both_reasons(world):
    for lines in ("", LARGE_FIRST):
        taken = await world.ask(Scripted(DOWN), Scripted(RuntimeError("a defect")), lines)
        assert taken.answer.outcome is Outcome.failed
        assert "503" in taken.answer.error
        assert "a defect" in taken.answer.error


# -- the large one fails while it takes over ------------------------------------------------------


async def test_down_before_it_takes_over_what_the_small_one_said_stands(world):
    taken = await world.ask(Scripted(*WEAK), Scripted(DOWN))
    assert taken.text == "".join(WEAK)
    assert "“cloud” did not work, so “edge” answered." in taken.answer.notices
    assert taken.routes == [("edge", "start"), ("cloud", "unsupported"), ("edge", "failed")]


async def test_down_before_it_takes_over_a_refusal_is_one(world):
    taken = await world.ask(Scripted(Delta(text="I found nothing.", refusal=True)), Scripted(DOWN))
    assert taken.text == "I found nothing."
    assert taken.answer.outcome is Outcome.refused


async def test_it_breaks_off_while_it_takes_over(world):
    taken = await world.ask(Scripted(*WEAK), Scripted("It hangs", DOWN))
    weak = "".join(WEAK)
    assert taken.text.startswith(f"{weak}\n\nThe answer above is not certain.")
    assert taken.text.endswith(f"It hangs\n\n{STANDS}\n\n")


async def test_a_code_block_that_is_open_when_it_breaks_off_is_closed(world):
    large = Scripted("Run this:\n```sh\nopen door\n", DOWN)
    taken = await world.ask(Scripted(SURE), large, LARGE_FIRST)
    assert f"open door\n\n```\n\n{BROKEN}" in taken.text


async def test_it_breaks_off_and_what_was_held_back_is_shown(world):
    taken = await world.ask(Scripted(*WEAK), Scripted("It hangs", DOWN), 'show = "when_sure"\n')
    assert taken.text == f"It hangs\n\n{BROKEN} edge answers again:\n\n{''.join(WEAK)}"


async def test_it_is_too_slow_to_take_over(world):
    large = Scripted(Forever)
    taken = await world.ask(Scripted(*WEAK), large, HASTY)
    assert taken.text == "".join(WEAK)
    assert taken.routes[-1] == ("edge", "slow")
    assert large.closed == 1


# -- the person stops it --------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["closed", "cancelled"])
async def test_stopped_in_the_middle_of_a_takeover(world, way):
    small, large = Scripted(*WEAK), Scripted("It hangs ", "somewhere ", Forever)
    async with world.bot(small, large) as bot:
        seen = []

        async def listen():
            async for event in events:
                seen.append(event)  # noqa: PERF401 -- what came before it was stopped counts

        events = bot.reply("Where is the key?", turn_id=f"stopped{way}")
        task = asyncio.create_task(listen())
        await asyncio.wait_for(large.stuck.wait(), 60)
        task.cancel()
        await asyncio.wait({task}, timeout=60)
        if way == "closed":
            await events.aclose()
        shown = await _recorded(bot, f"stopped{way}")
    assert (small.closed, large.closed) == (1, 1)
    text = "".join(event.text for event in seen if isinstance(event, TextDelta))
    assert shown["answer"].startswith(text.strip())
    assert "".join(WEAK) in shown["answer"]
    assert shown["outcome"] == "answered"
    assert [one["generator"] for one in shown["routes"]] == ["edge", "cloud"]
    assert any("stopped before the end" in one for one in shown["notices"])


async def test_stopped_while_the_large_one_has_not_begun(world):
    small, large = Scripted(*WEAK), Scripted(Forever)
    async with world.bot(small, large) as bot:
        events = bot.reply("Where is the key?", turn_id="stoppedearly")
        task = asyncio.create_task(_all(events))
        await asyncio.wait_for(large.stuck.wait(), 60)
        task.cancel()
        await asyncio.wait({task}, timeout=60)
        shown = await _recorded(bot, "stoppedearly")
    assert shown["answer"] == "".join(WEAK)
    assert large.closed == 1
    assert [one["generator"] for one in shown["routes"]] == ["edge", "cloud"]


async def _recorded(bot, turn):
    async with asyncio.timeout(60):
        while True:
            shown = await record.show(bot.database, turn)
            if shown["outcome"]:
                return shown
            await asyncio.sleep(0.02)


async def _all(events):
    return [event async for event in events]
