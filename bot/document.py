"""The values that flow through indexing, from a source to an index version."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from bot.turn import NOTHING, Principal

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Vectors: TypeAlias = "NDArray[np.float32]"
"""Unit-length embeddings, shape (texts, dimensions), C-contiguous."""

Span: TypeAlias = tuple[int, int]
"""Start (inclusive) and end (exclusive), in characters of `str`."""

Purpose: TypeAlias = Literal["document", "query"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A place documents come from, as `bot.toml` names it.

    Attributes:
        type: the loader's name: `folder`, `file`, `jsonl`, …
        settings: the loader's validated settings model.
        readers: who may read its documents, unless a document says otherwise itself.
    """

    name: str
    type: str
    settings: Any
    readers: frozenset[Principal]


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One text with its title, its address and its readers.

    Attributes:
        key: names the document within its source, for ever; a path or a line's `_id`.
        text: the extracted text, Markdown where the format has structure. Chunks are spans of it.
        format: how to split it: `markdown` or `text`.
        passage_id: the id its passages carry (a JSONL line's `_id`), or empty for one id a chunk.
        readers: who may read it; None takes the source's.
        fingerprint: changes when the document may have changed; cheap to compare.
    """

    key: str
    text: str
    title: str = ""
    uri: str = ""
    format: Literal["markdown", "text"] = "text"
    passage_id: str = ""
    readers: frozenset[Principal] | None = None
    metadata: Mapping[str, Any] = field(default_factory=lambda: NOTHING)
    fingerprint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A document that a loader found and has not read yet.

    The sync calls `read` only when the fingerprint is not the one it knows, so that a sync with
    nothing new reads nothing. `read` may raise `bot.errors.DocumentError`: the document is then
    reported and skipped, and what was indexed of it before stays.
    """

    key: str
    fingerprint: str
    read: Callable[[], Awaitable[Document]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """Something in a source that is no document: reported once, never indexed.

    With a `key`, what was indexed of that document before stays; without one, nothing is known
    about which document it would have been.
    """

    where: str
    reason: str
    key: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonalData:
    """Personal data in a text: a span, and its kind (`email`, `phone`, …), which replaces it."""

    start: int
    end: int
    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """What a splitter makes of a document: a span of its text, and the headings above it."""

    start: int
    end: int
    headings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """A piece of a document, embedded, ready for an index.

    Attributes:
        id: what `Passage.id` is when a retriever returns this chunk.
        document_id: the document's row in the ledger.
        source: the source's name.
        ordinal: 0 for the document's first chunk, without gaps.
        text: exactly `document.text[start:end]`.
        vector: unit-length embedding, shape (dimensions,), float32.
        context: title and heading path, for people and for lexical search.
    """

    id: str
    document_id: int
    source: str
    ordinal: int
    start: int
    end: int
    text: str
    vector: Any
    readers: tuple[Principal, ...]
    title: str = ""
    uri: str = ""
    context: str = ""
    metadata: Mapping[str, Any] = field(default_factory=lambda: NOTHING)


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexVersion:
    """One complete build of all documents; it owns the settings it was built with.

    Attributes:
        state: `building` until it holds all documents, then `ready` to go live; `retired` once it
            was live and another one is.
        dimensions: length of its vectors.
        settings: embedder, splitter and index settings, as JSON values.
    """

    id: int
    state: Literal["building", "ready", "live", "retired", "dropped"]
    dimensions: int
    settings: Mapping[str, Any]


Chunks: TypeAlias = Sequence[Chunk]
