"""What becomes of documents that programs write: title, headings and tables survive."""

import io
import json
import zipfile

import pytest
import xlsxwriter
from papers import cuts, docx, paragraph, read
from pptx import Presentation
from pptx.chart.data import CategoryChartData
from pptx.enum.chart import XL_CHART_TYPE
from pptx.util import Inches

from bot.errors import DocumentError


def test_a_word_document_has_title_headings_and_tables():
    table = "".join(
        f"<w:tr>{''.join(f'<w:tc>{paragraph(cell)}</w:tc>' for cell in row)}</w:tr>"
        for row in (("City", "Seats"), ("Bern", "3"))
    )
    document = read(
        "a.docx",
        docx(paragraph("The plan", "Title") + paragraph("Offices", "heading1")
             + paragraph("All of them:") + f"<w:tbl>{table}</w:tbl>"),
    )  # fmt: skip
    assert document.title == "The plan"
    assert document.text == (
        "# The plan\n\n# Offices\n\nAll of them:\n\n| City | Seats |\n| --- | --- |\n| Bern | 3 |\n"
    )


@pytest.mark.parametrize("name", ["a.docx", "a.pptx"])
def test_an_archive_that_unpacks_to_gigabytes_is_refused_before_it_does(name):
    bomb = io.BytesIO(docx(paragraph("Text.")))
    with (
        zipfile.ZipFile(bomb, "a", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("word/comments.xml", "w") as part,
    ):
        for _ in range(21):
            part.write(bytes(10_000_000))
    with pytest.raises(DocumentError, match="unpacks to more than 200,000,000 bytes"):
        read(name, bomb.getvalue())


def test_a_presentation_has_slides_tables_and_notes():
    shown = Presentation()
    slide = shown.slides.add_slide(shown.slide_layouts[1])
    slide.shapes.title.text = "Third quarter"
    slide.placeholders[1].text = "Ship it\nTell people"
    table = slide.shapes.add_table(2, 2, *[Inches(1)] * 4).table
    for row, column, text in ((0, 0, "City"), (0, 1, "Seats"), (1, 0, "Bern"), (1, 1, "3|4")):
        table.cell(row, column).text = text
    slide.notes_slide.notes_text_frame.text = "Say it slowly."
    shown.slides.add_slide(shown.slide_layouts[5]).shapes.title.text = "Questions"
    written = io.BytesIO()
    shown.save(written)
    document = read("a.pptx", written.getvalue())
    assert document.title == "Third quarter"
    assert document.text == (
        "# Third quarter\n\n- Ship it\n- Tell people\n\n| City | Seats |\n| --- | --- |\n"
        "| Bern | 3\\|4 |\n\nSay it slowly.\n\n\f\n\n# Questions"
    )
    assert [headings for headings, _ in cuts(document, 16)][-1] == ("Questions", "slide 2")


@pytest.mark.parametrize("kind", [XL_CHART_TYPE.COLUMN_CLUSTERED, XL_CHART_TYPE.PIE])
def test_a_chart_of_a_presentation_is_the_numbers_that_it_shows(kind):
    shown = Presentation()
    numbers = CategoryChartData()
    numbers.categories = ["Q1", "Q2"]
    numbers.add_series("Sales", (1.5, 2))
    slide = shown.slides.add_slide(shown.slide_layouts[6])
    chart = slide.shapes.add_chart(kind, *[Inches(1)] * 4, numbers).chart
    chart.chart_title.text_frame.text = "Sales of 2026"
    written = io.BytesIO()
    shown.save(written)
    assert read("a.pptx", written.getvalue()).text == (
        "Sales of 2026\n\n|  | Sales |\n| --- | --- |\n| Q1 | 1.5 |\n| Q2 | 2 |"
    )


def test_a_presentations_merged_cells_count_for_all_and_hidden_slides_keep_their_number():
    shown = Presentation()
    slides = [shown.slides.add_slide(shown.slide_layouts[6]) for _ in range(2)]
    table = slides[1].shapes.add_table(4, 3, *[Inches(1)] * 4).table
    for row, texts in enumerate((["City", "Rent", ""], ["", "now", "then"],
                                 ["Bern", "9", "8"], ["", "7", "6"])):  # fmt: skip
        for column, text in enumerate(texts):
            table.cell(row, column).text = text
    for row, column, to_row, to_column in ((0, 0, 1, 0), (0, 1, 0, 2), (2, 0, 3, 0)):
        table.cell(row, column).merge(table.cell(to_row, to_column))
    slides[0].shapes.add_textbox(*[Inches(1)] * 4).text_frame.text = "not shown"
    slides[0].element.set("show", "0")
    written = io.BytesIO()
    shown.save(written)
    document = read("a.pptx", written.getvalue())
    rows = "| Bern | 9 | 8 |\n| Bern | 7 | 6 |"
    assert (
        document.text.strip()
        == (f"\f\n\n| City | Rent now | Rent then |\n| --- | --- | --- |\n{rows}").strip()
    )
    assert [headings for headings, _ in cuts(document, 100)] == [("slide 2",)]


def test_a_workbook_has_its_visible_sheets_and_pieces_know_their_columns():
    written = io.BytesIO()
    with xlsxwriter.Workbook(written) as workbook:
        offices = workbook.add_worksheet("Offices")
        offices.write_row(1, 1, ["City", "Seats", "Rent"])
        for row in range(30):
            offices.write_row(row + 3, 1, [f"Town {row}", row, 1.5])
        workbook.add_worksheet("Wages").hide()
        workbook.get_worksheet_by_name("Wages").write(0, 0, "hidden")
    document = read("a.xlsx", written.getvalue())
    assert document.title == "a.xlsx"
    assert document.text.startswith(
        "## Offices\n\n| City | Seats | Rent |\n| --- | --- | --- |\n| Town 0 | 0 | 1.5 |\n"
    )
    assert "hidden" not in document.text
    headings, last = cuts(document, 60)[-1]
    assert headings == ("Offices", "City | Seats | Rent")
    assert "Town 29" in last


def test_what_is_merged_in_a_sheet_counts_for_each_row_and_column_below_its_title():
    written = io.BytesIO()
    with xlsxwriter.Workbook(written) as workbook:
        sheet = workbook.add_worksheet("Rents")
        for places, text in (("B2:E2", "# Rents"), ("B4:B5", "Region"), ("C4:C5", "City"),
                             ("D4:E4", "Rent"), ("B6:B7", "North"), ("D7:E7", "a|b"),
                             ("A9:C900", "")):  # fmt: skip
            sheet.merge_range(places, text)
        sheet.write_row("D5", [2023, 2024])
        sheet.write_row("C6", ["Oslo", 12, 13])
        sheet.write("C7", "Bergen")
        sheet.write_row("B8", ["South", "Rome", 20])
        sheet.write_formula("E8", "=D8+1", None, 21)
    assert read("a.xlsx", written.getvalue()).text == (
        "## Rents\n\n\\# Rents\n\n| Region | City | Rent 2023 | Rent 2024 |\n"
        "| --- | --- | --- | --- |\n| North | Oslo | 12 | 13 |\n"
        "| North | Bergen | a\\|b | a\\|b |\n| South | Rome | 20 | 21 |\n"
    )


def test_a_line_above_the_names_of_the_columns_is_a_tables_title():
    assert read("a.csv", "Staff of 2024\n\nName,City\nAnn,Bern\n").text == (
        "Staff of 2024\n\n| Name | City |\n| --- | --- |\n| Ann | Bern |\n"
    )
    assert read("a.csv", "a\nb\nc\nd\ne,f\ng,h\n").text.startswith("| a |  |\n| --- | --- |\n| b |")


def test_a_workbook_that_claims_a_million_rows_has_those_that_it_has():
    written, claims = io.BytesIO(), io.BytesIO()
    with xlsxwriter.Workbook(written) as workbook:
        workbook.add_worksheet("Rooms").write_column(0, 0, ["Room", "Oslo"])
    with zipfile.ZipFile(written) as old, zipfile.ZipFile(claims, "w") as new:
        for name in old.namelist():
            new.writestr(name, old.read(name).replace(b'ref="A1:A2"', b'ref="A1:XFD1048576"'))
        assert b"XFD1048576" in new.read("xl/worksheets/sheet1.xml")
    assert read("a.xlsx", claims.getvalue()).text == "## Rooms\n\n| Room |\n| --- |\n| Oslo |\n"


@pytest.mark.parametrize(
    "written",
    ["name;city\nAnn;Bern\n", 'name,city\n"Ann","Bern"\n', "name\tcity\r\nAnn\tBern",
     "sep=|\r\nname|city\r\nAnn|Bern", 'name, city\n"Ann", "Bern"\n', "\ufeffname;city\nAnn;Bern"],
)  # fmt: skip
def test_csv_becomes_a_table_whatever_stands_between_the_cells(written):
    assert read("a.csv", written).text == "| name | city |\n| --- | --- |\n| Ann | Bern |\n"


def test_a_cell_of_a_csv_may_hold_lines_quotes_and_what_parts_others():
    written = '\ufeff"Name";"Note"\r\n"Ann";"two\nlines; ""so"", he said"\r\nBob;3,50\r\n'
    assert read("a.csv", written).text == (
        '| Name | Note |\n| --- | --- |\n| Ann | two lines; "so", he said |\n| Bob | 3,50 |\n'
    )
    assert read("a.csv", "Name;Price\nBread, dark;3,50\nMilk, fresh;1,20\n").text == (
        "| Name | Price |\n| --- | --- |\n| Bread, dark | 3,50 |\n| Milk, fresh | 1,20 |\n"
    )


def test_what_parts_the_cells_is_found_soon_whatever_the_file_holds():
    assert read("a.csv", "name,note\n" + '"\n' * 30_000 + '"').text.startswith("| name | note |")


def test_a_notebook_keeps_text_and_code():
    notebook = {
        "metadata": {"language_info": {"name": "julia"}},
        "cells": [
            {"cell_type": "markdown", "source": ["# Study\n", "Why."]},
            {"cell_type": "code", "source": "f(1)", "outputs": [{"text": "printed"}]},
        ],
    }
    document = read("a.ipynb", json.dumps(notebook))
    assert (document.title, document.text) == ("Study", "# Study\nWhy.\n\n```julia\nf(1)\n```\n")
    with pytest.raises(DocumentError, match="no notebook"):
        read("a.ipynb", "[]")


def test_what_is_damaged_in_a_notebook_spoils_nothing_else():
    cells = [
        {"cell_type": "markdown", "source": None},
        {"source": "untyped"},
        "no cell",
        {
            "cell_type": "code",
            "source": ['text = """\n', "```\n", '"""'],
            "outputs": ["x" * 100_000],
        },
        {"cell_type": "markdown", "source": "```\nleft open"},
        {"cell_type": "heading", "level": "two", "source": "After"},
    ]
    document = read("a.ipynb", json.dumps({"metadata": None, "cells": cells}))
    assert document.text == (
        'untyped\n\n````python\ntext = """\n```\n"""\n````\n\n```\nleft open\n```\n\n# After\n'
    )
    assert document.title == "After"


RST = """Guide
=====

See :ref:`the part <part>` and :py:func:`~a.run`.

.. toctree::
   :maxdepth: 2

   other

.. code-block:: python
   :emphasize-lines: 1

   import os

.. py:function:: run(x)

   Runs it.

Part
----

=====  =====
City   Seats
=====  =====
Bern   3
=====  =====

.. include:: /etc/hostname
.. raw:: html

   <script>alert(1)</script>
"""


def test_restructured_text_keeps_what_sphinx_adds_and_reads_no_other_file():
    document = read("a.rst", RST)
    assert document.title == "Guide"
    assert document.text == (
        "# Guide\n\nSee the part and `a.run`.\n\n```python\nimport os\n```\n\n**run(x)**\n\n"
        "Runs it.\n\n## Part\n\n| City | Seats |\n| --- | --- |\n| Bern | 3 |\n"
    )


def test_notes_warnings_and_footnotes_of_restructured_text_are_kept(tmp_path):
    (tmp_path / "secret.csv").write_text("xyzzy,plugh")
    written = (
        "Guide\n=====\n\nGo [1]_.\n\n.. warning:: It is hot.\n\n.. topic:: Aside\n\n   A topic.\n\n"
        f".. csv-table:: Read\n   :file: {tmp_path}/secret.csv\n\n.. [1] A footnote.\n"
    )
    text = read("a.rst", written).text
    assert all(said in text for said in ("It is hot.", "Aside", "A topic.", "A footnote."))
    assert "xyzzy" not in text


def test_source_code_is_cut_before_definitions_and_pieces_know_where_they_stand():
    source = "import os\n\n\n" + "".join(
        f"# About {name}.\n@decorated\nclass {name}:\n    def run(self):\n        return 1\n\n\n"
        for name in ("Cat", "Dog")
    )
    document = read("a.py", source)
    assert document.text == source
    pieces = cuts(document, 30)
    assert [text.splitlines()[0] for _, text in pieces] == ["import os", "# About Dog."]
    assert pieces[1][0] == ("Dog",)


def test_the_only_section_of_an_rst_document_keeps_its_heading():
    document = read("a.rst", b"Sauna\n=====\n\nPrices\n------\n\nNine euros.\n")
    assert (document.title, document.text) == ("Sauna", "# Sauna\n\n## Prices\n\nNine euros.\n")
