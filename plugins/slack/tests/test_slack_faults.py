"""Slack fails in every way it has: there is one whole answer all the same."""

import asyncio

import pytest
from bot_slack import channel, draft, places, stream
from slack_world import answered, eventually, passage

from bot.errors import DatabaseUnavailable
from bot.inbox import Inbox

WHOLE = "The office opens at nine [1](https://docs.example.com/handbook). It closes at five."


def body(message):
    """The text of an answer, however it was written."""
    blocks = "".join(b["text"] for b in message.blocks if b["type"] == "markdown")
    return (message.markdown or blocks).strip()


async def one_answer(slack, toy, *, whole=WHOLE, channel="C1"):
    """Ask, let the second half come, and check that there is exactly one complete answer."""
    toy.gate = asyncio.Event()
    question = await slack.mention(channel, "U1", "When?")
    await eventually(lambda: slack.called("chat.startStream"))
    await asyncio.sleep(0.1)
    toy.gate.set()
    (answer,) = await answered(slack, channel, question)
    await eventually(lambda: body(slack.answers(channel, question)[0]) == whole, "the text")
    assert [block["type"] for block in answer.blocks][-2:] == ["context", "context_actions"]
    await slack.settled()
    assert len(slack.answers(channel, question)) == 1
    return answer


LOST = [
    (method, kind)
    for method in ("chat.startStream", "chat.appendStream", "chat.stopStream")
    for kind in ("lost_reply", "lost_call", "status")
]


@pytest.mark.parametrize(("method", "kind"), LOST)
async def test_a_reply_that_is_lost_doubles_nothing(slack, serving, toy, monkeypatch, method, kind):
    monkeypatch.setattr(stream, "PACE", 0.05)
    toy.answers[""] = ["The office opens at nine [1]. ", "It closes ", "at five."]
    slack.faults.add(method, kind)
    async with serving():
        await one_answer(slack, toy)


@pytest.mark.parametrize("kind", ["lost_reply", "lost_call", "status"])
async def test_a_post_whose_reply_is_lost_is_looked_for(slack, serving, toy, kind):
    slack.faults.error("chat.startStream", "unknown_method")  # as where there are no streams
    slack.faults.add("chat.postMessage", kind)
    async with serving():
        await one_answer(slack, toy)
    posts = slack.called("chat.postMessage")
    assert len(posts) == (1 if kind == "lost_reply" else 2)
    assert str(posts[0].arguments["unfurl_links"]) == str(posts[0].arguments["unfurl_media"])
    assert not posts[0].arguments["unfurl_links"]


async def test_another_answer_in_the_thread_is_never_adopted(slack, serving, toy):
    async with serving():
        first = await slack.mention("C1", "U1", "When?")
        (before,) = await answered(slack, "C1", first)
        slack.faults.add("chat.startStream", "lost_call")
        slack.faults.add("chat.postMessage", "lost_call")
        await slack.mention("C1", "U1", "When again?", thread_ts=first)
        both = await answered(slack, "C1", first, 2)
    assert both[0].ts == before.ts
    assert body(both[0]) == body(both[1]) == WHOLE


@pytest.mark.parametrize("kind", ["lost_reply", "lost_call", "status"])
async def test_a_stream_is_closed_however_often_that_fails(slack, serving, toy, kind):
    slack.faults.add("chat.stopStream", kind, times=4)
    async with serving():
        await one_answer(slack, toy)


async def test_an_answer_is_taken_back_though_its_stream_does_not_close(slack, serving, toy):
    toy.gate = asyncio.Event()
    async with serving():
        question = await slack.mention("C1", "U1", "When?")
        await eventually(lambda: slack.answers("C1", question))
        slack.faults.add("chat.stopStream", "status", times=3)
        await slack.delete("C1", question)
        await eventually(lambda: not slack.answers("C1", question))


async def test_a_stream_that_slack_closed_is_finished_with_an_update(slack, serving, toy):
    slack.streams.life = 0.05
    async with serving():
        await one_answer(slack, toy)
    assert slack.called("chat.update")


@pytest.mark.parametrize("method", ["chat.startStream", "chat.appendStream", "chat.stopStream"])
async def test_a_rate_limit_is_obeyed(slack, serving, toy, monkeypatch, method):
    monkeypatch.setattr(stream, "PACE", 0.05)
    toy.answers[""] = ["The office opens at nine [1]. ", "It closes ", "at five."]
    slack.faults.rate_limit(method, retry_after=0.5)
    async with serving():
        await one_answer(slack, toy)
    refused, *later = slack.called(method)
    assert refused.reply["error"] == "ratelimited"
    assert all(call.at - refused.at >= 0.5 for call in later)


async def test_over_the_limit_an_answer_is_one_plain_post(slack, serving, toy):
    async with serving(rate=0.1):  # one start a minute
        for n in range(2):
            question = await slack.mention("C1", "U1", f"question {n}")
            (answer,) = await answered(slack, "C1", question)
            assert body(answer) == WHOLE
    assert len(slack.called("chat.startStream")) == 1
    assert len(slack.called("chat.postMessage")) == 1


async def test_refused_blocks_cost_the_buttons_and_not_the_answer(slack, serving, toy):
    slack.faults.error("chat.stopStream", "invalid_blocks")
    slack.faults.error("chat.update", "invalid_blocks", after=1)
    async with serving():
        question = await slack.mention("C1", "U1", "When?")
        (answer,) = await answered(slack, "C1", question)
        await eventually(lambda: body(slack.answers("C1", question)[0]) == WHOLE)
    assert answer.blocks == []


async def test_a_long_answer_is_several_messages_and_loses_nothing(slack, serving, toy):
    lines = [f"Line {n} says something about the office.\n" for n in range(600)]
    toy.answers[""] = lines
    async with serving():
        question = await slack.mention("C1", "U1", "Tell me everything")
        messages = await answered(slack, "C1", question, 2)
        await eventually(lambda: any("Line 599 " in body(m) for m in slack.answers("C1")))
        messages = await answered(slack, "C1", question, 3)
    text = "\n".join(body(message) for message in messages)
    assert [line for line in text.split("\n") if line] == [line.strip() for line in lines]
    assert all(len(body(message).encode()) <= draft.SIZE for message in messages)
    assert [bool(message.blocks) for message in messages] == [False] * (len(messages) - 1) + [True]


async def test_an_edit_to_a_shorter_answer_takes_the_rest_away(slack, serving, toy):
    toy.answers["everything"] = [f"Line {n} says something.\n" for n in range(600)]
    async with serving():
        question = await slack.mention("C1", "U1", "Tell me everything")
        messages = await answered(slack, "C1", question, 2)
        await slack.edit("C1", question, "<@U0BOT> When?")
        await eventually(lambda: len(slack.answers("C1", question)) == 1)
        (answer,) = await answered(slack, "C1", question)
        await eventually(lambda: body(slack.answers("C1", question)[0]) == WHOLE)
    assert answer.ts == messages[0].ts


async def test_a_message_is_followed_by_another_before_slack_closes_it(
    slack, serving, toy, monkeypatch
):
    monkeypatch.setattr(stream, "LIFE", 0.3)
    monkeypatch.setattr(stream, "PACE", 0.05)
    toy.gate = asyncio.Event()
    async with serving():
        question = await slack.mention("C1", "U1", "When?")
        await eventually(lambda: slack.answers("C1", question))
        await asyncio.sleep(0.4)
        toy.gate.set()
        first, second = await answered(slack, "C1", question, 2)
    assert body(first).startswith("The office opens")
    assert "five" in body(second)
    assert "nine" not in body(second)


async def test_a_slack_that_is_away_for_a_while_is_waited_for(slack, serving, toy):
    slack.faults.add("users.info", "status", times=3)
    slack.faults.add("chat.startStream", "status", times=2)
    slack.faults.add("chat.postMessage", "status", times=2)
    async with serving():
        question = await slack.mention("C1", "U1", "When?")
        (answer,) = await answered(slack, "C1", question)
        assert body(answer) == WHOLE


@pytest.mark.parametrize("method", ["auth.test", "apps.connections.open"])
@pytest.mark.parametrize("kind", ["lost_call", "status", "error", "rate_limit"])
async def test_a_slack_that_is_away_at_the_start_is_waited_for(
    slack, serving, toy, monkeypatch, method, kind
):
    monkeypatch.setattr(channel, "AGAIN", 0.05)
    slack.faults.add(method, kind)
    async with serving():
        question = await slack.mention("C1", "U1", "When?")
        (answer,) = await answered(slack, "C1", question)
        assert body(answer) == WHOLE


async def test_where_nothing_can_be_written_it_ends_with_a_line_in_the_log(
    slack, serving, toy, settled, caplog
):
    async with serving() as bot:
        slack.world.channels["C1"].archived = True
        await slack.mention("C1", "U1", "When?")
        await settled(slack, bot.database)
        async with bot.database.connection() as connection:
            cursor = await connection.execute("select outcome from inbox")
            assert await cursor.fetchall() == [("undelivered",)]
    assert "could not be delivered: is_archived" in caplog.text


async def test_a_status_that_cannot_be_shown_costs_nothing(slack, serving, toy):
    slack.faults.error("agents.sessions.setStatus", "unknown_method", times=9)
    slack.faults.add("assistant.threads.setStatus", "status", times=9)
    async with serving():
        await one_answer(slack, toy)


async def test_two_looks_before_anything_is_posted_again(slack, serving, toy, monkeypatch):
    """Slack shows what it took only a moment later."""
    looks = []
    real = places.unknown

    async def late(attempt, own):
        looks.append(attempt)
        return [] if len(looks) == 1 else await real(attempt, own)

    monkeypatch.setattr(places, "unknown", late)
    slack.faults.add("chat.startStream", "lost_reply")
    async with serving():
        await one_answer(slack, toy)
    assert len(looks) == 2


async def test_links_in_sources_never_break_the_blocks(slack, serving, toy):
    toy.passages = [
        passage(f"Fact {n}.", uri=f"https://docs.example.com/{n}/{'x' * 1900}", id=str(n))
        for n in range(8)
    ]
    toy.answers[""] = [" ".join(f"Fact {n} [{n + 1}]." for n in range(8))]
    async with serving():
        question = await slack.mention("C1", "U1", "Which facts?")
        messages = await answered(slack, "C1", question, 2)
        messages = await eventually(
            lambda: [m for m in slack.answers("C1", question) if m.stream is None and m.blocks]
        )
    assert len(messages) == 1
    assert [call.reply.get("error") for call in slack.calls if call.reply.get("error")] == []


async def test_a_defect_of_ours_is_apologised_for_at_once(
    slack, serving, toy, monkeypatch, settled
):
    async def broken(self, claimed):
        raise KeyError("ours")

    monkeypatch.setattr("bot_slack.questions.Questions.principals", broken)
    async with serving() as bot:
        question = await slack.mention("C1", "U1", "When?")
        (answer,) = await answered(slack, "C1", question)
        await settled(slack, bot.database)
        async with bot.database.connection() as connection:
            cursor = await connection.execute("select id, error from turn")
            ((turn, error),) = await cursor.fetchall()
    assert turn in answer.shown
    assert "ours" not in answer.shown
    assert "ours" in error


async def test_a_message_that_nobody_recorded_is_adopted_by_the_next_attempt(
    slack, serving, toy, monkeypatch
):
    """As if the worker had died between Slack's reply and the database."""
    real, lost = Inbox.wrote, []

    async def wrote(self, claimed, answers):
        if not lost:
            lost.append(answers)
            raise DatabaseUnavailable
        return await real(self, claimed, answers)

    monkeypatch.setattr(Inbox, "wrote", wrote)
    async with serving():
        question = await slack.mention("C1", "U1", "When?")
        await eventually(lambda: lost)
        await eventually(lambda: [m for m in slack.answers("C1", question) if m.blocks])
        (answer,) = await answered(slack, "C1", question)
        assert [answer.ts] == lost[0]
        assert body(answer) == WHOLE


async def test_a_message_whose_job_was_lost_is_answered_all_the_same(
    slack, serving, toy, database, settled, monkeypatch
):
    monkeypatch.setattr(channel, "SWEEP", 0.2)
    async with serving() as bot:
        question = await slack.mention("C1", "U1", "When?")
        (answer,) = await answered(slack, "C1", question)
        await settled(slack, bot.database)
        toy.turns.clear()
        async with database.connection() as connection:
            await connection.execute("update inbox set state = 'waiting', outcome = null")
        await eventually(lambda: toy.turns)
        await settled(slack, bot.database)
        (again,) = await answered(slack, "C1", question)
    assert (again.ts, body(again)) == (answer.ts, WHOLE)


async def test_what_workers_die_over_again_and_again_is_apologised_for(
    slack, serving, toy, database, settled
):
    async with serving() as bot:
        first = await slack.mention("C1", "U1", "When?")
        await answered(slack, "C1", first)
        await settled(slack, bot.database)
    toy.turns.clear()
    async with database.connection() as connection:  # as five deaths leave it, its job lost
        await connection.execute(
            "update inbox set state = 'answering', attempt = 6, answers = '{}', "
            "payload = payload || '{\"tries\": 5}'"
        )
    for message in slack.answers("C1", first):
        del slack.world.messages["C1", message.ts]
    async with serving():
        (apology,) = await answered(slack, "C1", first)
    assert "Sorry" in apology.shown
    assert toy.turns == []
