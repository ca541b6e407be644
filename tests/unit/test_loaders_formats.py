"""What becomes of a file's bytes: decoding, Markdown, HTML, text."""

import codecs
from mmap import mmap

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.errors import DocumentError
from bot.indexing.formats import LARGEST, extract


def read(name, data):
    return extract(name, data.encode() if isinstance(data, str) else data, "file:///x")


def html(page):
    return read("page.html", page).text


@pytest.mark.parametrize(
    "data",
    [
        "Zürich 北京".encode(),
        codecs.BOM_UTF8 + "Zürich 北京".encode(),
        "Zürich 北京".encode("utf-16"),
        codecs.BOM_UTF16_BE + "Zürich 北京".encode("utf-16-be"),
        "Zürich 北京".encode("utf-32"),
    ],
)
def test_unicode_is_read_with_any_byte_order_mark(data):
    assert read("a.txt", data).text == "Zürich 北京"


def test_what_is_no_text_is_refused():
    with pytest.raises(DocumentError, match="binary"):
        read("a.txt", b"\x89PNG\0\xff")
    with pytest.raises(DocumentError, match="binary"):
        read("a.txt", b"text\0text")
    with pytest.raises(DocumentError, match=r"not UTF-8 text \(byte 3\)"):
        read("a.txt", b"caf\xe9")


def test_text_is_kept_as_it_is_and_named_after_its_file():
    document = read("notes/a.txt", "Title\r\n=====\r\n")
    assert (document.text, document.format, document.title) == (
        "Title\r\n=====\r\n", "text", "a.txt",
    )  # fmt: skip


def test_front_matter_becomes_title_and_metadata():
    document = read(
        "a.md",
        "---\ntitle: 'The: title'\ntags: [a, \"b c\"]\nowner: ann  # a comment\n"
        "nested:\n  key: value\nlist:\n- one\n---\n\n# Heading\n",
    )
    assert document.title == "The: title"
    assert document.metadata == {"tags": ["a", "b c"], "owner": "ann"}
    assert document.text == "# Heading\n"


def test_front_matter_may_be_toml_and_a_list_hold_commas():
    document = read(
        "a.md",
        "+++\ntitle = 'Toml'\ntags = ['a', 'b, c']\ndraft = true\ndate = 2026-01-05\n[more]\n"
        "x = 1\n+++\n\nText.\n",
    )
    assert (document.title, document.text) == ("Toml", "Text.\n")
    assert document.metadata == {"tags": ["a", "b, c"], "draft": "true", "date": "2026-01-05"}
    listed = read("a.md", "---\ntags: [a, 'b, c', \"d\", it's]\n---\nText.\n")
    assert listed.metadata == {"tags": ["a", "b, c", "d", "it's"]}


@pytest.mark.parametrize(
    "text",
    [
        "+++\nThree plus signs, then text.\n+++\n",
        "---\nJust a rule, then text.\n---\n",
        "---\ntitle: never closed\n",
        "---\n\n---\n",
        "--- a\n",
    ],
)
def test_what_only_looks_like_front_matter_stays(text):
    document = read("a.md", text)
    assert (document.text, document.metadata) == (text, {})


def test_a_markdown_title_is_the_first_heading_that_is_one():
    text = "```sh\n# comment\n```\n\n## Second\n\nReal `one`\n====\n"
    assert read("a.md", text).title == "Real one"
    assert read("x/a.md", "no heading").title == "a.md"


def test_a_page_becomes_markdown_without_its_surroundings():
    page = """<!doctype html><html><head><title> The
        page </title><style>x{}</style></head><body>
        <nav>Menu</nav><script>alert(1)</script><template>t</template><p hidden>secret</p>
        <p style="color: red; DISPLAY : none">unseen</p><div aria-hidden="true">icon</div>
        <h1>Set up<a class="headerlink" href="#s">¶</a></h1>
        <p>Use <code>a_b * c</code> and <a href="../x?y=1">more</a> <img alt="a plan" src="data:,">
        </p><pre><code class="language-py">if x:
    y = 1</code></pre>
        <table><tr><th>A</th><th>B</th></tr><tr><td>1</td><td>2</td></tr></table>
        <ul><li>one<ul><li>two</li></ul></li></ul><footer>©</footer></body></html>"""
    document = read("a.htm", page)
    assert document.title == "The page"
    assert document.format == "markdown"
    text = document.text
    assert "# Set up\n" in text
    assert "`a_b * c` and [more](../x?y=1) a plan" in text
    assert "```py\nif x:\n    y = 1\n```" in text
    assert "| A | B |\n| --- | --- |\n| 1 | 2 |" in text
    assert "- one\n  - two" in text
    for gone in ("Menu", "alert", "secret", "unseen", "icon", "©", "¶", "x{}", "data:"):
        assert gone not in text


def test_a_page_that_names_its_main_part_gives_only_that():
    page = "<title>T</title><body><div>Around</div><main><h1>H</h1>Inside</main></body>"
    assert html(page) == "# H\n\nInside\n"


def test_a_page_without_a_title_is_called_by_its_first_heading():
    assert read("a.html", "<h1>One <b>two</b></h1><p>x").title == "One two"
    assert read("a.html", "<p>x").title == "a.html"


@pytest.mark.parametrize(
    ("declared", "encoding"),
    [("iso-8859-1", "cp1252"), ("Shift_JIS", "shift_jis"), ("gb2312", "gb18030"),
     ("windows-1251", "cp1251"), ("utf-8", "utf-8"), ("nonsense", "utf-8"), ("utf-16", "utf-8"),
     ("punycode", "utf-8"), ("ascii", "utf-8")],
)  # fmt: skip
def test_a_page_is_read_in_the_charset_it_declares_where_that_can_be(declared, encoding):
    words = {"cp1252": "“Zürich” €", "cp1251": "Москва", "utf-8": "Zürich\u0081 北京Ё"}
    word = words.get(encoding, "日本")
    page = f'<meta http-equiv="x" content="text/html; charset={declared}"><p>{word}</p>'
    assert html(page.encode(encoding)).strip() == word


HOSTILE = [
    "<div>" * 20_000 + "deep", "<b><i>" * 20_000, "<" * 50_000, "<a " * 20_000, "<!--" * 20_000,
    "<![CDATA[" * 5_000, "<!" * 20_000, "&" * 50_000, "<table>" * 2_000,
    "<table><tr><td>" * 10_000, "<p" + " a=1" * 20_000,
    "</p>" * 20_000, "<ul><li>" * 3_000, "<!DOCTYPE [" * 1000, "<?" * 20_000, "&#xffffffff;",
    "<h9999999999>x</h9999999999>", "<td colspan=999999999999>x</td>", "<li value=x>",
    "<ol start=99999999999999999999><li>a</ol>", "<pre>" * 500, "<svg><title>", "",
]  # fmt: skip


@pytest.mark.parametrize("page", HOSTILE, ids=lambda page: page[:12])
def test_hostile_pages_are_converted_or_refused(page):
    try:
        document = read("a.html", page)
    except DocumentError as error:
        assert "HTML" in str(error)  # noqa: PT017 - both ends are right
    else:
        assert len(document.text) <= 20 * len(page) + 10_000


@given(st.lists(st.sampled_from(
    "< > </ /> div table td tr li ol ul pre code h1 p a = \" ' & ; <!-- --> <![ ]]> x # colspan=-1"
    .split(" ")), max_size=40).map("".join))  # fmt: skip
def test_broken_pages_never_crash(page):
    try:
        assert isinstance(html(page), str)
    except DocumentError as error:
        assert "HTML" in str(error)  # noqa: PT017 - both ends are right


def test_what_is_longer_than_the_database_takes_is_refused():
    with mmap(-1, LARGEST + 1) as data, pytest.raises(DocumentError, match="split it"):
        extract("a.txt", data, "file:///a.txt")
