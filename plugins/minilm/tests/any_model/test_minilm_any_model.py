"""With the extra `sentence-transformers`, which the default install must not have."""

import numpy as np
from bot_minilm import weights
from bot_minilm.any_model import AnyModel
from bot_minilm.embedder import MiniLM


def test_the_same_model_gives_the_same_in_both(tmp_path):
    ours, any_model = MiniLM(None, tmp_path), AnyModel(str(weights.installed()), "cpu", tmp_path)
    texts = ["How do I reset my password?", "", "東京 \ud800 tower", "word " * 1000]
    cosines = ours.bot_embed(texts, "query") * any_model.bot_embed(texts, "query")
    assert cosines.sum(axis=1).min() >= 0.9999
    assert any_model.bot_token_spans(texts) == ours.bot_token_spans(texts)
    identity = any_model.bot_embedder_identity()
    assert identity == {**ours.bot_embedder_identity(), "name": "model"}
    assert any_model.bot_embedder_identity() == identity
    empty = any_model.bot_embed([], "document")
    assert (empty.shape, empty.dtype) == ((0, 384), np.float32)
