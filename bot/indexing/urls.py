"""Addresses of web pages, in one form."""

from __future__ import annotations

from urllib.parse import quote, urlsplit, urlunsplit

_KEPT = "/%:@!$&'()*+,;=~-._?"  # RFC 3986 allows them in a path and a query


def web_address(url: str) -> str:
    """Check a page's address and bring it into one form, without its fragment.

    Raises:
        ValueError: it is none, or holds a password.
    """
    parts = urlsplit(url.strip())
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"{url!r} is no address of a web page; write https://…")
    if parts.username is not None or parts.password is not None:
        raise ValueError("an address must not hold a user's name or a password")
    host = (
        parts.hostname.encode("idna").decode() if not parts.hostname.isascii() else parts.hostname
    )
    host = f"[{host}]" if ":" in host else host
    port = (
        f":{parts.port}"
        if parts.port not in (None, {"http": 80, "https": 443}[parts.scheme])
        else ""
    )
    path, query = quote(parts.path or "/", _KEPT), quote(parts.query, _KEPT)
    return urlunsplit((parts.scheme, host + port, path, query, ""))
