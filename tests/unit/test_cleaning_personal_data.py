"""What the built-in detector of personal data finds, and what it leaves alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.document import PersonalData
from bot.indexing.personal import personal_data
from bot.indexing.redaction import replaced


def found(text):
    return [(each.kind, text[each.start : each.end]) for each in personal_data(text)]


@pytest.mark.parametrize(
    ("kind", "written"),
    [
        ("email", "ann@example.com"),
        ("email", "first.last+tag@sub.example.co.uk"),
        ("email", "büro@müller.example"),
        ("iban", "DE89 3704 0044 0532 0130 00"),
        ("iban", "GB82WEST12345698765432"),
        ("iban", "ch93 0076 2011 6238 5295 7"),
        ("card", "4111 1111 1111 1111"),
        ("card", "378282246310005"),
        ("card", "5555-5555-5555-4444"),
        ("phone", "+49 30 901820"),
        ("phone", "+1 (415) 555-2671"),
        ("phone", "0041 44 668 18 00"),
        ("phone", "030 / 90 18 20".replace(" / ", "/")),
        ("phone", "(030) 901820"),
        ("phone", "415-555-2671"),
        ("phone", "13812345678"),
    ],
)
@pytest.mark.parametrize("around", ["{}", "Write to {}.", "请联系 {} 谢谢", "({}), or", "a: {}\nb"])
def test_what_is_found(kind, written, around):
    assert (kind, written) in found(around.format(written))


@pytest.mark.parametrize(
    "text",
    [
        "DE88370400440532013000",  # wrong check digits
        "GB82 WEST 1234 5698",  # too short for its country
        "4111 1111 1111 1112",
        "0000 0000 0000 0000",
        "on 2024-05-17, at 10:30:00, and on 17.05.2024",
        "version 1.2.3.4 of 10.0.0.1 and 192.168.100.200",
        "costs 1,234,567.89 or 1.234.567,89 in total",
        "@dataclass and user@host without a domain",
        "ISBN 978-3-16-148410-1x",
        "0x1F600 0.123456789 1e10",
        "in 1999 2000 2001 and 2002",
        "commit 0123456789abcdef0123",
        "§ 0815, no. 4711",
    ],
)
def test_what_is_left_alone(text):
    assert found(text) == []


def test_words_after_an_iban_are_no_part_of_it():
    text = "to DE89370400440532013000 until May"
    assert found(text) == [("iban", "DE89370400440532013000")]


def test_spans_are_replaced_by_their_kinds_and_those_that_overlap_once():
    spans = [
        PersonalData(start=3, end=8, kind="b"),
        PersonalData(start=0, end=5, kind="a"),
        PersonalData(start=9, end=99, kind="c"),
        PersonalData(start=4, end=4, kind="nothing"),
    ]
    assert replaced("0123456789", spans) == ("[a]8[c]", 2)


@given(st.text(max_size=300), st.lists(st.tuples(st.integers(-5, 320), st.integers(-5, 320))))
def test_all_of_every_span_is_gone_and_all_else_is_kept(text, spans):
    given_spans = [PersonalData(start=a, end=b, kind="") for a, b in spans]
    hit = {i for a, b in spans for i in range(max(a, 0), min(b, len(text)))}
    left = "".join(each for i, each in enumerate(text) if i not in hit)
    assert replaced(text, given_spans)[0].replace("[]", "") == left.replace("[]", "")


@given(st.text(alphabet="0123456789 +-().@aZ.,\n", max_size=400))
def test_spans_lie_in_the_text(text):
    for each in personal_data(text):
        assert 0 <= each.start < each.end <= len(text)


@pytest.mark.parametrize("piece", ["1 ", "a@", "a.", "0", "DE12 ", "+1(", "a@b.", "(0", "1-"])
def test_a_long_text_that_nearly_matches_everywhere_comes_to_an_end(piece):
    text = piece * 200_000  # quadratic work would take hours
    assert all(each.end <= len(text) for each in personal_data(text))
