"""Parts of LangChain for the tests: deterministic, small, and named by import path."""

from typing import ClassVar

import langsmith.utils
from langchain_core.document_loaders import BaseLoader
from langchain_core.documents import BaseDocumentCompressor, Document
from langchain_core.embeddings import Embeddings
from langchain_core.language_models import GenericFakeChatModel
from langchain_core.messages import AIMessage
from langchain_core.retrievers import BaseRetriever

from bot.testing.fake_models.script import embedding

SIZE = 64


class WordEmbeddings(Embeddings):
    """The same words are near each other."""

    def __init__(self, size=SIZE):
        self.size = size

    def embed_documents(self, texts):
        return [embedding(text, self.size) for text in texts]

    def embed_query(self, text):
        return embedding(text, self.size)


class Memory(BaseLoader):
    """Documents that stand in its options."""

    def __init__(self, texts, readers=None):
        self.texts = texts
        self.readers = readers or {}

    def lazy_load(self):
        for text in self.texts:
            about = {"source": text.split()[0].lower(), "page": 3}
            if text in self.readers:
                about["readers"] = self.readers[text]
            yield Document(page_content=text, metadata=about)


class Longest(BaseDocumentCompressor):
    """Puts the longest first and leaves the shortest out; remembers what it was given."""

    seen: ClassVar[list[str]] = []

    def compress_documents(self, documents, query, callbacks=None):
        self.seen.extend(one.page_content for one in documents)
        return sorted(documents, key=lambda one: -len(one.page_content))[:-1]


class Broken(BaseLoader):
    """Fails after its first document."""

    def lazy_load(self):
        yield Document(page_content="first", metadata={"source": "a"})
        raise OSError("the disk is on fire")


class Seen:
    """Who was called, and whether LangSmith would have been told."""

    parts: ClassVar[dict[str, list[bool]]] = {}

    @classmethod
    def note(cls, name, manager=None):
        handlers = [type(one).__name__ for one in getattr(manager, "handlers", [])]
        traced = "LangChainTracer" in handlers or bool(langsmith.utils.tracing_is_enabled())
        cls.parts.setdefault(name, []).append(traced)


class Watched(GenericFakeChatModel):
    """Answers, and notes."""

    def __init__(self):
        super().__init__(messages=iter([AIMessage("The printer is upstairs. [1]")] * 9))

    def bind_tools(self, tools, **given):
        return self

    def _stream(self, messages, stop=None, run_manager=None, **given):
        Seen.note("model", run_manager)
        yield from super()._stream(messages, stop, None, **given)


class Notes(BaseRetriever):
    """Finds two documents, and notes."""

    def _get_relevant_documents(self, query, *, run_manager):
        Seen.note("retriever", run_manager)
        return [Document(page_content=text) for text in ("The printer is upstairs.", "Soup.")]


class Ordering(Longest):
    """Orders, and notes."""

    def compress_documents(self, documents, query, callbacks=None):
        Seen.note("reranker")
        return super().compress_documents(documents, query, callbacks)
