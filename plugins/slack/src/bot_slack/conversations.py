"""Which of Slack's events are for us, and what they ask: no input or output, only decisions."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bot.inbox import Incoming, Place
from bot_slack.settings import SlackSettings

# What a person writes; every other subtype is Slack's own (joins, topics, edits, reminders).
_WRITTEN = {None, "bot_message", "file_share", "thread_broadcast", "me_message"}
_MENTION = re.compile(r"<@([UW][A-Z0-9]+)(?:\|[^>]*)?>")
_REFERENCE = re.compile(r"<(?P<kind>[#!@]?)(?P<what>[^<>|]+)(?:\|(?P<label>[^<>]*))?>")


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who we are in Slack: what `auth.test` says; `channel` is our table's name in bot.toml."""

    channel: str
    team: str
    user: str
    bot: str = ""
    name: str = ""
    url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A message, and whether it is a question: in any case, or if we take part in its thread."""

    incoming: Incoming
    addressed: bool
    follows: bool


def asked(
    event: Mapping[str, Any], event_id: str, me: Identity, settings: SlackSettings
) -> Asked | None:
    """Read a `message` or an `app_mention`; None when it is nothing to us."""
    author = event.get("user") or event.get("bot_id") or ""
    if (
        event.get("subtype") not in _WRITTEN
        or not author
        or author in (me.user, me.bot)
        or event.get("bot_id") == me.bot != ""
        or not event.get("ts")
        or event.get("hidden")
    ):
        return None
    room, text = event["channel"], event.get("text") or ""
    is_bot = bool(event.get("bot_id"))
    mentioned = set(_MENTION.findall(text))
    direct = event.get("channel_type") == "im" or room.startswith("D")
    mode = settings.room(room).follow_ups
    addressed = direct or me.user in mentioned or event.get("type") == "app_mention"
    if mode == "all":
        # A message that calls somebody else by name is meant for them.
        addressed = addressed or (not mentioned and not is_bot)
    follows = mode == "thread" and "thread_ts" in event and not mentioned and not is_bot
    if (not addressed and not follows) or (is_bot and not settings.bots):
        return None
    return Asked(
        incoming=_incoming(event, event_id, author, me, settings),
        addressed=addressed,
        follows=follows and not addressed,
    )


def _incoming(
    event: Mapping[str, Any], event_id: str, author: str, me: Identity, settings: SlackSettings
) -> Incoming:
    place = place_of(event, me)
    details: dict[str, Any] = {}
    if event.get("files"):
        details["files"] = len(event["files"])
    if event.get("bot_id"):
        details["bot"] = True
    # In shared channels Slack names the workspace that a person is of.
    home = event.get("user_team") or event.get("source_team")
    if home and home != me.team:
        details["foreign"] = True
    if event.get("thread_ts", event["ts"]) != event["ts"]:
        details["reply"] = True
    private = settings.room(place.room).private and not place.room.startswith("D")
    if private:
        details["private"] = True
    return Incoming(
        event=event_id,
        place=place,
        key=key(place, author if private else ""),
        author=author,
        text=event.get("text") or "",
        edited=(event.get("edited") or {}).get("ts", ""),
        details=details,
    )


def place_of(event: Mapping[str, Any], me: Identity) -> Place:
    """Where a message stands; one outside a thread begins its own."""
    ts = event["ts"]
    return Place(
        channel=me.channel,
        team=me.team,
        room=event["channel"],
        thread=event.get("thread_ts") or ts,
        ts=ts,
    )


def key(place: Place, author: str = "") -> str:
    """Name a conversation; one that only its author sees is the author's own."""
    return "/".join(filter(None, [place.team, place.room, place.thread, author]))


def edited(
    event: Mapping[str, Any], event_id: str, me: Identity, settings: SlackSettings
) -> Asked | None:
    """Read a `message_changed`; None when nobody has written anything (unfurling, reply counts)."""
    message = event.get("message") or {}
    if not message.get("edited"):
        return None
    return asked(
        {**message, "channel": event["channel"], "channel_type": event.get("channel_type")},
        event_id,
        me,
        settings,
    )


def deleted(event: Mapping[str, Any], me: Identity) -> Place | None:
    """Read a `message_deleted`: where the message stood."""
    ts = event.get("deleted_ts")
    before = event.get("previous_message") or {}
    if not ts:
        return None
    return place_of({**before, "ts": ts, "channel": event["channel"]}, me)


def question(text: str, me: Identity) -> str:
    """Turn Slack's text into what the person meant: without our mention, entities as they look."""
    text = re.sub(rf"<@{me.user}(?:\|[^>]*)?>[:,]?", "", text)
    return html.unescape(_REFERENCE.sub(_plain, text)).strip()


def _plain(found: re.Match[str]) -> str:
    kind, what, label = found["kind"], found["what"], found["label"]
    match kind:
        case "#":
            return f"#{label or what}"
        case "@":
            return f"@{label or what}"
        case "!":
            return label or "@" + what.partition("^")[0]
    target = what.removeprefix("mailto:").removeprefix("tel:")
    return target if not label or label == target else f"{label} ({target})"
