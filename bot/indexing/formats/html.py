"""HTML to Markdown."""

from __future__ import annotations

import re
from typing import Any

from bot.errors import DocumentError
from bot.indexing.formats.decoding import declared_charset, decode
from bot.indexing.formats.extracted import Extracted

_WITHOUT_CONTENT = (
    "head script style noscript template nav footer aside svg math iframe object canvas form "
    "button dialog a.headerlink [hidden] [aria-hidden=true] [role=navigation] [role=search]"
).split()
_INVISIBLE = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)
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
        Its title, and its text.

    Raises:
        DocumentError: it is too deeply nested or too broken.
    """
    from bs4 import BeautifulSoup
    from markdownify import MarkdownConverter

    try:
        soup = BeautifulSoup(_closed(page), "html.parser")
        title = " ".join(soup.title.get_text().split()) if soup.title else ""
        for element in soup.select(",".join(_WITHOUT_CONTENT)):
            element.extract()
        for element in soup.find_all(style=_INVISIBLE):
            element.extract()
        for image in soup.find_all("img"):
            image.replace_with(str(image.get("alt") or ""))
        for element in soup.select("span.docutils.literal"):
            element.name = "code"
        content = soup.select_one("main, [role=main]") or soup
        converter = MarkdownConverter(
            heading_style="ATX",
            bullets="-",
            escape_asterisks=False,
            escape_underscores=False,
            escape_misc=False,
            code_language_callback=_language,
            table_infer_header=True,
        )
        text = converter.convert_soup(content)
    except RecursionError as error:
        raise DocumentError("Its HTML is nested too deeply.") from error
    except Exception as error:  # the parser asserts what broken pages do not keep to
        raise DocumentError("Its HTML is too broken to be converted.") from error
    heading = soup.find("h1")
    named = " ".join(heading.get_text().split()) if heading else ""
    return title or named, _BLANK_LINES.sub("\n\n", text).strip() + "\n"


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
