"""What a training learns from in the bot's own database, and who may read it."""

import pytest
from bot_tune import gathering, recipe
from bot_tune.examples import Conversation, Message, Pair, Text

from bot import curated
from bot.errors import NotFound, UsageError
from bot.evaluation import golden
from bot.evaluation.golden import Golden

HR = frozenset({"group:hr"})


def plan(**more):
    return recipe.make(**{"name": "x", "base": "b", **more})


@pytest.fixture
def document(rows):
    """Put a document into the index's ledger."""

    async def put(key, text, readers=("everyone",), source="handbook"):
        await rows(
            "insert into source (name, type, readers) values (%s, 'folder', '{everyone}') "
            "on conflict (name) do update set type = 'folder' returning id", [source],
        )  # fmt: skip
        await rows(
            "insert into document (source_id, key, uri, title, text, format, readers, content_hash)"
            " select id, %s, %s, %s, %s, 'markdown', %s, '' from source where name = %s"
            " returning 1",
            [key, f"file:///{key}", key.title(), text, list(readers), source],
        )  # fmt: skip

    return put


@pytest.fixture
def answered(rows):
    """Record an answer and what people think of it."""

    async def put(turn, question, answer, *, good, readers=("everyone",)):
        await rows(
            "with talk as (insert into conversation (channel, key, assistant) values ('t', %s, 'd')"
            " returning id), q as (insert into message (conversation_id, role, text) select id,"
            " 'user', %s from talk returning id, conversation_id), a as (insert into message"
            " (conversation_id, role, text) select id, 'assistant', %s from talk returning id)"
            " insert into turn (id, conversation_id, question_id, answer_id, outcome, assistant,"
            " principals) select %s, q.conversation_id, q.id, a.id, 'answered', 'd', '{everyone}'"
            " from q, a returning 1", [turn, question, answer, turn],
        )  # fmt: skip
        await rows(
            "insert into citation (turn_id, marker, uri, title, quote, passage_id, source, readers)"
            " values (%s, 1, 'u', 't', 'q', 'p', 's', %s) returning 1", [turn, list(readers)],
        )  # fmt: skip
        await rows(
            "insert into feedback (turn_id, author, good) values (%s, 'a', %s) returning 1",
            [turn, good],
        )  # fmt: skip

    return put


async def test_documents_of_a_source_are_texts_with_their_readers(database, document):
    await document("keys", "The key of the depot is under the blue mat by the door.")
    await document("wages", "# Wages\n\nWages are paid on the 25th of each month.", ["group:hr"])
    found = await gathering.gather(plan(sources=["handbook"], task="clm"), database)
    assert found.data == [
        Text(text="Keys\n\nThe key of the depot is under the blue mat by the door.",
             place="file:///keys"),
        Text(text="# Wages\n\nWages are paid on the 25th of each month.", place="file:///wages",
             readers=HR),
    ]  # fmt: skip
    with pytest.raises(UsageError, match="may be read by group:hr alone"):
        found.readers([])
    with pytest.raises(UsageError, match="group:staff may not read file:///wages"):
        found.readers(["group:hr", "group:staff"])
    assert found.readers(["group:hr"]) == ["group:hr"]


async def test_documents_are_no_conversations_and_a_source_needs_documents(database, document):
    await document("keys", "The key of the depot is under the blue mat by the door.")
    with pytest.raises(UsageError, match="choose another task"):
        await gathering.gather(plan(sources=["handbook"], task="sft"), database)
    with pytest.raises(NotFound, match="bot reindex"):
        await gathering.gather(plan(sources=["other"], task="clm"), database)


async def test_feedback_is_what_people_approved_and_not_what_is_measured_with(database, answered):
    for question, answer in [("Where is lunch?", "In the hall."), ("When is payday?", "The 25th.")]:
        await curated.put(database, curated.Curated(question=question, answer=answer))
    await answered("1" * 12, "Who has the code?", "Alice.", good=True)  # clicked, not reviewed
    await golden.put(database, [Golden(question="When is payday?", answer="The 25th.")])
    found = await gathering.gather(plan(feedback=True), database)
    (one,) = found.data
    assert isinstance(one, Conversation)
    assert one.messages == (
        Message("user", "Where is lunch?"), Message("assistant", "In the hall."),
    )  # fmt: skip
    assert any("golden set" in line for line in found.left_out)


async def test_pairs_are_an_approved_and_a_bad_answer_to_the_same_question(database, answered):
    one = curated.Curated(question="Where is lunch?", answer="In the hall.")
    await curated.put(database, one)
    await answered("1" * 12, "where is lunch? ", "I do not know.", good=False, readers=["group:hr"])
    await answered("2" * 12, "Where is lunch?", "In the yard.", good=True)
    await answered("3" * 12, "Who has the code?", "Bob.", good=False)
    found = await gathering.gather(plan(feedback=True, task="dpo"), database)
    (pair,) = found.data
    assert isinstance(pair, Pair)
    assert (pair.chosen, pair.rejected) == ("In the hall.", "I do not know.")
    assert pair.readers == HR  # as narrow as what the bad answer had cited


def talk(n):
    said = (Message("user", f"Where is key {n}?"), Message("assistant", f"Under mat {n}."))
    return Conversation(messages=said, place=f"x:{n}")


def test_what_is_held_out_does_not_move_when_data_come_and_equal_ones_stay_together():
    few, many = [talk(n) for n in range(200)], [talk(n) for n in range(400)]
    learned, measured = gathering.held_out(few, 0.1, 0)
    assert 10 <= len(measured) <= 30
    assert len(learned) + len(measured) == 200
    _, more = gathering.held_out([*many, *many], 0.1, 0)
    places = {one.place for one in more}
    assert {one.place for one in measured} <= places
    assert len(more) == 2 * len(places)  # both of each
    assert gathering.held_out(few, 0, 0)[1] == []
    assert [len(part) for part in gathering.held_out(few[:2], 0.1, 0)] == [1, 1]
    assert [len(part) for part in gathering.held_out(few[:1], 0.1, 0)] == [1, 0]


def test_of_a_single_text_the_end_is_held_out_and_nothing_is_lost():
    text = Text(text=" ".join(map(str, range(500))), place="book.txt")
    (learned,), (measured,) = gathering.held_out([text], 0.1, 0)
    assert f"{learned.text} {measured.text}" == text.text
    assert len(measured.text) == pytest.approx(len(text.text) / 10, abs=5)


def test_the_hash_of_data_changes_with_any_of_them(tmp_path):
    one = gathering.Gathered([talk(1)], {}, [])
    assert one.sha256 == gathering.Gathered([talk(1)], {}, []).sha256
    assert one.sha256 != gathering.Gathered([talk(2)], {}, []).sha256
    assert one.sha256 != gathering.Gathered([talk(1)], {"general": [talk(2)]}, []).sha256


def shared(data, share):
    return {"data": data, "share": share}


@pytest.mark.parametrize(
    ("values", "why"),
    [
        (
            {"data": ["x"], "mix": [{"data": "a", "share": 0.6}, {"data": "b", "share": 0.4}]},
            "leave",
        ),
        ({"data": ["x"], "mix": [{"data": "a/x.txt", "share": 0.1}] * 2}, "same name"),
        ({"data": ["x"], "task": "dpo", "method": "adalora"}, "lora, dora or full"),
        ({"data": ["x"], "task": "dpo", "mix": [shared("a", 0.1)]}, "not mixed"),
        ({}, "no data, no source and no feedback"),
        ({"data": ["x"], "epochs": 0}, "epochs"),
        ({"data": ["x"], "name": "../x"}, "name"),
        ({"data": ["x"], "what": 1}, "what"),
    ],
)
def test_an_impossible_recipe_says_why(values, why):
    with pytest.raises(UsageError, match=why):
        plan(**values)


def test_a_recipe_is_read_as_it_was_written_and_its_paths_count_from_its_folder(tmp_path):
    made = plan(data=[tmp_path / "x.jsonl"], mix=[{"data": tmp_path / "g.txt", "share": 0.25}])
    recipe.write(made, tmp_path)
    assert recipe.make(**recipe.read(tmp_path / recipe.FILE)) == made
    (tmp_path / "own.yaml").write_text("data: [x.jsonl]\nmix: [{data: g.txt, share: 0.25}]\n")
    assert plan(**recipe.read(tmp_path / "own.yaml")) == made
    for text, why in [
        ("data: [", "cannot be read"),
        ("[]", "is no recipe"),
        ("a: 1", "no use for a"),
    ]:
        (tmp_path / "bad.yaml").write_text(text)
        with pytest.raises(UsageError, match=why):
            recipe.read(tmp_path / "bad.yaml")
