"""Cutting and embedding documents for the index versions that must hold them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import pluggy

from bot import dispatch
from bot.document import Document, IndexVersion, Piece, Vectors
from bot.errors import EmbeddingError, IndexingError
from bot.indexing.ledger import Cut
from bot.leaving import MayReceive
from bot.location import SEPARATOR
from bot.plugins import Kind
from bot.turn import EVERYONE

BATCH = 256  # texts embedded in one call: enough to sort by length, few enough to stop soon

KEPT = "not everyone may read it, and its embedder may receive only what is public"

ENOUGH = 4  # failures in one batch after which the embedder itself is looked at
PROBE = Document(key="probe", text="A sentence that every embedder can embed.")

Memory: TypeAlias = dict[tuple[str, str], Any]
"""Vectors by embedder and text: versions that differ in their splitter or their index alone share
them, and so does what stands in many documents."""


@dataclass(frozen=True, slots=True)
class Builder:
    """Makes the chunks of one index version.

    Attributes:
        embedder, splitter: plugin names of the components that the version was built with.
        may_receive: how much the embedder may be given.
    """

    manager: pluggy.PluginManager
    version: IndexVersion
    embedder: str
    splitter: str
    may_receive: MayReceive = "all"

    async def build(
        self,
        documents: Sequence[Document],
        embedded: Callable[[int], None],
        memory: Memory | None = None,
    ) -> list[list[Cut]]:
        """Cut and embed documents; one list of cuts for each.

        Args:
            embedded: told how many chunks were embedded, after each batch.
            memory: what was embedded already, and is not again; what is embedded is added.

        Raises:
            IndexingError: the splitter or the embedder failed.
        """
        pieces = await self.cut(documents)
        texts = [embeddable for cut in pieces for _, _, embeddable in cut]
        vectors = await self._vectors(texts, embedded, {} if memory is None else memory)
        following = iter(vectors)
        return [
            [
                Cut(
                    text=document.text[piece.start : piece.end],
                    start=piece.start,
                    end=piece.end,
                    context=above,
                    vector=next(following),
                )
                for piece, above, _ in cut
            ]
            for document, cut in zip(documents, pieces, strict=True)
        ]

    async def cut(self, documents: Sequence[Document]) -> list[list[tuple[Piece, str, str]]]:
        """Cut documents: for each its pieces, where each stands, and the text to embed.

        Raises:
            IndexingError: the splitter or the embedder's tokenizer failed.
        """
        tokens = await self._ask(
            "bot_token_spans", self.embedder, texts=[d.text for d in documents]
        )
        # A version that was built before there was a choice has the headings.
        headed = self.version.settings.get("index", {}).get("headings", True)
        cuts = []
        for document, spans in zip(documents, tokens, strict=True):
            pieces: Sequence[Piece] = await self._ask(
                "bot_split", self.splitter, document=document, tokens=spans
            )
            aboves = [context(document.title, piece.headings) for piece in pieces]
            cuts.append(
                [
                    (piece, above, f"{above if headed else ''}\n{_text(document, piece)}")
                    for piece, above in zip(pieces, aboves, strict=True)
                ]
            )
        return cuts

    async def _vectors(
        self, texts: Sequence[str], embedded: Callable[[int], None], memory: Memory
    ) -> list[Any]:
        """Look up what was embedded already; embed the rest, each text once."""
        fresh = [t for t in dict.fromkeys(texts) if (self.embedder, t) not in memory]
        for start in range(0, len(fresh), BATCH):
            batch = fresh[start : start + BATCH]
            for text, vector in zip(batch, await self.embed(batch), strict=True):
                memory[self.embedder, text] = vector
            embedded(len(batch))
        return [memory[self.embedder, text] for text in texts]

    async def embed(self, texts: Sequence[str]) -> Vectors:
        """Embed texts as documents; shape (texts, dimensions).

        Raises:
            IndexingError, EmbeddingError: the embedder failed, or is not the version's.
        """
        vectors: Vectors = await self._ask(
            "bot_embed", self.embedder, texts=texts, purpose="document"
        )
        if vectors.shape != (len(texts), self.version.dimensions):
            raise EmbeddingError(
                f"The embedder gave vectors of shape {vectors.shape} where index version "
                f"{self.version.id} holds {self.version.dimensions} dimensions; go back to the "
                "embedder it was built with, or index into a new database."
            )
        return vectors

    async def _ask(self, hook: str, plugin: str, **arguments: Any) -> Any:
        value, failures = await dispatch.first(
            self.manager, hook, only={plugin}, timeout=None, **arguments
        )
        if failures:
            raise IndexingError(
                f"{failures[0]}. What was finished is kept; run `bot reindex` again to go on."
            ) from failures[0]
        if value is None:
            raise IndexingError(f"{plugin} does not implement {hook}; choose another in [index].")
        return value


def _text(document: Document, piece: Piece) -> str:
    return document.text[piece.start : piece.end]


async def build_apart(
    builder: Builder,
    documents: Sequence[Document],
    embedded: Callable[[int], None],
    memory: Memory | None = None,
) -> list[list[Cut] | str]:
    """Cut and embed documents so that one that cannot be keeps no other out.

    Returns:
        For each document its cuts, or why it cannot be cut or embedded.

    Raises:
        IndexingError, EmbeddingError: even a plain sentence cannot be: no document is to blame.
    """
    if builder.may_receive == "public":
        leaving = [EVERYONE in (one.readers or ()) for one in documents]
        public = [one for one, leaves in zip(documents, leaving, strict=True) if leaves]
        open_ = replace(builder, may_receive="all")
        built = iter(await build_apart(open_, public, embedded, memory))
        return [next(built) if leaves else KEPT for leaves in leaving]
    failures = 0

    async def build(some: Sequence[Document]) -> list[list[Cut] | str]:
        nonlocal failures
        try:
            return [*await builder.build(some, embedded, memory)]
        except (IndexingError, EmbeddingError) as error:
            failures += 1
            if failures == ENOUGH or len(some) == 1:
                await builder.build([PROBE], lambda _: None)
            if len(some) == 1:
                return [str(error)]
            half = len(some) // 2
            return [*await build(some[:half]), *await build(some[half:])]

    return await build(documents) if documents else []


def context(title: str, headings: Sequence[str]) -> str:
    """Write where a chunk stands: the title and the headings above it, each once."""
    return SEPARATOR.join(dict.fromkeys(filter(None, [title, *headings])))


async def builders(
    manager: pluggy.PluginManager,
    versions: Sequence[IndexVersion],
    resolve: Callable[[Kind, Mapping[str, Any]], Awaitable[str]],
    may_receive: Callable[[str], MayReceive] = lambda _: "all",
) -> list[Builder]:
    """Make a builder for each version, from the settings that the version owns.

    Args:
        resolve: makes a component of a kind from stored settings and returns its plugin name.
        may_receive: how much the component behind a plugin name may be given.

    Raises:
        EmbeddingError: the embedder is not the one that the version was built with, or it may
            receive nothing.
    """
    made: list[Builder] = []
    for version in versions:
        embedder = await resolve("embedder", version.settings["embedder"])
        splitter = await resolve("splitter", version.settings["splitter"])
        found, _ = await dispatch.first(
            manager, "bot_embedder_identity", only={embedder}, timeout=None
        )
        if found != version.settings["embedder"]["identity"]:
            raise EmbeddingError(
                f"Index version {version.id} was built by another embedder "
                f"({version.settings['embedder']['identity']}, here is {found}); their vectors do "
                "not mix. Go back to that one in [index], or index into a new database."
            )
        if may_receive(embedder) == "nothing":
            raise EmbeddingError(
                f"{embedder} sends text to another host and may receive nothing; write "
                '`may_receive = "public"` or `"all"` into its table of bot.toml.'
            )
        made.append(Builder(manager, version, embedder, splitter, may_receive(embedder)))
    return made
