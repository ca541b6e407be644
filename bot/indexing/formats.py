"""From a file's bytes to a document: decoding, titles, HTML to Markdown."""

from __future__ import annotations

import codecs
import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from bot.document import Document
from bot.errors import DocumentError
from bot.indexing.builtin import HTML, MARKDOWN
from bot.indexing.markdown import first_heading, front_matter
from bot.text import storable

EXTRACTION = 1  # raise it when a file would now be read differently: all are read again

_KEY_BYTES = 2000  # an index entry of PostgreSQL holds no more than some 2,700

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_DECLARED = re.compile(rb"""<(?:meta|\?xml)[^>]{1,500}?(?:charset|encoding)\s*=\s*["']?([\w-]+)""",
                       re.IGNORECASE)  # fmt: skip
# Python knows codecs that no page is written in, and some of them are a trap.
_WEB_CHARSET = re.compile(
    r"utf-?8|iso-?8859-\d+|windows-\d+|cp\d+|koi8-[ru]|gb\d+|gbk|big5|shift[_-]jis|euc-\w+"
    r"|iso-2022-\w+|us-ascii|ascii|latin-?1|mac\w*"
)
_WITHOUT_CONTENT = (
    "head script style noscript template nav footer aside svg math iframe object canvas form "
    "button dialog a.headerlink [hidden] [aria-hidden=true] [role=navigation] [role=search]"
).split()
_INVISIBLE = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)
_BLANK_LINES = re.compile(r"\n(?:[ \t]*\n){2,}")


def extract(key: str, data: bytes, uri: str) -> Document:
    """Make a document of a file's bytes; the key's extension tells the format.

    Raises:
        DocumentError: it is no text, or HTML that cannot be converted.
    """
    path = PurePosixPath(key)
    suffix = path.suffix.lower()
    if suffix in HTML:
        title, text = from_html(decode(data, declared_charset(data)))
        return _document(key, uri, text, "markdown", title or first_heading(text))
    text = decode(data)
    if suffix in MARKDOWN:
        entries, text = front_matter(text)
        named = entries.pop("title", "")
        title = named if isinstance(named, str) and named else first_heading(text)
        return _document(key, uri, text, "markdown", title, storable_json(entries))
    return _document(key, uri, text, "text", "")


def decode(data: bytes, charset: str = "") -> str:
    """Decode text: by its byte order mark, else by its declared charset, else as UTF-8.

    Raises:
        DocumentError: it is binary, or in another encoding.
    """
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            text = data[len(mark) :].decode(encoding, "replace")
            break
    else:
        text = _decode(data, charset)
    if "\0" in text:
        raise DocumentError("It is a binary file, not text; leave it out with `exclude`.")
    return text


def _decode(data: bytes, charset: str) -> str:
    if charset:
        try:
            return data.decode(charset)
        except (UnicodeError, LookupError):
            pass  # pages often declare what they are not
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        if b"\0" in data:
            return "\0"
        raise DocumentError(
            f"It is not UTF-8 text (byte {error.start}); save it as UTF-8, or leave it out with "
            "`exclude`."
        ) from error


def declared_charset(data: bytes) -> str:
    """Read the charset that a page declares at its top; nothing when the web has no such one."""
    found = _DECLARED.search(data[:2048])
    name = found[1].decode("ascii", "replace").lower() if found else ""
    if name in ("iso-8859-1", "latin1", "latin-1", "us-ascii", "ascii"):
        return "cp1252"  # as browsers do
    if name in ("gb2312", "gbk"):
        return "gb18030"
    return name if _WEB_CHARSET.fullmatch(name) else ""


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
    return ""


def _document(
    key: str,
    uri: str,
    text: str,
    format: Any,
    title: str,
    metadata: Mapping[str, Any] | None = None,
) -> Document:
    name = PurePosixPath(key).name
    return Document(
        key=key, uri=uri, text=text, format=format, title=title or name, metadata=metadata or {}
    )


def storable_json(value: Any, depth: int = 32) -> Any:
    """Make a JSON value one that PostgreSQL takes.

    Raises:
        ValueError: it is nested more than `depth` levels deep.
    """
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, (list, dict)) and depth == 0:
        raise ValueError("it is nested too deeply")
    if isinstance(value, list):
        return [storable_json(each, depth - 1) for each in value]
    if isinstance(value, dict):
        return {storable(key): storable_json(each, depth - 1) for key, each in value.items()}
    return value


def storable_key(key: str) -> str:
    """Make a key one that PostgreSQL takes and indexes; comes back unchanged when it is."""
    return key.replace("\0", "").encode("utf-8", "replace")[:_KEY_BYTES].decode("utf-8", "replace")
