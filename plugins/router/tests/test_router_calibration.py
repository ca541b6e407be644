"""Thresholds from the golden set: what is tried, what is chosen, and that bot.toml takes it."""

import tomllib
from dataclasses import replace

import pytest
from bot_router import calibration
from bot_router.calibration import Answered, Trial
from bot_router.commands import _toml
from bot_router.golden import Questioning
from bot_router.settings import RouterSettings
from bot_router.signals import Asked, Said, supported
from routing import BOT, KEY, SURE, WEAK, Scripted, passage

from bot import Delta
from bot.errors import GenerationError, UsageError
from bot.evaluation.golden import Golden
from bot.turn import Usage


def trial(*, small, large=1.0, words=5, score=0.5, probability=None, support=1.0, refused=False):
    said = Said(refused=refused, supported=support, probability=probability)
    asked = Asked(words=words, score=score, passages=2, language="en", text="")
    return Trial(
        asked=asked,
        small=Answered(quality=small, cost=1, milliseconds=10, said=said),
        large=Answered(quality=large, cost=100, milliseconds=500, said=said),
    )


def named(points, name):
    return next(one for one in points if one.policy.name == name)


# The small one is right whenever it is sure, and always on short questions but one.
TRIALS = [
    trial(small=1, probability=0.9, words=4),
    trial(small=1, probability=0.8, words=6),
    trial(small=0, probability=0.3, words=20),
    trial(small=0, probability=0.2, words=5),
    trial(small=0, refused=True, words=30),
]


def test_a_threshold_that_separates_costs_what_it_must_and_no_more():
    points = calibration.points(TRIALS)
    best = calibration.chosen(points, 0.0)
    assert best.policy.name == "probability = 0.6"
    assert (best.quality.mean, best.share, best.cost) == (1.0, 0.6, 61.0)
    assert best.frontier
    limit = named(points, "the better one of the two")
    assert (limit.quality.mean, limit.cost, limit.frontier) == (1.0, 60.4, False)


def test_both_kinds_and_both_ends_are_tried():
    points = calibration.points(TRIALS)
    assert {one.policy.kind for one in points} == {"one", "before", "after", "limit"}
    small, large = named(points, "small alone"), named(points, "large alone")
    assert (small.quality.mean, small.cost, small.share, small.p50) == (0.4, 1.0, 0, 10)
    assert (large.quality.mean, large.cost, large.share, large.p50) == (1.0, 100.0, 1, 500)
    refusals = named(points, "refusal")
    assert (refusals.quality.mean, refusals.share) == (0.6, 0.2)
    assert refusals.p95 > 400  # who is taken over waits for both
    longest = named(points, "words = {min = 25}")
    assert (longest.share, longest.cost) == (0.2, (4 * 1 + 100) / 5)


def test_the_frontier_rises_and_nothing_lies_above_it():
    points = [one for one in calibration.points(TRIALS) if one.policy.kind != "limit"]
    front = [one for one in points if one.frontier]
    assert [one.cost for one in front] == sorted(one.cost for one in front)
    assert [one.quality.mean for one in front] == sorted({one.quality.mean for one in front})
    for one in points:
        assert any(f.cost <= one.cost and f.quality.mean >= one.quality.mean for f in front)


@pytest.mark.parametrize(("margin", "name"), [(1.0, "small alone"), (0.0, "probability = 0.6")])
def test_the_margin_says_how_much_worse_is_good_enough(margin, name):
    assert calibration.chosen(calibration.points(TRIALS), margin).policy.name == name


def test_a_large_one_that_is_no_better_is_not_asked():
    trials = [replace(one, large=replace(one.large, quality=one.small.quality)) for one in TRIALS]
    assert calibration.chosen(calibration.points(trials), 0.0).policy.name == "small alone"


def test_on_questions_that_had_no_part_in_the_choice_it_is_worse_by_what_chance_gave():
    lucky = [trial(small=n % 2, probability=0.5 + n / 100, words=n) for n in range(20)]
    quality, cost = calibration.held_out(lucky, 0.0)
    assert 0 < quality <= 1
    assert 1 <= cost <= 101
    assert calibration.held_out([one for one in TRIALS for _ in range(5)], 0.0) == (1.0, 61.0)


def test_every_policy_is_what_bot_toml_then_does():
    """The lines that are printed, read back, route as the calibration has counted."""
    for point in calibration.points(TRIALS):
        if point.policy.toml is None:
            continue
        printed = tomllib.loads(_head(point) + _toml("both", point))["generators"]["both"]
        settings = RouterSettings.model_validate({"small": "a", "large": "b", **printed})
        for one in TRIALS:
            from bot_router import signals

            size, _ = signals.chosen(settings, one.asked)
            large = size == "large" or signals.weakness(settings.weak, one.small.said)[0] != ""
            assert large == point.policy.large(one), point.policy.name


def _head(point):
    """`start` stands in the table itself, which is there already."""
    return "[generators.both]\n" if "" in point.policy.toml else ""


def test_thresholds_lie_between_what_occurs_and_are_short():
    assert calibration._thresholds([0.123456, 0.123457, 5, 5, 9]) == [0.1234565, 2.6, 7.0]
    assert calibration._thresholds([1, 1, 1]) == []
    many = calibration._thresholds([n / 7 for n in range(1000)])
    assert len(many) == calibration.MOST
    assert many == sorted(many)


@pytest.mark.parametrize(
    ("answer", "reference", "expected"),
    [
        ("The key hangs beside the door [1].", "beside the door", 1.0),
        ("Beside a window.", "beside the door", 1 / 3),
        ("", "beside the door", 0.0),
        ("钥匙挂在门边", "门边", 1.0),
    ],
)
def test_quality_is_the_share_of_the_reference(answer, reference, expected):
    assert calibration.quality(answer, (), reference, ()) == pytest.approx(expected)


def test_without_a_reference_quality_is_what_is_cited():
    assert calibration.quality("Yes.", ["a", "x"], "", ["a", "b"]) == 0.5
    assert calibration.quality("", ["a"], "", ["a"]) == 0.0


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (f"{SURE} It was built in 1987 [1].", 0.5),
        ("The key hangs beside the door. [1] Nobody painted it in Paris. [1]", 0.5),
        ("The key hangs beside the door.", 1.0),  # no marker: any passage may support it
        ("In Paris there are seven keys.", 0.0),
        ("Yes.", 1.0),
        ("", 1.0),
    ],
)
def test_support_is_the_share_of_sentences_with_a_passage_behind(answer, expected):
    assert supported(answer, [KEY]) == expected


# -- a whole bot is asked -------------------------------------------------------------------------

GOLDEN = [
    Golden(question="Where is the key?", answer="beside the door", id=1),
    Golden(question="Who painted it?", sources={"https://example.com/30": 1}, id=2),
]


async def asked(world, small, large, lines=""):
    async with world.bot(small, large, lines) as bot:
        questioning = await Questioning.of(bot, "default")
        for one in GOLDEN:
            await questioning.ask(one)
        return questioning


def read(questioning):
    trials, unit = questioning.trials()
    return list(trials.values()), unit


async def test_both_answer_each_question_and_are_measured(world):
    world.shelf.passages = [passage(KEY, score=0.7)]
    spent = Delta(usage=Usage(input_tokens=10, output_tokens=5, cost=0.5))
    small, large = Scripted(*WEAK), Scripted(SURE, spent)
    questioning = await asked(world, small, large)
    trials, unit = read(questioning)
    assert (len(small.prompts), len(large.prompts)) == (2, 2)
    assert unit == "cost"
    assert [one.large.quality for one in trials] == [1.0, 1.0]
    assert trials[0].small.quality < 1
    assert [one.small.cost for one in trials] == [0, 0]
    assert [one.large.cost for one in trials] == [0.5, 0.5]
    assert trials[0].asked.score == 0.7
    assert trials[0].small.said.supported == 0.0
    failures = questioning.failures()
    assert not failures.search + failures.small + failures.large


@pytest.mark.parametrize(
    ("spent", "unit", "cost"),
    [(None, "questions", 1.0), (Usage(input_tokens=10, output_tokens=5), "tokens", 15.0)],
)
async def test_costs_are_counted_in_what_is_known(world, spent, unit, cost):
    questioning = await asked(world, Scripted(SURE), Scripted(SURE, Delta(usage=spent)))
    trials, told = read(questioning)
    assert (told, trials[0].large.cost) == (unit, cost)


async def test_where_the_large_one_fails_the_small_one_answers(world):
    questioning = await asked(world, Scripted(SURE), Scripted(GenerationError("503")))
    trials, _ = read(questioning)
    assert questioning.failures().large == {"cloud: GenerationError: 503": 2}
    assert trials[0].large == replace(trials[0].small, cost=1.0)


async def test_a_small_one_that_fails_is_taken_over(world):
    questioning = await asked(world, Scripted(GenerationError("no")), Scripted(SURE))
    trials, _ = read(questioning)
    assert questioning.failures().small == {"edge: GenerationError: no": 2}
    assert trials[0].small.said.refused
    assert trials[0].small.quality == 0


async def test_an_assistant_without_a_router_cannot_be_calibrated(world):
    config = BOT.replace('generator = "both"', 'generator = "edge"')
    async with world.bot(Scripted(), Scripted(), config=config) as bot:
        with pytest.raises(UsageError, match="which is no router"):
            await Questioning.of(bot, "default")
