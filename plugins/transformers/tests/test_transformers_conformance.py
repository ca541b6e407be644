import pytest
import tiny
from bot_transformers import sharing

from bot.testing.conformance import GeneratorConformance


class TestTransformers(GeneratorConformance):
    """The core's own suite, over a model that reads long prompts."""

    plugin = "transformers"

    @pytest.fixture(autouse=True, scope="class")
    def folder(self, tmp_path_factory):
        folder = tiny.taught(
            tmp_path_factory.mktemp("long"), "llama", max_position_embeddings=65536
        )
        type(self).settings = {"model": str(folder), "max_tokens": 8, "precision": "float32"}

    @pytest.fixture(autouse=True)
    def unloaded(self):
        yield
        for shared in list(sharing._shared.values()):  # the suite closes no components
            shared.engine.close()
        sharing._shared.clear()
