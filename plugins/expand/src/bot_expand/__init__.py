"""Searching with more than the question: rewritten, in other words, and by an imagined answer."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from bot import Component, Context, hookimpl
from bot.errors import ConfigError


class ExpandSettings(BaseModel):
    """`[retrievers.NAME]` with `type = "expand"`."""

    model_config = ConfigDict(extra="forbid")

    retrievers: list[str] = Field(
        ["documents"], min_length=1, description="Who searches: other tables of [retrievers]."
    )
    generator: str = Field(
        "local", description="Who writes what to search for: a table of [generators]."
    )
    ways: list[Literal["rewrite", "variants", "hypothetical"]] = Field(
        ["rewrite", "variants"],
        min_length=1,
        description="What to search for besides the question: the question made standalone, the "
        "same in other words, a made-up answer.",
    )
    variants: int = Field(3, ge=1, le=10, description="How many other ways to say it.")
    seconds: float = Field(
        4, gt=0, le=60, description="How long the writing may take; then it is left out."
    )


def make(name: str, settings: Any, context: Context) -> object:
    from bot_expand.retriever import Expand

    if name in settings.retrievers:
        raise ConfigError(f"[retrievers.{name}] searches with itself; name another retriever.")
    return Expand(settings, context)


@hookimpl
def bot_components() -> list[Component]:
    return [Component(kind="retriever", type="expand", settings=ExpandSettings, make=make)]
