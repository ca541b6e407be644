"""What `bot.toml` says about LangChain's parts."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, TypeAlias
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    StringConstraints,
    ValidationInfo,
    field_validator,
    model_validator,
)

from bot import Secret
from bot.leaving import Remote, host_elsewhere
from bot.settings import principal
from bot.settings.secret import resolve

# Providers whose class goes to `base_url` and nowhere else, and options that could lead it astray.
_ADDRESSED = frozenset({"openai", "anthropic", "ollama"})
_LEADING = frozenset(
    "base_url openai_api_base anthropic_api_url openai_proxy anthropic_proxy model_provider "
    "http_client http_async_client client_kwargs sync_client_kwargs async_client_kwargs".split()
)

ImportPath = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)+$")]
Money = Annotated[float, Field(ge=0, allow_inf_nan=False)]


def _read(value: Any, info: ValidationInfo) -> Any:
    """Read what stands for something else: secrets, and paths beside bot.toml."""
    context = info.context or {}
    folder = context.get("folder", Path.cwd())
    if isinstance(value, Mapping):
        if value.keys() in ({"env"}, {"file"}):
            return resolve(value, context.get("environ", os.environ), folder)
        if value.keys() == {"path"}:
            return folder / Path(value["path"]).expanduser()
        return {key: _read(one, info) for key, one in value.items()}
    if isinstance(value, list):
        return [_read(one, info) for one in value]
    return value


def _written(value: Any) -> Any:
    """Write it as bot.toml has it: a secret as its reference."""
    if isinstance(value, Secret):
        return value.reference
    if isinstance(value, Path):
        return {"path": str(value)}
    if isinstance(value, Mapping):
        return {key: _written(one) for key, one in value.items()}
    return [_written(one) for one in value] if isinstance(value, list) else value


Options: TypeAlias = Annotated[
    dict[str, Any], AfterValidator(_read), PlainSerializer(_written, return_type=dict[str, Any])
]
_OPTIONS = "What it is made with; see docs/users/langchain.md for parts in it, secrets and paths."


class Part(BaseModel):
    """An object of LangChain: which class, and what it is made with."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True, serialize_by_alias=True)

    class_: ImportPath = Field(alias="class", description="Its import path: `package.Class`.")
    call: str = Field("", description="A class method that makes it, such as `from_documents`.")
    then: str | dict[str, Options] = Field(
        "", description="A method whose result is meant, such as `as_retriever`, or a table: its "
        "name with what it is given."
    )  # fmt: skip
    options: Options = Field(default={}, description=_OPTIONS)


class RemotePart(Part, Remote):
    """A part that is given text. Where it sends that cannot be known, so `may_receive` decides."""

    @property
    def elsewhere(self) -> str:
        return self.class_


class RetrieverSettings(RemotePart):
    """`[retrievers.NAME]` with `type = "langchain"`."""

    readers: list[str] = Field(
        min_length=1,
        description="Who may read what it finds, unless a document's metadata has `readers`.",
    )

    @field_validator("readers")
    @classmethod
    def _principals(cls, value: list[str]) -> list[str]:
        return [principal(one) for one in value]


class RerankSettings(RemotePart):
    """`[retrievers.NAME]` with `type = "langchain-rerank"`."""

    retrievers: list[str] = Field(
        ["documents"], min_length=1, description="Who searches: other tables of [retrievers]."
    )
    candidates: int = Field(30, ge=1, le=500, description="How many passages are put in order.")


class EmbedderSettings(RemotePart):
    """`[embedders.NAME]` with `type = "langchain"`."""

    dimensions: int = Field(ge=1, le=16_000, description="Length of its vectors.")
    max_tokens: int = Field(256, ge=16, description="Tokens of a text that it takes in.")


class LoaderSettings(Part):
    """`[sources.NAME]` with `type = "langchain"`."""


class SplitterSettings(Part):
    """`[splitters.NAME]` with `type = "langchain"`."""


class Prices(BaseModel):
    """What a million tokens cost."""

    model_config = ConfigDict(extra="forbid")

    input: Money = Field(description="A million tokens that the model reads.")
    output: Money = Field(description="A million tokens that it writes.")


class ChatSettings(Remote):
    """`[generators.NAME]` with `type = "langchain"`."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True, serialize_by_alias=True)

    model: str = Field(
        "",
        pattern=r"^$|^[\w-]+:.+$",
        description='Provider and model: `"openai:…"`, `"anthropic:…"`, `"ollama:…"`.',
    )
    class_: ImportPath | None = Field(
        None, alias="class", description="Instead of `model`: the import path of a chat model."
    )
    options: Options = Field(default={}, description=_OPTIONS)
    base_url: str | None = Field(
        None, description="Its address, for vLLM, SGLang, llama.cpp, Ollama or a gateway."
    )
    api_key: Secret | None = Field(None, description="Its key, by reference.")
    temperature: float | None = Field(None, ge=0, le=2, description="How freely it writes.")
    max_tokens: int = Field(1000, ge=1, description="Tokens of an answer at most.")
    context_limit: int | None = Field(
        None, ge=256, description="Tokens that it reads and writes at once; no limit, unless given."
    )
    timeout: float = Field(60, gt=0, le=3600, description="Seconds for its next token.")
    longest: float = Field(600, gt=0, le=86_400, description="Seconds for a whole answer.")
    retries: int = Field(3, ge=0, le=20, description="How often it is asked again after a failure.")
    patience: float = Field(
        30, ge=0, le=3600, description="Seconds that it may make us wait before that."
    )
    prices: Prices | None = Field(None, description="What a million tokens cost.")
    tools: bool = Field(False, description="Whether it may search with the assistant's retrievers.")
    steps: int = Field(4, ge=1, le=20, description="How often it may call tools.")
    logprobs: bool = Field(
        False, description="Whether it tells how sure it was, for a router that asks."
    )
    fallback: str | None = Field(
        None,
        description="Another table of [generators] that answers when this one cannot be asked.",
        json_schema_extra={"component": "generator"},
    )

    @model_validator(mode="after")
    def _one_of_both(self) -> ChatSettings:
        if bool(self.model) == bool(self.class_):
            raise ValueError('needs either `model`, such as "openai:gpt-5", or `class`')
        return self

    @property
    def provider(self) -> str:
        """The provider's name; empty with a class."""
        return self.model.partition(":")[0]

    @property
    def elsewhere(self) -> str:
        if self.class_:
            return self.class_
        if leading := sorted(_LEADING & self.options.keys()):
            return f"wherever options.{leading[0]} leads"
        if self.base_url and self.provider in _ADDRESSED:
            return host_elsewhere(self.base_url)
        if self.provider == "ollama":
            return host_elsewhere(os.environ.get("OLLAMA_HOST") or "localhost")
        return self.provider

    @property
    def host(self) -> str:
        """The host that is asked, with an address of its own."""
        url = self.base_url or os.environ.get("OLLAMA_HOST") or "localhost"
        return urlsplit(url if "//" in url else f"//{url}").hostname or ""
