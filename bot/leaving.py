"""What may leave this machine: which text a component that sends it elsewhere is given.

Decided in docs/decisions/may-receive.md; the core asks here before it gives anything away.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from ipaddress import ip_address
from typing import Any, Literal, TypeAlias
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field

from bot.errors import MayNotReceive
from bot.turn import EVERYONE, Passage, Prompt, Turn

MayReceive: TypeAlias = Literal["nothing", "public", "all"]

_WIDTH: Mapping[MayReceive, int] = {"nothing": 0, "public": 1, "all": 2}


class Remote(BaseModel, ABC):
    """Settings of a component that sends text to another host; a base class for a plugin's own.

    Implement `elsewhere`; the core then keeps to `may_receive`, whatever the component does.
    """

    model_config = ConfigDict(extra="forbid")

    may_receive: MayReceive = Field(
        "nothing",
        description="What it is given: nothing; questions and what everyone may read; or all that "
        "who asks may read.",
    )

    @property
    @abstractmethod
    def elsewhere(self) -> str:
        """Where text goes, for people: a host; empty when it stays on this machine."""


def allowed(settings: object) -> MayReceive:
    """What the component with these settings may receive; "all" when it sends nothing away."""
    if isinstance(settings, Remote) and settings.elsewhere:
        return settings.may_receive
    return "all"


def narrowest(*given: MayReceive) -> MayReceive:
    """The least of several; "all" of none."""
    return min(given, key=_WIDTH.__getitem__, default="all")


def host_elsewhere(url: str) -> str:
    """The host of an address; empty when it is this machine."""
    host = urlsplit(url if "//" in url else f"//{url}").hostname or ""
    try:
        here = ip_address(host).is_loopback
    except ValueError:
        here = host == "localhost"
    return "" if here else host


def narrowed(turn: Turn, may_receive: MayReceive) -> Turn:
    """The turn as somebody may see it who may receive so much.

    For "public" it is the turn of nobody in particular: no message derived from what only some
    may read, and no principal that more could be found with.
    """
    if may_receive == "all":
        return turn
    told = turn.conversation.history
    public = tuple(message for message in told if message.public)
    conversation = replace(turn.conversation, history=public)
    narrow = replace(turn, principals=frozenset({EVERYONE}), conversation=conversation)
    if len(public) < len(told):  # queries carry over what was said
        narrow = replace(narrow, queries=(turn.question,), weighted=())
    return narrow


def kept(passages: Sequence[Passage], turn: Turn) -> tuple[list[Passage], list[str]]:
    """Keep the passages that a generator may be given, and say how many it may not.

    Args:
        turn: as narrowed for the generator.

    Raises:
        MayNotReceive: something was found, and it may be given none of it.
    """
    found = [one for one in passages if one.readers & turn.principals]
    if passages and not found:
        raise MayNotReceive(
            "What was found may not leave this machine, and the generator sends it elsewhere; "
            "choose a local one for this assistant, or see `may_receive` in bot.toml."
        )
    if left_out := len(passages) - len(found):
        said = f"{left_out} of the passages found were left out: they may not leave this machine."
        return found, [said]
    return found, []


def check(component: str, may_receive: MayReceive, asked: Prompt | None = None) -> None:
    """Refuse what a component may not receive.

    Args:
        asked: what a generator is about to be sent.

    Raises:
        MayNotReceive: it may receive nothing, or the prompt holds what not everyone may read.
    """
    if may_receive == "nothing":
        raise MayNotReceive(
            f"{component} sends text to another host and may receive nothing; write "
            '`may_receive = "public"` or `"all"` into its table of bot.toml.'
        )
    if may_receive == "public" and asked is not None:
        private = [one for one in asked.passages if EVERYONE not in one.readers]
        if private or not asked.public:
            raise MayNotReceive(
                f"{component} may receive what everyone may read, and the prompt holds more; "
                'write `may_receive = "all"` into its table of bot.toml, or ask a local generator.'
            )


def of_table(options: Mapping[str, Any], name: str) -> MayReceive:
    """What a generator of bot.toml may receive, with those that it asks in its turn.

    A generator that wraps another names it in its setting `generator`.

    Args:
        options: the validated settings of all generators, by name.
    """
    found: list[MayReceive] = []
    seen: set[str] = set()
    while name in options and name not in seen:
        seen.add(name)
        found.append(allowed(options[name]))
        inner = getattr(options[name], "generator", None)
        name = inner if isinstance(inner, str) else ""
    return narrowest(*found)
