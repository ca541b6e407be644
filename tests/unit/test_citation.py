"""Markers in an answer: whatever the model writes, only passages of the prompt are cited."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.citation import CitationStream
from bot.turn import Passage

TEXT = "Open the settings first. Choose Security and then Reset password. A mail with a link comes."
PASSAGES = [
    Passage(id=str(n), text=TEXT, readers=frozenset({"everyone"}), title=f"T{n}", uri=f"u{n}")
    for n in (1, 2, 3)
]


def cite(*pieces, passages=PASSAGES, verbatim=()):
    stream = CitationStream(passages)
    shown = "".join(stream.feed(p, verbatim=i in verbatim) for i, p in enumerate(pieces))
    shown += stream.end()
    assert stream.text == shown
    return shown, [citation.marker for citation in stream.citations()]


@pytest.mark.parametrize(
    ("written", "shown", "cited"),
    [
        ("So it is. [1]", "So it is. [1]", [1]),
        ("Both[2][1].", "Both[2][1].", [1, 2]),
        ("Both [1, 2].", "Both [1][2].", [1, 2]),
        ("Both [1;3] and [ 2 ].", "Both [1][3] and [2].", [1, 2, 3]),
        ("Twice [1] and [1] [1,1].", "Twice [1] and [1] [1].", [1]),
        ("Chinese 【1】、【2、3】。", "Chinese [1]、[2][3]。", [1, 2, 3]),
        ("Unknown [4], [0], [999].", "Unknown,,.", []),
        ("Partly known [1, 9].", "Partly known [1].", [1]),
        ("A year [2024] stays.", "A year [2024] stays.", []),
        ("A [link](url) and [a1] stay.", "A [link](url) and [a1] stay.", []),
        ("Open [1", "Open [1", []),
        ("", "", []),
        ("Nested [[1]].", "Nested [[1]].", [1]),
    ],
)
def test_markers(written, shown, cited):
    assert cite(written) == (shown, cited)


@pytest.mark.parametrize("written", ["[1[9]2]", "[[9]1]", "[ [9] 3]", "[1,[0]2]", "【[77]1】"])
def test_a_removed_marker_never_makes_a_new_one(written):
    shown, cited = cite(written)
    assert cited == []
    assert re.search(r"[\[【]\s*\d+\s*(?:[,;、]\s*\d+\s*)*[\]】]", shown) is None


@pytest.mark.parametrize(
    "written",
    ["Take `list[1]` and `a[0]`.", "```\na[1] = b[9]\n```\n", "~~~\nx[2]\n~~~\n", "```x[1]```"],
)
def test_brackets_in_code_are_no_markers(written):
    assert cite(written) == (written, [])
    assert cite(*written) == (written, [])


def test_after_code_markers_count_again():
    text = "Use `a[0]` here [1].\n```\na[2]\n```\nThen [3]."
    assert cite(text) == (text, [1, 3])


def test_a_stray_backtick_spoils_only_its_line():
    assert cite("It`s odd.\nStill cited [2].")[1] == [2]


def test_without_passages_no_marker_stays():
    assert cite("Sure [1].", passages=[]) == ("Sure.", [])


def test_verbatim_text_is_left_alone():
    shown, cited = cite("It says: ", "see [1] and [9]", " [2]", verbatim={1})
    assert shown == "It says: see [1] and [9] [2]"
    assert cited == [2]


def test_a_backtick_in_a_quotation_does_not_hide_the_marker_behind_it():
    assert cite("Use ` here.", " [1]", verbatim={0})[1] == [1]


def test_text_held_back_is_shown_before_a_quotation():
    assert cite("a [", "1] quoted", verbatim={1})[0] == "a [1] quoted"


def test_ordinary_text_is_shown_at_once():
    stream = CitationStream(PASSAGES)
    assert stream.feed("Plain words.") == "Plain words."
    assert stream.feed(" [") == ""
    assert stream.feed("1") == ""
    assert stream.feed("]") == " [1]"


pieces = st.sampled_from(
    ["[1]", "[", "]", "【", "】", "1", "2", "9", "0", ",", ";", "、", " ", "\t", "\n", "`", "```",
     "word", ". ", "[1, 2]", "[99]", "中文。", "[[2]]", "Reset password"]
)  # fmt: skip
answers = st.lists(pieces, max_size=30).map("".join) | st.text(max_size=60)


@given(answers, st.data())
def test_where_the_stream_is_cut_changes_nothing(text, data):
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=8)))
    parts = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    whole, cut = CitationStream(PASSAGES), CitationStream(PASSAGES)
    shown = whole.feed(text) + whole.end()
    assert "".join(map(cut.feed, parts)) + cut.end() == shown
    assert cut.citations() == whole.citations()


@given(answers)
def test_single_characters_give_the_same_as_one_piece(text):
    whole, single = CitationStream(PASSAGES), CitationStream(PASSAGES)
    shown = whole.feed(text) + whole.end()
    assert "".join(map(single.feed, text)) + single.end() == shown
    assert single.citations() == whole.citations()


@given(answers)
def test_outside_code_every_marker_shown_is_cited(text):
    text = text.replace("`", "").replace("~", "")
    shown, cited = cite(text)
    marked = re.findall(r"[\[【]\s?(\d{1,3})\s?[\]】]", shown)
    assert {int(number) for number in marked} == set(cited)


@given(answers)
def test_quotes_are_verbatim_and_markers_ascend(text):
    stream = CitationStream(PASSAGES)
    stream.feed(text)
    stream.end()
    citations = stream.citations()
    assert [c.marker for c in citations] == sorted({c.marker for c in citations})
    for citation in citations:
        assert citation.quote
        assert citation.quote in TEXT


def test_the_quote_is_the_sentence_that_says_what_is_claimed():
    stream = CitationStream(PASSAGES)
    stream.feed("First words. You choose Security, then you reset the password [2]. More [3].")
    first, _ = stream.citations()
    assert first.quote.strip() == "Choose Security and then Reset password."
    assert (first.uri, first.title, first.passage_id) == ("u2", "T2", "2")


def test_a_long_sentence_in_small_pieces_is_quoted_as_a_whole():
    claim = "Choose Security and then Reset password. " + "So " * 100 + "a mail with a link comes"
    stream = CitationStream(PASSAGES)
    for character in claim + " [1]":
        stream.feed(character)
    whole = CitationStream(PASSAGES)
    whole.feed(claim + " [1]")
    assert stream.citations() == whole.citations()


def test_a_short_claim_is_not_found_inside_a_word():
    passage = Passage(
        id="1", text="Nothing works. No, it does not.", readers=frozenset({"everyone"})
    )
    stream = CitationStream([passage])
    stream.feed("No [1]")
    assert stream.citations()[0].quote.strip() == "No, it does not."


def test_a_citation_carries_the_readers_of_its_passage():
    passage = Passage(id="1", text="Secret.", readers=frozenset({"group:hr"}))
    stream = CitationStream([passage])
    stream.feed("x [1]")
    assert stream.citations()[0].readers == {"group:hr"}


def test_a_passage_without_words_still_has_a_quote():
    stream = CitationStream([Passage(id="1", text="— — —", readers=frozenset({"everyone"}))])
    stream.feed("x [1]")
    assert stream.citations()[0].quote in "— — —"


@pytest.mark.parametrize(
    ("said", "location"),
    [
        ("The walrus is the mascot. [1]", "Manual › page 5"),
        ("Nobody swims on Mondays. [1]", "Manual › page 3"),
        ("Towels are free for all guests. [1]", "Manual › page 4"),
    ],
)
def test_a_passage_over_several_pages_is_cited_by_the_page_of_its_quote(said, location):
    passage = Passage(
        id="p",
        text="Nobody swims on Mondays.\n\n\fTowels are free for all guests.\n\n\f"
        "The walrus is the mascot.",
        readers=frozenset({"everyone"}),
        location="Manual › pages 3–5",
    )
    stream = CitationStream([passage])
    stream.feed(said)
    stream.end()
    assert [citation.location for citation in stream.citations()] == [location]


def test_one_page_and_no_page_stay_as_they_are():
    for location in ("Manual › page 3", "Manual › Chapter 3–5", ""):
        passage = Passage(id="p", text=TEXT, readers=frozenset({"everyone"}), location=location)
        stream = CitationStream([passage])
        stream.feed("Choose Security and then Reset password. [1]")
        stream.end()
        assert [citation.location for citation in stream.citations()] == [location]
