"""Hostile outputs and documents through the whole path: nothing notifies, no foreign link."""

import random

import pytest
from hostile import CORPUS, TITLES, URIS
from slack_world import URI, answered, eventually, passage

from bot.testing.fake_slack import Channel, FakeSlack

HOST = "docs.example.com"  # as what a link shows when its words lie
COUNT = 12  # answers in one test


@pytest.fixture
async def slack():
    channels = [Channel(id="C1", name="general", members={"U1", "U2"})]
    async with FakeSlack(channels=channels) as running:
        yield running


def cut(text, random_):
    """A text in random pieces, many of one character: tokens are split over deltas and flushes."""
    pieces = []
    while text:
        size = random_.choice([1, 1, 2, 3, 10, 1000])
        pieces.append(text[:size])
        text = text[size:]
    return pieces


def harmless(slack, allowed):
    assert slack.notified() == set()
    assert slack.links() <= allowed, slack.links() - allowed
    for message in (*slack.world.messages.values(), *slack.world.ephemerals):
        if message.by_app:
            assert not message.unfurl or message.writes > 1 or message.visible_to


def test_there_are_enough_and_no_two_alike():
    assert len(CORPUS) >= 100
    assert len(set(CORPUS)) == len(CORPUS)


@pytest.mark.parametrize("start", range(0, len(CORPUS), COUNT))
async def test_hostile_outputs(slack, serving, toy, start):
    random_ = random.Random(start)
    batch = CORPUS[start : start + COUNT]
    for number, text in enumerate(batch):
        toy.answers[f"<{number}>"] = [*cut(text, random_), " ", *cut(text, random_), "\nThe end."]
    async with serving(per_minute=1000):
        asked = [f"question &lt;{number}&gt;" for number in range(len(batch))]
        threads = [await slack.mention("C1", "U1", one) for one in asked]
        for thread in threads:
            (answer,) = await answered(slack, "C1", thread)
            assert "The end." in answer.shown
        harmless(slack, {URI, HOST})


async def test_hostile_outputs_mixed_in_channels_messages_commands_and_published(
    slack, serving, toy
):
    random_ = random.Random(7)
    for number in range(8):
        # Without `link_names` Slack links no name; in code they may stand, as decorators do.
        mixed = random_.sample([text for text in CORPUS if "@ada" not in text], 12)
        text = "".join(part + random_.choice(["", " ", "\n", "\n\n"]) for part in mixed)
        toy.answers[f"<{number}>"] = [*cut(text, random_), "\n\nThe end."]
    async with serving(per_minute=1000, handover='"C1"'):
        for number in range(8):
            question = f"question &lt;{number}&gt;"
            await answered(slack, "D1", await slack.post_message("dm", "U1", question))
            await slack.slash_command("C1", "U1", question)
            count = number + 1
            await eventually(lambda count=count: len(slack.world.ephemerals) >= count)
            await slack.click("answer_publish", "U1", "C1", slack.world.ephemerals[-1].ts)
            await eventually(
                lambda count=count: (
                    len([m for m in slack.answers("C1") if not m.visible_to]) >= count
                )
            )
        await slack.settled()
        harmless(slack, {URI, HOST})


async def test_titles_and_addresses_of_documents(slack, serving, toy):
    """What stands in the sources block comes from documents, which anybody may have written."""
    passages = [passage("A fact.", title=title, id=f"t{n}") for n, title in enumerate(TITLES)]
    passages += [passage("A fact.", uri=uri, id=f"u{n}") for n, uri in enumerate(URIS)]
    async with serving(per_minute=1000):
        for number, one in enumerate(passages):
            toy.passages = [one]
            toy.answers[""] = ["A fact [1]. ", "The end."]
            question = await slack.mention("C1", "U1", f"question {number}")
            (answer,) = await answered(slack, "C1", question)
            assert answer.blocks, one
    assert slack.notified() == set()
    assert not [link for link in slack.links() if _leads_elsewhere(link)]


def _leads_elsewhere(link):
    """Whether an address leaves the host that our documents are on."""
    return not link.startswith("https://docs.example.com/") and not link.startswith(
        "https://xn--"  # the host in another script, shown as what it is
    )


async def test_hostile_questions_are_handed_over_harmlessly(slack, serving, toy):
    toy.refuses = True
    toy.answers = {"": ["I do not know."]}
    async with serving(handover='"C1"', per_minute=1000):
        for text in random.Random(3).sample(CORPUS, 6):
            question = await slack.post_message("dm", "U1", f"{text} who?")
            await answered(slack, "D1", question)
            await slack.click("answer_handover", "U1", "D1")
        await eventually(lambda: len([m for m in slack.answers("C1") if not m.visible_to]) == 6)
        await slack.settled()
        assert slack.notified() == set()
        assert slack.links() <= {URI, *(link for link in slack.links() if "slack.com" in link)}


async def test_a_failing_model_says_nothing_of_its_own(slack, serving, toy):
    toy.error = RuntimeError("<!channel> https://evil.example/c")
    async with serving():
        await answered(slack, "C1", await slack.mention("C1", "U1", "When?"))
    harmless(slack, set())
