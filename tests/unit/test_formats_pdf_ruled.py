"""Tables of PDFs with lines around their cells, merged ones too; and what only looks like one."""

import re
from itertools import product

import pytest
from papers import cuts, read, sheets

WIDE, HIGH = 110, 34


def edges(places, style):
    """Draw the edges of a cell: as lines, as one rectangle, or as areas as thin as lines."""
    rows, columns = zip(*places, strict=True)
    left, right = 72 + WIDE * min(columns), 72 + WIDE * (max(columns) + 1)
    top, bottom = -HIGH * min(rows), -HIGH * (max(rows) + 1)
    sides = [(left, top, right, top), (left, bottom, right, bottom),
             (left, bottom, left, top), (right, bottom, right, top)]  # fmt: skip
    if style == "rectangles":
        return [f"{left} {bottom} {right - left} {top - bottom} re S"]
    if style == "areas":
        return [f"{x} {y} {to_x - x or 0.5} {to_y - y or 0.5} re f" for x, y, to_x, to_y in sides]
    if style == "open":  # nothing to the left and to the right of the table
        sides = [side for side in sides if side[0] != side[2] or side[0] not in (72, 72 + WIDE * 4)]
    return [f"{x} {y} m {to_x} {to_y} l S" for x, y, to_x, to_y in sides]


def drawn(*rows, top=700, style="lines"):
    """Draw a table: `^` is merged with the cell above, `<` with the one to its left.

    The cells of a row are separated by `|`, the lines of a cell by `/`; `*` makes it bold.
    """
    cells = [row.split("|") for row in rows]
    merged = {}
    for row, column in product(range(len(cells)), range(len(cells[0]))):
        text = cells[row][column]
        other = (row - 1, column) if text == "^" else (row, column - 1) if text == "<" else None
        merged[row, column] = merged[other] if other else (row, column)
    shown = [f"1 0 0 1 0 {top} cm"]
    for cell in dict.fromkeys(merged.values()):
        places = [place for place, of in merged.items() if of == cell]
        shown += edges(places, style)
        lines = cells[cell[0]][cell[1]].split("/")
        middle = -HIGH * (places[0][0] + places[-1][0] + 1) / 2 + 5 * (len(lines) - 1) - 3
        for number, line in enumerate(lines):
            font, text = ("F2" if line.startswith("*") else "F1"), line.removeprefix("*")
            x, y = 76 + WIDE * cell[1], middle - 10 * number
            shown.append(f"BT /{font} 9 Tf {x} {y} Td ({text}) Tj ET")
    return "q " + "\n".join(shown) + " Q\n"


def text(string, x=72, y=740, font="F1"):
    return f"\nBT /{font} 9 Tf {x} {y} Td ({string}) Tj ET\n"


RENTS = (
    "*Region|*City|*Rent|<",
    "^|^|*2023|*2024",
    "North|Oslo|12|13",
    "^|Bergen,/where it/rains|9|10",
    "^|Bod|none|<",
    "Islands|<|<|<",
    "South|Rome|20|21",
)


@pytest.mark.parametrize("style", ["lines", "rectangles", "areas"])
def test_what_is_merged_counts_for_each_row_and_column_that_it_covers(style):
    page = text("Rents follow.") + drawn(*RENTS, style=style) + text("These are all.", y=440)
    said = (
        "Rents follow.\n\n"
        "| Region | City | Rent 2023 | Rent 2024 |\n| --- | --- | --- | --- |\n"
        "| North | Oslo | 12 | 13 |\n"
        "| North | Bergen, where it rains | 9 | 10 |\n"
        "| North | Bod | none | none |\n"
        "| Islands |  |  |  |\n"
        "| South | Rome | 20 | 21 |\n\n"
        "These are all."
    )
    assert read("a.pdf", sheets(page)).text == said


def test_a_table_without_lines_at_its_sides_is_one():
    table = drawn(*RENTS[:5], style="open")
    assert read("a.pdf", sheets(table)).text.endswith(
        "| North | Bergen, where it rains | 9 | 10 |\n| North | Bod | none | none |"
    )


def test_every_piece_of_such_a_table_knows_its_columns():
    rows = [f"{f'Region {n}' if n % 3 == 0 else '^'}|Town {n}|{n}|{n + 1}" for n in range(18)]
    document = read("a.pdf", sheets(drawn(*RENTS[:2], *rows, top=780)))
    pieces = cuts(document, 50)
    assert len(pieces) > 3
    assert "| Region 15 | Town 17 | 17 | 18 |" in pieces[-1][1]
    assert all(headings == ("Region | City | Rent 2023 | Rent 2024",) for headings, _ in pieces[1:])


def test_a_title_over_all_columns_stands_above_the_table():
    table = drawn("*Rents of all towns|<|<", "*City|*Now|*Then", "Oslo|low|high", "Rome|^|low")
    assert read("a.pdf", sheets(table)).text == (
        "Rents of all towns\n\n| City | Now | Then |\n| --- | --- | --- |\n"
        "| Oslo | low | high |\n| Rome | low | low |"
    )


@pytest.mark.parametrize("again", [(), ("*City|*Rent|<", "^|*2024|*2025")])
def test_a_ruled_table_that_goes_on_on_the_next_page_keeps_its_columns(again):
    first = drawn("*City|*Rent|<", "^|*2024|*2025", "Oslo|12|13", "Bergen|9|9")
    second = drawn(*again, "Rome|20|21", "Bern|^|^", "Nice|7|8") + text("End.", y=300)
    one, two = read("a.pdf", sheets(first, second)).text.split("\n\n\f\n\n")
    assert one.endswith("| Bergen | 9 | 9 |")
    assert two == (
        "| City | Rent 2024 | Rent 2025 |\n| --- | --- | --- |\n| Rome | 20 | 21 |\n"
        "| Bern | 20 | 21 |\n| Nice | 7 | 8 |\n\nEnd."
    )


def test_names_of_columns_need_no_other_letters_above_numbers():
    table = drawn("Place|Seats|<", "^|inside|outside", "Oslo|12|13", "Rome|9|^")
    assert "| Place | Seats inside | Seats outside |" in read("a.pdf", sheets(table)).text


def test_words_that_nearly_touch_a_line_stand_on_their_side_of_it():
    table = drawn("*City|*Rent", "A very long name here|low", "Another name, as long|high")
    assert "| A very long name here | low |" in read("a.pdf", sheets(table)).text


def barred(*rows, bars, top=700):
    """Draw a table's rows, and lines across: full ones above some rows, short ones below cells.

    Args:
        bars: numbers of rows; a pair of columns beside it makes a short line.
    """
    shown = []
    for number, row in enumerate(rows):
        for column, cell in enumerate(row.split("|")):
            x = 76 + WIDE * column + 30 * cell.count(">")
            shown.append(text(cell.strip(">"), x, top - 12 * number) if cell.strip(">") else "")
    for bar in bars:
        number, first, last = bar if isinstance(bar, tuple) else (bar, 0, rows[0].count("|") + 1)
        y = top + 10 - 12 * number
        shown.append(f"{72 + WIDE * first} {y} m {68 + WIDE * last} {y} l S\n")
    return "\n".join(shown)


def test_a_table_between_lines_that_only_go_across_has_its_names_above_the_second():
    rows = ("|>>Recall||", "Model|at 1|at 10|Notes", "Words|.61|.80|old",
            "Meaning|.66|.85|slow, to", "|||build", "Both|none|none|new")  # fmt: skip
    page = text("Prose.") + barred(*rows, bars=[0, (1, 1, 3), 2, 6]) + text("More.", y=600)
    assert read("a.pdf", sheets(page)).text == (
        "Prose.\n\n| Model | Recall at 1 | Recall at 10 | Notes |\n| --- | --- | --- | --- |\n"
        "| Words | .61 | .80 | old |\n| Meaning | .66 | .85 | slow, to build |\n"
        "| Both | none | none | new |\n\nMore."
    )


def test_each_of_two_tables_of_one_width_is_one_and_what_stands_between_them_is_prose():
    first, second = (barred("Word|Meaning", f"{n} cats|felines", f"{n} dogs|canines",
                            bars=[0, 1, 3], top=700 - 60 * n) for n in (0, 1))  # fmt: skip
    page = first + text("And so:", y=655) + second
    assert [line for line in read("a.pdf", sheets(page)).text.splitlines() if line] == [
        "| Word | Meaning |", "| --- | --- |", "| 0 cats | felines |", "| 0 dogs | canines |",
        "And so:",
        "| Word | Meaning |", "| --- | --- |", "| 1 cats | felines |", "| 1 dogs | canines |",
    ]  # fmt: skip


PROSE = "The quick brown fox/runs over the dog/and into the wood/where it is dark"
L_SHAPED = "72 700 m 72 640 l S 182 700 m 182 640 l S 292 700 m 292 660 l S 72 700 m 292 700 l S " \
           "72 680 m 182 680 l S 72 660 m 292 660 l S 72 640 m 182 640 l S"  # fmt: skip


@pytest.mark.parametrize(
    "page",
    [
        # Forms: answers beside their names, in one kind of letters or two; with nothing filled in.
        drawn("Name|Otto|Department|Sales", "Street|Main|<|<", "City|Bern|Country|Home"),
        drawn("*Name|Otto|*Department|Sales", "*Street|Main|<|<", "*City|Bern|*Country|Home"),
        drawn("*Name|*Department|*Country", "||", "||", "||"),
        drawn("*Name:|*Phone:", "Otto|371", "Ann|372"),
        drawn("Name|Otto", "Phone|Ext. 12", "Room|B 12"),
        # Prose in columns with a line between them, and in boxes.
        "182 720 m 182 600 l S 72 720 m 300 720 l S\n" + text("One column", y=700)
        + text("goes down.", y=690) + text("The other", 190, 700) + text("too.", 190, 690),
        "".join(drawn(PROSE, top=700 - 100 * n) for n in range(3)),
        # A footnote, words with lines below them, a box around a word, a chart with its axes.
        "72 600 m 200 600 l S\n" + text("1 A note.", y=590) + text("Text.", y=640),
        "".join(f"72 {y - 2} m 120 {y - 2} l S\n" + text("Word", y=y) for y in (700, 680, 660)),
        "70 695 30 14 re S\n" + text("Boxed", y=700),
        "".join(f"100 {y} m 400 {y} l S\n" + text(str(y), 72, y - 3) for y in (500, 600, 700))
        + "".join(f"{x} 500 m {x} 700 l S\n" + text(str(x), x - 5, 485) for x in (100, 250, 400)),
        # Lines between the parts of a page, and below the lines of a form.
        "".join(f"72 {y} m 500 {y} l S\n" for y in (710, 690, 640, 620))
        + text("Left", y=695) + text("Right", 400, 695) + text("Prose of one column", y=670)
        + text("goes on and on.", y=658) + text("End", y=628),
        barred("Name|Otto", "Street|Main", "Town|Bern", bars=[0, 1, 2, 3]),
        barred("Heading|", "One column of|the other one", "goes on here,|goes on there,",
               "and ends.|and ends.", bars=[0, 1, 4]),
        # What is no table by its shape: a cell around a corner.
        L_SHAPED + text("One", 76, 688, "F2") + text("Two", 190, 688) + text("Three", 76, 668)
        + text("Four", 190, 648) + text("Five", 76, 648),
    ],
)  # fmt: skip
def test_what_has_lines_around_it_is_not_always_a_table(page):
    without = re.sub(r"^(?!BT).* [Sf]$", "", page, flags=re.MULTILINE)
    told = read("a.pdf", sheets(without)).text
    assert "---" not in told
    assert read("a.pdf", sheets(page)).text == told


def test_a_page_with_a_drawing_of_many_lines_is_read_as_text():
    lines = "".join(f"{n % 600} {n // 600 * 9} m {n % 600} {n // 600 * 9 + 8} l S\n"
                    for n in range(30_000))  # fmt: skip
    crossing = "".join(f"{n} 0 m {n} 700 l S 0 {n} m 600 {n} l S\n" for n in range(4, 700, 4))
    assert read("a.pdf", sheets(lines + text("A map."), crossing + text("A net."))).text == (
        "A map.\n\n\f\n\nA net."
    )
