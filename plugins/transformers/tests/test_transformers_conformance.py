import pytest
import tiny
import training
from bot_transformers import sharing

from bot.testing.conformance import GeneratorConformance


@pytest.fixture(scope="module")
def long(tmp_path_factory):
    """A model that reads long prompts."""
    return tiny.taught(tmp_path_factory.mktemp("long"), "llama", max_position_embeddings=65536)


class TestTransformers(GeneratorConformance):
    """The core's own suite, over a base."""

    plugin = "transformers"
    patience = 300.0  # a long prompt is much for a machine that has other work

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def chosen(cls, long):
        cls.settings = {"model": str(long), "max_tokens": 8, "precision": "float32"}

    @pytest.fixture(autouse=True)
    def unloaded(self):
        yield
        for shared in list(sharing._shared.values()):  # the suite closes no components
            shared.engine.close()
        sharing._shared.clear()


class TestLora(TestTransformers):
    """The same over an adapter."""

    type = "lora"

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def chosen(cls, long, tmp_path_factory):
        adapter = training.adapter(tmp_path_factory.mktemp("mat"), long, "Under the mat.")
        cls.settings = {
            "base": str(long), "adapter": str(adapter), "max_tokens": 8, "precision": "float32",
        }  # fmt: skip
