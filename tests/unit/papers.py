"""Documents for the tests of their readers: PDFs are written here, and read as the bot does."""

import io
import zipfile

from bot.indexing import builtin
from bot.indexing.formats import extract
from bot.indexing.splitting import StructureSplitter


def read(name, data):
    return extract(name, data.encode() if isinstance(data, str) else data, "file:///x")


def pdf(*pages, title=""):
    """Write a PDF; a page is a list of (size, line), an empty line is a gap.

    The cells of a table's line are separated by `|`, columns are 120 points wide; a line that
    begins with `*` is bold, a cell that begins with `>` stands at its column's right.
    """
    bodies = []
    for lines in pages:
        y, drawn = 760.0, []
        for size, text in lines:
            y -= size * (1.3 if text else 2)
            font = "F2" if text.startswith("*") else "F1"
            for column, cell in enumerate(text.removeprefix("*").split("|")):
                x = 72 + 120 * column + (60 if cell.startswith(">") else 0)
                shown = cell.removeprefix(">")
                drawn.append(f"BT /{font} {size} Tf {x} {y:.1f} Td ({shown}) Tj ET")
        bodies.append("\n".join(drawn))
    return sheets(*bodies, title=title)


def sheets(*pages, title=""):
    """Write a PDF of pages, each as what draws it; /F1 is Helvetica, /F2 its bold."""
    first = 5
    kids = " ".join(f"{first + 2 * n + 1} 0 R" for n in range(len(pages)))
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        f"<</Type/Pages/Count {len(pages)}/Kids[{kids}]>>".encode(),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica-Bold>>",
    ]
    for number, body in enumerate(page.encode() for page in pages):
        objects += [
            b"<</Length %d>>stream\n%s\nendstream" % (len(body), body),
            b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents %d 0 R"
            b"/Resources<</Font<</F1 3 0 R/F2 4 0 R>>>>>>" % (first + 2 * number),
        ]
    objects.append(f"<</Title({title})>>".encode())
    written, places = io.BytesIO(), []
    written.write(b"%PDF-1.4\n")
    for number, each in enumerate(objects, 1):
        places.append(written.tell())
        written.write(b"%d 0 obj\n%s\nendobj\n" % (number, each))
    table = written.tell()
    written.write(b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1))
    written.write(b"".join(b"%010d 00000 n \n" % place for place in places))
    written.write(
        b"trailer<</Size %d/Root 1 0 R/Info %d 0 R>>\nstartxref\n%d\n%%%%EOF"
        % (len(objects) + 1, len(objects), table)
    )
    return written.getvalue()


def cuts(document, max_tokens=40):
    spans = [(at, at + 1) for at in range(0, len(document.text), 4)]
    splitter = StructureSplitter(builtin.StructureSettings(max_tokens=max_tokens))
    return [
        (piece.headings, document.text[piece.start : piece.end])
        for piece in splitter.bot_split(document, spans)
    ]


def docx(body):
    """Write a Word document with headings, as the standard asks for and no more."""
    word = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006"
    styles = "".join(
        f'<w:style w:type="paragraph" w:styleId="{name.replace(" ", "")}"><w:name w:val="{name}"/>'
        "</w:style>"
        for name in ("Title", "heading 1")
    )
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        archive.writestr("[Content_Types].xml", f'<Types xmlns="{package}/content-types"/>')
        archive.writestr(
            "_rels/.rels",
            f'<Relationships xmlns="{package}/relationships"><Relationship Id="r1" '
            f'Type="{office}/officeDocument" Target="word/document.xml"/></Relationships>',
        )
        archive.writestr(
            "word/_rels/document.xml.rels",
            f'<Relationships xmlns="{package}/relationships"><Relationship Id="r2" '
            f'Type="{office}/styles" Target="styles.xml"/></Relationships>',
        )
        archive.writestr("word/styles.xml", f'<w:styles xmlns:w="{word}">{styles}</w:styles>')
        archive.writestr(
            "word/document.xml",
            f'<w:document xmlns:w="{word}"><w:body>{body}</w:body></w:document>',
        )
    return written.getvalue()


def paragraph(text, style=""):
    properties = f'<w:pPr><w:pStyle w:val="{style}"/></w:pPr>' if style else ""
    return f"<w:p>{properties}<w:r><w:t>{text}</w:t></w:r></w:p>"
