"""What becomes of web pages as people write them: open tags, tables for data and for layout."""

import pytest
from papers import docx, paragraph, read


def page(html):
    return read("a.html", html).text


def test_tags_that_html_allows_to_leave_open_end_where_it_says():
    assert page("<title>T</title><h1>Cars</h1><p>One<p>two<ul><li>a<li>b</ul>three") == (
        "# Cars\n\nOne\n\ntwo\n\n- a\n- b\n\nthree\n"
    )
    assert page("<table><tr><th>City<th>Rent<tr><td>Bern<td>9<tr><td>Oslo<td>8</table>") == (
        "| City | Rent |\n| --- | --- |\n| Bern | 9 |\n| Oslo | 8 |\n"
    )
    rows = page("<table><tr><th>n<th>m" + "<tr><td>1<td>2" * 3000 + "</table>")
    assert rows.count("| 1 | 2 |\n") == 3000


@pytest.mark.parametrize("start", ["", "<html><head>", "<!doctype html><meta charset=utf-8>"])
def test_a_page_without_a_head_of_its_own_has_its_title_once(start):
    document = read(
        "a.html", f"{start}<title>Cars</title><base href='https://x.example/'><main>Go."
    )
    assert (document.title, document.text) == ("Cars", "Go.\n")


def test_what_is_no_text_of_the_page_is_left_out():
    assert page(
        "<p>One <svg><title>no</title><text>no</text></svg></p><template><p>no</p></template>"
        "<select><option>no</select><textarea>no</textarea><!-- no --><!--[if IE]>no<![endif]-->"
        "<p>two"
    ) == "One \n\ntwo\n".replace(" \n", "\n")
    assert page('<?xml version="1.0" encoding="utf-8"?>\n<!DOCTYPE html><p>One') == "One\n"
    entity = '<!DOCTYPE html [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
    assert page(f"{entity}<p>One &x; two") == "One &x; two\n"


def test_a_note_aside_is_kept_and_navigation_aside_is_not():
    assert (
        page(
            "<p>One</p><aside class='admonition note'><p>Mind the gap.</p></aside>"
            "<aside role=doc-footnote>A footnote.</aside><aside class=sidebar>Menu</aside>"
            "<aside>Ad</aside>"
        )
        == "One\n\nMind the gap.\n\nA footnote.\n"
    )


@pytest.mark.parametrize("content", ["<h1>Cars</h1><p>Nine.", "<p>" + "Nine. " * 200])
def test_a_form_around_a_whole_page_is_the_page_and_another_is_none(content):
    search = "<form><label>Find</label><input name=q><button>Go</button></form>"
    around = f"<body><form id=aspnetForm><input type=hidden value=state>{content}</form>{search}"
    assert page(around) == page(content)
    assert "Nine." in page(around)


def test_an_empty_main_part_and_a_body_that_a_script_shows_hide_nothing():
    assert page("<body style='visibility: hidden'><main> </main><p>Nine.</p>") == "Nine.\n"


def test_a_hash_in_a_paragraph_begins_no_heading_and_a_heading_in_a_link_is_one():
    assert page("<p># one</p><a href=x><h2>Two</h2><p>three</p></a>") == (
        "\\# one\n\n## Two\n\nthree\n"
    )


RENTS = (
    "<table><caption>Rents</caption><tr><th rowspan=2>Region<th rowspan=2>City<th colspan=2>Rent"
    "<tr><th>2023<th>2024<tr><td rowspan=2>North<td>Oslo<td>12<td>13<tr><td>a|b<td colspan=2>none"
    "<tr><td colspan=4>Islands<tr><td>South<td>Rome<td>20<br>net<td></table>"
)


def test_what_is_merged_in_a_table_counts_for_each_row_and_column():
    assert page(RENTS) == (
        "Rents\n\n| Region | City | Rent 2023 | Rent 2024 |\n| --- | --- | --- | --- |\n"
        "| North | Oslo | 12 | 13 |\n| North | a\\|b | none | none |\n| Islands |  |  |  |\n"
        "| South | Rome | 20 net |  |\n"
    )


def test_a_table_in_a_cell_is_a_line_of_it():
    inner = "<table><tr><td>one<td>two<tr><td>three<td>four</table>"
    assert page(f"<table><tr><td>A<td>B<tr><td>x<td>so: {inner} end<tr><td>y<td>z</table>") == (
        "| A | B |\n| --- | --- |\n| x | so: one, two; three, four end |\n| y | z |\n"
    )


def test_a_table_whose_columns_have_names_holds_data_whatever_stands_in_its_cells():
    table = "<table><tr><th>Key<th>About<tr><td>a<td><h4>Head</h4><p>{}<tr><td>b<td>c</table>"
    assert page(table.format("long " * 500)) == (
        f"| Key | About |\n| --- | --- |\n| a | Head {'long ' * 500}|\n| b | c |\n"
    )


def test_numbers_of_lines_are_no_code():
    numbers = "<td class=linenos><pre>1\n2</pre></td>"
    assert page(f"<table><tr>{numbers}<td class=code><pre>x = 1\ny = 2\n</pre></table>") == (
        "```\nx = 1\ny = 2\n```\n"
    )


@pytest.mark.parametrize(
    "table",
    [
        "<table role=presentation><tr><td>{}<td></table>",
        "<table><tr><td>{}</table>",
        "<table><tr><td><img alt=''><tr><td>{}</table>",
        "<table><tr><td></td><td>{}</td></table>",
        "<table><tr><td><table><tr><td><tr><td>{}</table></table>",
    ],
)
def test_a_table_that_arranges_a_page_is_its_content(table):
    content = "<h2>Leave</h2><p>Thirty days.</p><table><tr><th>A<th>B<tr><td>1<td>2</table>"
    assert page(table.format(content)) == (
        "## Leave\n\nThirty days.\n\n| A | B |\n| --- | --- |\n| 1 | 2 |\n"
    )


def test_a_table_that_claims_millions_of_places_has_those_that_it_fills():
    wide = "<table>" + "<tr><td rowspan=65534 colspan=999999999>x<td>y" * 2000 + "</table>"
    text = page(wide + "<p>end")
    assert text.endswith("end\n")
    assert len(text) < 100_000
    assert page("<table>" * 60 + "<tr><td>core" + "</table>" * 60) == "core\n"


def test_a_word_documents_tables_keep_what_is_merged_nested_or_of_several_paragraphs():
    def cell(*content, properties=""):
        return f"<w:tc><w:tcPr>{properties}</w:tcPr>{''.join(content)}</w:tc>"

    def table(*rows):
        return f"<w:tbl>{''.join(f'<w:tr>{row}</w:tr>' for row in rows)}</w:tbl>"

    inner = table(cell(paragraph("one")) + cell(paragraph("two")))
    down, below, wide = ('<w:vMerge w:val="restart"/>', "<w:vMerge/>", '<w:gridSpan w:val="2"/>')
    body = table(
        cell(paragraph("City"), properties=down) + cell(paragraph("Rent"), properties=wide),
        cell(paragraph(""), properties=below) + cell(paragraph("now")) + cell(paragraph("then")),
        cell(paragraph("Bern"))
        + cell(paragraph("9"), paragraph("net"))
        + cell(inner, paragraph("")),
        cell(paragraph("Oslo")) + cell(paragraph("8")) + cell(paragraph("7")),
    )
    assert read("a.docx", docx(body)).text == (
        "| City | Rent now | Rent then |\n| --- | --- | --- |\n| Bern | 9 net | one two |\n"
        "| Oslo | 8 | 7 |\n"
    )
