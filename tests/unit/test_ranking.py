"""One list from several retrievers, and nothing in it that the asker may not read."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.ranking import fuse, readable
from bot.turn import Passage


def passage(id_, score=0.0, readers=("everyone",), source=""):
    return Passage(id=id_, text=id_, readers=frozenset(readers), score=score, source=source)


def ids(passages):
    return [p.id for p in passages]


def test_readable_keeps_what_any_principal_may_read():
    found = [passage("a"), passage("b", readers=["group:hr"]), passage("c", readers=[])]
    assert ids(readable(found, frozenset({"everyone"}))) == ["a"]
    assert ids(readable(found, frozenset({"everyone", "group:hr"}))) == ["a", "b"]
    assert readable(found, frozenset()) == []


def test_one_retriever_keeps_its_order_and_scores():
    [first, second] = fuse({"r": [passage("a", 3), passage("b", 2), passage("c", 1)]}, 2)
    assert (first.id, first.score, first.retriever) == ("a", 3, "r")
    assert second.id == "b"


def test_a_weight_says_how_much_a_retriever_counts():
    found = {"a": [passage("x", 9)], "b": [passage("y", 1), passage("z", 0.9)]}
    assert ids(fuse(found, 3)) == ["x", "y", "z"]
    assert ids(fuse(found, 3, {"b": 2.0})) == ["y", "z", "x"]
    assert ids(fuse(found, 3, {"a": 0.5})) == ["y", "z", "x"]
    assert ids(fuse(found, 3, {"a": 0.95})) == ["y", "x", "z"]
    (alone,) = fuse({"a": [passage("x", 9)]}, 3, {"a": 5.0})
    assert alone.score == 9


def test_one_retriever_without_scores_keeps_its_order():
    assert ids(fuse({"r": [passage("a"), passage("b"), passage("c")]}, 8)) == ["a", "b", "c"]


def test_a_passage_that_two_found_comes_first():
    fused = fuse(
        {
            "big": [passage("x", 1000), passage("both", 900)],
            "small": [passage("y", 0.2), passage("both", 0.18)],
        },
        8,
    )
    assert ids(fused) == ["both", "x", "y"]
    assert fused[0].retriever == "big"


def test_scales_of_retrievers_do_not_matter():
    def fused(factor):
        one = [passage("a", 3 * factor), passage("b", 2 * factor)]
        return ids(fuse({"one": one, "two": [passage("b", 5), passage("c", 4)]}, 8))

    assert fused(1) == fused(1000) == fused(0.001)


@pytest.mark.parametrize("scores", [(0, 0), (-1, -2)])
def test_a_retriever_without_positive_scores_is_not_starved(scores):
    scored = [passage(f"s{n}", 10 - n) for n in range(8)]
    plain = [passage(f"p{n}", score) for n, score in enumerate(scores)]
    fused = ids(fuse({"scored": scored, "plain": plain}, 4))
    assert "p0" in fused


def test_the_same_id_in_two_sources_is_two_passages():
    found = [passage("1", 2, source="faq"), passage("1", 1, source="wiki"), passage("1", 0.5)]
    assert len(fuse({"r": found}, 8)) == 3


def test_an_id_that_stands_twice_is_taken_once_at_its_best_place():
    fused = fuse({"r": [passage("1", 2), passage("2", 1.5), passage("1", 1)]}, 8)
    assert [(p.id, p.score) for p in fused] == [("1", 2), ("2", 1.5)]


@pytest.mark.parametrize("odd", [math.nan, math.inf, -math.inf])
def test_an_odd_score_does_not_disturb_the_others(odd):
    found = [passage("a", 3), passage("odd", odd), passage("b", 2), passage("c", 1)]
    assert [i for i in ids(fuse({"r": found}, 8)) if i != "odd"] == ["a", "b", "c"]
    both = ids(fuse({"r": found, "s": [passage("z", 1)]}, 8))
    assert [i for i in both if i in "abc"] == ["a", "b", "c"]


def test_nothing_found_is_an_empty_list():
    assert fuse({}, 8) == []
    assert fuse({"a": [], "b": []}, 8) == []


results = st.dictionaries(
    st.sampled_from("rst"),
    st.lists(st.builds(passage, st.sampled_from("abcdef"), st.floats(-5, 5)), max_size=8),
)


@given(results, st.integers(1, 5))
def test_fusing_gives_at_most_k_known_passages_each_once_the_best_first(found, k):
    fused = fuse(found, k)
    assert len(fused) == min(k, len({p.id for passages in found.values() for p in passages}))
    assert len(set(ids(fused))) == len(fused)
    assert [p.score for p in fused] == sorted((p.score for p in fused), reverse=True)
    for one in fused:
        assert one.id in ids(found[one.retriever])


def test_a_retriever_that_asked_another_names_it():
    nested = fuse({"documents": [passage("a", 1.0)]}, 5)
    (first,) = fuse({"rerank": nested}, 5)
    assert first.retriever == "rerank/documents"
