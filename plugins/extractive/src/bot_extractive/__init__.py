"""The default generator: quotes the sentences that answer. Needs no weights."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from bot import Component, Context, hookimpl


class ExtractiveSettings(BaseModel):
    """`[generators.NAME]` with `type = "extractive"`."""

    model_config = ConfigDict(extra="forbid")

    max_sentences: int = Field(
        default=4, ge=1, le=4, description="How many sentences to quote at most."
    )
    threshold: float = Field(
        default=0.37,
        ge=0,
        le=1,
        description="Refuse below this confidence, 0 to 1: words and meaning together.",
    )


def make(name: str, settings: Any, context: Context) -> object:
    from bot_extractive.generator import Extractive

    return Extractive(settings.max_sentences, settings.threshold, context.embed)


@hookimpl
def bot_components() -> list[Component]:
    return [Component(kind="generator", type="extractive", settings=ExtractiveSettings, make=make)]
