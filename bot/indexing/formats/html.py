"""HTML to Markdown."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from bot.errors import DocumentError
from bot.indexing.formats.decoding import declared_charset, decode
from bot.indexing.formats.extracted import Extracted
from bot.indexing.formats.html_tables import unfold_layout, written
from bot.text import cleaned

_WITHOUT_CONTENT = (
    "title script style noscript template nav footer svg math iframe object canvas form "
    "button dialog select textarea video audio a.headerlink .linenos .gutter [hidden] "
    "[aria-hidden=true] [role=navigation] [role=search]"
).split()
# Notes, warnings and footnotes stand aside as well, and are content.
_ASIDE = (
    "aside:not([role^=doc-], [role=note], .topic, .tip, .hint, .warning, .caution, .important,"
    " .danger, .info, .callout, .starlight-aside, [class*=admonition], [class*=note])"
)
_LONG_FORM = 1000  # characters; one with more is a page
_INVISIBLE = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)
# What an XHTML page says of its charset (it is text by now), and entities of its own.
_PROLOGUE = re.compile(
    r"\s*(?:<\?xml[^>]{0,500}>\s*)?(?:<!DOCTYPE[^>\[]{0,500}\[[^\]]{0,9999}\]\s*>)?", re.IGNORECASE
)
_HASH = re.compile(r"^([ \t]{0,3})(?=#{1,6}\s)", re.MULTILINE)
_BLANK_LINES = re.compile(r"\n(?:[ \t]*\n){2,}")


def read_html(data: bytes, charset: str) -> Extracted:
    """Read a page.

    Raises:
        DocumentError: it is no text, or too deeply nested or too broken.
    """
    title, text = from_html(decode(data, charset or declared_charset(data)))
    return Extracted(text, "markdown", title)


def from_html(page: str) -> tuple[str, str]:
    """Convert a page to Markdown, without its navigation and what is hidden.

    Returns:
        Its title if it has one, and its text.

    Raises:
        DocumentError: it is too deeply nested or too broken.
    """
    from bs4 import BeautifulSoup

    try:
        soup = BeautifulSoup(_closed(_PROLOGUE.sub("", cleaned(page), count=1)), "lxml")
        named = soup.select_one("title:not(svg title)")
        title = " ".join(named.get_text().split()) if named else ""
        _clear(soup)
        content = soup.select_one("main, [role=main]")
        if content is None or not content.get_text(strip=True):
            content = soup
        text = _converter()().convert_soup(content)
    except RecursionError as error:
        raise DocumentError("Its HTML is nested too deeply.") from error
    except Exception as error:  # the parser asserts what broken pages do not keep to
        raise DocumentError("Its HTML is too broken to be converted.") from error
    return title, _BLANK_LINES.sub("\n\n", text).strip() + "\n"


def _clear(soup: Any) -> None:
    """Take away what is no text of the page, and what only arranges it."""
    for form in soup.find_all("form"):  # ASP.NET puts all of a page into one
        if form.find(["h1", "main", "article"]) or len(form.get_text()) > _LONG_FORM:
            form.unwrap()
    for element in soup.select(",".join([*_WITHOUT_CONTENT, _ASIDE])):
        element.extract()
    for element in soup.find_all(style=_INVISIBLE):
        if element.name not in ("html", "body"):  # a script shows those when all is there
            element.extract()
    for image in soup.find_all("img"):
        image.replace_with(str(image.get("alt") or ""))
    for element in soup.select("span.docutils.literal"):
        element.name = "code"
    for link in soup.select("a:has(h1, h2, h3, h4, h5, h6)"):
        link.unwrap()  # a heading in a link would be none
    unfold_layout(soup)


@cache
def _converter() -> Any:
    """Make the class that writes Markdown; its library takes a moment to import."""
    from markdownify import MarkdownConverter

    class Converter(MarkdownConverter):
        def __init__(self) -> None:
            super().__init__(
                heading_style="ATX",
                bullets="-",
                escape_asterisks=False,
                escape_underscores=False,
                escape_misc=False,
                code_language_callback=_language,
            )
            self._cells: dict[int, str] = {}

        def convert_td(self, element: Any, text: str, parent_tags: Any) -> str:
            self._cells[id(element)] = text
            return ""

        convert_th = convert_caption = convert_td

        def convert_tr(self, element: Any, text: str, parent_tags: Any) -> str:
            return ""

        def convert_table(self, element: Any, text: str, parent_tags: Any) -> str:
            inside = not parent_tags.isdisjoint(("td", "th"))
            table = written(element, self._cells, inside=inside)
            return f" {table} " if inside else f"\n\n{table}\n\n"

        def convert_p(self, element: Any, text: str, parent_tags: Any) -> str:
            write: Any = super()  # it has no types
            return str(write.convert_p(element, _HASH.sub(r"\1\\", text), parent_tags))

    return Converter


def _closed(page: str) -> str:
    """Take away tags and comments that never end: the parser would look for each one's end."""
    for opening, closing in (("<!--", "-->"), ("<", ">")):
        end = page.rfind(closing) + 1
        page = page[:end] + page[end:].replace(opening, "")
    return page


def _language(element: Any) -> str:
    """Read a code block's language from its class, or from that of the element around it."""
    around = [element, element.find("code"), element.parent]
    names = [name for each in around if each for name in each.get("class") or ()]
    for name in names:
        for prefix in ("language-", "highlight-", "lang-"):
            if name.startswith(prefix):
                return str(name[len(prefix) :])
    if len(names) > 1 and names[0] == "code":  # as docutils writes it
        return str(names[1]).replace("literal-block", "")
    return ""
