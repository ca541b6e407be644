"""A calibration that is stopped, or meets with failures: nothing is asked twice, lost or mixed."""

import asyncio
from contextlib import asynccontextmanager

import pytest
from bot_router import calibration
from bot_router.golden import Questioning, ask_all
from routing import SURE, WEAK, Scripted

from bot import Delta, hookimpl
from bot.errors import EvaluationError, GenerationError, NotFound
from bot.evaluation import golden, results
from bot.evaluation.golden import Golden
from bot.turn import Usage

GOLDEN = [
    Golden(question="Where is the key?", answer="beside the door"),
    Golden(question="Who painted it?", sources={"https://example.com/30": 1}),
    Golden(question="Which colour has the door?", answer="green"),
    Golden(question="Was it locked?", answer="never"),
]
SPENT = Delta(usage=Usage(input_tokens=10, output_tokens=5, cost=0.5))


@pytest.fixture
def shared(conninfo):
    """A database of its own for each test: what was stopped in one is not the next one's."""
    return conninfo


class Acting(Scripted):
    """Does something before its Nth answer, and tells which adapter it has."""

    def __init__(self, *steps, before=None):
        super().__init__(*steps)
        self.before = before or {}
        self.adapter = 1

    @hookimpl
    async def bot_generate(self, turn, prompt):
        place = len(self.prompts) + 1
        async for delta in super().bot_generate(turn, prompt):
            if place in self.before:
                self.before[place](self)
                if self.before[place] is stuck:
                    await asyncio.Event().wait()
            yield delta

    @hookimpl
    def bot_revision(self):
        return f"adapter {self.adapter}"


def stuck(model):
    model.stuck.set()


def fails(model):
    raise GenerationError("503 from the far end")


@asynccontextmanager
async def opened(world, small, large, lines="", **more):
    async with world.bot(small, large, lines, **more) as bot:
        await golden.put(bot.database, GOLDEN)
        yield bot


async def ask(bot, **more):
    """Ask all that is to be asked; what is known then, and how it began."""
    began = []
    questioning = await Questioning.of(bot, "default")
    kept = await ask_all(
        bot, questioning, await golden.load(bot.database),
        began=lambda *numbers: began.append(numbers), **more,
    )  # fmt: skip
    return questioning, kept, began


async def stop_in(bot, large, **more):
    """Stop it as Ctrl-C does, while the large one is stuck."""
    task = asyncio.ensure_future(ask(bot, **more))
    async with asyncio.timeout(60):
        await large.stuck.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_what_was_stopped_goes_on_and_comes_to_the_same(world):
    async with opened(world, Acting(*WEAK), Acting(SURE, SPENT)) as bot:
        expected, _, _ = await ask(bot)
    large = Acting(SURE, SPENT, before={3: stuck})
    async with opened(world, Acting(*WEAK), large) as bot:
        await stop_in(bot, large, fresh=True)
    small, large = Acting(*WEAK), Acting(SURE, SPENT)
    # Other thresholds ask nothing else.
    async with opened(world, small, large, "[generators.both.weak]\nsupported = 0.1\n") as bot:
        found, kept, began = await ask(bot)
        assert began == [(2, 2)]
        assert (len(small.prompts), len(large.prompts)) == (2, 2)
        assert timeless(found) == timeless(expected)
        trials, unit = found.trials()
        assert unit == "cost"
        with pytest.raises(NotFound, match="not finished"):
            await results.trials_of(bot.database, 2)
        best = calibration.chosen(calibration.points(list(trials.values())), 0.0)
        await kept.finish({"chosen": best}, trials)
        (row,) = [one for one in await results.listed(bot.database) if one["evaluation"] == 2]
        assert row["summary"]["quality"]["mean"] == pytest.approx(best.quality.mean)
        assert len((await results.trials_of(bot.database, 2))["chosen"]) == 4


def timeless(questioning):
    trials, _ = questioning.trials()
    return {
        id_: (one.asked, *((leg.quality, leg.cost, leg.said) for leg in (one.small, one.large)))
        for id_, one in trials.items()
    }


async def test_what_has_failed_is_told_and_asked_again(world):
    large = Acting(SURE, before={2: fails, 4: stuck})
    async with opened(world, Acting(SURE), large) as bot:
        await stop_in(bot, large)
    small, large = Acting(SURE, before={1: fails}), Acting(SURE)
    async with opened(world, small, large) as bot:
        found, _, began = await ask(bot)
    assert began == [(1, 2)]
    assert [one.question for one in large.prompts] == ["Who painted it?", "Was it locked?"]
    failures = found.failures()
    assert failures.small == {"edge: GenerationError: 503 from the far end": 1}
    assert not failures.large  # it was asked again, and answered
    assert len(found.trials()[0]) == 4


async def test_a_search_that_fails_is_told_and_its_question_left_out(world):
    class Broken:
        asked = 0

        @hookimpl
        def bot_retrieve(self, turn):
            if turn.question == "Was it locked?":
                raise OSError("the wiki is down")
            return world.shelf.passages

    large = Acting(SURE)
    plugins = {"shelf": Broken()}
    async with opened(world, Acting(SURE), large, plugins=plugins) as bot:
        found, _, _ = await ask(bot)
    assert len(large.prompts) == len(found.trials()[0]) == 3
    (reason,) = found.failures().search
    assert "None of the assistant's retrievers gave a result" in reason


async def test_a_large_one_that_never_answers_is_given_up(world):
    large = Acting(GenerationError("no such host"))
    async with opened(world, Acting(SURE), large) as bot:
        with pytest.raises(EvaluationError, match=r"none of the first 3 .*no such"):
            await ask(bot)
    assert len(large.prompts) == 3


async def test_another_adapter_meanwhile_ends_it_and_is_not_mixed_in(world):
    def promote(model):
        model.adapter = 2

    small = Acting(SURE, before={3: promote})
    async with opened(world, small, Acting(SURE)) as bot:
        with pytest.raises(EvaluationError, match="adapter 2 now, and did with adapter 1"):
            await ask(bot)
        found, kept, began = await ask(bot)
        assert began == [(2, 0)]
        assert "edge answers with adapter 2 and no more with adapter 1" in kept.notes[0]
        assert len(found.measured) == 4


async def test_a_budget_that_is_used_up_ends_it_until_there_is_money(world):
    class Priced:
        """A large one that reserves what it costs."""

        context = None

        @hookimpl
        async def bot_generate(self, turn, prompt):
            async with self.spending.reserved(turn, "cloud", Usage(cost=0.5)) as bill:
                yield Delta(text=SURE)
                bill.usage = Usage(cost=0.5)
                yield Delta(usage=bill.usage)

    large = Priced()
    async with opened(world, Acting(SURE), large, "[budget]\nmonth = 1.2\n") as bot:
        large.spending = bot.spending
        with pytest.raises(EvaluationError, match=r"budget for the month is used up.*is kept"):
            await ask(bot)
    async with opened(world, Acting(SURE), large, "[budget]\nmonth = 5\n") as bot:
        large.spending = bot.spending
        found, _, began = await ask(bot)
    assert began == [(1, 2)]
    assert not found.failures().large
