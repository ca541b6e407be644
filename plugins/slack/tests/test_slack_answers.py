"""What people get: one answer in the thread, for mentions, messages, follow-ups and edits."""

import asyncio

import bot_slack
import pytest
from bot_slack import status
from slack_world import URI, answered, eventually

from bot.inbox import Inbox, Incoming, Place


def texts(messages):
    return [message.shown for message in messages]


async def test_a_mention_is_answered_in_its_thread(slack, serving):
    async with serving() as bot:
        question = await slack.mention("C1", "U1", "When does the office open?")
        (answer,) = await answered(slack, "C1", question)
        assert answer.thread_ts == question
        assert answer.markdown.startswith(f"The office opens at nine [1]({URI}). It closes at five")
        assert f"<{URI}|Handbook>" in answer.shown
        assert answer.writes >= 2  # begun and ended: streamed
        ((outcome, author),) = await rows(bot, "select outcome, author from turn_asked")
        assert (outcome, author) == ("answered", "T1/U1")
    assert slack.notified() == set()
    assert slack.links() == {URI}


async def rows(bot, query):
    """`turn_asked`: each turn with its question."""
    view = (
        "select t.*, m.text as question, m.author from turn t join message m on m.id = question_id"
    )
    async with bot.database.connection() as connection:
        cursor = await connection.execute(query.replace("turn_asked", f"({view}) turn_asked"))
        return await cursor.fetchall()


async def test_the_status_comes_first_and_goes_last(slack, serving):
    async with serving():
        question = await slack.mention("C1", "U1", "When?")
        await answered(slack, "C1", question)
        statuses = slack.world.statuses["C1", question]
        await eventually(lambda: statuses[-1]["status"] == "active")
    assert {one["status"] for one in statuses} >= {"processing", "is looking it up …"}
    assert statuses[0].get("initiator_user_id", "U1") == "U1"


async def test_a_direct_message_is_answered_in_its_own_thread(slack, serving, toy):
    async with serving():
        first = await slack.post_message("dm", "U1", "When does it open?")
        second = await slack.post_message("dm", "U1", "When does it close?")
        for ts in (first, second):
            assert len(await answered(slack, "D1", ts)) == 1
    start = slack.called("chat.startStream")[0].arguments
    assert "recipient_user_id" not in start
    assert [turn.conversation.history for turn in toy.turns] == [(), ()]  # two conversations


async def test_follow_ups_in_a_thread_need_no_mention_and_know_what_was_said(slack, serving, toy):
    async with serving():
        question = await slack.mention("C1", "U1", "When does it open?")
        await answered(slack, "C1", question)
        await slack.post_message("C1", "U1", "And on Sundays?", thread_ts=question)
        await answered(slack, "C1", question, 2)
        await slack.post_message("C1", "U2", "<@U1> lunch?", thread_ts=question)
        await slack.post_message("C1", "U2", "Nobody asked you")  # in no thread
        await slack.settled()
    assert [turn.question for turn in toy.turns] == ["When does it open?", "And on Sundays?"]
    said = [(one.role, one.text.split()[0]) for one in toy.turns[1].conversation.history]
    assert said == [("user", "When"), ("assistant", "The")]


@pytest.mark.parametrize(
    ("mode", "asked"), [("mention", ["a?"]), ("thread", ["a?", "b?"]), ("all", ["a?", "b?", "c?"])]
)
async def test_when_a_mention_is_needed_is_a_setting_of_the_room(slack, serving, toy, mode, asked):
    async with serving(rooms=f'{{C1 = {{follow_ups = "{mode}"}}}}'):
        question = await slack.mention("C1", "U1", "a?")
        await answered(slack, "C1", question)
        await slack.post_message("C1", "U1", "b?", thread_ts=question)
        if mode != "mention":
            await answered(slack, "C1", question, 2)
        other = await slack.post_message("C1", "U1", "c?")
        if mode == "all":
            await answered(slack, "C1", other)
        await slack.settled()
    assert [turn.question for turn in toy.turns] == asked


async def test_called_into_a_thread_it_reads_what_was_said_before(slack, serving, toy):
    async with serving():
        first = await slack.post_message("C1", "U2", "The heating is broken in room 7.")
        await slack.post_message("C1", "U1", "Who repairs it?", thread_ts=first)
        await slack.mention("C1", "U1", "do you know?", thread_ts=first)
        await answered(slack, "C1", first)
    history = toy.turns[0].conversation.history
    assert [one.text for one in history] == ["The heating is broken in room 7.", "Who repairs it?"]
    assert [one.author for one in history] == ["T1/U2", "T1/U1"]


async def test_with_mentions_only_it_reads_what_was_said_between_them(slack, serving, toy):
    async with serving(follow_ups='"mention"'):
        first = await slack.mention("C1", "U1", "When does it open?")
        await answered(slack, "C1", first)
        await slack.post_message("C1", "U2", "I mean the annex.", thread_ts=first)
        await slack.mention("C1", "U1", "and now?", thread_ts=first)
        await answered(slack, "C1", first, 2)
    history = [one.text for one in toy.turns[1].conversation.history]
    assert "I mean the annex." in history
    assert len([text for text in history if text == "When does it open?"]) == 1


async def test_an_edited_question_is_answered_again_in_place(slack, serving, toy):
    toy.answers["Sundays"] = ["Closed on Sundays [1]."]
    async with serving():
        question = await slack.mention("C1", "U1", "When does it open?")
        (before,) = await answered(slack, "C1", question)
        await slack.edit("C1", question, "<@U0BOT> When does it open on Sundays?")
        await eventually(lambda: "Sundays" in slack.answers("C1", question)[0].shown)
        (after,) = await answered(slack, "C1", question)
        assert after.ts == before.ts
        assert "nine" not in after.shown
        assert [block["type"] for block in after.blocks][-1] == "context_actions"


async def test_an_edit_while_it_answers_stops_the_older_answer(slack, serving, toy):
    toy.gate = asyncio.Event()
    toy.answers["Sundays"] = ["Closed on Sundays [1]."]
    async with serving():
        question = await slack.mention("C1", "U1", "When does it open?")
        await eventually(lambda: slack.answers("C1", question))
        await slack.edit("C1", question, "<@U0BOT> When does it open on Sundays?")
        await answered(slack, "C1", question)
        await eventually(lambda: "Sundays" in slack.answers("C1", question)[0].shown)
        assert "nine" not in slack.answers("C1", question)[0].shown
    assert len(slack.answers("C1", question)) == 1


async def test_a_deleted_question_takes_its_answer_and_every_text_along(slack, serving, settled):
    async with serving() as bot:
        question = await slack.mention("C1", "U1", "My password is 1234, is that good?")
        await answered(slack, "C1", question)
        await slack.delete("C1", question)
        await eventually(lambda: not slack.answers("C1"))
        await settled(slack, bot.database)
        stored = await rows(bot, "select text from message union select text from inbox")
        cited = await rows(bot, "select quote from citation")
    assert stored == [("",)]
    assert cited == []


async def test_a_question_deleted_while_it_is_answered_leaves_nothing(slack, serving, toy, settled):
    toy.gate = asyncio.Event()
    async with serving() as bot:
        question = await slack.mention("C1", "U1", "My password is 1234, is that good?")
        await eventually(lambda: slack.answers("C1", question))
        await slack.delete("C1", question)
        await settled(slack, bot.database)
        assert slack.answers("C1") == []
        stored = await rows(bot, "select text from message union select text from inbox")
    assert stored == [("",)]


async def test_an_answer_that_somebody_deleted_is_not_written_again(slack, serving, toy, settled):
    toy.gate = asyncio.Event()
    async with serving() as bot:
        question = await slack.mention("C1", "U1", "When?")
        (answer,) = await eventually(lambda: slack.answers("C1", question))
        await slack.delete("C1", answer.ts)
        toy.gate.set()
        await settled(slack, bot.database)
        assert slack.answers("C1") == []
        assert await rows(bot, "select outcome from inbox") == [("disowned",)]
        await slack.edit("C1", question, "<@U0BOT> And when now?")
        await settled(slack, bot.database)
    assert slack.answers("C1") == []
    assert len(toy.turns) == 1


async def test_the_stop_button_ends_the_answer(slack, serving, toy, settled):
    toy.gate = asyncio.Event()  # never opened
    async with serving() as bot:
        question = await slack.mention("C1", "U1", "When?")
        await eventually(lambda: slack.answers("C1", question))
        await slack.stop_session("U1", "C1", question)
        (answer,) = await answered(slack, "C1", question)
        assert "nine" in answer.shown
        assert "Stopped." in answer.shown
        await settled(slack, bot.database)
        assert await rows(bot, "select outcome from inbox") == [("stopped",)]
        statuses = slack.world.statuses["C1", question]
        await eventually(lambda: statuses[-1]["status"] == "active")


async def test_rooms_have_assistants_of_their_own(slack, serving, toy):
    assistants = (
        '[assistants.default]\nretrievers = ["toy"]\ngenerator = "toy"\n'
        '[assistants.finance]\nretrievers = ["toy"]\ngenerator = "toy"\ninstructions = "In euros."'
    )
    async with serving(assistants=assistants, rooms='{C2 = {assistant = "finance"}}'):
        for room in ("C1", "C2"):
            await answered(slack, room, await slack.mention(room, "U1", "How much?"))
    assert {turn.assistant.name: turn.assistant.instructions for turn in toy.turns} == {
        "default": "", "finance": "In euros.",
    }  # fmt: skip


async def test_files_are_left_out_with_a_sentence(slack, serving):
    async with serving():
        files = [{"id": "F1", "url_private": "https://files.slack.com/x"}]
        question = await slack.post_message("C1", "U1", "<@U0BOT> When?", files=files)
        (answer,) = await answered(slack, "C1", question)
        assert "cannot read files" in answer.shown
        assert "nine" in answer.shown
        alone = await slack.post_message("dm", "U1", "", files=files)
        (answer,) = await answered(slack, "D1", alone)
        assert "cannot read files" in answer.shown


async def test_a_mention_without_a_question_is_asked_for_one(slack, serving, toy):
    async with serving():
        question = await slack.mention("C1", "U1", "")
        (answer,) = await answered(slack, "C1", question)
    assert "What would you like to know?" in answer.shown
    assert toy.turns == []


async def test_a_failure_ends_in_an_apology_that_an_operator_can_look_up(slack, serving, toy):
    toy.error = RuntimeError("the secret of the model")
    async with serving() as bot:
        question = await slack.mention("C1", "U1", "When?")
        (answer,) = await answered(slack, "C1", question)
        ((turn, error),) = await rows(bot, "select id, error from turn")
    assert turn in answer.shown
    assert "secret" not in answer.shown
    assert "the secret of the model" in error


async def test_many_conversations_at_once_each_in_its_order(slack, serving, toy):
    async with serving(per_minute=1000):
        threads = [await slack.mention("C1", "U1", f"thread {n}, question 0") for n in range(5)]
        for number in (1, 2):
            for n, thread in enumerate(threads):
                text = f"thread {n}, question {number}"
                await slack.post_message("C1", "U1", text, thread_ts=thread)
        for thread in threads:
            await answered(slack, "C1", thread, 3)
    for n in range(5):
        asked = [turn.question[-1] for turn in toy.turns if f"thread {n}," in turn.question]
        assert asked == ["0", "1", "2"]


async def test_a_question_that_waits_for_a_worker_shows_a_status(slack, serving, toy):
    toy.gate = asyncio.Event()
    async with serving(concurrency=1):
        first = await slack.mention("C1", "U1", "When?")
        await eventually(lambda: slack.answers("C1", first))
        second = await slack.mention("C1", "U2", "And when?")

        def said():
            return [one["status"] for one in slack.world.statuses.get(("C1", second), [])]

        await eventually(lambda: status.WAITING in said())
        assert slack.answers("C1", second) == []
        toy.gate.set()
        await answered(slack, "C1", second)
        await eventually(lambda: said()[-1] in ("", "active"))


async def test_a_status_that_came_too_late_is_taken_away(slack, serving, toy):
    """The worker has answered between our look at the message and our call."""
    async with serving() as bot:
        question = await slack.mention("C1", "U1", "When?")
        await answered(slack, "C1", question)
        channel = await bot.component("channel", "slack")
        answering = await channel._ready(bot)
        looks = iter(["waiting", "waiting", "answering", "answering"])

        class Scripted(Inbox):
            async def state(self, place):
                return next(looks, "done")

        place = Place(channel="slack", team="T1", room="C1", thread=question, ts=question)
        incoming = Incoming(event="", place=place, key="", author="U1", text="")
        inbox = Scripted(bot.database, "slack", bot_slack.ANSWER)
        await status.reassure(inbox, answering.client, answering.limiter, incoming)
    said = [one["status"] for one in slack.world.statuses["C1", question]]
    assert status.WAITING in said
    assert sorted(said[-2:]) == ["", "active"]
