"""The measures are those of trec_eval; intervals are what a bootstrap gives, again and again."""

import random

import ir_measures
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ir_measures import R, Success, nDCG

from bot import Passage
from bot.evaluation import metrics
from bot.evaluation.engine import Sheet, Trial, run
from bot.evaluation.golden import Golden, digest, narrowest
from bot.evaluation.statistics import bootstrap, percentile

EVERYONE = frozenset({"everyone"})


def passage(id_, uri=""):
    return Passage(id=id_, uri=uri, text=id_, readers=EVERYONE)


PLACES = [f"p{number}" for number in range(16)]


@given(
    ranking=st.lists(st.sampled_from(PLACES), unique=True, max_size=14),
    sources=st.dictionaries(st.sampled_from(PLACES), st.integers(1, 3), min_size=1, max_size=14),
    k=st.integers(1, 12),
)
def test_the_measures_are_those_of_trec_eval(ranking, sources, k):
    # trec_eval needs one result at least; an unknown one at the end changes nothing.
    ranked = {place: 1.0 / rank for rank, place in enumerate([*ranking, "none"], 1)}
    measures = [R @ k, nDCG @ 10, Success @ 1]
    expected = ir_measures.calc_aggregate(measures, {"q": sources}, {"q": ranked})
    ours = metrics.of_ranking([passage(place) for place in ranking], sources, k)
    assert list(ours) == metrics.names(k)
    assert list(ours.values()) == pytest.approx([expected[m] for m in measures], abs=1e-9)


def test_an_expected_source_counts_once_however_many_of_its_passages_are_found():
    ranking = [passage("a#0", "doc:a"), passage("a#1", "doc:a"), passage("b#0", "doc:b")]
    found = metrics.of_ranking(ranking, {"doc:a": 1, "doc:b": 1}, 2)
    assert found["recall@2"] == 0.5
    assert found["nDCG@10"] < 1
    assert metrics.of_ranking(ranking, {"doc:a": 1, "doc:b": 1}, 3)["recall@3"] == 1


def test_a_passage_that_is_expected_by_id_and_by_address_meets_both():
    found = metrics.of_ranking([passage("a#0", "doc:a")], {"doc:a": 1, "a#0": 2}, 8)
    assert found["recall@8"] == found["hit@1"] == 1
    assert found["nDCG@10"] <= 1


def test_nothing_found_and_nothing_expected_are_zero():
    assert set(metrics.of_ranking([], {"a": 1}, 8).values()) == {0.0}
    assert set(metrics.of_ranking([passage("a")], {}, 8).values()) == {0.0}


def test_a_bootstrap_gives_the_same_interval_again_and_holds_the_mean():
    values = [random.Random(3).random() for _ in range(50)]
    interval = bootstrap(values)
    assert bootstrap(values) == interval
    assert interval.low <= interval.mean <= interval.high
    assert bootstrap([0.5] * 9).low == bootstrap([0.5] * 9).high == 0.5
    assert bootstrap([]).high == 0


def test_about_nineteen_of_twenty_intervals_hold_the_truth():
    drawn = random.Random(1)
    held = 0
    for _ in range(200):
        interval = bootstrap([float(drawn.random() < 0.7) for _ in range(60)])
        held += interval.low <= 0.7 <= interval.high
    assert 180 <= held <= 198


def test_percentiles():
    assert percentile([1, 2, 3, 4, 5], 0.5) == 3
    assert percentile([], 0.95) == 0


def test_a_paired_difference_is_surer_than_two_means():
    """Questions differ much more from each other than the variants do on each."""
    drawn = random.Random(2)
    hard = [drawn.random() for _ in range(80)]

    def trials(better):
        return [Trial(values={"m": h + better}, milliseconds=1.0) for h in hard]

    golden = [Golden(question=str(h)) for h in hard]
    sheet = Sheet(golden=golden, trials={"a": trials(0.05), "b": trials(0.0)})
    assert sheet.mean("a", "m").low < sheet.mean("b", "m").high
    assert sheet.difference("a", "b", "m").low > 0.04


class Counting:
    def __init__(self, name, log):
        self.name = name
        self.log = log

    async def ask(self, golden):
        self.log.append((self.name, golden.question))
        return Trial(
            values={"m": 1.0}, milliseconds=len(self.log), error="odd" * (len(self.log) == 5)
        )


async def test_variants_take_turns_at_being_asked_first_after_a_question_that_does_not_count():
    log, done = [], []
    golden = [Golden(question="1"), Golden(question="2")]
    sheet = await run(golden, [Counting("a", log), Counting("b", log)], done.append)
    assert log[:2] == [("a", "1"), ("b", "1")]
    assert sorted(log[2:4]) == [("a", "1"), ("b", "1")]
    assert [name for name, _ in log[2:4]] == [name for name, _ in log[4:]][::-1]
    assert [len(each) for each in sheet.trials.values()] == [2, 2]
    assert done == [1, 2]
    assert [sheet.errors(name) for name in "ab"].count(["odd"]) == 1
    assert (await run([], [Counting("a", log)])).trials == {"a": []}


def test_the_narrowest_readers():
    hr, two = frozenset({"group:hr"}), frozenset({"group:hr", "email:a@x.org"})
    assert narrowest([]) == EVERYONE
    assert narrowest([EVERYONE, hr]) == narrowest([two, hr]) == hr
    assert narrowest([hr, frozenset({"email:a@x.org"})]) == frozenset()


def test_equal_sets_have_one_digest_and_others_have_not():
    one, two = Golden(question="1", sources={"a": 1}), Golden(question="2", sources={"b": 1})
    assert digest([one, two]) == digest([two, one])
    assert digest([one]) != digest([Golden(question="1", sources={"a": 2})])
