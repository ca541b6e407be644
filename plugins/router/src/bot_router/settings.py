"""What `bot.toml` says about a router."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StringConstraints, model_validator

Size: TypeAlias = Literal["small", "large"]
Language: TypeAlias = Literal[
    "en", "de", "fr", "es", "it", "pt", "nl", "ru", "zh", "ja", "ko"
]  # those that bot.phrases tells apart
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


class Range(BaseModel):
    """A range of numbers, its ends included."""

    model_config = ConfigDict(extra="forbid")

    min: float | None = Field(None, allow_inf_nan=False, description="At least this.")
    max: float | None = Field(None, allow_inf_nan=False, description="At most this.")

    @model_validator(mode="after")
    def _holds_something(self) -> Range:
        if self.min is None and self.max is None:
            raise ValueError("has neither `min` nor `max`; write {min = 40}, for one")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"holds nothing: {self.min:g} is more than {self.max:g}")
        return self

    def holds(self, value: float) -> bool:
        """Whether a number lies in it."""
        return (self.min is None or value >= self.min) and (self.max is None or value <= self.max)


class Rule(BaseModel):
    """`[[generators.NAME.rules]]`: who answers a question for which all of it is so."""

    model_config = ConfigDict(extra="forbid")

    use: Size = Field(description="Who answers.")
    name: str = Field("", description="What it is called in reports; its number, unless given.")
    words: Range | None = Field(None, description="How many words the question has.")
    score: Range | None = Field(None, description="The score of the best passage; 0 without one.")
    passages: Range | None = Field(None, description="How many passages the prompt holds.")
    languages: Annotated[list[Language], Field(min_length=1)] | None = Field(
        None, description="Languages that the question may be in."
    )
    topics: Annotated[list[Text], Field(min_length=1)] | None = Field(
        None, description="Words or phrases, one of which the question has."
    )

    @model_validator(mode="after")
    def _asks_something(self) -> Rule:
        if not self.model_fields_set - {"use", "name"}:
            raise ValueError(
                "has no condition; give it `words`, `score`, `passages`, `languages` or `topics`, "
                "or set `start` for all questions"
            )
        return self


class Weak(BaseModel):
    """`[generators.NAME.weak]`: which answers of the small one the large one takes over."""

    model_config = ConfigDict(extra="forbid")

    refusal: StrictBool = Field(
        default=True, description="When it refuses, or says that it cannot tell."
    )
    supported: Share = Field(
        default=0.5,
        description="When fewer of its sentences than this share have their passages behind.",
    )
    probability: Share = Field(
        default=0.0,
        description="When its tokens are less probable on average, where the model tells.",
    )


class RouterSettings(BaseModel):
    """`[generators.NAME]` with `type = "router"`."""

    model_config = ConfigDict(extra="forbid")

    small: str = Field(
        description="Who answers first: another table of [generators].",
        json_schema_extra={"component": "generator"},
    )
    large: str = Field(
        description="Who answers when that is needed: another table of [generators].",
        json_schema_extra={"component": "generator"},
    )
    start: Size = Field("small", description="Who answers what no rule speaks of.")
    rules: list[Rule] = Field([], description="Who answers what; the first that fits decides.")
    weak: Weak = Field(Weak(), description="Which answers of the small one are taken over.")
    show: Literal["at_once", "when_sure"] = Field(
        "at_once",
        description="Show the small one's answer while it comes, or when it has been judged.",
    )
    patience: float = Field(
        30.0, gt=0, le=3600, description="Seconds for the large one's next words."
    )
    longest: int = Field(
        50_000, ge=100, description="Characters, thoughts too, after which an answer is cut."
    )

    @model_validator(mode="after")
    def _differ(self) -> RouterSettings:
        if self.small == self.large:
            raise ValueError(f'has "{self.small}" as `small` and as `large`; name two generators')
        return self
