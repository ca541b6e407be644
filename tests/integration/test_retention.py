"""What people said is forgotten when it is old enough, with all that was recorded of it."""

import pytest

from bot import Bot, jobs, record
from bot.errors import NotFound
from bot.plugins import Plugins
from bot.settings import Settings
from bot.turn import Answer, Assistant, Citation, Conversation, Feedback, Outcome, Turn
from bot.worker import TIDY

JOB = jobs.Job(id=0, arguments={}, attempt=1, last=True)
EVERYTHING = ["conversation", "message", "turn", "citation", "feedback"]


@pytest.fixture
def make(database, tmp_path):
    """Make a bot that keeps conversations so many days."""

    def make(**conversations):
        settings = Settings.model_validate({"home": tmp_path, "conversations": conversations})
        return Bot(settings, plugins=Plugins(), database=database)

    return make


async def talk(database, id_, *, key, days=0):
    """Somebody asks, is answered from a document, and says that it is good; so many days ago."""
    turn = Turn(id=id_, question=f"How is {id_}?", assistant=Assistant(),
                conversation=Conversation(channel="cli", key=key))  # fmt: skip
    cited = Citation(
        marker=1,
        uri="file:///a",
        title="A",
        location="",
        quote="quoted",
        passage_id="a",
        source="handbook",
        readers=frozenset({"everyone"}),
    )
    await record.start(database, turn, "ann")
    answer = Answer(turn=id_, outcome=Outcome.answered, text=f"{id_} is well", citations=(cited,))
    await record.finish(database, turn, answer)
    await record.feedback(database, Feedback(turn=id_, good=True, author="ann", comment="yes"))
    async with database.connection() as connection:
        await connection.execute(
            "update message set created_at = created_at - make_interval(days => %s) where id in "
            "(select unnest(array[question_id, answer_id]) from turn where id = %s)",
            [days, id_],
        )


async def counts(rows):
    return [(await rows(f"select count(*) from {table}"))[0][0] for table in EVERYTHING]


async def test_what_is_older_is_deleted_with_all_that_was_recorded_of_it(make, database, rows):
    await talk(database, "old", key="one", days=31)
    await talk(database, "new", key="one", days=29)
    await talk(database, "older", key="two", days=400)
    await TIDY.run(make(), JOB)
    assert await counts(rows) == [2, 6, 3, 3, 3]  # for ever, unless it is said how long
    await TIDY.run(make(keep_days=30), JOB)
    assert await counts(rows) == [1, 2, 1, 1, 1]
    assert (await record.show(database, "new"))["answer"] == "new is well"
    with pytest.raises(NotFound):
        await record.show(database, "old")
    await TIDY.run(make(keep_days=1), JOB)
    assert await counts(rows) == [0, 0, 0, 0, 0]


async def test_the_golden_set_outlives_what_it_grew_from(make, database, rows):
    await talk(database, "old", key="one", days=31)
    async with database.connection() as connection:
        await connection.execute(
            "insert into golden (question, readers, origin, reference) "
            "values ('How is old?', '{everyone}', 'feedback', 'old')"
        )
    await TIDY.run(make(keep_days=30), JOB)
    assert await rows("select question from golden") == [("How is old?",)]


@pytest.mark.parametrize("days", [0, -1, 1.5, "30", 40_000])
def test_what_is_no_number_of_days_is_refused(days):
    with pytest.raises(ValueError, match="keep_days"):
        Settings.model_validate({"conversations": {"keep_days": days}})
