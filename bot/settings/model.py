"""What `bot.toml` may say: the core's own keys, their types and their defaults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    GetPydanticSchema,
    PrivateAttr,
    StrictBool,
    StrictInt,
    StringConstraints,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
    model_validator,
)
from pydantic_core import core_schema

from bot.machinery import Limits
from bot.plugins import Kind
from bot.settings.mistakes import Mistake
from bot.settings.places import Origin
from bot.settings.principals import principal
from bot.settings.secret import HOW, FromEnvironment, Secret, reference_schema
from bot.turn import EVERYONE

TABLES: Mapping[Kind, str] = {
    "retriever": "retrievers",
    "generator": "generators",
    "channel": "channels",
    "loader": "sources",
    "embedder": "embedders",
    "splitter": "splitters",
}
"""The section of `bot.toml` that holds the components of a kind."""

NAME = r"^\w[\w.-]{0,63}$"

Name = Annotated[str, StringConstraints(pattern=NAME)]
PrincipalText = Annotated[str, AfterValidator(principal)]
Principals = Annotated[list[PrincipalText], Field(min_length=1)]
Seconds = Annotated[float, Field(strict=True, gt=0, le=86_400)]


def _schedule(text: str) -> str:
    from croniter import croniter  # type: ignore[import-untyped]  # it has none

    if text and (len(text.split()) != 5 or not croniter.is_valid(text)):
        raise ValueError('is no schedule; write "0 3 * * *" for every night at three')
    return text


class AssistantSettings(BaseModel):
    """`[assistants.NAME]`: who answers, from what, and how."""

    model_config = ConfigDict(extra="forbid")

    instructions: str = Field(
        default="", description="What the generator is told before the question."
    )
    retrievers: list[str] = Field(
        default=["documents"],
        description="Where to look: tables of [retrievers], or plugins by name.",
    )
    weights: dict[str, Annotated[float, Field(gt=0, le=1000)]] = Field(
        default={}, description="How much a retriever counts against the others; 1, unless given."
    )
    generator: str = Field(
        default="local", description="Who writes: a table of [generators], or a plugin by name."
    )
    sources: Annotated[list[str], Field(min_length=1)] | None = Field(
        default=None, description="Which sources to search; all of them, unless given."
    )
    k: StrictInt = Field(
        default=8, ge=1, le=1000, description="How many passages an answer may use."
    )
    without_sources: Literal["refuse", "answer_labelled"] = Field(
        default="refuse", description="What to do when nothing is found."
    )
    answer_words: StrictInt | None = Field(
        default=None, ge=10, le=10_000, description="Words that an answer should have at most."
    )
    context: Literal["passages", "documents"] = Field(
        default="passages",
        description="What the generator reads: passages, or whole documents where they fit.",
    )
    askers: Principals = Field(default=[EVERYONE], description="Who may ask.")
    glossary: Path | None = Field(
        default=None,
        description="A file of the team's own words: a line `PTO = paid time off` for each.",
    )

    @field_validator("glossary")
    @classmethod
    def _is_there(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        if value is None:
            return None
        found = (info.context["folder"] if info.context else Path.cwd()) / _expanded(str(value))
        if not found.is_file():
            raise ValueError("is no file; write one, with lines like `PTO = paid time off`")
        return Path(found)


class ComponentTable(BaseModel):
    """A table that describes a component; the keys beyond `type` are the component's own."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(default="", description="What it is; the table's own name, unless given.")

    @property
    def options(self) -> Mapping[str, Any]:
        """The component's own keys, not validated yet."""
        return self.model_extra or {}


class SourceTable(ComponentTable):
    """`[sources.NAME]`: a place documents come from."""

    readers: Principals = Field(
        default=[EVERYONE], description="Who may read it, unless a document says otherwise itself."
    )
    schedule: Annotated[str, AfterValidator(_schedule)] = Field(
        default="",
        description="When workers sync it: minute, hour, day, month, weekday, in UTC, as in cron.",
    )
    may_lose: float = Field(
        default=0.5,
        ge=0,
        le=1,
        description="Share of its documents that a sync may delete; it asks when there are more.",
    )
    redact: list[str] = Field(
        default=[],
        description="Kinds of personal data that are replaced before anything is stored.",
    )
    boilerplate: Literal["keep", "drop"] = Field(
        default="keep", description="What to do with paragraphs that stand in many documents."
    )
    duplicates: Literal["keep", "drop"] = Field(
        default="keep", description="What to do with a document that says the same as another."
    )


class IndexSettings(BaseModel):
    """`[index]`: what the first index version is built with."""

    model_config = ConfigDict(extra="forbid")

    embedder: str = Field(
        default="minilm", description="A table of [embedders], or a type by name."
    )
    splitter: str = Field(
        default="structure", description="A table of [splitters], or a type by name."
    )
    vectors: Literal["single", "half", "binary"] = Field(
        default="single",
        description="Precision of the vectors that are searched; half and binary take less room.",
    )
    headings: StrictBool = Field(
        default=True,
        description="Whether a piece is embedded with its title and the headings above it.",
    )


class ConversationsSettings(BaseModel):
    """`[conversations]`: what is kept of what people say."""

    model_config = ConfigDict(extra="forbid")

    keep_days: Annotated[int, Field(strict=True, ge=1, le=36_500)] | None = Field(
        default=None,
        description="Days until workers delete questions and answers; never, unless given.",
    )


class PluginsSettings(BaseModel):
    """`[plugins]`."""

    model_config = ConfigDict(extra="forbid")

    disabled: list[str] = Field(
        default=[], description="Installed plugins that are not to be loaded."
    )


class LimitsSettings(BaseModel):
    """`[limits]`: how long a turn waits, and how much it takes."""

    model_config = ConfigDict(extra="forbid")

    hook: Seconds = Field(
        default=Limits().hook, description="Seconds for any hook without its own limit."
    )
    retrieve: Seconds = Field(default=Limits().retrieve, description="Seconds for each retriever.")
    token: Seconds = Field(
        default=Limits().token, description="Seconds for a generator's next token."
    )
    question: StrictInt = Field(
        default=Limits().question, ge=1, le=1_000_000, description="Characters of a question."
    )


def _limits_schema(source: Any, handler: Any) -> core_schema.CoreSchema:
    """Validate `Limits` as the table; a ready-made one may stand in its place."""
    table = core_schema.no_info_before_validator_function(
        lambda given: asdict(given) if isinstance(given, Limits) else given,
        handler(LimitsSettings),
    )
    return core_schema.no_info_after_validator_function(
        lambda valid: Limits(**dict(valid)),
        table,
        serialization=core_schema.plain_serializer_function_ser_schema(asdict),
    )


Money = Annotated[float, Field(ge=0, le=1e9)]


class BudgetSettings(BaseModel):
    """`[budget]`: what remote models may cost, in the currency of their prices."""

    model_config = ConfigDict(extra="forbid")

    answer: Money | None = Field(
        default=None, description="What one answer may cost at most; no limit, unless given."
    )
    person_day: Money | None = Field(
        default=None, description="... all answers to one person on one day, in UTC."
    )
    assistant_month: Money | None = Field(
        default=None, description="... all answers of one assistant in a month."
    )
    month: Money | None = Field(default=None, description="... all answers in a month.")


_URL_SCHEMA = {"anyOf": [{"type": "string"}, reference_schema("env"), reference_schema("file")]}


class Settings(BaseModel):
    """Everything `bot.toml` and the environment say; `Settings()` is the bot without a file."""

    model_config = ConfigDict(extra="forbid")

    home: Path | None = Field(
        default=None,
        description="The folder for everything outside the database; chosen, unless given.",
    )
    database_url: Annotated[Secret | None, WithJsonSchema(_URL_SCHEMA)] = Field(
        default=None, description="A PostgreSQL with pgvector; an embedded server, unless given."
    )
    assistants: dict[Name, AssistantSettings] = Field(
        default={}, description="Who answers, by name."
    )
    retrievers: dict[Name, ComponentTable] = Field(default={}, description="Where to look.")
    generators: dict[Name, ComponentTable] = Field(default={}, description="Who writes the answer.")
    channels: dict[Name, ComponentTable] = Field(
        default={}, description="Where people talk to the bot."
    )
    sources: dict[Name, SourceTable] = Field(default={}, description="Where documents come from.")
    embedders: dict[Name, ComponentTable] = Field(
        default={}, description="What turns text into vectors."
    )
    splitters: dict[Name, ComponentTable] = Field(default={}, description="What cuts documents.")
    groups: dict[Name, list[PrincipalText]] = Field(default={}, description="Who belongs together.")
    index: IndexSettings = Field(
        default=IndexSettings(), description="What the first index is built with."
    )
    conversations: ConversationsSettings = Field(
        default=ConversationsSettings(), description="How long conversations are kept."
    )
    plugins: PluginsSettings = Field(
        default=PluginsSettings(), description="Which plugins are left out."
    )
    limits: Annotated[Limits, GetPydanticSchema(_limits_schema)] = Field(
        default=Limits(), description="How long a turn waits, and how much it takes."
    )

    budget: BudgetSettings = Field(
        default=BudgetSettings(), description="What remote models may cost."
    )

    _origin: Origin = PrivateAttr(default_factory=Origin)
    _context: dict[str, Any] = PrivateAttr(default_factory=dict)
    _warnings: list[str] = PrivateAttr(default_factory=list)
    _mistakes: list[Mistake] = PrivateAttr(default_factory=list)

    @property
    def path(self) -> Path | None:
        """The file; None when there is none."""
        return self._origin.path

    @property
    def warnings(self) -> list[str]:
        """What is odd and no mistake, one sentence each."""
        return self._warnings

    @field_validator("home", mode="before")
    @classmethod
    def _find_home(cls, value: object, info: ValidationInfo) -> object:
        if value is None or isinstance(value, Path):
            return value
        if not isinstance(value, str) or not value or "\0" in value:
            raise ValueError("is not the name of a folder")
        above = info.context["folder"] if info.context else Path.cwd()
        return (Path.cwd() if isinstance(value, FromEnvironment) else above) / _expanded(value)

    @field_validator("database_url", mode="before")
    @classmethod
    def _without_password(cls, value: object) -> object:
        if not isinstance(value, str) or isinstance(value, FromEnvironment):
            return value
        if {"password", "sslpassword"} & _conninfo(value).keys():
            raise ValueError(f"holds a password, which is not written into a file; {HOW}")
        return Secret(value, value)

    @field_validator("database_url")
    @classmethod
    def _readable(cls, value: Secret | None) -> Secret | None:
        if value is not None:
            _conninfo(value.reveal())
        return value

    @model_validator(mode="after")
    def _complete(self) -> Settings:
        """Fill in what has a default only when nobody has said anything."""
        for section in TABLES.values():
            for name, table in getattr(self, section).items():
                table.type = table.type or name
        if not self.assistants:
            self.assistants["default"] = AssistantSettings()
        for assistant in self.assistants.values():
            if "documents" in assistant.retrievers:
                self.retrievers.setdefault("documents", ComponentTable(type="pgvector"))
            if assistant.generator == "local":
                self.generators.setdefault("local", ComponentTable(type="extractive"))
        return self


def _expanded(path: str) -> Path:
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise ValueError("starts with a ~ that stands for no folder here") from None


def _conninfo(text: str) -> Mapping[str, Any]:
    from psycopg import ProgrammingError
    from psycopg.conninfo import conninfo_to_dict

    try:
        return conninfo_to_dict(text)
    except (ProgrammingError, UnicodeError):  # their text may show the password
        raise ValueError("is not a PostgreSQL URL; write postgresql://USER@HOST/NAME") from None
