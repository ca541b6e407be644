"""The core's own suites over parts of LangChain, and what registering the plugin imports."""

import subprocess
import sys

import pytest

from bot.testing.conformance import (
    EmbedderConformance,
    GeneratorConformance,
    LoaderConformance,
    RetrieverConformance,
)
from bot.testing.fake_models import FakeModels


class TestChat(GeneratorConformance):
    plugin = "langchain"

    @pytest.fixture(autouse=True)
    def _models(self):
        with FakeModels() as models:
            self.settings = {"model": "openai:m", "base_url": models.openai_url}
            yield


class TestBM25(RetrieverConformance):
    plugin = "langchain"
    question = "Where does the printer stand?"
    settings = {
        "class": "langchain_community.retrievers.BM25Retriever",
        "call": "from_texts",
        "options": {
            "texts": ["The printer stands upstairs.", "Soup is at noon.", "Lifts are slow."]
        },
        "readers": ["everyone"],
        "may_receive": "all",
    }


class TestVectorStore(RetrieverConformance):
    plugin = "langchain"
    question = "Where does the printer stand?"
    settings = {
        "class": "langchain_core.vectorstores.InMemoryVectorStore",
        "call": "from_texts",
        "options": {
            "texts": ["The printer stands upstairs.", "Soup is at noon.", "Lifts are slow."],
            "embedding": {"class": "langchain_toys.WordEmbeddings"},
        },
        "readers": ["everyone"],
        "may_receive": "all",
    }


class TestEmbeddings(EmbedderConformance):
    plugin = "langchain"
    settings = {
        "class": "langchain_toys.WordEmbeddings",
        "dimensions": 512,
        "options": {"size": 512},
        "may_receive": "all",
    }


class TestLoader(LoaderConformance):
    plugin = "langchain"
    unreadable = {"class": "langchain_toys.Broken"}

    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path):
        self._texts = tmp_path / "texts"
        self._texts.mkdir()
        for name in ("a", "b"):
            (self._texts / f"{name}.txt").write_text(f"This is {name}.")
        self.settings = {
            "class": "langchain_community.document_loaders.DirectoryLoader",
            "options": {
                "path": {"path": str(self._texts)},
                "glob": "*.txt",
                "loader_cls": {"import": "langchain_community.document_loaders.TextLoader"},
            },
        }

    async def remove(self):
        (self._texts / "b.txt").unlink()
        return str(self._texts / "b.txt")


LAZY = """
import sys
import bot_langchain
from bot.assembly import installed
from bot.settings import read
plugins = installed(read(None, {}), {})
assert plugins.component("generator", "langchain") is not None
found = sorted(name for name in sys.modules if name.partition(".")[0].startswith("langchain"))
assert not found, found
"""


def test_registering_it_imports_nothing_of_langchain():
    subprocess.run([sys.executable, "-c", LAZY], check=True, timeout=120)


def test_the_version_is_told_without_it():
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "bot", "--version"],
        check=True,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert "domainbot, version" in done.stdout
    assert "bot.cli" in done.stderr
    assert "langchain" not in done.stderr
