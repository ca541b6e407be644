"""A polite client for web sources: robots.txt (RFC 9309), rates, retries, limits, redirects."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit, urlunsplit

import httpx2
from protego import Protego

import bot
from bot.errors import DocumentError, SourceError
from bot.indexing.addresses import GuardedTransport, Resolve
from bot.indexing.urls import web_address

AGENT = "domainbot"

_REDIRECTS = 5
_TRIES = 3
_SECONDS = 30.0  # until a server says something more
_WHOLE = 120.0  # seconds for one page, however slowly it comes
_AGAIN = (429, 500, 502, 503, 504)
_LONGEST = 30.0  # seconds that a server may make us wait between two requests
_ROBOTS_BYTES = 512_000  # RFC 9309 asks for at least 500 KiB


class Unreachable(SourceError):
    """A web page cannot be fetched; what was indexed of it stays."""


class Disallowed(SourceError):
    """The site's robots.txt asks not to read a page."""


@dataclass(frozen=True, slots=True)
class Response:
    """What a server said.

    Attributes:
        url: where the redirects ended.
        status: of the last response; a 304 has no body.
    """

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes = field(default=b"", repr=False)


class Fetcher:
    """Fetches pages one at a time, waiting between two requests to one host.

    Args:
        allow_private: hosts that may have private addresses.
        delay: seconds between two requests to one host; a robots.txt may ask for more.
        patience: seconds before a request is tried again, doubled each time.
        whole: seconds for one page, however slowly it comes.
    """

    def __init__(
        self,
        allow_private: tuple[str, ...],
        delay: float,
        resolve: Resolve | None = None,
        patience: float = 1.0,
        whole: float = _WHOLE,
    ) -> None:
        self._client = httpx2.AsyncClient(
            transport=GuardedTransport(allow_private, resolve),
            headers={"User-Agent": f"{AGENT}/{bot.__version__}"},
            timeout=_SECONDS,
            trust_env=False,
        )
        self._delay = delay
        self._patience = patience
        self._whole = whole
        self._next: dict[str, float] = {}
        self._robots: dict[str, Protego] = {}
        self._turn = asyncio.Lock()

    async def aclose(self) -> None:
        await self._client.aclose()

    async def get(self, url: str, limit: int, headers: Mapping[str, str] | None = None) -> Response:
        """Fetch a page, following redirects.

        Args:
            limit: bytes of the body at most, unpacked.
            headers: sent besides, such as `If-None-Match`.

        Raises:
            AddressRefused: it leads to an address that is not public.
            Disallowed: robots.txt says so, of the page or of what it redirects to.
            DocumentError: it is too large, or redirected for ever.
            Unreachable: the server does not answer, or only with errors.
        """
        async with self._turn:
            for _ in range(_REDIRECTS + 1):
                rules = await self._rules(url)
                if not rules.can_fetch(url, AGENT):
                    raise Disallowed(f"{url} is left out: the site's robots.txt asks for it.")
                wait = max(self._delay, min(rules.crawl_delay(AGENT) or 0, _LONGEST))
                response = await self._patiently(url, limit, headers or {}, wait)
                if (target := _redirected(response)) is None:
                    return response
                url = target
        raise DocumentError(f"It is redirected more than {_REDIRECTS} times.")

    async def _rules(self, url: str) -> Protego:
        """Read a site's robots.txt, once.

        Raises:
            Unreachable: it cannot be known; then nothing may be read (RFC 9309, 2.3.1.4).
        """
        parts = urlsplit(url)
        site = urlunsplit((parts.scheme, parts.netloc, "", "", ""))
        if site not in self._robots:
            at = f"{site}/robots.txt"
            for _ in range(_REDIRECTS + 1):
                response = await self._patiently(at, _ROBOTS_BYTES, {}, self._delay)
                if (target := _redirected(response)) is None:
                    break
                at = target
            said = response.body.decode("utf-8", "replace") if response.status == 200 else ""
            self._robots[site] = Protego.parse(said)
        return self._robots[site]

    async def _patiently(
        self, url: str, limit: int, headers: Mapping[str, str], wait: float
    ) -> Response:
        failure = ""
        for attempt in range(_TRIES):
            await self._pause(url, wait)
            pause = self._patience * 2**attempt
            try:
                response = await self._send(url, limit, headers)
            except (httpx2.TransportError, TimeoutError) as error:
                failure = str(error) or type(error).__name__
            else:
                if response.status not in _AGAIN:
                    return response
                failure = f"status {response.status}"
                pause = max(pause, _seconds(response.headers.get("retry-after", "")))
            if attempt + 1 < _TRIES:
                await asyncio.sleep(min(pause, _LONGEST))
        raise Unreachable(f"{url} cannot be fetched ({failure}); what is indexed of it stays.")

    async def _pause(self, url: str, wait: float) -> None:
        host = urlsplit(url).netloc
        await asyncio.sleep(max(0.0, self._next.get(host, 0.0) - time.monotonic()))
        self._next[host] = time.monotonic() + wait

    async def _send(self, url: str, limit: int, headers: Mapping[str, str]) -> Response:
        try:
            async with (
                asyncio.timeout(self._whole) as whole,
                self._client.stream("GET", url, headers=dict(headers)) as response,
            ):
                body = bytearray()
                if response.status_code == 200:
                    async for part in response.aiter_bytes(65_536):
                        body += part
                        if len(body) > limit:
                            raise DocumentError(
                                f"It has more than {limit:,} bytes; raise `max_bytes`, or leave it "
                                "out with `exclude`."
                            )
                return Response(url, response.status_code, dict(response.headers), bytes(body))
        except (httpx2.InvalidURL, httpx2.DecodingError) as error:
            raise DocumentError(f"It cannot be fetched: {error}.") from error
        except TimeoutError as error:
            if not whole.expired():
                raise
            # It would take as long again, so it is not tried again.
            raise Unreachable(
                f"{url} takes longer than {self._whole:g} s; what is indexed of it stays."
            ) from error


def _redirected(response: Response) -> str | None:
    """Where a response sends us.

    Raises:
        DocumentError: to something that is no web page.
    """
    location = response.headers.get("location", "")
    if response.status not in (301, 302, 303, 307, 308) or not location:
        return None
    try:
        return web_address(str(httpx2.URL(response.url).join(location)))
    except (ValueError, httpx2.InvalidURL) as error:
        raise DocumentError("It is redirected to something that is no web page.") from error


def _seconds(retry_after: str) -> float:
    return float(retry_after) if retry_after.isdecimal() else 0.0
