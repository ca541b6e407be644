"""Principals: who asks, and who may read."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from bot.errors import UsageError
from bot.turn import EVERYONE, Principal

if TYPE_CHECKING:
    from bot.settings.model import Settings

_EMAIL = re.compile(r"[^\s@:]+@[^\s@]+")
_GROUP = re.compile(r"\w[\w.-]*")
_SLACK = re.compile(r"channel:([A-Za-z0-9]+/[A-Za-z0-9]+)", re.IGNORECASE)


def principal(text: str) -> Principal:
    """Bring a principal into the one form in which it is compared.

    An address becomes `email:` and lower case, a Slack id upper case; groups stay as they are.

    Raises:
        ValueError: it is none.
    """
    text = text.strip()
    if text.lower() == EVERYONE:
        return EVERYONE
    scheme, colon, rest = text.partition(":")
    if not colon and _EMAIL.fullmatch(text):
        return f"email:{text.lower()}"
    match scheme.lower():
        case "email" if _EMAIL.fullmatch(rest):
            return f"email:{rest.lower()}"
        case "group" if _GROUP.fullmatch(rest):
            return f"group:{rest}"
        case "slack" if found := _SLACK.fullmatch(rest):
            return f"slack:channel:{found[1].upper()}"
    raise ValueError(
        f"{text!r} is nobody; write everyone, an e-mail address, group:NAME or "
        "slack:channel:TEAM/ID"
    )


def principals(settings: Settings, given: Iterable[str]) -> frozenset[Principal]:
    """Complete who asks: everyone is everyone, and the groups of `[groups]` are added.

    Raises:
        UsageError: one of them is no principal.
    """
    try:
        found = {EVERYONE, *map(principal, given)}
    except ValueError as error:
        raise UsageError(f"{error}.") from None
    waiting = {f"group:{name}": set(members) for name, members in settings.groups.items()}
    while joined := {group for group, members in waiting.items() if members & found}:
        found |= joined
        for group in joined:
            del waiting[group]
    return frozenset(found)
