"""The loaders of langchain-community: read in the worker process, and never unless asked for."""

import subprocess
import sys

import pytest
from pydantic import ValidationError

from bot.document import Skipped, Source
from bot.errors import DocumentError, PluginError
from bot.indexing.builtin import CommunitySettings, bot_components
from bot.indexing.formats import community

MAIL = """From: <Saved by a browser>
Subject: Archive
MIME-Version: 1.0
Content-Type: multipart/related; type="text/html"; boundary="----B"

------B
Content-Type: text/html
Content-Location: https://example.com/guide

<html><head><title>The guide</title></head><body><p>Press the green button.</p></body></html>
------B--
"""


@pytest.fixture
def load(tmp_path):
    """Load a folder: documents by key, or why they cannot be read."""

    async def run(**settings):
        settings = CommunitySettings(path=tmp_path, **settings)
        made = next(one for one in bot_components() if one.type == "community")
        loader = made.make("rare", settings, None)
        source = Source(name="c", type="community", settings=settings, readers=frozenset({"x"}))
        found = {}
        async for item in loader.bot_load(source):
            assert not isinstance(item, Skipped)
            try:
                found[item.key] = await item.read()
            except DocumentError as error:
                found[item.key] = str(error)
            fingerprints.append(item.fingerprint)
        return found

    fingerprints = run.fingerprints = []
    return run


async def test_a_rare_format_is_read_with_its_title_and_link(load, tmp_path):
    (tmp_path / "guide.mht").write_text(MAIL)
    (tmp_path / "other.txt").write_text("not included")
    found = await load(include=["*.mht"], loader="MHTMLLoader")
    assert list(found) == ["guide.mht"]
    document = found["guide.mht"]
    assert (document.title, document.text.strip()) == (
        "The guide",
        "The guidePress the green button.",
    )
    assert document.uri == (tmp_path / "guide.mht").as_uri()
    assert "tmp" not in str(document.metadata)


async def test_options_reach_the_loader_and_the_fingerprint(load, tmp_path):
    (tmp_path / "a.txt").write_bytes("Zürich".encode("latin-1"))
    first = await load(include=["*.txt"], loader="TextLoader", options={"encoding": "latin-1"})
    assert first["a.txt"].text == "Zürich"
    second = await load(include=["*.txt"], loader="TextLoader")
    assert "parser failed" in second["a.txt"]
    assert len(set(load.fingerprints)) == 2


async def test_what_cannot_be_read_is_told_and_the_rest_is_read(load, tmp_path):
    (tmp_path / "a.txt").write_text("text")
    unknown = await load(include=["*.txt"], loader="NoSuchLoader")
    assert "has no NoSuchLoader" in unknown["a.txt"]
    lacking = await load(include=["*.txt"], loader="SRTLoader")
    assert "another package" in lacking["a.txt"]
    (tmp_path / "b.txt").write_text("  ")
    found = await load(include=["*.txt"], loader="TextLoader")
    assert found["a.txt"].text == "text"
    assert "no text" in found["b.txt"]


def test_pages_stay_pages(monkeypatch):
    import langchain_community.document_loaders as loaders
    from langchain_core.documents import Document

    class PagedLoader:
        def __init__(self, path):
            self.path = path

        def load(self):
            texts = ("one", "two")
            return [
                Document(text, metadata={"page": n, "source": self.path, "by": "Ann"})
                for n, text in enumerate(texts)
            ]

    monkeypatch.setattr(loaders, "PagedLoader", PagedLoader, raising=False)
    document = community.extract("a.xyz", b"", "u", "PagedLoader")
    assert document.text == "one\n\ftwo"
    assert document.metadata == {"by": "Ann"}


@pytest.mark.parametrize("name", ["os.system", "textLoader", "Text", "__import__", ""])
def test_only_a_name_of_a_loader_is_taken(name, tmp_path):
    with pytest.raises(ValidationError):
        CommunitySettings(path=tmp_path, include=["*"], loader=name)


def test_without_the_extra_the_message_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    made = next(one for one in bot_components() if one.type == "community")
    settings = CommunitySettings(path=tmp_path, include=["*"], loader="TextLoader")
    with pytest.raises(PluginError, match=r"domainbot\[community\]"):
        made.make("rare", settings, None)


def test_reading_what_is_not_rare_imports_nothing_of_it():
    code = (
        "import sys, bot.indexing.worker, bot.indexing.files, bot.indexing.builtin\n"
        "from bot.indexing.formats import extract\n"
        "extract('a.html', b'<p>x', 'u')\n"
        "sys.exit(any(name.startswith('langchain') for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
