"""The structure splitter: what every split keeps to, and where it prefers to cut."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from bot import dispatch
from bot.document import Document
from bot.indexing import builtin
from bot.indexing.builtin import StructureSettings
from bot.indexing.markdown import blocks
from bot.indexing.splitting import split
from bot.plugins import Plugins

MARKUP = ["# A\n", "## B\n", "#### D\n", "- item\n", "  - nested\n", "> quote\n", "```\n", "\n\n",
          "\r\n", "\r", "| a | b |\n", "|---|---|\n", "\u2028", "\x0c", "\x1c", "\t", "    code\n",
          "One two. ", "Ünï “x”! ", "我们去北京。", "===\n", "---\n", "[a]: b\n", "<div>\n",
          "\ufeff", "word ", "x" * 90, "1. ", "e.g. ", "https://a.b/c_d ", "_!_中",
          "many words. " * 16 + "\n", "Title\n", "no capitals. at all. "]  # fmt: skip
texts = st.lists(st.one_of(st.sampled_from(MARKUP), st.text(max_size=12))).map("".join)
formats = st.sampled_from(["markdown", "text"])


def tokens(text):
    return [match.span() for match in re.finditer(r"\w+|[^\w\s]", text)]


def cut(text, limit=200, format="markdown", overlap=0):
    return [
        (text[p.start : p.end], p.headings)
        for p in split(text, format, tokens(text), limit, overlap)
    ]


def words(count, word="word"):
    return " ".join([word] * count)


@given(texts, formats, st.integers(16, 40))
def test_the_pieces_cover_everything_visible_once_and_in_order(text, format, limit):
    pieces = split(text, format, tokens(text), limit)
    at = 0
    for piece in pieces:
        assert at <= piece.start < piece.end <= len(text)
        assert not text[at : piece.start].strip()
        at = piece.end
    assert not text[at:].strip()


@given(texts, formats, st.integers(16, 40), st.integers(0, 8))
def test_no_piece_has_more_tokens_than_allowed(text, format, limit, overlap):
    spans = tokens(text)
    for piece in split(text, format, spans, limit, overlap):
        inside = [s for s in spans if s[0] < piece.end and s[1] > piece.start]
        assert len(inside) <= limit
        assert text[piece.start : piece.end].strip()


@given(texts, st.integers(16, 40), st.integers(1, 8))
def test_with_an_overlap_nothing_is_left_out_either(text, limit, overlap):
    pieces = split(text, "markdown", tokens(text), limit, overlap)
    covered = {i for piece in pieces for i in range(piece.start, piece.end)}
    assert all(text[i].isspace() for i in set(range(len(text))) - covered)
    assert [p.end for p in pieces] == sorted(p.end for p in pieces)


@given(texts, formats)
def test_an_embedder_that_sees_no_tokens_still_gets_pieces_of_bounded_length(text, format):
    assert all(p.end - p.start <= 16 * 40 for p in split(text, format, [], 16))


@pytest.mark.parametrize("text", ["", " ", "\n\n", "\r\n\u2028\x0c"])
def test_a_text_without_anything_visible_gives_no_pieces(text):
    assert cut(text) == cut(text, format="text") == []


def test_a_section_begins_a_new_piece_under_its_headings():
    text = f"# Guide\n\n{words(60)}\n\n## Start\n\n{words(70)}\n\n## Stop\n\n{words(80)}\n"
    pieces = cut(text)
    assert [headings for _, headings in pieces] == [
        ("Guide",), ("Guide", "Start"), ("Guide", "Stop"),
    ]  # fmt: skip
    assert [piece.split("\n")[0] for piece, _ in pieces] == ["# Guide", "## Start", "## Stop"]


def test_tiny_sections_of_one_parent_share_a_piece():
    text = f"# Guide\n\n## A\n\nOne.\n\n## B\n\nTwo.\n\n# Other\n\n{words(190)}\n"
    (first, above), (second, other) = cut(text)
    assert first.startswith("# Guide")
    assert first.endswith("Two.")
    assert above == ("Guide",)
    assert second.startswith("# Other")
    assert other == ("Other",)


def test_a_heading_stays_with_the_block_after_it():
    text = f"{words(150)}\n\n#### Details\n\n{words(100)}\n"
    first, second = (piece for piece, _ in cut(text))
    assert first == words(150)
    assert second.startswith("#### Details")


def test_what_looks_like_a_heading_in_code_is_none():
    text = f"# Real\n\n```sh\n# not a heading\n{words(20)}\n```\n\n> # quoted\n"
    assert cut(text) == [(text.strip(), ("Real",))]


def test_headings_lose_their_markup():
    text = "Set *up* `bot.toml` [here](x)\n=====\n\nText.\n"
    assert cut(text)[0][1] == ("Set up bot.toml here",)
    assert cut("# Set up { #set-up }\n\nText.\n")[0][1] == ("Set up",)
    assert cut("# The set {a, b}\n\nText.\n")[0][1] == ("The set {a, b}",)


def test_blocks_are_whole_where_they_fit():
    code = "```\n" + "x = 1\n" * 30 + "```"
    text = f"{words(150)}\n\n{code}\n\n{words(150)}"
    assert [piece for piece, _ in cut(text)] == [words(150), code, words(150)]


def test_code_that_does_not_fit_is_cut_between_lines():
    text = "```\n" + "value = call(1)\n" * 60 + "```\n"
    pieces = [piece for piece, _ in cut(text, 100)]
    assert len(pieces) > 1
    assert all(line in ("value = call(1)", "```") for p in pieces for line in p.split("\n"))


def test_a_long_list_is_cut_between_items_and_a_long_table_between_rows():
    items = "".join(f"- {words(12)}\n" for _ in range(30))
    assert all(piece.startswith("- ") for piece, _ in cut(items, 100))
    table = "| a | b |\n|---|---|\n" + f"| {words(6)} | {words(6)} |\n" * 30
    assert all(piece.startswith("|") and piece.endswith("|") for piece, _ in cut(table, 100))


def test_the_end_of_a_table_knows_its_columns_although_text_follows_it():
    rows = "".join(f"| Town {n} | {n} |\n" for n in range(30))
    text = f"# Rents\n\n| City | Rent |\n|---|---|\n{rows}\n{words(12)}\n"
    pieces = cut(text, 60)
    assert "Town 29" in pieces[-1][0]
    assert pieces[-1][0].endswith("word")
    assert pieces[0][1] == ("Rents",)
    assert {headings for _, headings in pieces[1:]} == {("Rents", "City | Rent")}


written = st.lists(st.one_of(st.integers(1, 60), st.lists(st.integers(1, 30), min_size=1)))


@given(written, st.integers(16, 60), st.integers(0, 8))
def test_a_piece_that_begins_in_a_table_knows_its_columns_and_no_other_piece_does(
    parts, limit, overlap
):
    text, rows = "", {}
    for number, part in enumerate(parts):
        if isinstance(part, int):
            text += f"{words(part)}\n\n"
            continue
        text += f"| a{number} | b |\n|---|---|\n"
        for length in part:
            row = f"| {words(length)} | x |\n"
            rows |= dict.fromkeys(range(len(text), len(text) + len(row)), f"a{number} | b")
            text += row
        text += "\n"
    for piece in split(text, "markdown", tokens(text), limit):
        columns = rows.get(piece.start)
        assert piece.headings == ((columns,) if columns else ())
    repeated = split(text, "markdown", tokens(text), limit, overlap)
    assert all(piece.headings in {(), *((each,) for each in rows.values())} for piece in repeated)


def test_a_long_paragraph_is_cut_evenly_between_sentences():
    text = " ".join(f"This is sentence number {n} of all." for n in range(30))
    pieces = [piece for piece, _ in cut(text, 200)]
    assert all(piece.startswith("This") and piece.endswith("all.") for piece in pieces)
    assert [len(tokens(piece)) for piece in pieces] == [120, 120]


def test_long_lines_are_paragraphs_and_short_ones_above_them_their_titles():
    first, second = (f"{words(90, word)}." for word in ("one", "two"))
    pieces = [piece for piece, _ in cut(f"{first}\nResults\n{second}\n", 150)]
    assert pieces == [first, f"Results\n{second}"]


def test_wrapped_lines_are_no_paragraphs():
    text = "\n".join(
        f"The sentence {n} begins on one line and\nends on another." for n in range(20)
    )
    assert all(piece.endswith(".") for piece, _ in cut(text, 60))


def test_a_text_without_capitals_is_cut_between_sentences():
    text = " ".join(f"as of {n} the company owed nothing, see e.g. the notes." for n in range(60))
    pieces = [piece for piece, _ in cut(text, 100)]
    assert len(pieces) > 5
    assert all(piece.startswith("as of") and piece.endswith("notes.") for piece in pieces)


def test_chinese_is_cut_after_its_own_full_stops():
    text = "我们今天一起去北京看朋友！" * 100
    spans = [(i, i + 1) for i in range(len(text))]
    pieces = split(text, "text", spans, 100)
    assert len(pieces) > 10
    assert all(text[p.end - 1] == "！" and p.end - p.start <= 100 for p in pieces)


def test_a_sentence_without_an_end_is_cut_between_words_and_a_word_without_one_anywhere():
    assert {len(piece) % 5 for piece, _ in cut(words(1000))} == {4}
    endless = "x" * 1_000_000
    pieces = [piece for piece, _ in cut(endless)]
    assert "".join(pieces) == endless
    assert max(map(len, pieces)) <= 200 * 40


def test_plain_text_is_cut_between_paragraphs_and_knows_no_headings():
    text = f"# {words(120)}\r\n\r\n{words(120)}\r\nstill {words(20)}"
    assert cut(text, format="text") == [
        (f"# {words(120)}", ()), (f"{words(120)}\r\nstill {words(20)}", ()),
    ]  # fmt: skip


def test_an_overlap_repeats_whole_words_within_a_section_only():
    text = f"# A\n\n{words(150, 'aaa')}\n\n# B\n\n{words(300, 'bbb')}\n"
    pieces = [piece for piece, _ in cut(text, 200, overlap=20)]
    assert pieces[1].startswith("# B")
    assert pieces[2].startswith("bbb")
    assert pieces[2].endswith("bbb")
    assert sum(len(tokens(piece)) for piece in pieces) == 152 + 302 + 20 * (len(pieces) - 2)


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_positions_are_right_whatever_ends_a_line(newline):
    lines = ["# One", "", "a\u2028b\x0cc\x85d", "", "## Two", "", "\ttabbed", "", "end"]
    text = newline.join(lines)
    found = [(text[b.start :].split(newline)[0], b.heading) for b in blocks(text)]
    assert ("## Two", 2) in found
    assert ("a\u2028b\x0cc\x85d", 0) in found
    assert ("end", 0) in found


@given(texts, st.integers(1, 80))
def test_a_text_has_the_same_blocks_however_much_is_parsed_at_once(text, window):
    assert list(blocks(text, window)) == list(blocks(text))


def test_a_long_table_is_parsed_in_parts_whose_rows_know_their_columns():
    text = "# A\n\n| a | b |\n|---|---|\n" + "| 1 | 2 |\n" * 500 + "\nend\n"
    found = list(blocks(text, 100))
    assert found == list(blocks(text))
    assert sum(block.columns == "a | b" for block in found) == 500


def test_a_long_list_is_parsed_in_parts_whose_items_stand_in_it():
    text = "# A\n\n" + "- item\n\n  more\n  1. inner\n" * 300 + "\nend\n"
    found = list(blocks(text, 100))
    assert found == list(blocks(text))
    assert [block.depth for block in found[:4]] == [0, 0, 2, 2]
    assert sum(block.depth == 1 for block in found) == 299


def test_an_overlap_must_leave_room_for_something_new():
    with pytest.raises(ValidationError, match="at most half"):
        StructureSettings(max_tokens=100, overlap=51)


async def test_the_built_in_plugin_offers_the_splitter_and_it_splits_by_its_settings():
    plugins = Plugins()
    plugins.register(builtin, "builtin")
    factory = plugins.component("splitter", "structure")
    settings = factory.settings.model_validate({"max_tokens": 16})
    plugins.register(factory.make("splitter", settings, None), "splitter:s")
    document = Document(key="a", text=words(40), format="text")
    pieces, failures = await dispatch.first(
        plugins.manager, "bot_split", only={"splitter:s"}, timeout=None, document=document,
        tokens=tokens(document.text),
    )  # fmt: skip
    assert not failures
    assert [len(document.text[p.start : p.end].split()) for p in pieces] == [14, 13, 13]
