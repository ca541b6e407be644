"""A citation tells the section of its quote, although small sections share a passage."""

import pytest

from bot.location import located
from bot.turn import Passage

SHEETS = """## Offices

| City | Seats |
| --- | --- |
| Bern | 371 |

## Cars ##

| Plate | Seats |
| --- | --- |
| BE 1 | 5 |
"""


def found(text, quote, location="", uri="file:///a.md"):
    readers = frozenset({"everyone"})
    return located(Passage(id="p", text=text, readers=readers, location=location, uri=uri), quote)


def test_the_sheet_of_a_quote_is_told():
    assert found(SHEETS, "| Bern | 371 |", "seats.xlsx") == "seats.xlsx › Offices"
    assert found(SHEETS, "| BE 1 | 5 |", "seats.xlsx") == "seats.xlsx › Cars"


GUIDE = """# Guide

Read it.

## Install

It is easy.

#### On *Windows* [here](x) {#win}

Click twice.

## Remove

Take `rm`.
"""


@pytest.mark.parametrize(
    ("quote", "location", "told"),
    [
        ("Read it.", "Guide", "Guide"),
        ("Click twice.", "Guide", "Guide › Install › On Windows here"),
        ("Click twice.", "Book › Guide › Install", "Book › Guide › Install › On Windows here"),
        ("Take `rm`.", "Guide › page 3", "Guide › Remove › page 3"),
        ("Take `rm`.", "", "Guide › Remove"),
        ("## Remove", "Guide", "Guide › Remove"),
        ("Not there.", "Guide", "Guide"),
        ("", "Guide", "Guide"),
    ],
)
def test_the_headings_above_a_quote_come_between_the_document_and_the_page(quote, location, told):
    assert found(GUIDE, quote, location) == told


def test_section_and_page_are_the_quotes_own():
    text = "## A\n\nOne.\n\n\f\n\n## B\n\nTwo.\n"
    assert found(text, "Two.", "a.pdf › pages 3–4") == "a.pdf › B › page 4"
    assert found(text, "One.", "pages 3–4") == "A › page 3"
    assert found(text, "One.\n\n\f\n\n## B\n\nTwo.", "pages 3–4") == "A › pages 3–4"


@pytest.mark.parametrize("name", ["run.py", "notes.txt", "bot.toml", "repo.git#src/a.sh"])
def test_what_is_a_comment_is_no_heading(name):
    assert found("# The port\nport = 1\n", "port = 1", name, f"file:///{name}") == name


def test_a_heading_in_a_code_block_is_none():
    text = "## Set up\n\n```sh\n# install\nmake all\n```\n\nThen go.\n"
    assert found(text, "Then go.", "a.md") == "a.md › Set up"


def test_no_heading_and_no_location_tell_nothing():
    assert found("Just text, # and more.", "Just text") == ""


def test_what_follows_a_table_does_not_stand_in_its_columns():
    text = "| Town 8 | 9 |\n| Bern | 3 |\n\nPaid | monthly.\n\n### Cars\n\nNone.\n"
    told = "rents.md › Rents › City | Rent"
    assert found(text, "| Bern | 3 |", told) == told
    assert found(text, "Bern", told) == told
    assert found(text, "monthly", told) == "rents.md › Rents"
    assert found(text, "None.", told) == "rents.md › Rents › Cars"
    assert found(text, "monthly", "City | Rent › page 3") == "page 3"
