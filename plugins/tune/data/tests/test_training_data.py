"""What is found in training data, what is left out of it, and why."""

import json

import pytest
from bot_tune import cleaning, leaks
from bot_tune.examples import Conversation, Message, Pair, Text, parse
from bot_tune.inspection import counting, histogram
from bot_tune.leaks import Question
from bot_tune.preparing import prepare
from bot_tune.revealing import revealing

from bot.errors import GenerationError, UsageError

LONG = (
    "The office in the old mill opens at nine in the morning and closes at six in the evening, but"
    " on Fridays everybody leaves at four, because the building is cleaned then."
)
LONGER = " ".join(f"word{chr(97 + n % 26)}{chr(97 + n // 26)}" for n in range(100))
_numbers = iter(range(10**6))


def said(question, answer, **more):
    messages = (Message("user", question), Message("assistant", answer))
    return Conversation(messages=messages, place=f"x:{next(_numbers)}", **more)


def text(given, **more):
    return Text(text=given, place=f"x:{next(_numbers)}", **more)


async def dropped(*given, **more):
    """Reasons by number of the example."""
    found = await prepare(given, **more)
    places = [one.place for one in given]
    return {places.index(one.place): one.reason for one in found.dropped}


# -- cleaning --------------------------------------------------------------------------------------


def test_what_nobody_sees_is_cleaned_and_words_stay():
    given = said("Where\u200b is\r\nthe key?  ", "Cafe\u0301\x07\n\n\n\n\n\nis open.\ufeff")
    made, found = cleaning.clean(given)
    assert [one.content for one in made.messages] == ["Where is\nthe key?", "Café\n\n\nis open."]
    assert found["invisible characters"] == 2
    assert found["line ends"] == found["characters in parts"] == 1


@pytest.mark.parametrize("fine", ["👩‍👩‍👧 नमस्ते", "a\tb", "1 < 2 </p> <b>", "[INSTALL] it", "x  y"])
def test_what_is_fine_stays_as_it_is(fine):
    given = text(fine)
    assert cleaning.clean(given) == (given, {})
    assert cleaning.unusable(given) == ""


@pytest.mark.parametrize(
    ("example", "why"),
    [
        (text("\u200b \n"), "empty"),
        (said("Where?", "\u200b"), "empty"),
        (said("Hi", "Yes<|im_end|>"), "markup of a chat template"),
        (said("[INST] Hi [/INST]", "Yes."), "markup of a chat template"),
        (text("Die TÃ¼r ist â€œzuâ€\u009d. \ufffd"), "broken characters"),
        (said("Where is it?", "where  is it?"), "the answer is the question"),
        (
            Pair(messages=(Message("user", "Hi"),), chosen="a", rejected="a"),
            "both answers are the same",
        ),
    ],
)
def test_what_cannot_be_used_says_why(example, why):
    made, _ = cleaning.clean(example)
    assert cleaning.unusable(made) == why


async def test_a_text_that_repeats_itself_is_shown_and_kept():
    found = await prepare([text("I am sorry, I do not know. " * 20), text(LONG)])
    assert len(found.examples) == 2
    assert list(found.doubtful) == ["repeating themselves"]
    assert found.doubtful["repeating themselves"] == [found.examples[0].place]


# -- duplicates ------------------------------------------------------------------------------------


async def test_equal_examples_are_learned_once():
    given = [said("Where is it?", "Here."), said("Where  is it?", "here."), text(LONG), text(LONG)]
    assert await dropped(*given) == {1: "duplicate", 3: "duplicate"}


async def test_nearly_equal_examples_are_learned_once():
    given = [
        text(LONGER),
        text(LONGER.replace("wordyb ", "")),
        said("When does the office open?", "At nine."),
        said("At what time, please, does our office open", "at nine"),
        said("Could you tell me when the office opens?", "At nine!"),
    ]
    assert await dropped(*given) == {1: "near duplicate", 4: "near duplicate"}


async def test_where_a_number_differs_something_else_is_said():
    given = [text(LONG * 3 + f" Room {n}.") for n in (12, 13)]
    assert await dropped(*given) == {}


async def test_what_others_may_read_replaces_nothing():
    hr = frozenset({"group:hr"})
    given = [text(LONG, readers=hr), text(LONG), said("Where?", "Here.", readers=hr),
             said("Where?", "Here.")]  # fmt: skip
    assert await dropped(*given) == {}


async def test_what_was_made_of_the_same_may_be_alike():
    one = said("When does the office open?", LONG, group="7")
    other = said("At what time does the office open?", LONG, group="7")
    alone = said("When does that office open?", LONG)
    assert await dropped(one, other, other) == {1: "duplicate"}
    assert await dropped(one, other, alone) == {2: "near duplicate"}


async def test_a_question_with_two_answers_is_shown_and_kept():
    given = [said("When does the office open?", "At nine."), said("When's the office open?", "8")]
    found = await prepare(given)
    assert found.doubtful == {"with two answers": [f"{given[0].place} and {given[1].place}"]}
    assert found.examples == given


# -- leaks -----------------------------------------------------------------------------------------

TESTS = [
    Question("Who pays for the new chairs in the office?", "golden 1"),
    Question("谁付椅子的钱？", "golden 2"),
    Question(LONG + " When may I come?", "golden 3"),
]


@pytest.mark.parametrize(
    "example",
    [
        said("who pays for the new chairs in the office", "The team."),
        said("Please tell me who pays for new chairs in our office.", "The team."),
        said("请问谁付椅子的钱", "公司。"),
        said(f"Well. {LONG} When may I come?", "At ten."),
        text("# Questions\n\n1. Who pays for the new chairs in the office? The team."),
        Conversation(messages=(
            Message("user", "Hi"), Message("assistant", "Hello"),
            Message("user", "Who pays for the new chairs in the office?"),
            Message("assistant", "The team.")), place="x:c"),
        Pair(messages=(Message("user", TESTS[0].question),), chosen="a", rejected="b", place="p"),
    ],
)  # fmt: skip
async def test_a_question_that_is_tested_with_is_not_learned(example):
    assert await dropped(example, tests=TESTS) == {0: "leak"}


@pytest.mark.parametrize(
    "example",
    [
        said("Who pays for the new desks in the office?", "The team."),
        said("When does the office pay for new chairs?", "In May."),
        text("The team pays for the new chairs in the office."),
    ],
)
async def test_what_answers_it_is_no_leak(example):
    assert await dropped(example, tests=TESTS) == {}


def test_questions_are_read_from_golden_sets_and_from_examples(tmp_path):
    path = tmp_path / "golden.jsonl"
    rows = [{"question": "A?", "sources": ["doc:1"]}, {"instruction": "B?", "output": "b"}]
    path.write_text("\n".join(map(json.dumps, rows)))
    assert [one.question for one in leaks.read([path])] == ["A?", "B?"]
    path.write_text('{"text": "x"}\n{"a": 1}')
    with pytest.raises(UsageError, match=r"golden.jsonl:2 holds no question"):
        list(leaks.read([path]))


# -- what must not be learned by heart -------------------------------------------------------------

PRIVATE = "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\n-----END RSA PRIVATE KEY-----"


@pytest.mark.parametrize(
    ("kind", "written", "around"),
    [
        ("secret", "AKIA" + "IOSFODNN7EXAMPLE", "key {} is old"),
        ("secret", "ghp_" + "a1B2c3D4e5" * 4, "{}"),
        ("secret", "xoxb" + "-123456789012-abcdefABCDEF", "token: {}."),
        ("secret", "sk-" + "proj-a1B2c3D4e5F6g7H8i9J0", "{}"),
        ("secret", "eyJhbGciOiJI.eyJzdWIiOiIx.SflKxwRJSMeK", "Bearer {}"),
        ("secret", PRIVATE, "```\n{}\n```"),
        ("secret", "hunter2Xq9Lz", "password: {}"),
        ("secret", "hunter2Xq9Lz", 'DB_PASSWORD="{}"'),
        ("secret", "s3cr3tPass", "postgres://bot:{}@db.example.com/bot"),
        ("ip", "8.8.8.8", "ask {}, or"),
        ("ip", "2606:4700:4700::1111", "ask {}"),
        ("email", "ann@example.com", "write to {}"),
        ("card", "4111 1111 1111 1111", "pay with {}"),
    ],
)
def test_what_is_found(kind, written, around):
    given = around.format(written)
    assert (kind, written) in [(one.kind, given[one.start : one.end]) for one in revealing(given)]


@pytest.mark.parametrize(
    "given",
    [
        "The password: choose a long one.", "token = tokenizer.encode(text)", "10.0.0.1, 127.0.0.1",
        "192.0.2.7", "version 1.2.3.4", "pip install x==4.2.1.3", "std::vector::iterator",
        "12:30:45",
        "password: ************", "secret: changeme", "https://example.com:8080/a@b", "sk-learn",
        "commit 0123456789abcdef0123", "The secret: nobody knows it1",
    ],
)  # fmt: skip
def test_what_is_left_alone(given):
    assert list(revealing(given)) == []


async def test_what_is_redacted_is_not_learned():
    key = "ghp_" + "a1B2c3D4e5" * 4
    given = said("Who is ann@example.com?", f"Ann. Her key is {key}, her mail ann@example.com.")
    found = await prepare([given, given], redact=["email", "secret"])
    (kept,) = found.examples
    assert kept.messages[0].content == "Who is [email]?"
    assert kept.messages[1].content == "Ann. Her key is [secret], her mail [email]."
    assert (found.redacted, found.personal) == (3, {})
    found = await prepare([given], redact=["email"])
    assert found.personal == {"secret": [given.place]}
    assert key not in json.dumps([found.warnings(), found.left_out()])


# -- lengths ---------------------------------------------------------------------------------------


def test_lengths_are_counted_by_powers_of_two():
    assert histogram([1, 16, 17, 100]) == [(16, 2), (32, 1), (64, 0), (128, 1)]
    assert histogram([0]) == [(16, 1)]
    assert histogram([]) == []


def test_tokens_are_counted_with_the_base_s_own_tokenizer(tmp_path):
    from tokenizers import Tokenizer, models, pre_tokenizers

    tokenizer = Tokenizer(models.WordLevel({"[UNK]": 0}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.enable_truncation(2)
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    assert counting(str(tmp_path))("one two three four") == 4
    with pytest.raises(GenerationError, match="no readable tokenizer"):
        counting(str(tmp_path.parent))


def test_a_group_is_read_back():
    assert parse({"question": "a", "answer": "b", "group": "7"}, "x").group == "7"
