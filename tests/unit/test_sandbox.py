"""Hostile documents: what they cost is theirs, and the next document is read."""

import io
import os
import signal
import subprocess
import sys
import zipfile
import zlib
from concurrent.futures import ThreadPoolExecutor

import pytest

from bot.errors import DocumentError
from bot.indexing import sandbox as module
from bot.indexing.sandbox import Limits, Sandbox


@pytest.fixture
def sandbox():
    made = Sandbox(Limits(seconds=60, memory=600 << 20, characters=1_000_000))
    yield made
    made.close()


def works(sandbox):
    return sandbox.extract("a.csv", b"city,seats\nBern,3\n", "u").text.count("Bern") == 1


def bomb(suffix):
    """A file of a few hundred kilobytes whose parts unpack to gigabytes."""
    if suffix == "pdf":
        return pdf_bomb()
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        if suffix == "docx":
            archive.writestr("_rels/.rels", _RELATIONS)
            archive.writestr("[Content_Types].xml", "<Types/>")
            with archive.open("word/document.xml", "w", force_zip64=True) as part:
                for _ in range(1000):
                    part.write(b" " * (1 << 20))
        else:
            with archive.open("[Content_Types].xml", "w", force_zip64=True) as part:
                for _ in range(1000):
                    part.write(b" " * (1 << 20))
    return written.getvalue()


def pdf_bomb(times=400):
    """A page whose text is a hundred million letters."""
    packer = zlib.compressobj(1)
    letters = b"(x) Tj " * 150_000
    packed = packer.compress(b"BT /F 12 Tf 20 200 Td (Hello) Tj ")
    packed += b"".join(packer.compress(letters) for _ in range(times))
    packed += packer.compress(b" ET") + packer.flush()
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 300 300]/Contents 5 0 R"
        b"/Resources<</Font<</F 4 0 R>>>>>>",
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
        b"<</Filter/FlateDecode/Length %d>>stream\n%b\nendstream" % (len(packed), packed),
    ]
    written, table = b"%PDF-1.5\n", b"xref\n0 6\n0000000000 65535 f \n"
    for number, each in enumerate(objects, 1):
        table += b"%010d 00000 n \n" % len(written)
        written += b"%d 0 obj%b endobj\n" % (number, each)
    at = len(written)
    return written + table + b"trailer<</Root 1 0 R/Size 6>>\nstartxref\n%d\n%%%%EOF" % at


_RELATIONS = """<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">
<Relationship Id="r1" Target="word/document.xml"
Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument"/>
</Relationships>"""


def test_a_worker_reads_many_documents(sandbox):
    assert works(sandbox)
    pid = sandbox.pid
    assert works(sandbox)
    assert sandbox.pid == pid != os.getpid()


def test_after_so_many_documents_the_worker_is_replaced(sandbox, monkeypatch):
    monkeypatch.setattr(module, "_REUSED", 2)
    assert works(sandbox)
    pid = sandbox.pid
    assert works(sandbox)
    assert works(sandbox)
    assert sandbox.pid != pid


@pytest.mark.parametrize("suffix", ["docx", "pptx", "pdf"])
def test_a_bomb_is_reported_and_the_next_document_is_read(sandbox, suffix):
    with pytest.raises(DocumentError):
        sandbox.extract(f"bomb.{suffix}", bomb(suffix), "u")
    assert works(sandbox)


def test_without_what_makes_it_a_bomb_it_is_read(sandbox):
    assert "Hello" in sandbox.extract("a.pdf", pdf_bomb(0), "u").text


def test_a_sheet_with_two_cells_far_apart_is_reported(sandbox):
    import xlsxwriter

    written = io.BytesIO()
    with xlsxwriter.Workbook(written) as workbook:
        sheet = workbook.add_worksheet()
        sheet.write(0, 0, "first")
        sheet.write(1_048_575, 16_383, "last")
    with pytest.raises(DocumentError):
        sandbox.extract("far.xlsx", written.getvalue(), "u")
    assert works(sandbox)


def test_what_is_nested_without_end_is_refused(sandbox):
    for name, data in {
        "a.html": b"<div>" * 20_000,
        "a.ipynb": b'{"cells":' + b"[" * 100_000,
        "a.eml": b"From: a@example.com\n" + b"Content-Type: message/rfc822\n\n" * 2000,
    }.items():
        with pytest.raises(DocumentError, match=r"too deeply|no notebook|too much memory"):
            sandbox.extract(name, data, "u")
    assert works(sandbox)


def test_a_parser_that_does_not_end_is_stopped():
    quick = Sandbox(Limits(seconds=1, memory=1 << 30))
    # html.parser reads a tag's attributes again and again until it finds the end.
    page = b"<div " + b"a='" * 400_000 + b">" + b"<a " * 400_000
    with pytest.raises(DocumentError, match="longer than 1 s"):
        quick.extract("slow.html", b"<p>" + page * 20, "u")
    quick.close()


def test_a_worker_that_was_killed_is_replaced(sandbox):
    assert works(sandbox)
    os.kill(sandbox.pid, signal.SIGKILL)
    assert works(sandbox)


LARGE_PARENT = """
from bot.indexing.sandbox import Sandbox
held = bytearray(700 << 20)
sandbox = Sandbox()
sandbox.extract("a.csv", b"city,seats\\nBern,3\\n", "u")
print(sandbox.pid)
sandbox.close()
"""


def test_a_large_bot_does_not_cost_a_worker_for_each_document():
    done = subprocess.run([sys.executable, "-c", LARGE_PARENT], capture_output=True, text=True)
    assert done.stdout.strip().isdigit(), done


def test_too_much_text_is_reported():
    small = Sandbox(Limits(characters=1000))
    with pytest.raises(DocumentError, match="more than 1,000 characters"):
        small.extract("a.csv", b"city\n" + b"Bern Bern\n" * 1000, "u")
    small.close()


def test_the_worker_does_not_see_the_bots_environment(sandbox, monkeypatch):
    monkeypatch.setenv("SLACK_BOT_TOKEN", "xoxb-secret")
    assert works(sandbox)
    with open(f"/proc/{sandbox.pid}/environ", "rb") as file:
        assert b"xoxb-secret" not in file.read()


def test_several_threads_share_a_worker(sandbox):
    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(lambda _: works(sandbox), range(20)))


def test_a_file_that_is_none_of_its_kind_is_named(sandbox):
    with pytest.raises(DocumentError, match="no PDF"):
        sandbox.extract("a.pdf", b"%PDF-1.4 nothing", "u")
    assert works(sandbox)
