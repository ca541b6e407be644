"""Background knowledge from Wikipedia: beside one's own documents, or where they hold nothing."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from bot import Component, Context, hookimpl


class WikipediaSettings(BaseModel):
    """`[retrievers.NAME]` with `type = "wikipedia"`."""

    model_config = ConfigDict(extra="forbid")

    may_receive: Literal["nothing", "public", "all"] = Field(
        "nothing",
        description="Which questions may leave this machine: none, those of people who are nobody "
        "in particular, or all.",
    )
    language: str = Field("en", pattern=r"^[a-z][a-z-]{1,11}$", description="Which Wikipedia.")
    url: str = Field("", description="The api.php of another wiki, instead of a Wikipedia.")
    characters: int = Field(
        1500, ge=100, le=20_000, description="How much of an article's beginning is taken."
    )
    articles: int = Field(3, ge=1, le=20, description="How many articles are taken at most.")
    delay: float = Field(0.5, ge=0, le=60, description="Seconds between two requests.")
    cache_hours: float = Field(24, ge=0, description="How long what was found is kept.")

    @property
    def address(self) -> str:
        """Where the wiki's API is."""
        return self.url or f"https://{self.language}.wikipedia.org/w/api.php"


class OutsideSettings(WikipediaSettings):
    """`[generators.NAME]` with `type = "wikipedia"`."""

    generator: str = Field("local", description="Who writes: another table of [generators].")


def make_retriever(name: str, settings: Any, context: Context) -> object:
    from bot_wikipedia.retriever import Wikipedia

    return Wikipedia(settings, context.home)


def make_generator(name: str, settings: Any, context: Context) -> object:
    from bot_wikipedia.outside import Outside
    from bot_wikipedia.retriever import Wikipedia

    return Outside(settings.generator, Wikipedia(settings, context.home), context)


@hookimpl
def bot_components() -> list[Component]:
    return [
        Component(
            kind="retriever", type="wikipedia", settings=WikipediaSettings, make=make_retriever
        ),
        Component(
            kind="generator", type="wikipedia", settings=OutsideSettings, make=make_generator
        ),
    ]
