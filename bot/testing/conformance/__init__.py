"""Conformance suites: subclass one in your tests, and pytest runs its checks on your plugin.

    from bot.testing.conformance import RetrieverConformance

    class TestGlossary(RetrieverConformance):
        plugin = "glossary"
        settings = {"path": "tests/words.toml"}
        question = "What is a chunk?"

The checks call your hooks as the bot does. They need pytest and pytest-asyncio with
`asyncio_mode = "auto"`; each says in its docstring what it asks for.
"""

from __future__ import annotations

from bot.testing.conformance.base import Conformance, Subject
from bot.testing.conformance.channel import ChannelConformance
from bot.testing.conformance.embedder import EmbedderConformance
from bot.testing.conformance.generator import GeneratorConformance
from bot.testing.conformance.index import IndexConformance
from bot.testing.conformance.loader import LoaderConformance
from bot.testing.conformance.retriever import RetrieverConformance

__all__ = [
    "ChannelConformance",
    "Conformance",
    "EmbedderConformance",
    "GeneratorConformance",
    "IndexConformance",
    "LoaderConformance",
    "RetrieverConformance",
    "Subject",
]
