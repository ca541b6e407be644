"""The recipe of a training: all that is needed to repeat it, as YAML. Imports no torch."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from bot.errors import UsageError

FILE = "recipe.yaml"
# What cannot be stopped and gone on with: PEFT loads no checkpoint whose ranks have changed.
UNRESUMABLE = {"adalora"}
Method = Literal["lora", "dora", "adalora", "prompt", "full"]
Task = Literal["sft", "clm", "dpo"]
_RATES: dict[str, float] = {
    "lora": 2e-4, "dora": 2e-4, "adalora": 1e-3, "prompt": 3e-2, "full": 2e-5,
}  # fmt: skip


class Mixed(BaseModel):
    """Further data: so much of all tokens; with a share of 0 it is only measured."""

    model_config = ConfigDict(extra="forbid")

    data: Path
    share: float = Field(ge=0, lt=1)

    @property
    def name(self) -> str:
        """What it is called in measurements."""
        return self.data.stem


class Recipe(BaseModel):
    """One training. Every key but `name` and `base` has a default.

    Attributes:
        data_sha256, base_sha256: of what it was run with; a repetition compares them.
    """

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(pattern=r"^[\w][\w.-]{0,63}$")]
    base: str
    method: Method = "lora"
    task: Task = "sft"
    data: list[Path] = []
    sources: list[str] = []
    feedback: bool = False
    mix: list[Mixed] = []
    readers: list[str] = []
    held_out: float = Field(0.1, ge=0, le=0.5)
    epochs: float = Field(3, gt=0)
    rate: float = Field(0, ge=0)  # 0: the method's own
    batch: int = Field(8, ge=1)  # rows at once, on each device
    accumulate: int = Field(1, ge=1)  # batches before each step
    length: int = Field(1024, ge=32)  # tokens of a row
    rank: int = Field(16, ge=1)
    alpha: float = Field(32, gt=0)
    virtual_tokens: int = Field(16, ge=1)
    beta: float = Field(0.1, gt=0)  # of DPO
    patience: int = Field(3, ge=1)  # evaluations without progress, then it ends
    evaluations: int = Field(10, ge=1)  # and checkpoints, over the whole training
    checkpointing: bool = False  # compute activations twice instead of keeping them
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    device: str = "auto"
    seed: int = 0
    chat_template: Path | None = None
    data_sha256: str = ""
    base_sha256: str = ""

    @model_validator(mode="after")
    def _possible(self) -> Recipe:
        self.rate = self.rate or _RATES[self.method] * (0.1 if self.task == "dpo" else 1)
        if sum(one.share for one in self.mix) >= 1:
            raise ValueError("the shares of `mix` leave nothing for the data")
        if len({one.name for one in self.mix} | {"held_out"}) <= len(self.mix):
            raise ValueError("two files of `mix` have the same name; rename one")
        if self.task == "dpo" and self.method in ("adalora", "prompt"):
            raise ValueError("preferences are learned with lora, dora or full")
        if self.task == "dpo" and self.mix:
            raise ValueError("preferences are not mixed with other data")
        if not (self.data or self.sources or self.feedback):
            raise ValueError("it names no data, no source and no feedback")
        return self


def make(**values: object) -> Recipe:
    """Make a recipe.

    Raises:
        UsageError: something in it is impossible; all mistakes are told.
    """
    try:
        return Recipe.model_validate(values)
    except ValidationError as error:
        raise UsageError(f"The recipe cannot be used: {_told(error)}.") from error


def read(path: Path) -> dict[str, object]:
    """Read a recipe's keys; paths in it count from its folder.

    Raises:
        UsageError: it is no recipe.
    """
    import yaml

    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeError, yaml.YAMLError) as error:
        raise UsageError(f"{path} cannot be read ({error}); name a recipe.yaml.") from error
    if not isinstance(found, dict):
        raise UsageError(f"{path} is no recipe; name a recipe.yaml.")
    unknown = found.keys() - Recipe.model_fields.keys()
    if unknown:
        raise UsageError(f"{path} has no use for {', '.join(sorted(map(str, unknown)))}.")
    return {key: _placed(key, value, path.parent) for key, value in found.items()}


def write(recipe: Recipe, folder: Path) -> None:
    """Write the recipe beside the result."""
    import yaml

    values = recipe.model_dump(mode="json", exclude_none=True)
    text = yaml.safe_dump(values, sort_keys=False, allow_unicode=True)
    temporary = folder / f".{FILE}"
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(folder / FILE)


def _placed(key: str, value: object, folder: Path) -> object:
    if key == "data" and isinstance(value, list):
        return [folder / str(one) for one in value]
    if key == "mix" and isinstance(value, list):
        return [
            {**one, "data": folder / str(one["data"])}
            if isinstance(one, dict) and "data" in one
            else one
            for one in value
        ]
    if key == "chat_template" and value:
        return folder / str(value)
    return value


def _told(error: ValidationError) -> str:
    return "; ".join(
        ": ".join(filter(None, [".".join(map(str, one["loc"])), one["msg"]]))
        for one in error.errors()
    )
