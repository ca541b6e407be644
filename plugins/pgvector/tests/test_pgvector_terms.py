import math
from collections import Counter

import numpy as np
import pytest
from bot_pgvector.analysis import terms
from bot_pgvector.postings import K1, B, invert, rank, unpack
from hypothesis import given
from hypothesis import strategies as st

WORDS = st.lists(
    st.sampled_from("alpha beta gamma delta 東京 漢字 max_length".split()), max_size=12
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Connecting connections", ["connect", "connect"]),
        ("The end of it", ["end"]),
        ("Café CAFÉ cafe", ["cafe"] * 3),
        ("ＦＵＬＬ width", ["full", "width"]),
        ("set max_length now", ["set", "max", "length", "now", "max_length"]),
        ("東京タワー", ["東京", "京タ", "タワ", "ワー"]),
        ("機 is a kanji", ["機", "kanji"]),
        ("Python入門 3.11", ["python", "入門", "3", "11"]),
        ("パ", ["パ"]),
        ("", []),
        ("!? — …", []),
    ],
)
def test_terms(text: str, expected: list[str]) -> None:
    assert terms(text) == expected


@given(st.text())
def test_any_text_has_terms_that_are_found_again(text: str) -> None:
    found = terms(text)
    assert terms(text.upper().lower()) is not None
    assert all(term and " " not in term for term in found)
    inverted = invert([7], [text])
    assert inverted.tokens == len(found)
    assert {term for term, _ in inverted.postings} == set(found)


@given(st.lists(WORDS, min_size=1, max_size=8))
def test_postings_hold_every_chunk_of_a_term_with_its_count(texts: list[list[str]]) -> None:
    ids = [10 * place + 3 for place in range(len(texts))]
    inverted = invert(ids, [" ".join(words) for words in texts])
    for term, data in inverted.postings:
        expected = [
            (id_, len(terms(" ".join(words))), terms(" ".join(words)).count(term))
            for id_, words in zip(ids, texts, strict=True)
            if term in terms(" ".join(words))
        ]
        chunks, lengths, counts = unpack(np.frombuffer(data, "<u8"))
        assert list(zip(chunks, lengths, counts, strict=True)) == expected


@given(st.lists(WORDS, min_size=1, max_size=8), WORDS)
def test_the_ranking_is_bm25(texts: list[list[str]], question: list[str]) -> None:
    documents = [terms(" ".join(words)) for words in texts]
    asked = terms(" ".join(question))
    inverted = invert(range(len(texts)), [" ".join(words) for words in texts])
    total = sum(map(len, documents))
    postings = [(t, d) for t, d in inverted.postings if t in asked]
    found = rank(Counter(asked), postings, len(texts), total)
    average = max(total / len(texts), 1)
    asked = [term for term in asked if any(term in d for d in documents)]
    rarities = [
        math.log((len(texts) + 1) / (sum(term in d for d in documents) + 0.5)) for term in asked
    ]
    expected = [
        sum(
            rarity * d.count(term) / (d.count(term) + K1 * (1 - B + B * len(d) / average))
            for term, rarity in zip(asked, rarities, strict=True)
        )
        / (sum(rarities) or 1)
        for d in documents
    ]
    assert found.scores(range(len(texts))) == pytest.approx(expected, abs=1e-6)
    ids, scores = found.top(len(texts))
    assert scores == pytest.approx(sorted((s for s in expected if s > 0), reverse=True), abs=1e-6)
    assert all(score <= 1 for score in scores)
    assert len(set(ids)) == len(ids)


def test_a_ranking_over_a_very_wide_range_of_ids_is_the_same() -> None:
    near = invert([1, 2, 3], ["alpha beta", "alpha", "beta beta"])
    far = invert([1, 2, 4_000_000_000], ["alpha beta", "alpha", "beta beta"])
    asked = terms("alpha beta")
    one, other = (rank(Counter(asked), each.postings, 3, each.tokens) for each in (near, far))
    assert one.top(3)[1] == other.top(3)[1]
    assert other.top(3)[0] == [4_000_000_000 if id_ == 3 else id_ for id_ in one.top(3)[0]]
    assert other.scores([4_000_000_000, 9]) == [one.scores([3])[0], 0.0]


def test_top_stops_at_what_was_found() -> None:
    inverted = invert(range(100), [f"common{' rare' * (n == 42)}" for n in range(100)])
    ranking = rank({"rare": 1, "common": 1}, inverted.postings, 100, inverted.tokens)
    assert ranking.top(1)[0] == [42]
    assert len(ranking.top(1000)[0]) == 100
    assert rank({"missing": 1}, [], 100, 5).top(3) == ([], [])


def test_what_no_chunk_has_lowers_no_score() -> None:
    inverted = invert(range(3), ["alpha beta", "alpha", "gamma"])
    alone = rank({"alpha": 1}, inverted.postings[:1], 3, inverted.tokens)
    with_unknown = rank({"alpha": 1, "omega": 1}, inverted.postings[:1], 3, inverted.tokens)
    assert with_unknown.top(3) == alone.top(3)
    assert (alone.known, 0 < with_unknown.known < 0.5) == (1, True)


def test_a_term_counts_as_much_as_it_is_asked_for() -> None:
    inverted = invert(range(4), ["alpha x", "beta x", "beta x", "y"])
    postings = [(t, d) for t, d in inverted.postings if t in ("alpha", "beta")]
    assert rank({"alpha": 1, "beta": 1}, postings, 4, inverted.tokens).top(1)[0] == [0]
    assert rank({"alpha": 0.1, "beta": 1}, postings, 4, inverted.tokens).top(1)[0] == [1]
