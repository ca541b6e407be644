"""The built-in components: the loaders, the structure splitter, a detector of personal data.

A plugin like any other, registered as `builtin`; what needs time to import is imported by the
factories.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from bot.document import PersonalData
from bot.hookspecs import hookimpl
from bot.plugins import Component, Context

MARKDOWN = frozenset({".md", ".markdown", ".mdown", ".mkd"})
HTML = frozenset({".html", ".htm", ".xhtml"})
JSONL = frozenset({".jsonl", ".ndjson"})
INCLUDE = (
    "*.md", "*.markdown", "*.txt", "*.text", "*.rst", "*.html", "*.htm", "*.pdf", "*.docx",
    "*.pptx", "*.xlsx", "*.csv", "*.tsv", "*.ipynb", "*.eml", "*.mbox",
)  # fmt: skip
EXCLUDE = ("node_modules", "bower_components", "site-packages", "__pycache__")


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class FileSettings(_Settings):
    """`[sources.NAME]` with `type = "file"`."""

    path: Path = Field(description="The file.")
    url: str = Field("", description="Where people find it; the default is its `file://` address.")
    max_bytes: int = Field(50_000_000, gt=0, description="A larger file is reported and left out.")


class FolderSettings(_Settings):
    """`[sources.NAME]` with `type = "folder"`."""

    path: Path = Field(description="The folder.")
    url: str = Field(
        "",
        description="Where people find it: a document's link is this and its path in the folder. "
        "The default is its `file://` address.",
    )
    include: tuple[str, ...] = Field(INCLUDE, description="Patterns of the files to read.")
    exclude: tuple[str, ...] = Field(
        EXCLUDE, description="Patterns of files and folders to leave out."
    )
    hidden: bool = Field(False, description="Also read what begins with a dot.")
    max_bytes: int = Field(50_000_000, gt=0, description="A larger file is reported and left out.")


class CommunitySettings(FolderSettings):
    """`[sources.NAME]` with `type = "community"`."""

    include: tuple[str, ...] = Field(description="Patterns of the files to read.")
    loader: str = Field(
        pattern=r"^[A-Z]\w*Loader$",
        description="The class of `langchain_community.document_loaders` that reads one file.",
    )
    options: dict[str, Any] = Field(
        {}, description="What it is made with, besides the file's path."
    )


class JsonlSettings(_Settings):
    """`[sources.NAME]` with `type = "jsonl"`."""

    path: Path = Field(description="The JSONL file: one JSON object a line, in UTF-8.")
    url: str = Field(
        "",
        description="Where people find a line without a `url` of its own: this and its `_id`. The "
        "default is the file's `file://` address with the `_id` as fragment.",
    )
    max_line_bytes: int = Field(
        10_000_000, gt=0, description="A longer line is reported and left out."
    )


class WebSettings(_Settings):
    """`[sources.NAME]` with `type = "web"`."""

    urls: tuple[str, ...] = Field((), description="Addresses of pages.")
    sitemaps: tuple[str, ...] = Field((), description="Addresses of sitemaps that list pages.")
    include: tuple[str, ...] = Field(
        ("**",), description="Patterns of the paths that are read of a sitemap."
    )
    exclude: tuple[str, ...] = Field((), description="Patterns of the paths that are left out.")
    delay: float = Field(
        0.5, ge=0, le=60, description="Seconds between two requests; robots.txt may ask for more."
    )
    max_pages: int = Field(10_000, gt=0, description="No more pages than these are read.")
    max_bytes: int = Field(20_000_000, gt=0, description="A larger page is reported and left out.")
    allow_private: tuple[str, ...] = Field(
        (), description="Names of hosts that may have an address in a private network."
    )

    @field_validator("urls", "sitemaps")
    @classmethod
    def _addresses(cls, urls: tuple[str, ...]) -> tuple[str, ...]:
        from bot.indexing.urls import web_address

        return tuple(map(web_address, urls))

    @model_validator(mode="after")
    def _something(self) -> WebSettings:
        if not self.urls and not self.sitemaps:
            raise ValueError("name pages in `urls`, or sitemaps in `sitemaps`")
        return self


class GitSettings(_Settings):
    """`[sources.NAME]` with `type = "git"`."""

    repository: str | Path = Field(
        description="Where git clones it from: `https://…`, `ssh://…`, `git@HOST:PATH` or a folder."
    )
    branch: str = Field("", description="The branch; the default is the repository's own.")
    folder: str = Field("", description="The folder in it to read; the default is all of it.")
    url: str = Field(
        "",
        description="Where people find it: a document's link is this and its path in the folder. "
        "The default is the repository's address with the path as fragment.",
    )
    include: tuple[str, ...] = Field(INCLUDE, description="Patterns of the files to read.")
    exclude: tuple[str, ...] = Field(
        EXCLUDE, description="Patterns of files and folders to leave out."
    )
    hidden: bool = Field(False, description="Also read what begins with a dot.")
    max_bytes: int = Field(50_000_000, gt=0, description="A larger file is reported and left out.")
    allow_private: tuple[str, ...] = Field(
        (), description="Names of hosts that may have an address in a private network."
    )

    @field_validator("repository", mode="before")
    @classmethod
    def _repository(cls, written: Any) -> Any:
        from bot.indexing.repositories import repository_address

        return repository_address(written) if isinstance(written, str) else written

    @field_validator("branch")
    @classmethod
    def _branch(cls, written: str) -> str:
        from bot.indexing.repositories import branch_name

        return branch_name(written)


class StructureSettings(_Settings):
    """`[splitters.NAME]` with `type = "structure"`."""

    max_tokens: int = Field(
        200,
        ge=16,
        description="No piece has more of the embedder's tokens. The title and the headings are "
        "embedded with it, so leave room for them.",
    )
    overlap: int = Field(
        0, ge=0, description="Tokens that a piece repeats of the one before it in its section."
    )

    def model_post_init(self, context: Any) -> None:
        if self.overlap * 2 > self.max_tokens:
            raise ValueError("overlap must be at most half of max_tokens")


@hookimpl
def bot_components() -> Iterable[Component]:
    return (
        Component(kind="loader", type="folder", settings=FolderSettings, make=_folder),
        Component(kind="loader", type="file", settings=FileSettings, make=_file),
        Component(kind="loader", type="jsonl", settings=JsonlSettings, make=_jsonl),
        Component(kind="loader", type="web", settings=WebSettings, make=_web),
        Component(kind="loader", type="git", settings=GitSettings, make=_git),
        Component(kind="loader", type="community", settings=CommunitySettings, make=_community),
        Component(kind="splitter", type="structure", settings=StructureSettings, make=_structure),
    )


@hookimpl
def bot_personal_data(text: str) -> Sequence[PersonalData]:
    from bot.indexing.personal import personal_data

    return personal_data(text)


@hookimpl
def bot_personal_kinds() -> Sequence[str]:
    from bot.indexing.personal import KINDS

    return KINDS


def guess_type(path: Path) -> Literal["folder", "file", "jsonl"]:
    """Guess which loader reads a path."""
    if path.is_dir():
        return "folder"
    return "jsonl" if path.suffix.lower() in JSONL else "file"


def guess_remote(place: str) -> Literal["web", "git", ""]:
    """Guess what an address leads to; nothing when it is a path of this machine."""
    if place.startswith(("ssh://", "git@")) or (place.endswith(".git") and "://" in place):
        return "git"
    return "web" if place.startswith(("https://", "http://")) else ""


def _folder(name: str, settings: FolderSettings, context: Context) -> object:
    from bot.indexing.files import FolderLoader

    return FolderLoader(settings)


def _file(name: str, settings: FileSettings, context: Context) -> object:
    from bot.indexing.files import FileLoader

    return FileLoader(settings)


def _jsonl(name: str, settings: JsonlSettings, context: Context) -> object:
    from bot.indexing.jsonl import JsonlLoader

    return JsonlLoader(settings)


def _web(name: str, settings: WebSettings, context: Context) -> object:
    from bot.indexing.web import WebLoader

    return WebLoader(settings, context.home / "cache" / "web" / f"{name}.json")


def _git(name: str, settings: GitSettings, context: Context) -> object:
    from bot.indexing.git import GitLoader

    return GitLoader(settings, context.home / "cache" / "git")


def _community(name: str, settings: CommunitySettings, context: Context) -> object:
    from functools import partial
    from importlib.util import find_spec

    from bot.errors import PluginError
    from bot.indexing.files import FolderLoader
    from bot.indexing.sandbox import read_with

    if find_spec("langchain_community") is None:
        raise PluginError(
            "The sources of the type 'community' need langchain-community; install it with "
            "`pip install 'domainbot[community]'`."
        )
    wanted = {"name": settings.loader, "options": settings.options}
    return FolderLoader(settings, partial(read_with, wanted), repr(wanted))


def _structure(name: str, settings: StructureSettings, context: Context) -> object:
    from bot.indexing.splitting import StructureSplitter

    return StructureSplitter(settings)
