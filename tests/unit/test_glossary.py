"""A team's own words."""

import os

import pytest

from bot import glossary
from bot.errors import ConfigError

GROUPS = (("PTO", "paid time off", "holiday"), ("IT", "information technology"), ("年假", "休假"))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "glossary.txt"


def test_lines_are_groups_and_the_rest_is_left_out(path):
    path.write_text(
        "\ufeff# ours\nPTO = paid time off= holiday \n\nalone\nx = x\n= a = b\n", "utf-8"
    )
    assert glossary.read(path) == (("PTO", "paid time off", "holiday"), ("a", "b"))


def test_a_change_of_the_file_is_seen(path):
    path.write_text("a = b\n")
    assert glossary.read(path) == (("a", "b"),)
    path.write_text("a = c\n")
    os.utime(path, ns=(1, 1))
    assert glossary.read(path) == (("a", "c"),)


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00"])
def test_a_file_that_cannot_be_read_is_named(path, content):
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"glossary\.txt cannot be read"):
        glossary.read(path)


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("How much PTO do I have?", "PTO"),
        ("how much pto?", "PTO"),
        ("Is Paid  Time-Off paid?", "paid time off"),
        ("Holiday?", "holiday"),
        ("Who runs IT?", "IT"),
        ("我有多少天年假？", "年假"),
    ],
)
def test_what_a_question_mentions_comes_first(text, first):
    (group,) = glossary.mentioned(GROUPS, text)
    assert group[0] == first
    assert set(group) in map(set, GROUPS)


@pytest.mark.parametrize("text", ["Does it work?", "An option", "holidays", "paid off", ""])
def test_other_words_mention_nothing(text):
    assert glossary.mentioned(GROUPS, text) == ()
