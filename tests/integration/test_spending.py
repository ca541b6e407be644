"""What models cost: reserved, settled, reported, and never beyond a limit."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from bot import record
from bot.errors import OverBudget
from bot.spending import Budget, Spending
from bot.turn import Answer, Assistant, Conversation, Outcome, Turn, Usage

LONG_AGO = datetime.now(UTC) - timedelta(days=9)


def ask(author="ann", assistant="default", turn="t1", **more):
    return Turn(id=turn, question="?", author=author, assistant=Assistant(name=assistant), **more)


async def spend(spending, turn, cost, most=None):
    async with spending.reserved(turn, "cloud", Usage(cost=most or cost)) as bill:
        bill.usage = Usage(input_tokens=100, output_tokens=10, cost=cost)


async def test_what_was_spent_is_reported_by_whatever_one_asks(database):
    spending = Spending(database)
    await spend(spending, ask("ann"), 0.2)
    await spend(spending, ask("ann", turn="t2"), 0.2)
    await spend(spending, ask("bob", "legal", "t3"), 0.3)
    people = await spending.report(LONG_AGO, "person")
    assert [(row["name"], row["calls"], round(row["cost"], 9)) for row in people] == [
        ("ann", 2, 0.4), ("bob", 1, 0.3),
    ]  # fmt: skip
    assert people[0]["input_tokens"] == 200
    for by, names in {
        "assistant": ["default", "legal"],
        "generator": ["cloud"],
        "turn": ["t3", "t1", "t2"],
        "day": [f"{datetime.now(UTC):%Y-%m-%d}"],
    }.items():
        assert [row["name"] for row in await spending.report(LONG_AGO, by)] == names
    assert await spending.report(datetime.now(UTC) + timedelta(days=1), "person") == []


@pytest.mark.parametrize(
    ("limit", "other", "match"),
    [
        ("person_day", ask("bob"), "for today"),
        ("assistant_month", ask("ann", "legal"), "This assistant's"),
        ("month", None, "The budget for the month"),
    ],
)
async def test_who_is_over_a_limit_is_refused_and_nobody_else(database, limit, other, match):
    spending = Spending(database, Budget(**{limit: 1.0}))
    await spend(spending, ask(), 0.8)
    with pytest.raises(OverBudget, match=match):
        await spend(spending, ask(), 0.3)
    await spend(spending, ask(), 0.2)
    if other is not None:
        await spend(spending, other, 0.9)


async def test_an_answer_that_might_be_too_dear_is_not_asked_for(database):
    spending = Spending(database, Budget(answer=0.1))
    with pytest.raises(OverBudget, match="one answer"):
        await spend(spending, ask(), 0.01, most=0.2)
    assert await spending.report(LONG_AGO, "person") == []


async def test_what_an_answer_did_not_cost_is_given_back(database):
    spending = Spending(database, Budget(month=1.0))
    for _ in range(20):
        await spend(spending, ask(), 0.01, most=0.5)


async def test_questions_at_the_same_time_keep_to_the_limit(database):
    spending = Spending(database, Budget(month=1.0))
    inside = 0

    async def one():
        nonlocal inside
        async with spending.reserved(ask(), "cloud", Usage(cost=0.3)):
            inside += 1
            await enough.wait()

    enough = asyncio.Event()
    asked = [asyncio.create_task(one()) for _ in range(8)]
    while sum(task.done() for task in asked) < 5:  # noqa: ASYNC110 -- they wait for the database
        await asyncio.sleep(0.01)
    enough.set()
    ended = await asyncio.gather(*asked, return_exceptions=True)
    assert inside == 3
    assert sum(isinstance(end, OverBudget) for end in ended) == 5


async def test_without_a_bill_the_whole_reservation_stays_spent(database):
    """As after a crash, when nobody knows what the provider will ask for."""
    spending = Spending(database, Budget(month=1.0))
    with pytest.raises(RuntimeError, match="broken"):
        async with spending.reserved(ask(), "cloud", Usage(cost=0.9)):
            raise RuntimeError("broken")
    with pytest.raises(OverBudget):
        await spend(spending, ask(), 0.2)


async def test_somebody_without_a_name_is_known_by_their_address(database):
    spending = Spending(database)
    known = frozenset({"everyone", "email:ann@example.com", "group:hr"})
    await spend(spending, ask("", principals=known), 0.1)
    await spend(spending, ask(""), 0.2)
    names = [row["name"] for row in await spending.report(LONG_AGO, "person")]
    assert names == ["", "email:ann@example.com"]


async def test_who_is_forgotten_with_a_conversation_is_forgotten_here(database, rows):
    turn = ask(conversation=Conversation(channel="cli", key="k"))
    await record.start(database, turn, "ann")
    await record.finish(database, turn, Answer(turn="t1", outcome=Outcome.answered, text="x"))
    spending = Spending(database)
    await spend(spending, turn, 0.1)
    async with database.connection() as connection:
        await connection.execute("delete from conversation")
    assert [row["name"] for row in await spending.report(LONG_AGO, "person")] == [""]
    assert await rows("select cost from spending") == [(0.1,)]
