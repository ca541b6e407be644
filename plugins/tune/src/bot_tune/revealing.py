"""What a model must not learn by heart beside personal data: keys, passwords, public addresses.

The formats of keys are those that their issuers publish; what has no format of its own is told by
the word before it and by how random it looks (Shannon's entropy a character).
"""

from __future__ import annotations

import ipaddress
import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence

from bot.document import PersonalData
from bot.indexing.personal import KINDS as PERSONAL
from bot.indexing.personal import personal_data

KINDS = (*PERSONAL, "ip", "secret")

_FORMATS = re.compile(
    r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----(?:.{0,8000}?-----END [A-Z ]{0,30}PRIVATE KEY-----)?"
    r"|\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"  # AWS
    r"|\bgh[pousr]_[A-Za-z0-9]{36,255}\b|\bgithub_pat_\w{22,255}\b"
    r"|\bglpat-[\w-]{20,}|\bhf_[A-Za-z0-9]{30,}\b|\bnpm_[A-Za-z0-9]{36}\b|\bpypi-[\w-]{50,}"
    r"|\bxox[abeoprs]-[\w-]{10,}|\bxapp-\d-[\w-]{10,}"  # Slack
    r"|\bsk-(?:ant-|proj-)?[\w-]{20,}|\b[sr]k_(?:live|test)_[A-Za-z0-9]{16,}"
    r"|\bAIza[\w-]{35}\b"  # Google
    r"|\beyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]{8,}",  # JSON web tokens, RFC 7519
    re.DOTALL,
)
_NAMED = re.compile(
    r"(?i)\b[\w.-]{0,40}(?:passw(?:or)?d|passphrase|secret|token|api[_-]?key|access[_-]?key)\w{0,20}"
    r"[\"'`]?\s{0,3}(?::=|=|:)\s{0,3}[\"'`]?(?P<value>[^\s\"'`,;<>{}()$]{8,200})"
)
_IN_URL = re.compile(r"\b[a-z][a-z0-9+.-]{1,20}://[^\s:/@]{1,64}:(?P<value>[^\s:/@]{3,128})@")
_IP = re.compile(
    r"(?<![\w.:-])(?P<four>(?:\d{1,3}\.){3}\d{1,3})(?![\w.-]*\w)"
    r"|(?<![\w.:])(?P<six>(?:[0-9a-f]{0,4}:){2,7}[0-9a-f]{0,4})(?![\w.:])",
    re.IGNORECASE,
)
_VERSION = re.compile(r"(?:\bv(?:er(?:sion)?)?\.?|[<>=~^]=?)\s?$", re.IGNORECASE)
_RANDOM = 3.0  # bits a character; words of a language stay below when they are long


def revealing(text: str) -> Sequence[PersonalData]:
    """Find personal data, and keys, passwords and public IP addresses."""
    return [*personal_data(text), *keys(text)]


def keys(text: str) -> Iterator[PersonalData]:
    """Find keys, passwords and IP addresses.

    Private addresses (RFC 1918 and the like) and those of documentation are nobody's.
    """
    yield from _addresses(text)
    yield from _secrets(text)


def _addresses(text: str) -> Iterator[PersonalData]:
    for match in _IP.finditer(text):
        try:
            address = ipaddress.ip_address(match[0])
        except ValueError:
            continue
        before = text[max(0, match.start() - 10) : match.start()]
        if address.is_global and not _VERSION.search(before):
            yield PersonalData(start=match.start(), end=match.end(), kind="ip")


def _secrets(text: str) -> Iterator[PersonalData]:
    for match in _FORMATS.finditer(text):
        yield PersonalData(start=match.start(), end=match.end(), kind="secret")
    for match in _IN_URL.finditer(text):
        yield PersonalData(start=match.start("value"), end=match.end("value"), kind="secret")
    for match in _NAMED.finditer(text):
        value = match["value"]
        if _mixed(value) and _entropy(value) >= _RANDOM:
            yield PersonalData(start=match.start("value"), end=match.end("value"), kind="secret")


def _mixed(value: str) -> bool:
    """Whether letters and digits stand together, as in nothing that a person writes as prose."""
    return any(map(str.isdigit, value)) and any(map(str.isalpha, value))


def _entropy(value: str) -> float:
    shares = [count / len(value) for count in Counter(value).values()]
    return -sum(share * math.log2(share) for share in shares)
