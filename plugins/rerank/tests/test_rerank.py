"""With a tiny cross-encoder that is made on the spot, and a retriever that finds words."""

import threading
import time

import pytest
from bot_rerank import RerankSettings, make

from bot import Context, Passage, Turn, asking, hookimpl
from bot.database import Database
from bot.errors import PluginError, UsageError
from bot.machinery import Limits, Machinery
from bot.plugins import Plugins
from bot.testing.conformance import RetrieverConformance

EVERYBODY = frozenset({"everyone"})
TEXTS = [f"The printer number {number} stands on floor {number % 7}." for number in range(20)]


class Words:
    def __init__(self):
        self.k = []

    @hookimpl
    async def bot_retrieve(self, turn):
        self.k.append(turn.k)
        words = {word for query in turn.queries for word in query.lower().strip("?").split()}
        return [
            Passage(id=str(number), text=text, readers=EVERYBODY, score=1 / (1 + number))
            for number, text in enumerate(TEXTS)
            if words & set(text.lower().split())
        ][: turn.k]


def context(home):
    plugins = Plugins()
    words = Words()
    plugins.register(words, "retriever:documents")

    async def named(kind, name):
        return f"{kind}:{name}"

    machinery = Machinery(
        manager=plugins.manager, database=Database(), resolve=named, limits=Limits()
    )

    async def search(turn):
        return await asking.search(machinery, turn)

    return words, Context(home=home, database=Database(), embed=None, search=search)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    """A BERT of one layer with random weights: an order of its own, always the same."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast

    folder = tmp_path_factory.mktemp("tiny")
    words = {word.strip(".?") for text in TEXTS for word in text.lower().split()}
    known = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *sorted(words)]
    vocabulary = {word: number for number, word in enumerate(known)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]",
        sep_token="[SEP]", model_max_length=64,
    ).save_pretrained(folder)  # fmt: skip
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(known), hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=32, max_position_embeddings=64, num_labels=1,
    )  # fmt: skip
    BertForSequenceClassification(config).save_pretrained(folder)
    return str(folder)


def turn(question, **given):
    return Turn(id="t", question=question, **{"queries": (question,), **given})


class TestConformance(RetrieverConformance):
    plugin = "rerank"
    question = "Where does the printer stand?"

    @pytest.fixture(autouse=True)
    def _model(self, tiny):
        self.settings = {"model": tiny, "seconds": 60}

    def context(self, home):
        return context(home)[1]


async def test_the_cross_encoder_decides_the_order(tiny, tmp_path):
    from sentence_transformers import CrossEncoder

    words, given = context(tmp_path)
    one = make("rerank", RerankSettings(model=tiny, candidates=20, seconds=60), given)
    found = await one.bot_retrieve(turn("printer", k=5))
    assert words.k == [20]
    scores = CrossEncoder(tiny, num_labels=1).predict([("printer", f"\n{t}") for t in TEXTS])
    expected = sorted(range(20), key=lambda number: -scores[number])[:5]
    assert [int(passage.id) for passage in found] == expected
    assert found[0].score == pytest.approx(scores[expected[0]], abs=1e-5)


async def test_who_is_late_changes_nothing(tiny, tmp_path):
    _, given = context(tmp_path)
    one = make("rerank", RerankSettings(model=tiny, candidates=20, seconds=0.3), given)
    read = []

    class Slow:
        def predict(self, pairs, show_progress_bar):
            read.append(len(pairs))
            time.sleep(0.4)
            return [0.0] * len(pairs)

    one._model = Slow()
    found = await one.bot_retrieve(turn("printer", k=3))
    assert [passage.id for passage in found] == ["0", "1", "2"]
    with one._reading:  # the thread ends after the batch that it has in hand
        assert len(read) == 1
    assert threading.active_count() < 20


async def test_a_number_that_is_none_is_the_worst(tiny, tmp_path):
    _, given = context(tmp_path)
    one = make("rerank", RerankSettings(model=tiny, candidates=2, seconds=60), given)

    class Odd:
        def predict(self, pairs, show_progress_bar):
            return [float("nan"), 0.5]

    one._model = Odd()
    assert [p.id for p in await one.bot_retrieve(turn("printer", k=2))] == ["1", "0"]


async def test_a_model_that_is_not_there_is_named(tmp_path):
    _, given = context(tmp_path)
    one = make("rerank", RerankSettings(model=str(tmp_path / "nowhere"), seconds=60), given)
    with pytest.raises(PluginError, match="nowhere"):
        await one.bot_retrieve(turn("printer"))


def test_it_does_not_search_with_itself(tiny, tmp_path):
    with pytest.raises(UsageError, match="with itself"):
        make("documents", RerankSettings(model=tiny), context(tmp_path)[1])
