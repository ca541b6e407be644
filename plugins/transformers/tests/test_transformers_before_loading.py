"""What can be known before a model is loaded is said then, with what to do."""

import json
import shutil

import pytest
import tiny
from bot_transformers import loading, weights
from bot_transformers.settings import TransformersSettings

from bot.errors import GenerationError


@pytest.fixture
def folder(llama, tmp_path):
    return shutil.copytree(llama, tmp_path / "model")


def plan(folder, **more):
    return loading.plan(folder, "cpu", more.get("precision", "float32"), more.get("limit"))


def test_a_good_folder_has_a_plan(folder):
    made = plan(folder)
    assert made.limit == 2048
    assert made.token_bytes == 2 * 2 * 2 * 16 * 4  # keys and values, layers, heads, size, bytes
    assert plan(folder, limit=300).limit == 300


def test_a_name_that_was_not_downloaded(monkeypatch, tmp_path):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(GenerationError, match="hf download nobody/nothing-at-all"):
        weights.locate("nobody/nothing-at-all")


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(GenerationError, match="There is no folder"):
        weights.locate(str(tmp_path / "nowhere"))


def test_no_configuration(tmp_path):
    with pytest.raises(GenerationError, match=r"config\.json"):
        plan(tmp_path)


def test_weights_that_are_missing(folder):
    (folder / "model.safetensors").unlink()
    with pytest.raises(GenerationError, match="no weights"):
        plan(folder)


def test_pickled_weights_are_never_read(folder):
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(GenerationError, match="can run code"):
        plan(folder)


def test_weights_that_are_cut_short(folder):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(GenerationError, match="cut short"):
        plan(folder)


def test_a_shard_that_is_missing(folder):
    index = {"weight_map": {"a": "model.safetensors", "b": "model-2.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(GenerationError, match=r"model-2\.safetensors"):
        plan(folder)


def test_code_of_its_own_is_never_run(folder):
    tiny.configured(folder, model_type="special", auto_map={"AutoConfig": "evil.Config"})
    (folder / "evil.py").write_text("raise SystemExit('ran')")
    with pytest.raises(GenerationError, match="never run"):
        plan(folder)


def test_what_is_no_causal_model(folder):
    tiny.configured(folder, model_type="whisper_nothing")
    with pytest.raises(GenerationError, match="no causal language model"):
        plan(folder)


def test_layers_with_a_running_state(folder):
    tiny.configured(folder, layer_types=["linear_attention", "full_attention"])
    with pytest.raises(GenerationError, match="running state"):
        plan(folder)


def test_too_little_memory(folder, monkeypatch):
    monkeypatch.setattr(weights, "available_memory", lambda: 100_000)
    with pytest.raises(GenerationError, match="choose a smaller model"):
        plan(folder)


def test_a_device_that_is_not_there(folder):
    with pytest.raises(GenerationError, match="no device 'cuda:99'"):
        loading.plan(folder, "cuda:99", "auto", None)


def test_a_folder_beside_the_configuration(folder):
    context = {"folder": folder.parent}
    settings = TransformersSettings.model_validate({"model": "model"}, context=context)
    assert settings.model == str(folder)
    other = TransformersSettings.model_validate({"model": "Qwen/Qwen3-0.6B"}, context=context)
    assert other.model == "Qwen/Qwen3-0.6B"


def test_the_identity_is_the_base_and_not_its_files(folder, llama, tmp_path):
    same = weights.identity(llama)
    tiny.configured(folder, transformers_version="0", _name_or_path="elsewhere")
    assert weights.identity(folder) == same
    other = tiny.model(tmp_path / "other", seed=1)  # the same shapes, other weights
    assert weights.identity(other) != same
