"""LangChain's embeddings as an embedder of the bot."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from bot import hookimpl
from bot.errors import EmbeddingError
from bot_langchain import making
from bot_langchain.settings import EmbedderSettings
from bot_langchain.untraced import untraced

if TYPE_CHECKING:
    from bot.document import Purpose, Span, Vectors

# Its tokenizer is not known; pieces of words this long are rarely longer than a token.
_TOKEN = re.compile(r"\w{1,4}|[^\w\s]")
_BLANK = "-"  # in place of a text without any letter, which some servers refuse


class Embedder:
    """Asks `Embeddings` of LangChain; made when the first text comes."""

    def __init__(self, settings: EmbedderSettings) -> None:
        self._settings = settings
        self._made: Any = None

    @hookimpl
    def bot_embedder_identity(self) -> Mapping[str, Any]:
        """The class and its options; secrets only by reference."""
        about = self._settings.model_dump(
            mode="json", exclude={"may_receive", "dimensions", "max_tokens"}
        )
        digest = hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()
        return {
            "name": self._settings.class_,
            "sha256": digest,
            "dimensions": self._settings.dimensions,
            "max_tokens": self._settings.max_tokens,
        }

    @hookimpl
    def bot_token_spans(self, texts: Sequence[str]) -> list[list[Span]]:
        """Rather too many tokens than too few."""
        return [[match.span() for match in _TOKEN.finditer(text)] for text in texts]

    @hookimpl
    async def bot_embed(self, texts: Sequence[str], purpose: Purpose) -> Vectors:
        """Embed texts; unit length, shape (texts, dimensions).

        Raises:
            EmbeddingError: it failed, or its vectors have another length.
        """
        import numpy as np

        if not texts:
            return np.empty((0, self._settings.dimensions), np.float32)
        if self._made is None:
            self._made = making.make(self._settings)
        given = [text if text.strip() else _BLANK for text in texts]
        try:
            if purpose == "query":
                found = [await untraced(self._made.aembed_query(text)) for text in given]
            else:
                found = await untraced(self._made.aembed_documents(given))
        except Exception as error:
            raise EmbeddingError(
                f"{self._settings.class_} cannot embed ({type(error).__name__}); check its "
                "`options` and that its server runs."
            ) from error
        vectors = np.asarray(found, np.float32)
        if vectors.shape != (len(texts), self._settings.dimensions):
            raise EmbeddingError(
                f"{self._settings.class_} gave vectors of shape {vectors.shape[1:]}; write their "
                "length as `dimensions`."
            )
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        if not np.isfinite(lengths).all():
            raise EmbeddingError(f"{self._settings.class_} gave numbers that are none; ask again.")
        return np.ascontiguousarray(vectors / np.maximum(lengths, 1e-12), np.float32)
