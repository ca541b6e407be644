"""The loader of web pages: those that are named, and those that sitemaps list."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import weakref
import zlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit
from xml.parsers import expat

from bot.dispatch import in_thread
from bot.document import Document, Found, Skipped, Source
from bot.errors import DocumentError, SourceError
from bot.hookspecs import hookimpl
from bot.indexing.addresses import AddressRefused
from bot.indexing.builtin import WebSettings
from bot.indexing.fetching import Disallowed, Fetcher, Response, Unreachable
from bot.indexing.formats import EXTRACTION
from bot.indexing.formats.decoding import web_charset
from bot.indexing.formats.storing import storable_key
from bot.indexing.patterns import matcher
from bot.indexing.sandbox import read_bytes
from bot.indexing.urls import web_address
from bot.location import WEB_PAGE

_SITEMAP_BYTES = 50 << 20  # sitemaps.org allows so much, unpacked
_NESTED = 5  # sitemaps that list each other
_DEEPEST = 20  # elements within each other in a sitemap
_DOWN = 5  # pages in a row that cannot be fetched: then the site is down
_KEPT = 64 << 20  # bytes of packed bodies that wait to be read; others are fetched again

_SUFFIXES = {
    "text/html": ".html",
    "application/xhtml+xml": ".html",
    "text/markdown": ".md",
    "text/x-rst": ".rst",
    "text/csv": ".csv",
    "application/pdf": ".pdf",
    "application/x-ipynb+json": ".ipynb",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": ".docx",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation": ".pptx",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": ".xlsx",
}


@dataclass(frozen=True, slots=True)
class _Seen:
    """What is known of a page since it was last fetched."""

    etag: str
    modified: str
    fingerprint: str


class _Body:
    """A page's bytes between its listing and its reading."""

    def __init__(self, response: Response) -> None:
        self.packed = zlib.compress(response.body, 1)
        self.response = replace(response, body=b"")

    def unpacked(self) -> Response:
        return replace(self.response, body=zlib.decompress(self.packed))


class WebLoader:
    """Loads web pages; the key is a page's address.

    Args:
        cache: the file that remembers what servers said of their pages (`ETag`), so that an
            unchanged page is not sent again.
    """

    def __init__(self, settings: WebSettings, cache: Path, fetcher: Fetcher | None = None) -> None:
        self._settings = settings
        self._cache = cache
        self._fetcher = fetcher or Fetcher(settings.allow_private, settings.delay)
        self._included = matcher(settings.include)
        self._excluded = matcher(settings.exclude)
        self._bodies: weakref.WeakSet[_Body] = weakref.WeakSet()

    async def aclose(self) -> None:
        await self._fetcher.aclose()

    @hookimpl
    async def bot_load(self, source: Source) -> AsyncIterator[Found | Skipped]:
        seen = _remembered(self._cache)
        now: dict[str, _Seen] = {}
        ends: set[str] = set()
        failed = 0
        down: Unreachable | None = None
        try:
            async for item in self._addresses():
                if isinstance(item, Skipped):
                    yield item
                    continue
                try:
                    found = await self._look(item, seen.get(item), now, ends)
                    failed = 0
                except Unreachable as error:
                    down, failed = error, failed + 1
                    if failed >= _DOWN:
                        raise
                    found = Skipped(where=item, reason=f"is left as it is: {error}", key=item)
                yield found
            if down and not now:
                raise down
        finally:
            _remember(self._cache, {**seen, **now} if down else now)

    async def _look(
        self, url: str, seen: _Seen | None, now: dict[str, _Seen], ends: set[str]
    ) -> Found | Skipped:
        """Ask for a page, unless it is as it was."""
        headers = {}
        if seen and seen.etag:
            headers["If-None-Match"] = seen.etag
        if seen and seen.modified:
            headers["If-Modified-Since"] = seen.modified
        try:
            response = await self._fetcher.get(url, self._settings.max_bytes, headers)
        except Disallowed as error:
            return Skipped(where=url, reason=f"is left out: {error}")
        except (AddressRefused, DocumentError) as error:
            return Skipped(where=url, reason=f"is left as it is: {error}", key=url)
        if response.url in ends:
            return Skipped(where=url, reason=f"leads to {response.url}, which is read already")
        ends.add(response.url)
        if response.status == 304 and seen:
            now[url] = seen
            return Found(key=url, fingerprint=seen.fingerprint, read=_Reading(self, url).read)
        if response.status in (404, 410):
            return Skipped(where=url, reason=f"is gone (status {response.status})")
        if response.status != 200:
            why = f"is left as it is: the server says {response.status}"
            return Skipped(where=url, reason=why, key=url)
        if not _suffix(response):
            kind = response.headers.get("content-type", "of no type")
            return Skipped(where=url, reason=f"is no document that can be read ({kind[:80]})")
        fingerprint = _fingerprint(response)
        headers_in = response.headers
        now[url] = _Seen(
            headers_in.get("etag", ""), headers_in.get("last-modified", ""), fingerprint
        )
        reading = _Reading(self, url, self._kept(response))
        return Found(key=url, fingerprint=fingerprint, read=reading.read)

    def _kept(self, response: Response) -> _Body | None:
        if sum(len(body.packed) for body in self._bodies) > _KEPT:
            return None
        body = _Body(response)
        self._bodies.add(body)
        return body

    async def again(self, url: str) -> Response:
        """Fetch a page that was not kept.

        Raises:
            DocumentError: it cannot be read any more.
        """
        try:
            response = await self._fetcher.get(url, self._settings.max_bytes)
        except SourceError as error:
            raise DocumentError(str(error)) from error
        if response.status != 200:
            raise DocumentError(f"It cannot be fetched: the server says {response.status}.")
        return response

    async def _addresses(self) -> AsyncIterator[str | Skipped]:
        """List the pages, each once.

        Raises:
            SourceError: a sitemap cannot be read; what it lists is unknown.
        """
        listed: set[str] = set()
        for url in self._settings.urls:
            if url not in listed:
                listed.add(url)
                yield url
        asked: set[str] = set()
        for sitemap in self._settings.sitemaps:
            async for item in self._sitemap(sitemap, asked):
                if isinstance(item, Skipped):
                    yield item
                elif item not in listed and self._wanted(item):
                    listed.add(item)
                    if len(listed) > self._settings.max_pages:
                        limit = self._settings.max_pages
                        yield Skipped(where=sitemap, reason=f"lists more than {limit:,} pages")
                        return
                    yield _listed(item, sitemap)

    def _wanted(self, url: str) -> bool:
        path = unquote(urlsplit(url).path).lstrip("/")
        return (not path or self._included(path)) and not self._excluded(path)

    async def _sitemap(
        self, url: str, asked: set[str], above: int = 0
    ) -> AsyncIterator[str | Skipped]:
        """List a sitemap's pages, and those of the sitemaps that it lists, each asked for once.

        Args:
            asked: sitemaps that were asked for; this one is added.
            above: how many list each other above it.
        """
        if url in asked:
            return
        asked.add(url)
        if len(asked) > self._settings.max_pages or above > _NESTED:
            raise SourceError(
                f"The sitemap {url} is one of too many that list each other, so nothing was "
                "deleted from the index; name those with the pages in `sitemaps` in bot.toml."
            )
        try:
            response = await self._fetcher.get(url, _SITEMAP_BYTES)
        except (Disallowed, DocumentError) as error:
            raise SourceError(f"The sitemap {url} cannot be read. {error}") from error
        if response.status != 200:
            raise SourceError(
                f"The sitemap {url} cannot be read (status {response.status}), so nothing was "
                "deleted from the index; correct `sitemaps` in bot.toml."
            )
        index, addresses = await in_thread(lambda: sitemap_entries(url, response.body))
        for address in addresses:
            if not index:
                yield address
            elif urlsplit(address).hostname != urlsplit(url).hostname:
                yield Skipped(where=address, reason="is a sitemap on another host than its index")
            else:
                async for inner in self._sitemap(address, asked, above + 1):
                    yield inner


def _listed(url: str, sitemap: str) -> str | Skipped:
    """Tell whether a page may stand in a sitemap."""
    if urlsplit(url).hostname != urlsplit(sitemap).hostname:
        return Skipped(where=url, reason="is on another host than its sitemap")
    if url != storable_key(url):
        return Skipped(where=storable_key(url), reason="has too long an address")
    return url


class _Reading:
    """Reads a page that was listed."""

    def __init__(self, loader: WebLoader, url: str, body: _Body | None = None) -> None:
        self._loader = loader
        self._url = url
        self._body = body

    async def read(self) -> Document:
        body, self._body = self._body, None
        response = body.unpacked() if body else await self._loader.again(self._url)
        name = PurePosixPath(unquote(urlsplit(self._url).path)).stem or "index"
        declared = response.headers.get("content-type", "").partition("charset=")[2]
        arguments = (name + _suffix(response), response.body, response.url, web_charset(declared))
        document = await in_thread(lambda: read_bytes(*arguments))
        assert isinstance(document, Document)
        title = document.title if document.title != arguments[0] else ""
        metadata = document.metadata
        if PurePosixPath(arguments[0]).suffix == ".html":
            metadata = {**metadata, "type": WEB_PAGE}
        return replace(document, key=self._url, title=title or self._url, metadata=metadata)


def sitemap_entries(url: str, body: bytes) -> tuple[bool, list[str]]:
    """Read a sitemap (sitemaps.org): XML, packed or not, or text with an address a line.

    Returns:
        Whether it is an index of sitemaps, and the addresses that it lists.

    Raises:
        SourceError: it is none.
    """
    if body.startswith(b"\x1f\x8b"):
        try:
            with gzip.open(io.BytesIO(body)) as packed:
                body = packed.read(_SITEMAP_BYTES)
        except (OSError, EOFError, zlib.error) as error:
            raise SourceError(f"The sitemap {url} is damaged; nothing was deleted.") from error
    if not body.lstrip().startswith((b"<", b"\xef\xbb\xbf")):
        lines = body.decode("utf-8", "replace").split()
        return False, [address for line in lines if (address := _address(line))]
    locations = _Locations()
    try:
        locations.read(body)
    except expat.ExpatError as error:
        raise SourceError(f"The sitemap {url} is no XML; nothing was deleted.") from error
    return locations.index, [address for one in locations.written if (address := _address(one))]


class _Locations:
    """What a sitemap of XML lists. No tree is built: a hostile one would take gigabytes.

    Attributes:
        index: it lists sitemaps, not pages.
        written: the texts of `<loc>`, a child of a child of the root.
    """

    def __init__(self) -> None:
        self.index = False
        self.written: list[str] = []
        self._depth = 0
        self._text: list[str] | None = None

    def read(self, body: bytes) -> None:
        """Read it to its end; expat refuses entities that multiply.

        Raises:
            ExpatError: it is no XML, or nested too deeply to be a sitemap.
        """
        parser = expat.ParserCreate(namespace_separator=" ")
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.CharacterDataHandler = self._data
        parser.EndElementHandler = self._end
        parser.ExternalEntityRefHandler = lambda *_: 0  # an error: nothing is fetched
        parser.Parse(body, True)

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        local = name.rpartition(" ")[2]
        if self._depth == 1:
            self.index = local == "sitemapindex"
        elif self._depth == 3 and local == "loc":
            self._text = []
        elif self._depth > _DEEPEST:
            raise expat.ExpatError("nested too deeply")

    def _data(self, text: str) -> None:
        if self._text is not None:
            self._text.append(text)

    def _end(self, name: str) -> None:
        if self._depth == 3 and self._text is not None:
            self.written.append("".join(self._text))
            self._text = None
        self._depth -= 1


def _address(written: str) -> str:
    try:
        return web_address(written)
    except ValueError:
        return ""


def _suffix(response: Response) -> str:
    """Tell a page's format by its type, else by its name; nothing when no reader fits."""
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind in _SUFFIXES:
        return _SUFFIXES[kind]
    named = PurePosixPath(urlsplit(response.url).path).suffix.lower()
    known = {*_SUFFIXES.values(), ".eml", ".mbox", ".tsv", ".xls", ".ods"}
    if not kind and response.body[:200].lstrip().lower().startswith((b"<!doctype html", b"<html")):
        return ".html"
    if kind == "text/plain":
        return named if named in (".md", ".rst", ".csv", ".ipynb") else ".txt"
    return named if kind in ("", "application/octet-stream") and named in known else ""


def _fingerprint(response: Response) -> str:
    kind = response.headers.get("content-type", "")
    made_of = repr((EXTRACTION, response.url, kind)).encode() + response.body
    return hashlib.blake2b(made_of, digest_size=16).hexdigest()


def _remembered(cache: Path) -> dict[str, _Seen]:
    """Read the cache; one that is damaged, or of another version, is none."""
    try:
        kept = json.loads(cache.read_bytes())
        if kept["extraction"] != EXTRACTION:
            return {}
        return {url: _Seen(*map(str, seen)) for url, seen in kept["pages"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _remember(cache: Path, pages: dict[str, _Seen]) -> None:
    told = {url: (each.etag, each.modified, each.fingerprint) for url, each in pages.items()}
    cache.parent.mkdir(parents=True, exist_ok=True)
    temporary = cache.with_suffix(".new")
    temporary.write_text(json.dumps({"extraction": EXTRACTION, "pages": told}))
    os.replace(temporary, cache)
