"""The embedder `minilm`: texts to unit vectors on all cores, without torch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from bot import hookimpl
from bot.document import Purpose, Span, Vectors
from bot_minilm import weights
from bot_minilm.gate import Gate
from bot_minilm.graph import DIMENSIONS, compiled
from bot_minilm.tokens import MAX_TOKENS, Tokens

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Ids = NDArray[np.int64]

BATCH_TOKENS = 2048  # more fall out of the processor's cache
SLAB = 512  # texts that are tokenized and sorted by length at once


class MiniLM:
    """all-MiniLM-L6-v2: mean of the last hidden states, scaled to unit length.

    What it needs is loaded on first use, once, however many threads ask.
    """

    def __init__(self, folder: Path | None, home: Path) -> None:
        self._folder = folder
        self._home = home
        self._finding = Lock()
        self._gate = Gate()
        self._found: Path | None = None
        self._loaded_tokens: Tokens | None = None
        self._loaded_transformer: Transformer | None = None

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
    def bot_embedder_languages(self) -> list[str]:
        return ["en"]

    @hookimpl
    def bot_token_spans(self, texts: Sequence[str]) -> list[Sequence[Span]]:
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
        files = self._files()
        with self._gate:
            if self._loaded_tokens is None:
                self._loaded_tokens = Tokens(files / weights.TOKENIZER, self._gate)
            return self._loaded_tokens

    def _transformer(self) -> Transformer:
        files = self._files()
        with self._gate:
            if self._loaded_transformer is None:
                tensors = weights.read(files / weights.WEIGHTS)
                self._loaded_transformer = Transformer(tensors, self._gate)
            return self._loaded_transformer

    def _files(self) -> Path:
        with self._finding:  # not at the gate: this may download, and the closing waits there
            if self._found is None:
                self._found = weights.find(self._folder, self._home)
            return self._found


class Transformer:
    """Token ids to unit vectors; safe to call from several threads."""

    def __init__(self, tensors: Mapping[str, NDArray[np.float32]], gate: Gate) -> None:
        self._words = tensors["embeddings.word_embeddings.weight"]
        self._places = (
            tensors["embeddings.position_embeddings.weight"][:MAX_TOKENS]
            + tensors["embeddings.token_type_embeddings.weight"][0]
        )
        model = compiled(tensors)
        wanted = model.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS")
        self._requests = [model.create_infer_request() for _ in range(wanted)]
        self._gate = gate

    def __call__(self, ids: Sequence[Ids]) -> Vectors:
        """Embed; ids of shape (length,) each, vectors of shape (len(ids), 384)."""
        import numpy as np

        vectors = np.empty((len(ids), DIMENSIONS), np.float32)
        batches = _batches(ids)
        while group := list(islice(batches, len(self._requests))):
            padded = [self._padded([ids[row] for row in rows]) for rows in group]
            with self._gate:
                for request, inputs in zip(self._requests, padded, strict=False):
                    request.start_async(inputs, share_inputs=True)
                for request, rows, (_, mask) in zip(self._requests, group, padded, strict=False):
                    request.wait()
                    hidden = request.get_output_tensor().data
                    # In float32 whatever the layers had. The mean's divisor is left out: scaling
                    # to unit length takes it away again.
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
