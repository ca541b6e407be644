"""The contract: every hook that the core calls, who calls it, when, and what a failure does.

Implement a hook with `bot.hookimpl`. A hook may be a plain function, which runs on a thread of its
own, or an `async def`; but the hooks of set-up are plain, and `bot_serve` is asynchronous.
`bot.dispatch` calls each implementation alone, under its timeout, and names it when it raises or
hangs; the turn or the command goes on without it.

A *component* is an object made from a table of `bot.toml` by a factory that `bot_components`
offers; it is a plugin itself, registered as `KIND:NAME` (`retriever:documents`). Hooks marked
"component" are called only on the components, or plugins, that the configuration names.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pluggy

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
from bot.turn import Answer, Delta, Feedback, Passage, Prompt, Turn

if TYPE_CHECKING:
    import click
    import psycopg

    from bot.app import Bot
    from bot.document import Vectors
    from bot.jobs import Task
    from bot.plugins import Component

hookspec = pluggy.HookspecMarker("bot")
hookimpl = pluggy.HookimplMarker("bot")

API_VERSION = 1
OLDEST_API = 1  # what a plugin may say in `BOT_API` and still be loaded


# -- set-up -------------------------------------------------------------------------------------


@hookspec
def bot_components() -> Iterable[Component]:  # type: ignore[empty-body]
    """Offer factories of components by kind and type name.

    Called once, after all plugins are loaded. Import nothing heavy here: a factory imports what
    it needs when it is called. A plugin that raises offers nothing.
    """


@hookspec
def bot_commands(cli: click.Group) -> None:
    """Add commands to the command line.

    Called when a command is asked for that the core does not have, and for `bot --help`.
    """


@hookspec
def bot_migrations() -> Path:  # type: ignore[empty-body]
    """Return the folder of the plugin's yoyo migrations.

    File names start with the distribution's name (`domainbot-pgvector.0001.tables.sql`), so that
    two plugins never share an id. Called when the schema is checked or upgraded.
    """


@hookspec
def bot_tasks() -> Iterable[Task]:  # type: ignore[empty-body]
    """Offer what workers can do for the plugin: `bot.jobs.Task`s, whose names begin with its own.

    A plain function, called when a worker begins. A plugin that raises offers none.
    """


# -- one turn -----------------------------------------------------------------------------------


@hookspec
def bot_turn_started(turn: Turn) -> None:
    """Learn that a turn begins. Failures are noted and change nothing."""


@hookspec
def bot_queries(turn: Turn) -> Sequence[str]:  # type: ignore[empty-body]
    """Return what to search for: a follow-up made standalone, or several queries at once.

    The results of all implementations are joined, in order, without doubles. With none, the core
    searches for the question, carrying over the subject of the conversation when it is a
    follow-up.
    """


@hookspec
def bot_retrieve(turn: Turn) -> Sequence[Passage]:  # type: ignore[empty-body]
    """Return at most `turn.k` passages for `turn.queries`, the best first. Component.

    All retrievers of the assistant run at once. Respect `turn.principals`, `turn.filters`,
    `turn.sources` and `turn.index`; the core drops what the asker may not read all the
    same. One that fails is named in the answer's notices, and the others' passages are used.
    """


@hookspec
def bot_rerank(turn: Turn, passages: Sequence[Passage]) -> Sequence[Passage]:  # type: ignore[empty-body]
    """Return the passages in a better order, or fewer of them. The first result wins.

    Called after the core has fused what the retrievers brought. A failure keeps the fused order.
    """


@hookspec
def bot_generate(turn: Turn, prompt: Prompt) -> AsyncIterator[Delta]:  # type: ignore[empty-body]
    """Stream the answer. Component: the assistant's generator.

    Yield `Delta`s, or plain strings. Cancelling closes the iterator: stop the work then. A
    failure ends the turn as failed, with an apology and a reference id.
    """


@hookspec(firstresult=True)
def bot_context_limit() -> int | None:
    """Return how many tokens the generator can read and write at once. Component."""


@hookspec(firstresult=True)
def bot_count_tokens(text: str) -> int | None:
    """Return how many tokens the generator sees in `text`. Component.

    Without it the core counts a token for every three bytes of UTF-8.
    """


@hookspec
def bot_turn_finished(turn: Turn, answer: Answer) -> None:
    """Learn how a turn ended, after it was recorded. Failures are noted and change nothing."""


@hookspec
def bot_feedback(feedback: Feedback) -> None:
    """Learn what a person thinks of an answer, after it was recorded."""


@hookspec
def bot_around(step: str, turn: Turn) -> AbstractAsyncContextManager[None]:  # type: ignore[empty-body]
    """Return an async context manager that stands around one step of a turn.

    Steps: `queries`, `retrieve`, `rank`, `prompt`, `generate`, `record`. Entered in the order of
    registration and left in reverse. A failure in it is noted, and the step goes on without it.
    """


# -- channels -----------------------------------------------------------------------------------


@hookspec
def bot_serve(bot: Bot) -> None:
    """Serve a channel until cancelled; then finish the turns in flight. Component."""


# -- indexing -----------------------------------------------------------------------------------


@hookspec
def bot_load(source: Source) -> AsyncIterator[Document | Found | Skipped]:  # type: ignore[empty-body]
    """Iterate over the documents of a source. Component: the loader of the source's type.

    Yield each document once. An iterator that ends without an error has told everything: what it
    did not yield is deleted from the index. Raise `bot.errors.SourceError` when the source cannot
    be read: then nothing is deleted.
    """


@hookspec
def bot_personal_data(text: str) -> Sequence[PersonalData]:  # type: ignore[empty-body]
    """Return where personal data stands in a text: e-mail addresses, names, accounts, …

    Called on every text of a document whose source is to be redacted (`redact`), before anything
    of it is stored. What all implementations find is replaced. A failure keeps the document out.
    """


@hookspec
def bot_personal_kinds() -> Sequence[str]:  # type: ignore[empty-body]
    """Return the kinds of personal data that `bot_personal_data` of the same plugin finds.

    A source that asks for a kind nobody finds is not read.
    """


@hookspec(firstresult=True)
def bot_split(document: Document, tokens: Sequence[Span]) -> Sequence[Piece] | None:
    """Cut a document into pieces that fit the embedder. Component.

    `tokens` are the character spans of the embedder's tokens in `document.text`. The pieces are
    in reading order and leave out nothing but white space.
    """


@hookspec(firstresult=True)
def bot_token_spans(texts: Sequence[str]) -> Sequence[Sequence[Span]] | None:
    """Return the character spans of the embedder's tokens in each text. Component: the embedder."""


@hookspec(firstresult=True)
def bot_embed(texts: Sequence[str], purpose: Purpose) -> Vectors | None:
    """Return unit-length embeddings, shape (len(texts), dimensions), float32. Component."""


@hookspec(firstresult=True)
def bot_embedder_identity() -> Mapping[str, Any] | None:
    """Describe the embedder: `name`, `sha256`, `dimensions`, `max_tokens`. Component.

    Cheap: loads no model. Vectors of two embedders mix only when this is equal.
    """


@hookspec(firstresult=True)
def bot_embedder_languages() -> Sequence[str] | None:
    """Return the languages that the embedder was made for, as ISO 639-1 codes. Component.

    None when that is not known; an embedder for many languages names them, or gives None.
    `bot doctor` tells when the documents are in others.
    """


@hookspec
def bot_index_begin(version: IndexVersion, connection: psycopg.AsyncConnection[Any]) -> None:
    """Make room for a new index version. Component: a retriever that keeps an index.

    `connection` is inside the core's transaction in all hooks of the index: what is written
    through it is committed with the ledger or not at all. A retriever that keeps its index
    elsewhere leaves it alone. A failure rolls the transaction back, and the command stops.
    """


@hookspec
def bot_index_add(
    version: IndexVersion, chunks: Sequence[Chunk], connection: psycopg.AsyncConnection[Any]
) -> None:
    """Add chunks of documents that are not in this version. Component."""


@hookspec
def bot_index_delete(
    version: IndexVersion,
    document_ids: Sequence[int],
    connection: psycopg.AsyncConnection[Any],
) -> None:
    """Remove every chunk of these documents. Component."""


@hookspec
def bot_index_readers(
    version: IndexVersion,
    readers: Mapping[int, Sequence[str]],
    connection: psycopg.AsyncConnection[Any],
) -> None:
    """Change who may read these documents, by document id. Component."""


@hookspec
def bot_index_finish(version: IndexVersion, connection: psycopg.AsyncConnection[Any]) -> None:
    """Make the version fast to search, after the last batch of a sync. Component."""


@hookspec
def bot_index_promote(version: IndexVersion, connection: psycopg.AsyncConnection[Any]) -> None:
    """Make this version the one that `bot_retrieve` searches by default. Component."""


@hookspec
def bot_index_drop(version: IndexVersion, connection: psycopg.AsyncConnection[Any]) -> None:
    """Give back everything a version holds. Component."""


@hookspec
def bot_index_size(version: IndexVersion, connection: psycopg.AsyncConnection[Any]) -> int:  # type: ignore[empty-body]
    """Return how many bytes a version takes on disk. Component."""
