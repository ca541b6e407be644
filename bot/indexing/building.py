"""Cutting and embedding documents for the index versions that must hold them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pluggy

from bot import dispatch
from bot.document import Document, IndexVersion, Piece, Vectors
from bot.errors import EmbeddingError, IndexingError
from bot.indexing.ledger import Cut
from bot.plugins import Kind

BATCH = 256  # texts embedded in one call: enough to sort by length, few enough to stop soon

SEPARATOR = " › "


@dataclass(frozen=True, slots=True)
class Builder:
    """Makes the chunks of one index version.

    Attributes:
        embedder, splitter: plugin names of the components that the version was built with.
    """

    manager: pluggy.PluginManager
    version: IndexVersion
    embedder: str
    splitter: str

    async def build(
        self, documents: Sequence[Document], embedded: Callable[[int], None]
    ) -> list[list[Cut]]:
        """Cut and embed documents; one list of cuts for each.

        Args:
            embedded: told how many chunks were embedded, after each batch.

        Raises:
            IndexingError: the splitter or the embedder failed.
        """
        tokens = await self._ask(
            "bot_token_spans", self.embedder, texts=[d.text for d in documents]
        )
        pieces: list[Sequence[Piece]] = [
            await self._ask("bot_split", self.splitter, document=document, tokens=spans)
            for document, spans in zip(documents, tokens, strict=True)
        ]
        contexts = [
            [context(document.title, piece.headings) for piece in cut]
            for document, cut in zip(documents, pieces, strict=True)
        ]
        texts = [
            f"{above}\n{document.text[piece.start : piece.end]}"
            for document, cut, aboves in zip(documents, pieces, contexts, strict=True)
            for piece, above in zip(cut, aboves, strict=True)
        ]
        vectors = [
            vector
            for start in range(0, len(texts), BATCH)
            for vector in await self._embed(texts[start : start + BATCH], embedded)
        ]
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
                for piece, above in zip(cut, aboves, strict=True)
            ]
            for document, cut, aboves in zip(documents, pieces, contexts, strict=True)
        ]

    async def _embed(self, texts: Sequence[str], embedded: Callable[[int], None]) -> Vectors:
        vectors: Vectors = await self._ask(
            "bot_embed", self.embedder, texts=texts, purpose="document"
        )
        if vectors.shape != (len(texts), self.version.dimensions):
            raise EmbeddingError(
                f"The embedder gave vectors of shape {vectors.shape} where index version "
                f"{self.version.id} holds {self.version.dimensions} dimensions; go back to the "
                "embedder it was built with, or index into a new database."
            )
        embedded(len(texts))
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


def context(title: str, headings: Sequence[str]) -> str:
    """Write where a chunk stands: the title and the headings above it, each once."""
    return SEPARATOR.join(dict.fromkeys(filter(None, [title, *headings])))


async def builders(
    manager: pluggy.PluginManager,
    versions: Sequence[IndexVersion],
    resolve: Callable[[Kind, Mapping[str, Any]], Awaitable[str]],
) -> list[Builder]:
    """Make a builder for each version, from the settings that the version owns.

    Args:
        resolve: makes a component of a kind from stored settings and returns its plugin name.

    Raises:
        EmbeddingError: the embedder is not the one that the version was built with.
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
        made.append(Builder(manager, version, embedder, splitter))
    return made
