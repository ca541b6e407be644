"""From a file's bytes to a document, by the file's extension."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import PurePosixPath

from bot.document import Document
from bot.errors import DocumentError
from bot.indexing.builtin import HTML, MARKDOWN
from bot.indexing.formats.decoding import decode
from bot.indexing.formats.extracted import Extracted
from bot.indexing.formats.storing import storable_json
from bot.indexing.markdown import first_heading, front_matter

EXTRACTION = 6  # raise it when a file would now be read differently: all are read again

LARGEST = 1 << 29  # bytes; PostgreSQL takes no statement of a gigabyte
_TITLE = 300  # characters; the title is embedded with every piece, and shown with every citation

_READERS = {
    **dict.fromkeys(HTML, "html.read_html"),
    ".rst": "rst.read_rst",
    ".pdf": "pdf.read_pdf",
    ".docx": "office.read_docx",
    ".pptx": "office.read_pptx",
    **dict.fromkeys((".xlsx", ".xlsm", ".xls", ".ods"), "tables.read_workbook"),
    **dict.fromkeys((".csv", ".tsv"), "tables.read_csv"),
    ".ipynb": "notebook.read_notebook",
    ".eml": "mail.read_message",
    ".mbox": "mail.read_mailbox",
}


def parsed(key: str) -> bool:
    """Tell whether reading a file of this name takes a parser that hostile bytes may break."""
    return PurePosixPath(key).suffix.lower() in _READERS


def extract(key: str, data: bytes, uri: str, charset: str = "") -> Document:
    """Make a document of a file's bytes; the key's extension tells the format.

    Args:
        charset: what whoever sent the bytes says about them; empty to look into them.

    Raises:
        DocumentError: it is no text, too long a one, or cannot be converted.
    """
    if len(data) > LARGEST:
        raise DocumentError(
            f"It has more than {LARGEST:,} bytes, more than a document may have; split it."
        )
    path = PurePosixPath(key)
    suffix = path.suffix.lower()
    if reader := _READERS.get(suffix):
        module, _, name = reader.partition(".")
        function: Callable[[bytes, str], Extracted]
        function = getattr(import_module(f"{__name__}.{module}"), name)
        extracted = function(data, charset)
    elif suffix in MARKDOWN:
        extracted = _markdown(decode(data, charset))
    else:
        extracted = Extracted(decode(data, charset))
    if reader and suffix not in HTML and not extracted.text.strip():
        raise DocumentError("It holds no text; leave it out with `exclude`.")
    title = extracted.title
    if not title and extracted.format == "markdown":
        title = first_heading(extracted.text)
    return Document(
        key=key,
        uri=uri,
        text=extracted.text,
        format=extracted.format,
        title=title[:_TITLE] or path.name,
        metadata=extracted.metadata,
    )


def _markdown(text: str) -> Extracted:
    entries, text = front_matter(text)
    named = entries.pop("title", "")
    title = named if isinstance(named, str) else ""
    return Extracted(text, "markdown", title, storable_json(entries))
