"""Before the answer: rules, and everything that can be wrong with them."""

import re
from dataclasses import astuple
from typing import get_args

import pytest
from bot_router import words
from bot_router.settings import Language
from routing import BOT, DOOR, KEY, LARGE, SURE, Scripted, passage

from bot import phrases
from bot.errors import ConfigError

LONG = "Could you please tell me, as I have just moved in, where the key to the door hangs?"


@pytest.mark.parametrize(
    ("condition", "question", "fits"),
    [
        ("words = {min = 15}", LONG, True),
        ("words = {min = 15}", "Where is the key?", False),
        ("words = {max = 4}", "Where is the key?", True),
        ("words = {min = 4}", "钥匙挂在哪里呢？", False),
        ("words = {max = 4}", "钥匙挂在哪里呢？", True),
        ("score = {max = 0.3}", "Where is the key?", False),
        ("score = {min = 0.5, max = 0.5}", "Where is the key?", True),
        ("passages = {min = 3}", "Where is the key?", False),
        ("passages = {min = 2}", "Where is the key?", True),
        ('languages = ["de", "fr"]', "Wo ist der Schlüssel?", True),
        ('languages = ["de", "fr"]', "Where is the key?", False),
        ('topics = ["contract", "the key"]', "Where is THE KEY?", True),
        ('topics = ["con"]', "Is there a contract?", False),
        ('topics = ["钥匙"]', "钥匙挂在哪里？", True),
        ('topics = ["key"]\nlanguages = ["de"]', "Where is the key?", False),
    ],
)
async def test_a_rule_fits_when_all_of_it_does(world, condition, question, fits):
    lines = f'[[generators.both.rules]]\nname = "mine"\nuse = "large"\n{condition}\n'
    taken = await world.ask(Scripted(SURE), Scripted(*LARGE), lines, question=question)
    [route] = taken.answer.routes
    assert (route.generator, route.reason) == (("cloud", "mine") if fits else ("edge", ""))
    assert route.cause == ("rule" if fits else "start")


async def test_the_first_rule_that_fits_decides(world):
    lines = """start = "large"
[[generators.both.rules]]
words = {min = 100}
use = "large"
[[generators.both.rules]]
words = {max = 10}
use = "small"
[[generators.both.rules]]
words = {min = 1}
use = "large"
"""
    taken = await world.ask(Scripted(SURE), Scripted(*LARGE), lines)
    [route] = taken.answer.routes
    assert (route.generator, route.reason) == ("edge", "rule 2")


async def test_a_follow_up_has_the_topic_of_what_it_leans_on(world):
    lines = '[[generators.both.rules]]\ntopics = ["garage"]\nuse = "large"\n'
    talk = {"conversation": "talk", "channel": "python"}
    for question, way in [
        ("Where is the garage?", [("cloud", "rule")]),
        ("And where is its key?", [("cloud", "rule")]),
        ("What does the canteen serve on Mondays?", [("edge", "start")]),
    ]:
        taken = await world.ask(Scripted(SURE), Scripted(*LARGE), lines, question, **talk)
        assert taken.routes == way, question


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ("weak = {refusals = true}", ["generators.both.weak.refusals", 'did you mean "refusal"']),
        ("weak = {supported = 2}", ["generators.both.weak.supported", "less than or equal to 1"]),
        ("patience = 0", ["generators.both.patience", "greater than 0"]),
        ('start = "larg"', ["generators.both.start", 'did you mean "large"']),
        ('[[generators.both.rules]]\nuse = "large"', ["generators.both.rules", "no condition"]),
        (
            '[[generators.both.rules]]\nuse = "big"\nwords = {min = 1}',
            ["use", "'small' or 'large'"],
        ),
        (
            '[[generators.both.rules]]\nuse = "large"\nword = {min = 1}',
            ["generators.both.rules", 'did you mean "words"'],
        ),
        (
            '[[generators.both.rules]]\nuse = "large"\nwords = {}',
            ["words", "has neither `min` nor `max`"],
        ),
        (
            '[[generators.both.rules]]\nuse = "large"\nwords = {min = 5, max = 2}',
            ["words", "5 is more than 2"],
        ),
        (
            '[[generators.both.rules]]\nuse = "large"\nlanguages = ["xx"]',
            ["languages", "should be 'en'"],
        ),
        ('[[generators.both.rules]]\nuse = "large"\ntopics = []', ["topics", "at least 1 item"]),
    ],
)
def test_each_mistake_is_told_with_its_place(world, lines, told):
    with pytest.raises(ConfigError) as caught:
        world.bot(Scripted(), Scripted(), lines + "\n").check()
    said = str(caught.value)
    assert re.search(r"bot\.toml:\d+: ", said)
    assert [part for part in told if part not in said] == []


@pytest.mark.parametrize(
    ("small", "large", "told"),
    [
        ("edge", "clod", 'generators.both.large: there is no generator "clod"; did you mean'),
        ("edge", "both", 'generators.both.large: is "both" itself; name another'),
        ("edge", "edge", 'has "edge" as `small` and as `large`; name two generators'),
    ],
)
def test_a_name_that_stands_for_no_other_generator_is_a_mistake(world, small, large, told):
    config = BOT.replace('"edge"', f'"{small}"').replace('"cloud"', f'"{large}"')
    with pytest.raises(ConfigError) as caught:
        world.bot(Scripted(), Scripted(), config=config).check()
    assert told in str(caught.value)


async def test_the_prompt_fits_whichever_is_asked(world):
    """The smaller limit counts, with the tokens of the one whose limit it is."""
    world.shelf.passages = [passage(KEY), passage(DOOR), passage("word " * 500)]
    small, large = Scripted(SURE, limit=400), Scripted(*LARGE, limit=100_000)
    await world.ask(small, large, 'start = "large"\n')
    [asked] = large.prompts
    assert len(asked.passages) == 2


async def test_routers_ask_each_other_in_a_circle(world):
    """It is told, and nobody waits forever."""
    more = '[generators.cloud]\ntype = "router"\nsmall = "edge"\nlarge = "both"\nstart = "large"\n'
    taken = await world.ask(Scripted(SURE), Scripted(), 'start = "large"\n' + more)
    assert taken.text == SURE
    assert "“both” did not work, so “edge” answered." in taken.answer.notices


def test_the_languages_of_rules_and_of_takeovers_are_those_that_the_bot_speaks():
    spoken = set(phrases._PHRASES)
    assert set(get_args(Language)) == spoken
    assert set(words._WORDS) == spoken
    assert all("{name}" in text for one in words._WORDS.values() for text in astuple(one))
