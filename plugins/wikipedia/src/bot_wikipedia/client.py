"""MediaWiki's API, asked politely: one request at a time, with pauses, and answers kept.

https://www.mediawiki.org/wiki/API:Etiquette
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2

import bot
from bot.errors import SourceError

_AGENT = f"domainbot/{bot.__version__} (a bot that answers questions for people)"
_SECONDS = 6.0  # for one request; a retriever has ten
_LONGEST = 3.0  # seconds that a wiki may make us wait before we ask again
_BYTES = 4_000_000


@dataclass(frozen=True, slots=True)
class Article:
    """The beginning of an article."""

    id: int
    title: str
    url: str
    text: str


class Wiki:
    """One wiki.

    Args:
        cache: the folder where answers are kept for `hours`.
    """

    def __init__(self, address: str, delay: float, cache: Path, hours: float) -> None:
        self._address = address
        self._delay = delay
        self._cache = cache
        self._seconds = hours * 3600
        self._client: httpx2.AsyncClient | None = None
        self._turn = asyncio.Lock()
        self._next = 0.0

    async def aclose(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await self._client.aclose()

    async def search(self, query: str, count: int) -> list[Article]:
        """Find articles, the best first.

        Raises:
            SourceError: the wiki does not answer, or not as a wiki.
        """
        found = await self._ask(
            {
                "action": "query",
                "format": "json",
                "formatversion": "2",
                "generator": "search",
                "gsrsearch": query,
                "gsrlimit": str(count),
                "prop": "extracts|info",
                "exintro": "1",
                "explaintext": "1",
                "exlimit": "max",
                "inprop": "url",
            }
        )
        try:
            pages = sorted(found.get("query", {}).get("pages", []), key=lambda page: page["index"])
            return [
                Article(page["pageid"], page["title"], page["fullurl"], page.get("extract") or "")
                for page in pages
            ]
        except (AttributeError, KeyError, TypeError) as error:
            raise SourceError(f"{self._host} does not answer as a wiki; check `url`.") from error

    @property
    def _host(self) -> str:
        return urlsplit(self._address).hostname or self._address

    async def _ask(self, parameters: Mapping[str, str]) -> Any:
        key = json.dumps([self._address, parameters], sort_keys=True)
        file = self._cache / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.json"
        kept = await asyncio.to_thread(self._kept, file)
        if kept is None:
            kept = await self._fetched(parameters)
            await asyncio.to_thread(_keep, file, kept)
        return kept

    async def _fetched(self, parameters: Mapping[str, str]) -> Any:
        async with self._turn:  # one request at a time, as the etiquette asks
            for last in (False, True):
                await asyncio.sleep(max(0.0, self._next - time.monotonic()))
                try:
                    response = await self._open().get(self._address, params=dict(parameters))
                except (httpx2.HTTPError, httpx2.InvalidURL) as error:
                    raise SourceError(
                        f"{self._host} cannot be reached ({type(error).__name__}); check the "
                        "network, or leave the retriever out."
                    ) from error
                finally:
                    self._next = time.monotonic() + self._delay
                pause = _pause(response)
                if pause is None or last or pause > _LONGEST:
                    return self._read(response)
                self._next = time.monotonic() + max(pause, self._delay)
        raise AssertionError("the last try returns or raises")

    def _read(self, response: httpx2.Response) -> Any:
        if response.status_code != 200 or len(response.content) > _BYTES:
            raise SourceError(f"{self._host} answered {response.status_code}; try again later.")
        try:
            return response.json()
        except ValueError as error:
            raise SourceError(f"{self._host} does not answer as a wiki; check `url`.") from error

    def _open(self) -> httpx2.AsyncClient:
        if self._client is None:
            headers = {"User-Agent": _AGENT}
            self._client = httpx2.AsyncClient(headers=headers, timeout=_SECONDS, trust_env=False)
        return self._client

    def _kept(self, file: Path) -> Any:
        try:
            if time.time() - file.stat().st_mtime > self._seconds:
                file.unlink()
                return None
            return json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None


def _keep(file: Path, found: Any) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        temporary = file.with_suffix(f".{time.monotonic_ns()}")
        temporary.write_text(json.dumps(found), encoding="utf-8")
        temporary.replace(file)
    except OSError:  # what cannot be kept is asked for again
        return


def _pause(response: httpx2.Response) -> float | None:
    """Seconds that the wiki asks to wait before the request is made again."""
    if response.status_code not in (429, 503):
        return None
    try:
        return float(response.headers.get("Retry-After", 1))
    except ValueError:  # a date: too far away to wait for
        return _LONGEST + 1
