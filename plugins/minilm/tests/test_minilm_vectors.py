"""The default embedder's vectors, with the real weights."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from bot_minilm.embedder import BATCH_TOKENS, SLAB, MiniLM, _batches
from bot_minilm.graph import precision

HERE = Path(__file__).parent
TEXTS = json.loads((HERE / "reference.json").read_text())


@pytest.fixture(scope="module")
def embedder(tmp_path_factory):
    return MiniLM(None, tmp_path_factory.mktemp("home"))


@pytest.mark.parametrize(("used", "least"), [(precision(), 0.9999), ("f32", 0.999999)])
def test_vectors_are_interchangeable_with_the_reference(tmp_path, monkeypatch, used, least):
    monkeypatch.setattr("bot_minilm.graph.precision", lambda: used)
    vectors = MiniLM(None, tmp_path).bot_embed(TEXTS, "document")
    cosines = (vectors * np.load(HERE / "reference.npy")).sum(axis=1)
    assert cosines.min() >= least, dict(zip((t[:20] for t in TEXTS), cosines, strict=True))


def test_vectors_have_the_contract_s_form(embedder):
    vectors = embedder.bot_embed(TEXTS, "document")
    assert vectors.shape == (len(TEXTS), 384)
    assert vectors.dtype == np.float32
    assert vectors.flags.c_contiguous
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)


def test_a_query_and_a_document_embed_alike(embedder):
    query = embedder.bot_embed(["Where is the handbook?"], "query")
    np.testing.assert_array_equal(embedder.bot_embed(["Where is the handbook?"], "document"), query)


def test_a_text_embeds_alike_alone_and_among_others(embedder):
    together = embedder.bot_embed(TEXTS, "document")
    alone = np.concatenate([embedder.bot_embed([text], "document") for text in TEXTS])
    assert (together * alone).sum(axis=1).min() >= 0.9999


def test_vectors_come_in_the_order_of_the_texts(embedder):
    texts = [f"{'word ' * (i * 7 % 40)}number {i}" for i in range(SLAB + 40)]
    vectors = embedder.bot_embed(texts, "document")
    for index in (0, 1, SLAB - 1, SLAB, SLAB + 39):
        alone = embedder.bot_embed([texts[index]], "document")[0]
        assert vectors[index] @ alone >= 0.9999


def test_the_256th_token_counts_and_the_257th_does_not(embedder):
    text = "one " * 253
    base, last, beyond = embedder.bot_embed(
        [text + "cat", text + "dog", text + "dog bird"], "document"
    )
    assert base @ last < 0.9999
    assert last @ beyond >= 0.99999


def test_no_texts_give_no_vectors(embedder):
    assert embedder.bot_embed([], "document").shape == (0, 384)


@pytest.mark.parametrize("text", ["\x00", "\ud83d alone \udc00", "\x1b[31m", "\u202e\ufeff", " \n"])
def test_odd_characters_embed(embedder, text):
    assert np.isfinite(embedder.bot_embed([text], "document")).all()


def test_a_huge_text_embeds_as_its_beginning(embedder):
    beginning = "All models are wrong, but some are useful. " * 100
    huge, short = embedder.bot_embed([beginning * 1000, beginning], "document")
    assert huge @ short >= 0.9999


def test_calls_from_many_threads_agree(tmp_path):
    embedder = MiniLM(None, tmp_path)  # not loaded yet: all threads want it at once
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda _: embedder.bot_embed(TEXTS[:3], "query"), range(16)))
    for vectors in found:
        np.testing.assert_array_equal(vectors, found[0])


def test_the_identity_needs_no_model(tmp_path):
    identity = MiniLM(Path("/nowhere"), tmp_path).bot_embedder_identity()
    assert identity == {
        "name": "all-MiniLM-L6-v2",
        "sha256": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
        "dimensions": 384,
        "max_tokens": 256,
    }


def test_batches_hold_each_text_once_and_no_more_tokens_than_fit():
    ids = [np.zeros(length, np.int64) for length in (3, 256, 17, 256, 2, 90, 17) * 30]
    batches = list(_batches(ids))
    assert sorted(row for batch in batches for row in batch) == list(range(len(ids)))
    assert all(len(b) * max(len(ids[row]) for row in b) <= BATCH_TOKENS for b in batches)


def test_float32_is_used_where_bfloat16_would_be_emulated():
    flags = Path("/proc/cpuinfo").read_text()
    assert precision() == ("bf16" if "bf16" in flags else "f32")
