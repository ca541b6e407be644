"""The part of the contract that is about indexing; `bot.hookspecs` has it with all the rest."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from bot.document import (
    Chunk,
    Document,
    Found,
    IndexVersion,
    PersonalData,
    Piece,
    Purpose,
    Skipped,
    Source,
    Span,
)
from bot.hookmarkers import hookspec, since

if TYPE_CHECKING:
    import psycopg

    from bot.document import Vectors

__all__ = [
    "bot_embed",
    "bot_embedder_identity",
    "bot_embedder_languages",
    "bot_index_add",
    "bot_index_begin",
    "bot_index_delete",
    "bot_index_drop",
    "bot_index_finish",
    "bot_index_promote",
    "bot_index_readers",
    "bot_index_size",
    "bot_load",
    "bot_personal_data",
    "bot_personal_kinds",
    "bot_split",
    "bot_token_spans",
]


# -- reading and embedding ---------------------------------------------------------------------


@since("0.1")
@hookspec
def bot_load(source: Source) -> AsyncIterator[Document | Found | Skipped]:  # type: ignore[empty-body]
    """Iterate over the documents of a source. Component: the loader of the source's `type`.

    Called: by `bot reindex`, once a source, without a time limit. It is read ahead of the
    indexing, by at most 1000 items.
    Gives: each document once, as a `Document`, or as a `Found` when telling whether it changed
    is cheaper than reading it, or as a `Skipped` for what cannot be one. An iterator that ends
    without an error has told everything: what it did not yield is deleted from the index.
    Failure: the command stops with exit code 1, and nothing is deleted. Raise
    `bot.errors.SourceError` with a sentence. A `Found.read` that raises
    `bot.errors.DocumentError` concerns that document alone: it is reported, and what was
    indexed of it stays.
    """


@since("0.1")
@hookspec
def bot_personal_data(text: str) -> Sequence[PersonalData]:  # type: ignore[empty-body]
    """Find personal data in a text.

    Called: with every text of a document (its text, its title, each value of its metadata)
    whose source says `redact`, before anything of it is stored. The bot itself finds `email`,
    `iban`, `card` and `phone`.
    Gives: `PersonalData(start=…, end=…, kind=…)`, in characters. Each place is replaced by its
    kind: `[email]`.
    Failure: the document is reported and not stored.
    """


@since("0.1")
@hookspec
def bot_personal_kinds() -> Sequence[str]:  # type: ignore[empty-body]
    """Say which kinds of personal data the plugin's `bot_personal_data` finds.

    Called: at the start of a sync of a source that says `redact`.
    Gives: names of kinds. A source that asks for a kind nobody finds is not read.
    Failure: as if the plugin found nothing.
    """


@since("0.1")
@hookspec(firstresult=True)
def bot_split(document: Document, tokens: Sequence[Span]) -> Sequence[Piece] | None:
    """Cut a document into pieces that fit the embedder. Component: the splitter of the index
    version.

    Called: by `bot reindex`, once a changed document, without a time limit.
    Gives: pieces in reading order that leave out nothing but white space. `tokens` are the
    spans of the embedder's tokens in `document.text`, in characters.
    Failure: the command stops; what was finished is kept.
    """


@since("0.1")
@hookspec(firstresult=True)
def bot_token_spans(texts: Sequence[str]) -> Sequence[Sequence[Span]] | None:
    """Find the embedder's tokens. Component: the embedder of the index version.

    Called: by `bot reindex`, once a batch of documents, without a time limit.
    Gives: for each text its tokens' start and end, in characters.
    Failure: the command stops; what was finished is kept.
    """


@since("0.1")
@hookspec(firstresult=True)
def bot_embed(texts: Sequence[str], purpose: Purpose) -> Vectors | None:
    """Embed texts. Component: the embedder of the index version.

    Called: by `bot reindex` with `purpose="document"`, at most 256 texts at once, and through
    `context.embed` with `purpose="query"`; without a time limit of its own (a retriever's
    covers its queries).
    Gives: unit-length vectors, a NumPy array of shape (len(texts), dimensions), float32.
    Failure: of documents, the command stops, and what was finished is kept; of queries, the
    retriever that asked gets a `bot.errors.EmbeddingError`.
    """


@since("0.1")
@hookspec(firstresult=True)
def bot_embedder_identity() -> Mapping[str, Any] | None:
    """Say which embedder this is. Component: the embedder.

    Called: by `bot reindex`, before anything is read. Load no model for it.
    Gives: a mapping of JSON values with at least `name`, `sha256`, `dimensions` and
    `max_tokens`. Two embedders are the same when it is equal.
    Failure: the command stops. An identity other than the one that the index was built with
    stops it too.
    """


@since("0.1")
@hookspec(firstresult=True)
def bot_embedder_languages() -> Sequence[str] | None:
    """Say for which languages the embedder was made. Component: the embedder.

    Called: by `bot doctor`.
    Gives: ISO 639-1 codes (`["en"]`), or None when they are not known.
    Failure: counts as None.
    """


# -- keeping an index --------------------------------------------------------------------------


@since("0.1")
@hookspec
def bot_index_begin(version: IndexVersion, connection: psycopg.AsyncConnection[Any]) -> None:
    """Make room for a new index version.

    Called: when the version is made, before the first document; on every plugin and component
    that implements it, one after the other, without a time limit, inside the core's
    transaction.
    Gives: nothing. What is written through `connection` is committed together with the core's
    own record, or not at all.
    Failure: the transaction is rolled back and the command stops; earlier batches are kept.
    """


@since("0.1")
@hookspec
def bot_index_add(
    version: IndexVersion, chunks: Sequence[Chunk], connection: psycopg.AsyncConnection[Any]
) -> None:
    """Add chunks.

    Called: by `bot reindex`, once a batch of documents; on every plugin and component that
    implements it, one after the other, without a time limit, inside the core's transaction.
    Gives: nothing. The chunks are of documents that this version does not hold: a changed
    document is deleted first.
    Failure: the transaction is rolled back and the command stops; earlier batches are kept.
    """


@since("0.1")
@hookspec
def bot_index_delete(
    version: IndexVersion,
    document_ids: Sequence[int],
    connection: psycopg.AsyncConnection[Any],
) -> None:
    """Remove all chunks of some documents.

    Called: when documents are gone or have changed, and by `bot source remove`; on every plugin
    and component that implements it, one after the other, without a time limit, inside the
    core's transaction.
    Gives: nothing. A document that the index does not hold is no error.
    Failure: the transaction is rolled back and the command stops; earlier batches are kept.
    """


@since("0.1")
@hookspec
def bot_index_readers(
    version: IndexVersion,
    readers: Mapping[int, Sequence[str]],
    connection: psycopg.AsyncConnection[Any],
) -> None:
    """Change who may read some documents.

    Called: when the readers of a source or a document changed and its text did not; on every
    plugin and component that implements it, one after the other, without a time limit, inside
    the core's transaction.
    Gives: nothing. `readers` maps a document's id to its new readers.
    Failure: the transaction is rolled back and the command stops; earlier batches are kept.
    """


@since("0.1")
@hookspec
def bot_index_finish(version: IndexVersion, connection: psycopg.AsyncConnection[Any]) -> None:
    """Make the version fast to search.

    Called: after the last batch of each source's sync, and of a rebuild; on every plugin and
    component that implements it, one after the other, without a time limit, inside the core's
    transaction.
    Gives: nothing.
    Failure: the command stops; the documents are indexed.
    """


@since("0.1")
@hookspec
def bot_index_promote(version: IndexVersion, connection: psycopg.AsyncConnection[Any]) -> None:
    """Learn that this version is the live one, which is searched by default.

    Called: when the first version is made, and by `bot index promote` and `rollback`; on every
    plugin and component that implements it, one after the other, without a time limit, inside
    the core's transaction.
    Gives: nothing.
    Failure: the transaction is rolled back and the command stops; earlier batches are kept.
    """


@since("0.1")
@hookspec
def bot_index_drop(version: IndexVersion, connection: psycopg.AsyncConnection[Any]) -> None:
    """Give back everything that a version holds.

    Called: by `bot index drop` and `bot index cancel`; on every plugin and component that
    implements it, one after the other, inside the core's transaction. Locks are waited for ten
    seconds.
    Gives: nothing.
    Failure: the transaction is rolled back and the command stops; earlier batches are kept.
    """


@since("0.1")
@hookspec
def bot_index_size(version: IndexVersion, connection: psycopg.AsyncConnection[Any]) -> int:  # type: ignore[empty-body]
    """Tell how much room a version takes.

    Called: by `bot index list` and `bot index status`; on every plugin and component that
    implements it, one after the other, inside a transaction.
    Gives: bytes on disk; what all of them give is added up.
    Failure: the command stops.
    """
