"""A retriever around others: a cross-encoder puts what they find into a better order."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from bot import Component, Context, hookimpl
from bot.errors import ConfigError


class RerankSettings(BaseModel):
    """`[retrievers.NAME]` with `type = "rerank"`."""

    model_config = ConfigDict(extra="forbid")

    model: str = Field(
        min_length=1, description="A cross-encoder: its name on the hub, or its folder."
    )
    retrievers: list[str] = Field(
        ["documents"], min_length=1, description="Who searches: other tables of [retrievers]."
    )
    candidates: int = Field(30, ge=1, le=500, description="How many passages are read.")
    seconds: float = Field(
        4, gt=0, le=60, description="How long reading may take; then the order stays as it was."
    )
    characters: int = Field(2000, ge=100, le=20_000, description="How much of a passage is read.")
    device: str | None = Field(None, description="`cpu`, `cuda`, …; by default the fastest.")


def make(name: str, settings: Any, context: Context) -> object:
    from bot_rerank.retriever import Rerank

    if name in settings.retrievers:
        raise ConfigError(f"[retrievers.{name}] searches with itself; name another retriever.")
    return Rerank(settings, context)


@hookimpl
def bot_components() -> list[Component]:
    return [Component(kind="retriever", type="rerank", settings=RerankSettings, make=make)]
