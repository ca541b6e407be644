"""Text from outside never commands a terminal and always fits the database."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.text import cleaned, printable, storable

ESC, BEL, ST = "\x1b", "\x07", "\x1b\\"
ODD = st.text(
    alphabet=st.characters(codec=None)
    | st.sampled_from("\x00\x07\t\n\r\x1b[]0;m8\\\x7f\x80\x9b\x9d\u202e\u2066\u200f\ud800é")
)
FORBIDDEN = {chr(c) for c in [*range(32), *range(0x7F, 0xA0)]} - {"\t", "\n"} | set(
    "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
)


@pytest.mark.parametrize("character", sorted(FORBIDDEN))
def test_no_control_character_is_printed(character):
    assert character not in printable(f"a{character}b")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"{ESC}[31mred{ESC}[0m", "red"),
        (f"{ESC}[2J{ESC}[1;1Hcleared", "cleared"),
        (f"{ESC}[?25lcursor", "cursor"),
        (f"{ESC}]0;title{BEL}text", "text"),
        (f"{ESC}]8;;http://evil{ST}good{ESC}]8;;{ST}", "good"),
        (f"{ESC}]52;c;ZXZpbA=={BEL}clipboard", "clipboard"),
        (f"lone{ESC}", "lone"),
        (f"{ESC}{ESC}[1mtwice", "twice"),
        ("admin\u202etxt.exe", "admintxt.exe"),
        ("one\r\ntwo\tthree", "one\ntwo\tthree"),
        ("over\rwritten", "overwritten"),
        ("plain – ‘text’ 中文 é 👍🏽", "plain – ‘text’ 中文 é 👍🏽"),
    ],
)
def test_sequences_are_removed_whole(text, shown):
    assert printable(text) == shown


def test_an_unfinished_sequence_hides_no_text():
    assert "all the rest" in printable(f"{ESC}]0;title and all the rest\nof the page")


@given(ODD)
def test_printable_text_is_harmless_writable_and_stays_so(text):
    shown = printable(text)
    assert not FORBIDDEN & set(shown)
    shown.encode()
    assert printable(shown) == shown


@given(st.lists(ODD))
def test_pieces_of_a_stream_are_as_harmless_as_the_whole(pieces):
    assert not FORBIDDEN & set("".join(map(printable, pieces)))


@given(ODD)
def test_storable_text_fits_the_database(text):
    stored = storable(text)
    assert "\0" not in stored
    stored.encode()
    assert unicodedata.is_normalized("NFC", stored)
    assert storable(stored) == stored


@given(ODD)
def test_cleaned_text_keeps_its_characters(text):
    kept = cleaned(text)
    assert "\0" not in kept
    kept.encode()
    sound = "".join(c for c in text if c != "\0" and not 0xD800 <= ord(c) < 0xE000)
    assert [c for c in kept if c != "?"] == [c for c in sound if c != "?"]


def test_storable_composes():
    assert storable("e\u0301") == "é"
    assert cleaned("e\u0301") == "e\u0301"
