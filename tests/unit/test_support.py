"""What an answer says is compared with what its sources say."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot import support
from bot.sentences import sentences
from bot.support import Source, doubt, doubts

LEAVE = (
    "Everybody has 30 days of holiday a year. Requests go to Maria Lopez two weeks ahead. "
    "Unused days are not carried over. The office in Zürich is closed on 1,500 occasions."
)


@pytest.mark.parametrize(
    "claim",
    [
        "Everybody has 30 days of holiday a year.",
        "You have 30 holidays a year.",
        "Holiday requests go to Maria Lopez.",
        "Unused holiday days aren't carried over.",
        "Requests are made 2 weeks ahead.",
        "The Zürich office is closed on 1500 occasions.",
        "2. You have 30 days of holiday.",
        "No, unused days are not carried over.",
        "Yes.",
    ],
)
def test_what_the_source_says_is_supported(claim):
    assert doubt(claim, [Source(LEAVE)]) == ""


@pytest.mark.parametrize(
    ("claim", "reason"),
    [
        ("Everybody has 25 days of holiday a year.", "25"),
        ("Requests go to Maria Huber two weeks ahead.", "Huber"),
        ("Unused days are carried over.", "negates"),
        ("Everybody does not have 30 days of holiday a year.", "negates"),
        ("The canteen serves soup and bread at noon.", "says little"),
        ("Requests are made three weeks ahead.", "3"),
    ],
)
def test_what_it_does_not_say_is_not(claim, reason):
    assert reason in doubt(claim, [Source(LEAVE)])


def test_chinese_is_compared_by_characters():
    source = Source("公司每年提供三十天的带薪假期，申请须提前两周提交。")
    assert doubt("每年有三十天带薪假期。", [source]) == ""
    assert "negates" in doubt("公司每年不提供三十天的带薪假期。", [source])
    assert "says little" in doubt("食堂中午供应汤和面包。", [source])


def test_each_sentence_is_held_to_the_markers_behind_it():
    answer = (
        "You have 30 days of holiday. [1] The canteen serves soup at noon. [2] Ask Maria. [1][2]"
    )
    passages = [LEAVE, "The canteen is closed."]
    assert [one.claim for one in doubts(answer, passages)] == ["The canteen serves soup at noon."]


def test_one_of_several_sources_is_enough():
    assert (
        doubts(
            "The canteen serves soup at noon. [1][2]", [LEAVE, "At noon the canteen serves soup."]
        )
        == []
    )


def test_what_has_no_marker_is_not_looked_at():
    assert doubts("The moon is made of cheese.", [LEAVE]) == []


@given(st.text(max_size=200), st.lists(st.text(max_size=100), max_size=3))
def test_it_takes_any_text(answer, passages):
    assert all(one.reason for one in doubts(f"{answer} [1][2]", passages))


def test_a_passage_is_taken_apart_once_for_all_claims(monkeypatch):
    taken = Counter()
    monkeypatch.setattr(support, "sentences", lambda text: taken.update([text]) or sentences(text))
    doubts("The canteen serves soup and bread at noon. [1] " * 30, [LEAVE])
    assert taken == {LEAVE: 1}
