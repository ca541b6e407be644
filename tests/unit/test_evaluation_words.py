"""Words of any language; on English, ROUGE is that of the rouge-score library."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rouge_score import rouge_scorer

from bot.evaluation import measures, words
from bot.evaluation.page import agreement

WORDS = "the cat sat on a mat The-mat 30 days, of it's holiday. U.S. 8080 x_y\n".split(" ")
ENGLISH = st.lists(st.sampled_from(WORDS), max_size=30).map(" ".join)
SCORER = rouge_scorer.RougeScorer(["rouge1", "rouge2", "rougeL"])


@given(answer=ENGLISH, reference=ENGLISH)
def test_on_english_it_is_the_usual_rouge(answer, reference):
    ours = measures.of_text(answer, reference)
    for name, theirs in SCORER.score(reference, answer).items():
        assert ours[f"{name} precision"] == pytest.approx(theirs.precision)
        assert ours[f"{name} recall"] == pytest.approx(theirs.recall)
        assert ours[f"{name} f1"] == pytest.approx(theirs.fmeasure)


def test_chinese_and_japanese_are_compared_by_character():
    same = measures.of_text("年假有三十天。", "年假有三十天")
    assert same["rouge2 f1"] == same["rougeL f1"] == same["exact"] == 1.0
    half = measures.of_text("受付は8080番です", "ポートは8080番")
    assert words.words("受付は8080番です") == ["受", "付", "は", "8080", "番", "で", "す"]
    assert half["rouge1 precision"] == pytest.approx(3 / 7)
    assert half["rouge1 recall"] == pytest.approx(3 / 6)
    assert measures.of_text("三十日", "年假") == dict.fromkeys(same, 0.0)


def test_other_letters_and_wide_digits_are_words_too():
    assert words.words("Straße ３０ café Ünïcode Привет") == [
        "strasse", "30", "café", "ünïcode", "привет",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("answer", "reference", "exact", "contains"),
    [
        ("30 days. [1]", "30 days", 1, 1),
        ("You have 30 days [1][2] a year.", "30 days", 0, 1),
        ("You have 130 days.", "30 days", 0, 0),
        ("days 30", "30 days", 0, 0),
        ("", "30 days", 0, 0),
        ("!", "?", 0, 0),
    ],
)
def test_exact_and_containment_matches_know_words(answer, reference, exact, contains):
    found = measures.of_text(answer, reference)
    assert (found["exact"], found["contains"]) == (exact, contains)


LETTERS = st.lists(st.sampled_from("abcd"), max_size=12)


@given(one=LETTERS, other=LETTERS)
def test_the_places_of_the_longest_common_subsequence_are_as_many_as_its_length(one, other):
    found = words.common(one, other)
    assert all(one[a] == other[b] for a, b in found)
    assert found == sorted(set(found))
    assert len({a for a, _ in found}) == len({b for _, b in found}) == len(found)
    assert words.rouge_l(one, other).recall * len(other) == pytest.approx(len(found))


TEXT = st.text(alphabet="ab中 [1].<\u202e\n", max_size=40)


@given(text=TEXT, reference=TEXT)
def test_marking_what_agrees_loses_nothing(text, reference):
    assert "".join(piece for piece, _ in agreement(text, reference)) == text


def test_what_agrees_is_marked_and_markers_are_not_compared():
    assert agreement("Everybody has 30 days [1].", "30 days, 1 desk") == [
        ("Everybody has", "other"), (" ", ""), ("30 days", "same"), (" [1].", ""),
    ]  # fmt: skip
