"""Hybrid search in Elasticsearch: a retriever that keeps its index there."""

from __future__ import annotations

from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field

from bot import Component, Context, Secret, hookimpl

_HERE = frozenset({"127.0.0.1", "::1", "localhost"})


class ElasticsearchSettings(BaseModel):
    """`[retrievers.NAME]` with `type = "elasticsearch"`."""

    model_config = ConfigDict(extra="forbid")

    url: str = Field("http://127.0.0.1:9200", description="The server.")
    api_key: Secret | None = Field(None, description="An API key that may manage the indexes.")
    may_receive: Literal["nothing", "all"] = Field(
        "nothing", description="Whether a server on another machine may get all documents."
    )
    index: str = Field(
        "domainbot",
        pattern=r"^[a-z][a-z0-9_]{0,60}$",
        description="What the names of the indexes begin with; one for each bot.",
    )
    candidates: int = Field(
        50, ge=1, le=1000, description="How many chunks each search brings before they are fused."
    )

    @property
    def allowed(self) -> bool:
        """Whether anything may be sent to the server."""
        return self.may_receive == "all" or urlsplit(self.url).hostname in _HERE


def make(name: str, settings: Any, context: Context) -> object:
    from bot_elasticsearch.retriever import Retriever

    return Retriever(settings, context)


@hookimpl
def bot_components() -> list[Component]:
    return [
        Component(kind="retriever", type="elasticsearch", settings=ElasticsearchSettings, make=make)
    ]
