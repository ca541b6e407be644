"""Finding passages in a wiki."""

from __future__ import annotations

import logging
import re
from pathlib import Path

from bot import EVERYONE, Passage, Turn, hookimpl
from bot_wikipedia import WikipediaSettings
from bot_wikipedia.client import Article, Wiki

log = logging.getLogger(__name__)

_QUERIES = 3  # of a turn's
_LONGEST = 280  # characters; the search takes 300 bytes
_SYNTAX = re.compile(r"[^\w\s.,'’-]+")


class Wikipedia:
    """The beginnings of the articles that a search finds."""

    def __init__(self, settings: WikipediaSettings, home: Path) -> None:
        self._settings = settings
        self._wiki = Wiki(
            settings.address, settings.delay, home / "cache" / "wikipedia", settings.cache_hours
        )

    async def aclose(self) -> None:
        await self._wiki.aclose()

    @hookimpl
    async def bot_retrieve(self, turn: Turn) -> list[Passage]:
        """Search with the first queries; an article that several find keeps its best place.

        Raises:
            SourceError: the wiki does not answer.
        """
        if not self._may_ask(turn):
            log.info("a question stays here: may_receive is %r", self._settings.may_receive)
            return []
        count = min(turn.k, self._settings.articles)
        best: dict[int, Passage] = {}
        for query in dict.fromkeys(map(searchable, turn.queries[:_QUERIES])):
            if not query:
                continue
            for rank, article in enumerate(await self._wiki.search(query, count), 1):
                passage = self._passage(article, 1 / rank)
                if passage.text and best.get(article.id, passage).score <= passage.score:
                    best[article.id] = passage
        return sorted(best.values(), key=lambda passage: -passage.score)[:count]

    def _may_ask(self, turn: Turn) -> bool:
        allowed = self._settings.may_receive
        return allowed == "all" or (allowed == "public" and turn.principals == {EVERYONE})

    def _passage(self, article: Article, score: float) -> Passage:
        return Passage(
            id=f"wikipedia/{article.id}",
            text=_beginning(article.text, self._settings.characters),
            title=article.title,
            uri=article.url,
            source="wikipedia",
            readers=frozenset({EVERYONE}),
            score=score,
        )


def searchable(query: str) -> str:
    """Write a question as words to search for, without the search's own syntax."""
    text = " ".join(_SYNTAX.sub(" ", query).split())
    while len(text.encode()) > _LONGEST:
        text = text[: len(text) * _LONGEST // len(text.encode())]
    # A dash in front of a word would exclude it.
    return re.sub(r"(?<!\w)[-'’.,]+", "", text).strip()


def _beginning(text: str, characters: int) -> str:
    """Cut after a sentence where there is one."""
    text = text.strip()
    if len(text) <= characters:
        return text
    end = text.rfind(". ", characters // 2, characters)
    return text[: end + 1 if end > 0 else characters].rstrip()
