"""Every format from a file to a citation: titles, headings, pages, slides and columns survive."""

import json
import zipfile

import pytest
import xlsxwriter


def pdf(*pages):
    """A PDF with a line of text on each page."""
    kids = " ".join(f"{4 + 2 * n} 0 R" for n in range(len(pages)))
    objects = [
        "<</Type/Catalog/Pages 2 0 R>>",
        f"<</Type/Pages/Kids[{kids}]/Count {len(pages)}>>",
        "<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    ]
    for number, text in enumerate(pages):
        drawn = f"BT /F 12 Tf 20 200 Td ({text}) Tj ET"
        objects += [
            f"<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 300]/Contents {5 + 2 * number} 0 R"
            "/Resources<</Font<</F 3 0 R>>>>>>",
            f"<</Length {len(drawn)}>>stream\n{drawn}\nendstream",
        ]
    written, table = b"%PDF-1.5\n", b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    for number, each in enumerate(objects, 1):
        table += b"%010d 00000 n \n" % len(written)
        written += b"%d 0 obj%b endobj\n" % (number, each.encode())
    tail = b"trailer<</Root 1 0 R/Size %d>>\nstartxref\n%d\n%%%%EOF"
    return written + table + tail % (len(objects) + 1, len(written))


def powerpoint(path, *slides):
    from pptx import Presentation

    made = Presentation()
    for title, text in slides:
        slide = made.slides.add_slide(made.slide_layouts[1])
        slide.shapes.title.text, slide.placeholders[1].text = title, text
    made.save(path)


W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
RELATIONS = """<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">
<Relationship Id="r1" Target="word/document.xml"
Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument"/>
</Relationships>"""
KIND = "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"
TYPES = f"""<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">
<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>
<Override PartName="/word/document.xml" ContentType="{KIND}"/></Types>"""


def word(path, *paragraphs):
    """A Word document of paragraphs, each with its style."""
    body = "".join(
        f'<w:p><w:pPr><w:pStyle w:val="{style}"/></w:pPr><w:r><w:t>{text}</w:t></w:r></w:p>'
        for style, text in paragraphs
    )
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("_rels/.rels", RELATIONS)
        archive.writestr("[Content_Types].xml", TYPES)
        document = f"<w:document {W}><w:body>{body}</w:body></w:document>"
        archive.writestr("word/document.xml", document)


NOTEBOOK = {
    "nbformat": 4, "nbformat_minor": 5, "metadata": {},
    "cells": [
        {"cell_type": "markdown", "metadata": {},
         "source": "# Forecast\n\nRain is modelled by ferrets."},
        {"cell_type": "code", "metadata": {}, "outputs": [], "source": "x = 1",
         "execution_count": 1},
    ],
}  # fmt: skip
MAIL = """From: Ann <ann@example.com>
To: all@example.com
Subject: Elevator repair
Date: Mon, 6 May 2024 10:00:00 +0000
Content-Type: text/plain; charset=utf-8

The elevator is repaired by Otto on Thursday.
"""
MAILBOX = "\n".join(
    f"From ann Mon Jan  5 10:00:00 2026\nFrom: ann@example.com\nSubject: {subject}\n\n{said}\n"
    for subject, said in {
        "Coffee machine": "The coffee machine is descaled by Petra.",
        "Bees": "The beehive on the roof belongs to Ludwig.",
    }.items()
)

ASKED = {
    "Which mascot does the lighthouse have?": ("manual.pdf", "page 2", "walrus"),
    "Who feeds the aquarium fish?": ("talk.pptx", "slide 2", "Olga"),
    "When does the underground garage close?": ("staff.docx", "Parking", "midnight"),
    "How many seats has Bern?": ("cities.csv", "", "371"),
    "What is rain modelled by?": ("forecast.ipynb", "Forecast", "ferrets"),
    "Who repairs the elevator?": ("mail.eml", "Elevator repair", "Otto"),
    "What does the sauna cost?": ("sauna.rst", "Prices", "nine euros"),
    "What colour is the visitors badge?": ("visit.html", "Visitors", "yellow"),
    "Who owns the beehive on the roof?": ("all.mbox", "Bees", "Ludwig"),
    "What does a forklift weigh?": ("weights.xlsx", "weights.xlsx › Vehicles", "4100"),
}


@pytest.fixture(scope="module")
def library(new_world, with_schema, tmp_path_factory):
    world = new_world(tmp_path_factory.mktemp("library"), with_schema)
    docs = world.folder / "docs"
    docs.mkdir()
    pages = ("This manual is about a lighthouse.", "The mascot of the lighthouse is a walrus.")
    (docs / "manual.pdf").write_bytes(pdf(*pages))
    slides = (("Welcome", "A talk."), ("Aquarium", "Olga feeds the fish of the aquarium."))
    powerpoint(docs / "talk.pptx", *slides)
    paragraphs = (
        ("Title", "Staff manual"),
        ("Heading1", "Parking"),
        ("Normal", "The underground garage closes at midnight."),
    )
    word(docs / "staff.docx", *paragraphs)
    world.write("docs/cities.csv", "city,seats\nBern,371\nBasel,12\n")
    world.write("docs/forecast.ipynb", json.dumps(NOTEBOOK))
    world.write("docs/mail.eml", MAIL)
    world.write("docs/sauna.rst", "Sauna\n=====\n\nPrices\n------\n\nThe sauna costs nine euros.\n")
    world.write("docs/visit.html", "<h1>Visitors</h1><p>The badge of visitors is yellow.</p>")
    world.write("docs/all.mbox", MAILBOX)
    with xlsxwriter.Workbook(docs / "weights.xlsx") as workbook:
        for sheet, name, kilogram in (("Furniture", "desk", 31), ("Vehicles", "forklift", 4100)):
            workbook.add_worksheet(sheet).write_row("A1", ["thing", "weight in kilogram"])
            workbook.get_worksheet_by_name(sheet).write_row("A2", [name, kilogram])
    world.bot("source", "add", "library", "docs")
    assert "10 new" in world.bot("reindex").stdout
    return world


def test_an_answer_cites_the_place_in_every_format(library, words):
    asked = [["ask", "--json", question] for question in ASKED]
    for (name, place, fact), done in zip(
        ASKED.values(), library.each(*asked, env=words), strict=True
    ):
        answer = json.loads(done.stdout)
        cited = [each for each in answer["citations"] if name in each["uri"]]
        assert cited, (name, answer)
        assert fact in answer["text"]
        assert any(place in f"{each['title']} {each['location']}" for each in cited), cited


def test_the_page_is_told_on_the_terminal(library, words):
    told = library.bot("ask", "Which mascot does the lighthouse have?", env=words).stdout
    assert "page 2" in told.partition("Sources")[2]


def test_what_cleaning_leaves_out_is_told(world):
    twin = "".join(f"Rule {n} of the house is that nobody does thing {n * 7}. " for n in range(40))
    world.write("docs/rules.md", f"# Rules\n\n{twin}\n\nWrite to ann@example.com.\n")
    world.write("docs/rules2.md", f"# Rules\n\n{twin}\n\nWrite to ann@example.com.\n\nOld.\n")
    world.write(
        "bot.toml",
        '[sources.house]\ntype = "folder"\npath = "docs"\n'
        'redact = ["email"]\nduplicates = "drop"\n',
    )
    done = world.bot("reindex")
    assert "1 new" in done.stdout
    assert "not readable" not in done.stdout
    assert (
        "left out: 1 documents that say nearly the same as another, 2 places of personal data"
        in done.stdout
    )
    assert "not indexed: rules2.md: It says nearly the same as rules.md" in done.stderr
    assert world.rows("select text like '%%[email]%%', metadata from document") == [
        (True, {"lang": "en"})
    ]
    (again,) = world.json("reindex", "--json")["sources"]
    assert (again["unchanged"], again["duplicates"]) == (1, 1)
