"""In-context learning: techniques around any generator, without touching its weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

from bot import Component, Context, hookimpl

Technique: TypeAlias = Literal[
    "zero_shot", "few_shot", "chain_of_thought", "plan_and_reflect", "react"
]


class IclSettings(BaseModel):
    """`[generators.NAME]` with `type = "icl"`."""

    ladder: ClassVar[str] = "examples"  # what a variant with it takes, see bot.evaluation

    model_config = ConfigDict(extra="forbid")

    generator: str = Field(
        description="Who writes: another table of [generators].",
        json_schema_extra={"component": "generator"},
    )
    technique: Technique = Field("few_shot", description="How it is asked.")
    prompts: Path | None = Field(
        None, description="A folder with prompt files of your own, in place of those of that name."
    )
    examples: Path | None = Field(
        None, description="A JSONL file of examples: `question`, `answer`, perhaps `readers`."
    )
    praised: bool = Field(
        False, description="Take answers that people marked right as examples, too."
    )
    shots: int = Field(4, ge=0, le=32, description="How many examples a prompt has at most.")
    select: Literal["mmr", "bm25"] = Field(
        "mmr", description="Choose examples by likeness with variety, or by BM25."
    )
    example_tokens: int = Field(1000, ge=0, description="Tokens of all examples together.")
    steps: int = Field(4, ge=1, le=20, description="How often `react` may search.")


def make(name: str, settings: Any, context: Context) -> object:
    from bot_icl.generator import Icl

    return Icl(name, settings, context)


@hookimpl
def bot_components() -> list[Component]:
    return [Component(kind="generator", type="icl", settings=IclSettings, make=make)]
