"""After the answer: the large one takes over what is weak."""

import math

import pytest
from bot_router.signals import refuses
from routing import DOOR, KEY, LARGE, SURE, WEAK, Forever, Scripted, passage

from bot import Delta
from bot.turn import Outcome, Usage

TAKEN_OVER = "The answer above is not certain. cloud answers again:"


async def test_a_good_answer_stands_and_the_large_one_is_never_asked(world):
    large = Scripted(*LARGE)
    taken = await world.ask(Scripted("The key hangs ", "beside the door [1]."), large)
    assert taken.text == SURE
    assert taken.routes == [("edge", "start")]
    assert large.prompts == []
    assert taken.answer.notices == ()
    assert taken.statuses == ["Searching", "Answering"]


async def test_an_unsupported_answer_is_taken_over_and_stays_readable(world):
    taken = await world.ask(Scripted(*WEAK), Scripted(*LARGE))
    assert taken.text == f"{''.join(WEAK)}\n\n{TAKEN_OVER}\n\nIt hangs beside the door [1]."
    assert taken.routes == [("edge", "start"), ("cloud", "unsupported")]
    assert "Asking another generator" in taken.statuses
    assert any("“edge”: 0% of its sentences have support" in one for one in taken.answer.notices)
    assert any(one.endswith("so “cloud” answered.") for one in taken.answer.notices)
    assert taken.answer.outcome is Outcome.answered


async def test_a_refusal_is_never_shown_when_the_large_one_knows(world):
    small = Scripted(Delta(text="I found nothing.", refusal=True))
    taken = await world.ask(small, Scripted(*LARGE))
    assert taken.text == "It hangs beside the door [1]."
    assert taken.answer.outcome is Outcome.answered
    assert taken.routes[1] == ("cloud", "refusal")
    assert "Draft of edge:\nI found nothing." in taken.answer.reasoning


@pytest.mark.parametrize(
    "said",
    [
        "The sources do not contain the answer. They speak of doors.",
        "I do not know where it is, sorry about that.",
        "Die Quellen enthalten dazu keine Angabe. Sie nennen die Tür.",
        "资料中没有提到钥匙的位置。",
    ],
)
async def test_a_refusal_in_words_is_one(world, said):
    words = said.replace(" ", " \0").split("\0")
    taken = await world.ask(Scripted(*words), Scripted(*LARGE))
    assert taken.routes[1] == ("cloud", "refusal")
    assert said[:20] not in taken.text


@pytest.mark.parametrize(
    "said",
    [
        "The provided documents don't mention any key.",
        "It is not specified in the given context.",
        "I could not find it.",
        "Die Dokumente sagen dazu nichts.",
        "Ich weiß es nicht.",
        "Les documents ne mentionnent pas la clé.",
        "Las fuentes no lo dicen.",
        "Le fonti non lo dicono.",
        "De bronnen zeggen daar niets over, er staat geen sleutel in.",
        "В источниках об этом не сказано.",
        "资料里没有提到。",
        "資料にその記載はありません。",
        "자료에는 그에 대한 정보가 없습니다.",
    ],
)
def test_refusals_of_models(said):
    assert refuses(said)
    assert refuses(f"{said} Something else follows.")


@pytest.mark.parametrize(
    "said",
    [
        "The key is not there [1].",
        "It does not lock [2]. I know.",
        "The password is not given in the mail, but on the phone [1].",
        "Documents are not kept for longer than ten years [1].",
        "Texte werden nicht gespeichert [1].",
        "Ich kann im Urlaub nicht gekündigt werden [1].",
        "Les documents ne sont pas conservés [1].",
        "文件不会保存超过十年 [1]。",
        "資料は十年以上保管しません [1]。",
        "It opens at nine [1]. The sources do not say when it closes.",
    ],
)
def test_a_negation_is_no_refusal(said):
    assert not refuses(said)


async def test_both_refuse_and_the_turn_is_a_refusal(world):
    small = Scripted(Delta(text="Small found nothing.", refusal=True))
    large = Scripted(Delta(text="Large found nothing.", refusal=True))
    taken = await world.ask(small, large)
    assert taken.text == "Large found nothing."
    assert taken.answer.outcome is Outcome.refused


@pytest.mark.parametrize(("probability", "asked"), [(0.9, 1), (0.6, 0)])
async def test_improbable_words_are_weak_below_the_threshold(world, probability, asked):
    large = Scripted(*LARGE)
    told = (math.log(0.5), math.log(0.98))  # geometric mean .7
    small = Scripted(Delta(text=SURE, logprobs=told))
    taken = await world.ask(small, large, f"weak = {{probability = {probability}}}\n")
    assert len(large.prompts) == asked
    assert taken.routes[1:] == [("cloud", "unsure")] * asked


async def test_without_probabilities_nobody_is_unsure(world):
    taken = await world.ask(Scripted(SURE), Scripted(*LARGE), "weak = {probability = 1}\n")
    assert taken.routes == [("edge", "start")]


async def test_nothing_is_weak_when_nothing_is_asked_for(world):
    lines = "weak = {refusal = false, supported = 0}\n"
    for steps in (WEAK, [Delta(text="I found nothing.", refusal=True)]):
        taken = await world.ask(Scripted(*steps), Scripted(*LARGE), lines)
        assert taken.routes == [("edge", "start")]
    assert taken.answer.outcome is Outcome.refused


async def test_judged_first_a_weak_answer_is_not_shown_and_not_lost(world):
    taken = await world.ask(Scripted(*WEAK), Scripted(*LARGE), 'show = "when_sure"\n')
    assert taken.text == "It hangs beside the door [1]."
    assert f"Draft of edge:\n{''.join(WEAK)}" in taken.answer.reasoning
    assert taken.routes[1] == ("cloud", "unsupported")


async def test_judged_first_a_good_answer_is_shown_whole(world):
    small = Scripted("The key hangs ", "beside ", Delta(text="the door", verbatim=True), " [1].")
    taken = await world.ask(small, Scripted(*LARGE), 'show = "when_sure"\n')
    assert taken.text == SURE
    assert [one.marker for one in taken.answer.citations] == [1]


async def test_usage_adds_up_and_is_recorded_by_route(world):
    small = Scripted(
        *WEAK, Delta(usage=Usage(input_tokens=3, output_tokens=1)),
        Delta(usage=Usage(input_tokens=3, output_tokens=4)),
    )  # fmt: skip
    large = Scripted(*LARGE, Delta(usage=Usage(input_tokens=3, output_tokens=9, cost=0.25)))
    taken = await world.ask(small, large)
    assert taken.answer.usage == Usage(input_tokens=6, output_tokens=13, cost=0.25)
    assert [one["usage"]["output_tokens"] for one in taken.shown["routes"]] == [4, 9]
    assert taken.shown["usage"]["cost"] == 0.25
    assert all(one["milliseconds"] > 0 for one in taken.shown["routes"])


async def test_what_the_small_one_found_is_among_the_sources_of_the_large_one(world):
    found = passage("The spare key is in the garage.")
    small = Scripted(Delta(passages=(found,)), Delta(text="Not there.", refusal=True))
    large = Scripted("The spare key is in the garage [3].")
    taken = await world.ask(small, large)
    assert taken.text == "The spare key is in the garage [3]."
    assert [one.passage_id for one in taken.answer.citations] == [found.id]
    [asked] = large.prompts
    assert [one.text for one in asked.passages] == [KEY, DOOR, found.text]
    assert found.text in asked.messages[-1][1]


async def test_the_takeover_is_told_in_the_language_of_the_question(world):
    taken = await world.ask(Scripted(*WEAK), Scripted(*LARGE), question="Wo ist der Schlüssel?")
    assert "Die Antwort oben ist nicht sicher. cloud antwortet noch einmal:" in taken.text


async def test_a_first_sentence_is_shown_before_the_answer_is_complete(world):
    """Only the first sentence is held back: people read while the rest is written."""
    small = Scripted("The key hangs beside the door [1]. ", "The door ", Forever)
    async with world.bot(small, Scripted(*LARGE)) as bot:
        events = bot.reply("Where is the key?")
        async for event in events:
            if getattr(event, "text", "").startswith("The key hangs"):
                break
        await events.aclose()
    assert small.closed == 1
