"""What `bot.toml` says about local models."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo


def _placed(value: Any, info: ValidationInfo) -> Any:
    """A folder beside `bot.toml` becomes absolute; any other name stays as it is."""
    if not isinstance(value, str) or not value.strip():
        raise ValueError("is no name and no folder")
    context = info.context or {}
    folder = Path(context.get("folder") or Path.cwd()) / Path(value).expanduser()
    if folder.is_dir() or value.startswith(("/", "./", "../", "~")):
        return str(folder.absolute())
    return value


Place = Annotated[str, BeforeValidator(_placed)]


class ModelSettings(BaseModel):
    """What all models have in common."""

    model_config = ConfigDict(extra="forbid")

    device: str = Field(
        "auto", description='Where it runs: "auto", "cpu", "cuda", "cuda:1" or "mps".'
    )
    precision: Literal["auto", "float32", "bfloat16", "float16"] = Field(
        "auto", description="How weights are held; bfloat16 where that is fast, unless given."
    )
    context_limit: int | None = Field(
        None,
        ge=128,
        description="Tokens it reads and writes at once; the model's own, unless given.",
    )
    max_tokens: int = Field(512, ge=1, description="Tokens of an answer.")
    temperature: float = Field(0.0, ge=0, le=5, description="0 always takes the likeliest word.")
    top_p: float = Field(
        1.0, gt=0, le=1, description="Take from the likeliest words of this share."
    )
    seed: int | None = Field(None, description="The same seed gives the same answer again.")
    stop: list[Annotated[str, Field(min_length=1)]] = Field(
        [], description="Texts that end the answer, and are left out."
    )
    thinking: bool = Field(
        False, description="Let a model that can think first; it is shown by `--explain`."
    )
    chat_template: Path | None = Field(
        None, description="A Jinja file, for a model that brings no chat template."
    )
    batch: int = Field(8, ge=1, le=256, description="How many answers are written at once.")
    queue: int = Field(
        32, ge=0, description="How many may wait; the next one is told to come again."
    )
    prefix_memory: int = Field(
        256,
        ge=0,
        description="MiB that keep the beginnings of prompts, so that none is read twice.",
    )


class TransformersSettings(ModelSettings):
    """`[generators.NAME]` with `type = "transformers"`."""

    model: Place = Field(description="A folder, or a name that has been downloaded.")

    @property
    def ladder(self) -> str:
        """What a variant with it takes; a folder that `bot tune` has written holds a recipe."""
        return "tuned" if (Path(self.model) / "recipe.yaml").is_file() else ""


class LoraSettings(ModelSettings):
    """`[generators.NAME]` with `type = "lora"`."""

    ladder: ClassVar[str] = "tuned"  # what a variant with it takes, see bot.evaluation

    base: Place = Field(description="The model that the adapter was made for.")
    adapter: Place = Field(description="A name of the registry (`bot adapters list`), or a folder.")
    adapter_memory: int = Field(
        1024, ge=1, description="MiB for adapters; the ones longest unused go first."
    )
