import pytest

from bot.testing.conformance import IndexConformance


class TestHybrid(IndexConformance):
    plugin = "pgvector"

    @pytest.fixture(autouse=True)
    def _database(self, database):
        self.database = database


class TestVectorWithAge(TestHybrid):
    settings = {"mode": "vector", "half_life": 30}
