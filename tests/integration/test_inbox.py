"""The inbox: whatever comes twice is one row, in order, and only the newest attempt may write."""

import asyncio
import random

import pytest

from bot import record, retention
from bot.errors import NotFound, UsageError
from bot.inbox import Inbox, Incoming, Place
from bot.jobs import Task
from bot.turn import Answer, Assistant, Conversation, Message, Outcome, Turn


async def _nothing(bot, job):
    raise AssertionError


TASK = Task("test.answer", _nothing, queue="test")


@pytest.fixture
def inbox(database):
    return Inbox(database, "slack", TASK)


def incoming(event, ts="1.000001", *, thread="1.000001", text="How?", author="U1", **more):
    place = Place(channel="slack", team="T1", room="C1", thread=thread, ts=ts)
    return Incoming(
        event=event, place=place, key=f"T1/C1/{thread}", author=author, text=text, **more
    )


async def count(rows, query):
    ((number,),) = await rows(query)
    return number


async def test_what_comes_twice_is_one_question_with_one_job(inbox, rows):
    assert await inbox.store(incoming("Ev1"), addressed=True)
    assert not await inbox.store(incoming("Ev1"), addressed=True)  # Slack's retry
    assert not await inbox.store(incoming("Ev2"), addressed=True)  # the mention as a message
    assert await count(rows, "select count(*) from inbox") == 1
    assert await count(rows, "select count(*) from procrastinate_jobs") == 1


async def test_two_processes_that_store_the_same_at_once_store_one(inbox, rows):
    events = [incoming(f"Ev{n % 2}") for n in range(8)]
    stored = await asyncio.gather(*(inbox.store(one, addressed=True) for one in events))
    assert sorted(stored) == [False] * 7 + [True]
    assert await count(rows, "select count(*) from procrastinate_jobs") == 1


async def test_a_job_is_stored_with_its_message_or_not_at_all(inbox, rows, database):
    async with database.connection() as connection:
        await connection.execute("alter table procrastinate_jobs rename to elsewhere")
    with pytest.raises(Exception, match=r"elsewhere|procrastinate_jobs"):
        await inbox.store(incoming("Ev1"), addressed=True)
    assert await count(rows, "select count(*) from inbox") == 0


async def test_a_follow_up_is_a_question_where_the_bot_takes_part(inbox):
    assert not await inbox.store(incoming("Ev1", "1.5"), addressed=False, follows=True)
    other = incoming("Ev2", "2.0", thread="2.0")
    assert await inbox.store(other, addressed=True)
    assert await inbox.store(incoming("Ev3", "2.5", thread="2.0"), addressed=False, follows=True)


async def test_a_follow_up_that_overtakes_its_question_waits_for_it(inbox, rows):
    follow = incoming("Ev2", "1.000002", text="And then?")
    assert not await inbox.store(follow, addressed=False, follows=True)
    assert await rows("select state, text from inbox") == [("unaddressed", "")]
    earlier = incoming("Ev0", "1.000000", text="Not for the bot")
    assert not await inbox.store(earlier, addressed=False, follows=True)
    assert await inbox.store(incoming("Ev1"), addressed=True)
    assert [await inbox.claim("T1/C1/1.000001") for _ in range(1)]
    assert await rows("select ts, state from inbox order by ts") == [
        ("1.000000", "unaddressed"), ("1.000001", "answering"), ("1.000002", "waiting"),
    ]  # fmt: skip
    assert await count(rows, "select count(*) from procrastinate_jobs") == 2


async def test_what_was_said_before_the_question_is_none_though_it_comes_later(inbox, rows):
    assert await inbox.store(incoming("Ev2", "1.000002"), addressed=True)
    before = incoming("Ev1", "1.000001", text="Not for the bot")
    assert not await inbox.store(before, addressed=False, follows=True)
    assert await rows("select ts, state, text from inbox order by ts") == [
        ("1.000001", "unaddressed", ""), ("1.000002", "waiting", "How?"),
    ]  # fmt: skip


@pytest.mark.parametrize("seed", range(10))
async def test_a_question_and_its_follow_up_at_once_are_both_answered(inbox, rows, seed):
    both = [
        inbox.store(incoming("Ev1"), addressed=True),
        inbox.store(incoming("Ev2", "1.000002"), addressed=False, follows=True),
    ]
    random.Random(seed).shuffle(both)
    await asyncio.gather(*both)
    assert await rows("select state from inbox") == [("waiting",), ("waiting",)]


async def test_messages_are_claimed_in_their_order(inbox):
    for n in (3, 1, 2):
        await inbox.store(incoming(f"Ev{n}", f"1.00000{n}"), addressed=True)
    order = []
    while claimed := await inbox.claim("T1/C1/1.000001"):
        order.append(claimed.ts)
        assert await inbox.done(claimed, "answered")
    assert order == ["1.000001", "1.000002", "1.000003"]


async def test_an_attempt_that_was_overtaken_may_not_write(inbox):
    await inbox.store(incoming("Ev1"), addressed=True)
    dead = await inbox.claim("T1/C1/1.000001")
    assert await inbox.wrote(dead, ["1.9"])
    living = await inbox.claim("T1/C1/1.000001")
    assert (living.attempt, living.turn, living.answers) == (2, dead.turn, ["1.9"])
    assert await inbox.standing([dead.id]) == {dead.id: (2, False)}
    assert not await inbox.wrote(dead, ["1.9", "2.0"])
    assert not await inbox.done(dead, "answered")
    assert await inbox.done(living, "answered")
    assert await inbox.claim("T1/C1/1.000001") is None


async def test_an_edit_stops_who_is_answering_and_is_answered_in_place(inbox):
    await inbox.store(incoming("Ev1"), addressed=True)
    first = await inbox.claim("T1/C1/1.000001")
    await inbox.wrote(first, ["1.9"])
    assert await inbox.edit(incoming("Ev2", text="Why?", edited="2.0"))
    assert not await inbox.done(first, "answered")
    second = await inbox.claim("T1/C1/1.000001")
    assert (second.text, second.answers, second.turn) == ("Why?", ["1.9"], first.turn)
    assert await inbox.done(second, "answered")


async def test_only_a_newer_and_different_text_is_an_edit(inbox):
    assert await inbox.edit(incoming("Ev0", text="Why?", edited="2.0")) is None
    await inbox.store(incoming("Ev1"), addressed=True)
    assert not await inbox.edit(incoming("Ev2", edited="2.0"))  # the same text: an unfurled link
    assert await inbox.edit(incoming("Ev3", text="Why?", edited="3.0"))
    assert not await inbox.edit(incoming("Ev3", text="Why?", edited="3.0"))
    assert not await inbox.edit(incoming("Ev2", text="Who?", edited="2.5"))  # overtaken


async def test_a_deleted_question_leaves_no_text_and_is_retracted(inbox, rows):
    await inbox.store(incoming("Ev1", text="my secret"), addressed=True)
    claimed = await inbox.claim("T1/C1/1.000001")
    await inbox.wrote(claimed, ["1.9"])
    await inbox.remove(claimed.place, "Ev2")
    assert await rows("select text from inbox") == [("",)]
    assert not await inbox.done(claimed, "answered")
    gone = await inbox.claim("T1/C1/1.000001")
    assert (gone.removal, gone.answers) == (True, ["1.9"])


async def test_a_message_that_comes_after_its_deletion_is_not_answered(inbox):
    await inbox.remove(incoming("Ev1").place, "Ev2")
    assert not await inbox.store(incoming("Ev1"), addressed=True)
    assert await inbox.claim("T1/C1/1.000001") is None


async def test_our_own_answer_that_somebody_deleted_stays_deleted(inbox):
    await inbox.store(incoming("Ev1"), addressed=True)
    claimed = await inbox.claim("T1/C1/1.000001")
    await inbox.wrote(claimed, ["1.9"])
    await inbox.remove(Place(channel="slack", team="T1", room="C1", thread="x", ts="1.9"), "Ev2")
    assert not await inbox.done(claimed, "answered")
    assert await inbox.claim("T1/C1/1.000001") is None


async def test_stopping_reaches_whoever_answers(inbox):
    await inbox.store(incoming("Ev1"), addressed=True)
    claimed = await inbox.claim("T1/C1/1.000001")
    await inbox.wrote(claimed, ["1.9"])
    assert await inbox.stop(claimed.place, ["0.1"]) == 0
    assert await inbox.stop(claimed.place, ["1.9"]) == 1
    assert await inbox.standing([claimed.id]) == {claimed.id: (1, True)}


async def test_messages_without_a_job_get_one_each_again(inbox, database, rows):
    await inbox.store(incoming("Ev1"), addressed=True)
    await inbox.store(incoming("Ev2", "2.0", thread="2.0"), addressed=True)
    await inbox.store(incoming("Ev3", "3.0", thread="2.0"), addressed=True)
    assert await inbox.sweep() == 0
    async with database.connection() as connection:
        await connection.execute("delete from procrastinate_jobs where lock like '%%/2.0'")
    assert await inbox.sweep() == 2
    assert await inbox.sweep() == 0
    assert await count(rows, "select count(*) from procrastinate_jobs") == 3


# -- what is recorded of it ----------------------------------------------------------------------


async def talk(database, id_="t1", *, key="T1/C1/1.0", author="T1/U1", question="How?", attempt=1):
    turn = Turn(
        id=id_, question=question, attempt=attempt, assistant=Assistant(),
        conversation=Conversation(channel="slack", key=key),
    )  # fmt: skip
    await record.start(database, turn, author)
    answer = Answer(turn=id_, outcome=Outcome.answered, text=f"{question} so {attempt}")
    await record.finish(database, turn, answer)
    return turn


async def texts(database, key="T1/C1/1.0", turn=""):
    return [m.text for m in await record.history(database, "slack", key, turn=turn)]


async def test_a_further_attempt_takes_the_record_over(database):
    old = await talk(database)
    await talk(database, question="Why?", attempt=2)
    assert await texts(database) == ["Why?", "Why? so 2"]
    await record.finish(database, old, Answer(turn="t1", outcome=Outcome.answered, text="late"))
    assert await texts(database) == ["Why?", "Why? so 2"]
    assert await texts(database, turn="t1") == []
    assert (await record.show(database, "t1"))["attempt"] == 2


async def test_what_was_overheard_is_history_once(database):
    said = {"T1/C1/0.1": Message(role="user", author="T1/U2", text="It broke.")}
    for _ in range(2):
        await record.overheard(database, "slack", "T1/C1/1.0", "default", said)
    await talk(database)
    assert await texts(database) == ["It broke.", "How?", "How? so 1"]


async def test_a_blanked_turn_leaves_that_it_happened_and_no_text(inbox, database):
    await talk(database, question="my secret")
    await inbox.blank("t1")
    assert "secret" not in str(await record.show(database, "t1"))
    assert await texts(database) == []


async def test_purging_a_person_leaves_the_others(inbox, database, rows):
    await inbox.store(incoming("Ev1", text="mine"), addressed=True)
    await talk(database)
    await talk(database, "t2", author="T1/U2", question="Why?")
    await talk(database, "t3", key="T1/C2/1.0")
    assert await retention.purge(database, user="U1") == 4
    assert await texts(database) == ["Why?", "Why? so 1"]
    assert await count(rows, "select count(*) from conversation") == 1
    assert await rows("select text, author, state from inbox") == [("", "", "done")]
    with pytest.raises(NotFound):
        await record.show(database, "t1")


async def test_purging_a_slack_channel_and_what_is_old(database):
    await talk(database)
    await talk(database, "t2", key="T1/C2/1.0")
    assert await retention.purge(database, channel="C2") == 2
    from datetime import UTC, datetime, timedelta

    assert await retention.purge(database, before=datetime.now(UTC) - timedelta(days=1)) == 0
    assert await retention.purge(database, before=datetime.now(UTC) + timedelta(days=1)) == 2
    with pytest.raises(UsageError):
        await retention.purge(database)


async def test_conversations_are_listed_and_shown(database):
    await talk(database)
    await talk(database, "t2", key="T1/C2/1.0", author="T1/U2")
    (one,) = await retention.conversations(database, user="U2")
    assert (one["key"], one["questions"]) == ("T1/C2/1.0", 1)
    assert len(await retention.conversations(database, channel="slack")) == 2
    assert len(await retention.conversations(database, channel="C1")) == 1
    for name in ("T1/C2/1.0", str(one["id"])):
        said = await retention.messages(database, name)
        assert [(m["role"], m["text"], m["turn"]) for m in said] == [
            ("user", "How?", "t2"), ("assistant", "How? so 1", "t2"),
        ]  # fmt: skip
    with pytest.raises(NotFound):
        await retention.messages(database, "no")
