"""The embedder `minilm`: texts to unit vectors on all cores, without torch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bot import hookimpl
from bot.document import Purpose, Span, Vectors
from bot_minilm import weights
from bot_minilm.gate import Gate
from bot_minilm.tokens import MAX_TOKENS, Tokens

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Ids = NDArray[np.int64]

DIMENSIONS = 384
BATCH_TOKENS = 2048  # more fall out of the processor's cache
SLAB = 512  # texts that are tokenized and sorted by length at once


class MiniLM:
    """all-MiniLM-L6-v2: mean of the last hidden states, scaled to unit length.

    What it needs is loaded on first use, once, however many threads ask.
    """

    def __init__(self, folder: Path | None, home: Path) -> None:
        self._folder = folder
        self._home = home
        self._gate = Gate()

    async def aclose(self) -> None:
        await self._gate.aclose()

    @hookimpl
    def bot_embedder_identity(self) -> Mapping[str, Any]:
        return {
            "name": weights.NAME,
            "sha256": weights.OFFICIAL[weights.WEIGHTS],
            "dimensions": DIMENSIONS,
            "max_tokens": MAX_TOKENS,
        }

    @hookimpl
    def bot_token_spans(self, texts: Sequence[str]) -> list[list[Span]]:
        tokens = self._tokens()
        return [tokens.spans(text) for text in texts]

    @hookimpl
    def bot_embed(self, texts: Sequence[str], purpose: Purpose) -> Vectors:
        """Embed; a text counts with its first 256 tokens. Queries and documents alike."""
        import numpy as np

        vectors = np.empty((len(texts), DIMENSIONS), np.float32)
        if len(texts):
            tokens, transformer = self._tokens(), self._transformer()
            for start in range(0, len(texts), SLAB):
                slab = slice(start, start + SLAB)
                vectors[slab] = transformer(tokens.ids(texts[slab]))
        return vectors

    def _tokens(self) -> Tokens:
        with self._gate:
            return self._loaded_tokens

    def _transformer(self) -> Transformer:
        with self._gate:
            return self._loaded_transformer

    @cached_property
    def _files(self) -> Path:
        return weights.find(self._folder, self._home)

    @cached_property
    def _loaded_tokens(self) -> Tokens:
        return Tokens(self._files / weights.TOKENIZER, self._gate)

    @cached_property
    def _loaded_transformer(self) -> Transformer:
        return Transformer(weights.read(self._files / weights.WEIGHTS), self._gate)


class Transformer:
    """Token ids to unit vectors; safe to call from several threads."""

    def __init__(self, tensors: Mapping[str, NDArray[np.float32]], gate: Gate) -> None:
        from bot_minilm.graph import compiled

        self._words = tensors["embeddings.word_embeddings.weight"]
        self._places = (
            tensors["embeddings.position_embeddings.weight"][:MAX_TOKENS]
            + tensors["embeddings.token_type_embeddings.weight"][0]
        )
        self._request = compiled(tensors).create_infer_request()
        self._gate = gate

    def __call__(self, ids: Sequence[Ids]) -> Vectors:
        """Embed; ids of shape (length,) each, vectors of shape (len(ids), 384)."""
        import numpy as np

        vectors = np.empty((len(ids), DIMENSIONS), np.float32)
        for rows in _batches(ids):
            embedded, mask = self._padded([ids[row] for row in rows])
            with self._gate:
                self._request.infer([embedded, mask], share_inputs=True)
                hidden = self._request.get_output_tensor().data
                # Summed and scaled in float32 whatever precision the layers had. The mean's
                # divisor is left out: scaling to unit length takes it away again.
                total = np.einsum("blh,bl->bh", hidden, mask)
            vectors[rows] = total / np.linalg.norm(total, axis=1, keepdims=True)
        return vectors

    def _padded(self, ids: Sequence[Ids]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        import numpy as np

        length = len(ids[0])  # the longest
        padded = np.zeros((len(ids), length), np.int64)
        mask = np.zeros((len(ids), length), np.float32)
        for row, one in enumerate(ids):
            padded[row, : len(one)] = one
            mask[row, : len(one)] = 1
        return self._words[padded] + self._places[:length], mask


def _batches(ids: Sequence[Ids]) -> Iterator[list[int]]:
    """Yield the indexes of texts of like length, the longest first, so that little is padding."""
    order = sorted(range(len(ids)), key=lambda index: -len(ids[index]))
    start = 0
    while start < len(order):
        size = max(1, BATCH_TOKENS // len(ids[order[start]]))
        yield order[start : start + size]
        start += size
