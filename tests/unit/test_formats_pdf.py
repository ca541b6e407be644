"""What becomes of PDFs: title, headings, pages, and tables told by the white between columns."""

import pytest
from papers import cuts, pdf, read

from bot.errors import DocumentError

HANDBOOK = pdf(
    [(20, "Employee Handbook"), (11, "Everybody has thirty days of leave."), (11, ""),
     (11, "A second paragraph stands here."), (14, "Parental leave"), (11, "Fourteen weeks.")],
    [(11, "# and more of them."), (14, "Sick leave"), (11, "Call before nine.")],
)  # fmt: skip


def test_a_pdf_has_its_headings_paragraphs_and_pages():
    document = read("a.pdf", HANDBOOK)
    assert document.title == "Employee Handbook"
    assert document.text.split("\n\n") == [
        "# Employee Handbook",
        "Everybody has thirty days of leave.",
        "A second paragraph stands here.",
        "## Parental leave",
        "Fourteen weeks.",
        "\f",
        "\\# and more of them.",
        "## Sick leave",
        "Call before nine.",
    ]


def test_a_passage_of_a_pdf_tells_its_page():
    pieces = {text: headings for headings, text in cuts(read("a.pdf", HANDBOOK), 16)}
    sick = next(headings for text, headings in pieces.items() if "before nine" in text)
    assert sick == ("Employee Handbook", "Sick leave", "page 2")
    days = next(headings for text, headings in pieces.items() if "thirty days" in text)
    assert days[-1] == "page 1"


def test_a_passage_over_two_pages_tells_both():
    document = read("a.pdf", pdf([(11, "One.")], [(11, "Two.")], [(11, "Three.")]))
    assert cuts(document, 200) == [(("pages 1–3",), "One.\n\n\f\n\nTwo.\n\n\f\n\nThree.")]


def test_running_heads_of_a_pdf_are_left_out():
    pages = [[(9, "Secret of ACME"), (11, f"Text of sheet {n} here."), (9, f"Page {n} of 5")]
             for n in range(1, 6)]  # fmt: skip
    text = read("a.pdf", pdf(*pages)).text
    assert "ACME" not in text
    assert "of 5" not in text
    assert all(f"Text of sheet {n} here." in text for n in range(1, 6))


def test_the_title_in_a_pdf_counts_unless_a_program_wrote_it():
    page = [(11, "Text.")]
    assert read("a.pdf", pdf(page, title="Leave policy")).title == "Leave policy"
    assert read("a.pdf", pdf(page, title="Microsoft Word - x.doc")).title == "a.pdf"


def test_pdfs_that_cannot_be_read_are_told_apart():
    with pytest.raises(DocumentError, match="OCR"):
        read("a.pdf", pdf([]))
    with pytest.raises(DocumentError, match="no PDF"):
        read("a.pdf", b"%PDF-1.7\nnothing")


def test_ten_thousand_pages_are_read():
    document = read("a.pdf", pdf(*([(11, f"Number {n}.")] for n in range(10_000))))
    assert document.text.count("\f") == 9_999
    assert "Number 9999." in document.text


TOWNS = [(11, f"Town {n}|{n} seats|>{n}.50") for n in range(1, 31)]


def test_a_table_of_a_pdf_tells_its_columns_to_every_piece():
    page = [(11, "Rents follow."), (11, ""), (11, "City|Seats|Rent"), *TOWNS, (11, ""),
            (11, "These are all.")]  # fmt: skip
    document = read("a.pdf", pdf(page))
    assert document.text.startswith(
        "Rents follow.\n\n| City | Seats | Rent |\n| --- | --- | --- |\n| Town 1 | 1 seats | 1.50 |"
    )
    assert document.text.endswith("| Town 30 | 30 seats | 30.50 |\n\nThese are all.")
    pieces = {text: headings for headings, text in cuts(document, 60)}
    for number in (8, 16, 24):
        (headings,) = (pieces[text] for text in pieces if f"Town {number} " in text)
        assert headings == ("City | Seats | Rent",)


@pytest.mark.parametrize("again", [[], [(11, "City|Seats|Rent")]])
def test_a_table_that_goes_on_on_the_next_page_keeps_its_columns(again):
    pages = [(11, "City|Seats|Rent"), *TOWNS[:15]], [*again, *TOWNS[15:], (11, ""), (11, "End.")]
    first, second = read("a.pdf", pdf(*pages)).text.split("\n\n\f\n\n")
    assert first.endswith("| Town 15 | 15 seats | 15.50 |")
    assert second.startswith(
        "| City | Seats | Rent |\n| --- | --- | --- |\n| Town 16 | 16 seats | 16.50 |\n"
    )
    assert second.count("City") == 1
    assert second.endswith("| Town 30 | 30 seats | 30.50 |\n\nEnd.")


def test_a_cell_of_several_lines_is_one_and_a_cell_may_be_empty():
    page = [(11, "*Word|Meaning"), (11, "chunk|a piece of"), (11, "|a document"), (11, "turn|a"),
            (11, "void")]  # fmt: skip
    assert read("a.pdf", pdf(page)).text.splitlines()[2:] == [
        "| chunk | a piece of a document |",
        "| turn | a |",
        "| void |  |",
    ]
    page = [(11, "City|Seats|Rent"), (11, "Bern|9|1"), (11, "|8|2"), (11, "Oslo||3")]
    assert read("a.pdf", pdf(page)).text.splitlines()[3:] == ["|  | 8 | 2 |", "| Oslo |  | 3 |"]


@pytest.mark.parametrize(
    "lines",
    [
        ["Name:|Otto", "Phone:|371", "Room:|12"],
        ["Name|Otto", "Phone|Ext. 12", "Room|B 12"],
        ["one|two", "three|four", "five|six"],
        ["4|CARD", "4|OFFSET", "4|LENGTH"],
        ["City|Seats", "Bern|371"],
        ["*" + "|".join(["Everything stands in columns"] * 2)]
        + ["|".join(["goes on."] * 2)] + ["So it goes on and on.|" + 60 * "x"] * 3,
        ["Offices|Cars", "of all the towns where we are|there", "9|9"],
    ],
)  # fmt: skip
def test_what_stands_in_columns_is_not_always_a_table(lines):
    text = read("a.pdf", pdf([(11, line) for line in lines])).text
    assert "---" not in text
    assert "".join(text.split()).startswith("".join(lines[0].strip("*").replace("|", "").split()))
