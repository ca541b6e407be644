"""Both embedders as the bot sees them: offered, configured, called through the hooks."""

import sys

import pytest
from bot_minilm import weights
from bot_minilm.any_model import AnyModel
from bot_minilm.embedder import MiniLM
from pydantic import ValidationError

from bot import dispatch
from bot.errors import ModelMissing
from bot.plugins import Context, Plugins


@pytest.fixture(scope="module")
def plugins():
    plugins = Plugins()
    plugins.load({"BOT_PLUGINS": "minilm"})
    assert [loaded.error for loaded in plugins.loaded] == [""]
    return plugins


def component(plugins, type_, options, home):
    factory = plugins.component("embedder", type_)
    context = Context(home=home, database=None, embed=None)
    return factory.make("embedder", factory.settings.model_validate(options), context)


async def test_the_embedder_is_called_through_its_hooks(plugins, tmp_path):
    plugins.register(component(plugins, "minilm", {}, tmp_path), "embedder:test")
    only = {"embedder:test"}
    ask = {"only": only, "timeout": None}
    vectors, _ = await dispatch.first(
        plugins.manager, "bot_embed", texts=["a", "b"], purpose="document", **ask
    )
    spans, _ = await dispatch.first(plugins.manager, "bot_token_spans", texts=["a b"], **ask)
    identity, _ = await dispatch.first(plugins.manager, "bot_embedder_identity", **ask)
    assert vectors.shape == (2, identity["dimensions"])
    assert spans == [[(0, 1), (2, 3)]]


def test_minilm_is_for_english(tmp_path):
    assert MiniLM(None, tmp_path).bot_embedder_languages() == ["en"]


@pytest.mark.parametrize(
    ("card", "languages"),
    [
        ("---\nlanguage: en\ntags:\n- zh\n---\nfr", ["en"]),
        ("---\ntags: [x]\nlanguage:\n  - en\n  - zh\nlicense: mit\n---\n", ["en", "zh"]),
        ("---\nlanguage: [en, 'zh']\n---\n", ["en", "zh"]),
        ("---\nlanguage:\n- multilingual\n- af\n---\n", None),
        ("---\nlicense: mit\n---\n", None),
        ("language: en", None),
        (None, None),
    ],
)
def test_the_languages_of_a_model_stand_on_its_card(tmp_path, card, languages):
    if card is not None:
        (tmp_path / "README.md").write_text(card, encoding="utf-8")
    assert AnyModel(str(tmp_path), None, tmp_path).bot_embedder_languages() == languages


def test_settings_refuse_what_they_do_not_know(plugins):
    for type_ in ("minilm", "sentence-transformers"):
        with pytest.raises(ValidationError):
            plugins.component("embedder", type_).settings.model_validate({"model": "m", "no": 1})


def test_without_the_extra_the_error_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    embedder = AnyModel(str(weights.installed()), None, tmp_path)
    with pytest.raises(ModelMissing, match=r"run `make setup-models`"):
        embedder.bot_embed(["yes"], "query")


def test_a_model_that_is_nowhere_is_missing(tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(ModelMissing, match=r"'no/model' is no folder and cannot be downloaded"):
        AnyModel("no/model", None, tmp_path).bot_embedder_identity()
