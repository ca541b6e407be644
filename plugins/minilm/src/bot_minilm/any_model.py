"""The embedder `sentence-transformers`: any model of that library, by name or folder."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from bot import hookimpl
from bot.document import Purpose, Span, Vectors
from bot.errors import EmbeddingError, ModelMissing
from bot_minilm.digests import Digests
from bot_minilm.gate import Gate
from bot_minilm.tokens import valid

WEIGHTS = ("*.safetensors", "pytorch_model*.bin")  # the first kind that there is


class AnyModel:
    """A sentence-transformers model; queries and documents get the prompts it was trained with."""

    def __init__(self, name: str, device: str | None, home: Path) -> None:
        self._name = name
        self._device = device
        self._home = home
        self._gate = Gate()

    async def aclose(self) -> None:
        await self._gate.aclose()

    @hookimpl
    def bot_embedder_identity(self) -> Mapping[str, Any]:
        """Describe the model. Loads it once for what its files do not say, then remembers that."""
        with self._gate:
            sha256 = self._sha256()
            known = self._home / "cache" / f"sentence-transformers-{sha256[:16]}.json"
            if known.is_file():
                found: Mapping[str, Any] = json.loads(known.read_text())
                return found
            identity = {
                "name": self._name.rstrip("/").rsplit("/", 1)[-1],
                "sha256": sha256,
                "dimensions": self._model.get_embedding_dimension(),
                "max_tokens": self._model.max_seq_length,
            }
            known.parent.mkdir(parents=True, exist_ok=True)
            known.write_text(json.dumps(identity))
            return identity

    @hookimpl
    def bot_embedder_languages(self) -> list[str] | None:
        """Read the languages off the model's card, whose front matter names them."""
        with self._gate:
            card = self._folder / "README.md"
        if not card.is_file():
            return None
        head = re.match(r"---\n(.*?)\n---", card.read_text(encoding="utf-8"), re.DOTALL)
        named = re.search(r"^language:[ \t]*(?:\S.*)?(?:\n\s*- .+)*", head[1] if head else "", re.M)
        found = re.findall(r"\b[a-z]{2,3}\b", named[0].partition(":")[2]) if named else []
        return None if "multilingual" in (named[0] if named else "") else found or None

    @hookimpl
    def bot_token_spans(self, texts: Sequence[str]) -> list[list[Span]]:
        with self._gate:
            tokenizer = self._model.tokenizer
            if not tokenizer.is_fast:
                raise EmbeddingError(
                    f"{self._name} has no tokenizer that tells the places of its tokens; choose a "
                    "model with a tokenizer.json."
                )
            found = (
                tokenizer(
                    valid(text),
                    add_special_tokens=False,
                    return_offsets_mapping=True,
                    truncation=False,
                    padding=False,
                    verbose=False,
                )
                for text in texts
            )
            return [[(start, end) for start, end in one["offset_mapping"]] for one in found]

    @hookimpl
    def bot_embed(self, texts: Sequence[str], purpose: Purpose) -> Vectors:
        import numpy as np

        with self._gate:
            model = self._model
            encode = model.encode_query if purpose == "query" else model.encode_document
            if not texts:
                return np.empty((0, model.get_embedding_dimension()), np.float32)
            vectors = encode(
                [valid(text) for text in texts],
                normalize_embeddings=True,
                show_progress_bar=False,
            )
        return np.ascontiguousarray(vectors, np.float32)

    def _sha256(self) -> str:
        """Return the sha256 of the model's weights; of several files, of their sha256 in order."""
        digests = Digests(self._home / "cache" / "sentence-transformers-sha256.json")
        for pattern in WEIGHTS:
            files = [
                file
                for file in sorted(self._folder.rglob(pattern))
                if not {"onnx", "openvino"} & set(file.relative_to(self._folder).parts)
            ]
            if files:
                each = [digests.of(file) for file in files]
                return (
                    each[0]
                    if len(each) == 1
                    else hashlib.sha256("".join(each).encode()).hexdigest()
                )
        raise ModelMissing(f"There are no weights in {self._folder}; copy the whole model there.")

    @cached_property
    def _folder(self) -> Path:
        if Path(self._name).is_dir():
            return Path(self._name)
        from huggingface_hub import snapshot_download

        try:
            return Path(
                snapshot_download(
                    self._name,
                    cache_dir=self._home / "models",
                    ignore_patterns=["onnx/*", "openvino/*", "*.h5", "*.msgpack", "*.ot"],
                )
            )
        except Exception as error:  # its clients raise errors of several libraries
            raise ModelMissing(
                f"The model {self._name!r} is no folder and cannot be downloaded "
                f"({type(error).__name__}); check its name, or give a folder that holds it."
            ) from error

    @cached_property
    def _model(self) -> Any:
        try:
            from sentence_transformers import (  # type: ignore[import-not-found,unused-ignore]
                SentenceTransformer,
            )
        except ImportError as error:
            raise ModelMissing(
                "Embedding with this model needs sentence-transformers; run `make setup-models`, "
                'or `pip install "domainbot-minilm[sentence-transformers]"`.'
            ) from error
        return SentenceTransformer(str(self._folder), device=self._device)
