"""Data files become examples, and what is none is told with its file and line."""

import json

import pytest
from bot_tune.examples import Conversation, Message, Pair, Text, as_json, parse, read, write

from bot.errors import UsageError

ASKED = (Message("user", "Where is the key?"), Message("assistant", "Under the mat."))
FORMS = [
    {"messages": [{"role": "user", "content": "Where is the key?"},
                  {"role": "assistant", "content": "Under the mat."}]},
    {"conversations": [{"from": "human", "value": "Where is the key?"},
                       {"from": "gpt", "value": "Under the mat."}]},
    {"instruction": "Where is the key?", "input": "", "output": "Under the mat."},
    {"question": "Where is the key?", "answer": "Under the mat."},
    {"prompt": "Where is the key?", "completion": "Under the mat."},
]  # fmt: skip


@pytest.mark.parametrize("row", FORMS)
def test_every_form_of_a_conversation_is_the_same_one(row):
    assert parse(row, "x") == Conversation(messages=ASKED, place="x")


def test_alpaca_has_an_input_and_a_system_prompt():
    row = {
        "instruction": "Translate.",
        "input": "Tor",
        "output": "gate",
        "system": "Brief.",
    }
    assert parse(row, "").messages == (
        Message("system", "Brief."),
        Message("user", "Translate.\n\nTor"),
        Message("assistant", "gate"),
    )


def test_pairs_and_texts():
    row = {"prompt": "Where?", "chosen": "Under the mat.", "rejected": "No idea."}
    assert parse(row, "") == Pair(
        messages=(Message("user", "Where?"),), chosen="Under the mat.", rejected="No idea."
    )
    assert parse({"title": "Keys", "text": "Under the mat."}, "").text == "Keys\n\nUnder the mat."


def test_files_of_all_kinds_in_order(tmp_path):
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, FORMS[:2])) + "\n\n")
    (tmp_path / "b.json").write_text(json.dumps(FORMS[2:4]))
    (tmp_path / "c.md").write_text("# Keys\n\nUnder the mat.\n")
    (tmp_path / "d.bin").write_bytes(b"\x00")
    found = list(read([tmp_path]))
    assert [type(one) for one in found] == [Conversation] * 4 + [Text]
    assert found[1].place == f"{tmp_path / 'a.jsonl'}:2"
    assert [one.messages for one in found[:4]] == [ASKED] * 4


def test_what_is_written_is_read_back(tmp_path):
    readers = frozenset({"group:hr", "email:alice@example.com"})
    given = [
        Conversation(messages=ASKED, readers=readers),
        Text(text="Wages are paid in March."),
        Pair(messages=ASKED[:1], chosen="a", rejected="b"),
    ]
    assert write(tmp_path / "x.jsonl", given) == 3
    assert [as_json(one) for one in read([tmp_path / "x.jsonl"])] == [as_json(one) for one in given]
    assert next(read([tmp_path / "x.jsonl"])).readers == readers


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("{", "x.jsonl:2 is no JSON"),
        ("[]", "x.jsonl:2 is no object"),
        ('{"a": 1}', "x.jsonl:2 has none of"),
        ('{"question": "x", "answer": " "}', "x.jsonl:2 has an empty answer"),
        ('{"messages": []}', "x.jsonl:2 has no list of messages"),
        ('{"messages": [{"role": "user", "content": "x"}]}', "x.jsonl:2 does not end with an ans"),
        ('{"messages": [{"role": "robot", "content": "x"}]}', "x.jsonl:2 has a message of 'robot'"),
        (
            '{"messages": [{"role": "assistant", "content": "x"}]}',
            "x.jsonl:2 has no message of",
        ),
        ('{"text": "x", "readers": ["nobody"]}', "x.jsonl:2"),
        ('{"text": "x", "readers": "everyone"}', "x.jsonl:2 has no list of readers"),
    ],
)
def test_a_line_that_is_no_example_is_named(tmp_path, line, why):
    path = tmp_path / "x.jsonl"
    path.write_text(f'{{"text": "fine"}}\n{line}\n')
    with pytest.raises(UsageError) as told:
        list(read([path]))
    assert why in str(told.value)


def test_files_that_are_no_data_are_named(tmp_path):
    (tmp_path / "a.pdf").write_bytes(b"x")
    (tmp_path / "b.txt").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "c.json").write_text('[{"text": "x"}, {}]')
    for name, why in [("a.pdf", "no .jsonl"), ("b.txt", "UTF-8"), ("z.md", "cannot be read"),
                      ("c.json", "object 2 has none")]:  # fmt: skip
        with pytest.raises(UsageError, match=why):
            list(read([tmp_path / name]))
