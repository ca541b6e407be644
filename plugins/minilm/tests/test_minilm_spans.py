"""The places of tokens in a text, with the real tokenizer."""

import tracemalloc

import pytest
from bot_minilm.embedder import MiniLM
from bot_minilm.tokens import _parts
from hypothesis import given
from hypothesis import strategies as st


@pytest.fixture(scope="module")
def embedder(tmp_path_factory):
    return MiniLM(None, tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def spans(embedder):
    return lambda text: embedder.bot_token_spans([text])[0]


def test_spans_are_the_places_of_the_words_and_word_pieces(spans):
    text = "Tokenizers, 東京!"
    assert [text[a:b] for a, b in spans(text)] == ["Token", "izer", "s", ",", "東", "京", "!"]


def test_characters_outside_the_basic_plane_count_once(spans):
    text = "🚀 go"
    assert [text[a:b] for a, b in spans(text)][-1] == "go"


def test_spans_are_neither_padded_nor_cut(spans):
    assert len(spans("one")) == 1
    assert len(spans("one " * 1000)) == 1000


def test_no_texts_and_empty_texts_have_no_spans(embedder):
    assert embedder.bot_token_spans([]) == []
    assert embedder.bot_token_spans(["", " \n "]) == [[], []]


@given(st.text(st.characters(), max_size=300))
def test_spans_are_in_reading_order_and_inside_the_text(spans, text):
    found = spans(text)
    assert found == sorted(found)
    assert all(0 <= start <= end <= len(text) for start, end in found)


def test_lone_surrogates_keep_the_places_of_the_rest(spans):
    text = "a \ud800\udfff b"
    assert [text[a:b] for a, b in spans(text)] == ["a", "b"]


def test_a_long_text_has_the_spans_of_its_parts(spans):
    line = "Vectors, tokens and 文字 — naïve prose, as it comes.\n"
    one = spans(line)
    expected = [(n * len(line) + a, n * len(line) + b) for n in range(3000) for a, b in one]
    assert list(spans(line * 3000)) == expected


def test_a_long_text_without_spaces_is_tokenized_to_its_end(spans):
    found = spans("漢" * 120_000)
    assert list(found) == [(i, i + 1) for i in range(120_000)]


def test_megabytes_take_little_memory_beyond_the_spans(embedder):
    text = "A sentence of seven words, ended here. " * 50_000
    tracemalloc.start()
    try:
        found = embedder.bot_token_spans([text])[0]
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert found[-1][1] == len(text) - 1
    assert peak < len(found) * 16 + 40_000_000  # and what one part takes


@given(st.text(alphabet="ab \n", max_size=200), st.integers(2, 20))
def test_parts_are_the_text_and_cut_between_words(text, size):
    parts = list(_parts(text, size))
    assert "".join(part for _, part in parts) == text
    for start, part in parts:
        assert text[start : start + len(part)] == part
        assert len(part) <= size
        inside = start > 0 and text[start - 1].isalpha() and text[start].isalpha()
        # A word is cut only when it alone is longer than a part.
        assert not inside or " " not in text[start - size + 1 : start].replace("\n", " ")


def test_the_spans_of_a_long_text_are_a_sequence_like_any_other(spans):
    line = "The quick brown fox jumps over the lazy dog.\n"
    once = spans(line)
    found = spans(line * 3000)
    assert len(found) == 3000 * len(once)
    assert list(found)[: len(once)] == list(once) == found[: len(once)]
    assert found[-1] == (len(line) * 3000 - 2, len(line) * 3000 - 1)
