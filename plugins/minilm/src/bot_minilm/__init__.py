"""Embedders: all-MiniLM-L6-v2 without torch, and any other sentence-transformers model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from bot import Component, Context, hookimpl


class MiniLMSettings(BaseModel):
    """`[embedder]` with `type = "minilm"`."""

    model_config = ConfigDict(extra="forbid")

    weights: Path | None = Field(
        None,
        description="Folder with the official `model.safetensors` and `tokenizer.json`, instead "
        "of the installed or downloaded ones.",
    )


class SentenceTransformersSettings(BaseModel):
    """`[embedder]` with `type = "sentence-transformers"`."""

    model_config = ConfigDict(extra="forbid")

    model: str = Field(description="Name of a model on the hub, or a folder.", min_length=1)
    device: str | None = Field(None, description="`cpu`, `cuda`, …; by default the fastest.")


def make_minilm(name: str, settings: Any, context: Context) -> object:
    from bot_minilm.embedder import MiniLM

    return MiniLM(settings.weights, context.home)


def make_sentence_transformers(name: str, settings: Any, context: Context) -> object:
    from bot_minilm.any_model import AnyModel

    return AnyModel(settings.model, settings.device, context.home)


@hookimpl
def bot_components() -> list[Component]:
    return [
        Component(kind="embedder", type="minilm", settings=MiniLMSettings, make=make_minilm),
        Component(
            kind="embedder",
            type="sentence-transformers",
            settings=SentenceTransformersSettings,
            make=make_sentence_transformers,
        ),
    ]
