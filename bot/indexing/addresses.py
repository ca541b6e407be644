"""Which addresses a web source may reach: public ones, and others only by name.

A page, a sitemap or a redirect from outside must not lead into the network that the bot stands in
(server-side request forgery). The name is looked up here, every address that comes back is checked,
and the connection goes to the address that was checked: a name server that answers differently the
second time (DNS rebinding) is never asked twice.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Any, TypeAlias

import httpcore2
import httpx2

from bot.errors import SourceError

Resolve: TypeAlias = Callable[[str, int], Awaitable[Sequence[str]]]

_NAT64 = IPv6Network("64:ff9b::/96")
_UNICAST = IPv6Network("2000::/3")  # all of IPv6 that is handed out for the public Internet


class AddressRefused(SourceError):
    """A web source leads to an address that is not public; allow it with `allow_private`."""


class GuardedTransport(httpx2.AsyncHTTPTransport):
    """Connects to public addresses, and to hosts that are allowed by name.

    Args:
        allowed: names of hosts whose addresses may be private.
        resolve: looks a name up; the system's resolver by default.
    """

    def __init__(self, allowed: Iterable[str], resolve: Resolve | None = None) -> None:
        super().__init__(trust_env=False)
        # The transport has no argument for what opens its connections; its pool has.
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=httpx2.create_ssl_context(trust_env=False),
            max_connections=4,
            keepalive_expiry=30,
            network_backend=_Guarded(frozenset(map(plain_host, allowed)), resolve or looked_up),
        )


class _Guarded(httpcore2.AsyncNetworkBackend):
    def __init__(self, allowed: frozenset[str], resolve: Resolve) -> None:
        self._allowed = allowed
        self._resolve = resolve
        self._inner = httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        async with asyncio.timeout(timeout):
            addresses = await self._resolve(host, port)
        if plain_host(host) not in self._allowed:
            for address in addresses:
                if not public(address):
                    raise AddressRefused(
                        f"{host} is the address {address}, which is not public; if it is meant, "
                        f'add "{plain_host(host)}" to `allow_private`.'
                    )
        failure: Exception = httpcore2.ConnectError(f"{host} has no address")
        for address in addresses:
            try:
                return await self._inner.connect_tcp(
                    address, port, timeout, local_address, socket_options
                )
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failure = error
        raise failure

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def public(address: str) -> bool:
    """Tell whether an IP address belongs to the public Internet, also when wrapped in IPv6."""
    ip = ip_address(address.partition("%")[0])
    if isinstance(ip, IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo or (None, None))[1]
        if ip in _NAT64:
            inner = IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner is not None:
            return public(str(inner))
        if ip not in _UNICAST:  # ::127.0.0.1 and fec0::1 count as global in Python
            return False
    return ip.is_global and not ip.is_multicast


def plain_host(host: str) -> str:
    """Write a host's name in the one form in which names are compared."""
    return host.lower().strip("[]").rstrip(".")


async def looked_up(host: str, port: int) -> Sequence[str]:
    """Ask the system for the addresses of a host."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise httpcore2.ConnectError(f"{host} cannot be found: {error}") from error
    return list(dict.fromkeys(str(address[4][0]) for address in found))
