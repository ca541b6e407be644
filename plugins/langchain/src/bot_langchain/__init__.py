"""LangChain both ways: its parts as components of bot.toml, and the bot as one of its parts.

Nothing of LangChain is imported before a component is made, or `BotRunnable` or `BotRetriever` is
asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bot import Component, Context, hookimpl
from bot_langchain.settings import (
    ChatSettings,
    EmbedderSettings,
    LoaderSettings,
    RerankSettings,
    RetrieverSettings,
    SplitterSettings,
)

if TYPE_CHECKING:
    from bot_langchain.bots import BotRetriever as BotRetriever
    from bot_langchain.bots import BotRunnable as BotRunnable

__all__ = ["BotRetriever", "BotRunnable"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'bot_langchain' has no attribute {name!r}")
    from bot_langchain import bots

    return getattr(bots, name)


def make_generator(name: str, settings: Any, context: Context) -> object:
    from bot_langchain.generator import Chat

    return Chat(name, settings, context)


def make_retriever(name: str, settings: Any, context: Context) -> object:
    from bot_langchain.retriever import Retriever

    return Retriever(settings)


def make_reranker(name: str, settings: Any, context: Context) -> object:
    from bot_langchain.retriever import Reranked

    return Reranked(name, settings, context)


def make_embedder(name: str, settings: Any, context: Context) -> object:
    from bot_langchain.embedder import Embedder

    return Embedder(settings)


def make_loader(name: str, settings: Any, context: Context) -> object:
    from bot_langchain.documents import Loader

    return Loader(settings)


def make_splitter(name: str, settings: Any, context: Context) -> object:
    from bot_langchain.documents import Splitter

    return Splitter(settings)


@hookimpl
def bot_components() -> list[Component]:
    return [
        Component(kind="generator", type="langchain", settings=ChatSettings, make=make_generator),
        Component(
            kind="retriever", type="langchain", settings=RetrieverSettings, make=make_retriever
        ),
        Component(
            kind="retriever", type="langchain-rerank", settings=RerankSettings, make=make_reranker
        ),
        Component(kind="embedder", type="langchain", settings=EmbedderSettings, make=make_embedder),
        Component(kind="loader", type="langchain", settings=LoaderSettings, make=make_loader),
        Component(kind="splitter", type="langchain", settings=SplitterSettings, make=make_splitter),
    ]
