"""The app's manifest: everything that Slack must be told of it, for `bot slack manifest`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

SCOPES: dict[str, str] = {
    "app_mentions:read": "hear when it is mentioned",
    "assistant:write": "suggest prompts in the agent view",
    "channels:history": "hear follow-ups in public channels, and read the thread it is called into",
    "channels:read": "see whether a public channel is shared with another organisation",
    "chat:write": "answer",
    "commands": "/ask and the message shortcut",
    "groups:history": "hear follow-ups in private channels that it was invited to",
    "groups:read": "see whether a private channel is shared with another organisation",
    "im:history": "hear direct messages",
    "mpim:history": "hear follow-ups in group conversations",
    "mpim:read": "see who belongs to a group conversation",
    "usergroups:read": "let a user group stand for a group of readers",
    "users:read": "tell members from guests and bots",
    "users:read.email": "know whose documents a person may read",
}
"""Each bot scope, and what it is for."""

EVENTS = (
    "agent_session_stopped",
    "app_home_opened",
    "app_mention",
    "app_uninstalled",
    "message.channels",
    "message.groups",
    "message.im",
    "message.mpim",
    "tokens_revoked",
)
PATH = "/slack/events"  # in HTTP mode, for events, commands and buttons alike


def manifest(
    mode: Literal["socket", "http"],
    *,
    name: str = "domainbot",
    command: str = "/ask",
    url: str = "https://bot.example.com",
) -> dict[str, Any]:
    """Make a manifest for api.slack.com/apps, "From a manifest".

    Args:
        url: where Slack reaches the bot in HTTP mode, without the path.
    """
    address = url.rstrip("/") + PATH
    asked: dict[str, Any] = {
        "command": command,
        "description": "Ask; only you see the answer",
        "usage_hint": "[question]",
        "should_escape": True,
    }
    settings: dict[str, Any] = {
        "event_subscriptions": {"bot_events": list(EVENTS)},
        "interactivity": {"is_enabled": True},
        "org_deploy_enabled": False,
        "socket_mode_enabled": mode == "socket",
        "token_rotation_enabled": False,
    }
    if mode == "http":
        asked["url"] = address
        settings["event_subscriptions"]["request_url"] = address
        settings["interactivity"]["request_url"] = address
    return {
        "_metadata": {"major_version": 2, "minor_version": 1},
        "display_information": {
            "name": name,
            "description": "Answers from the team's own documents, with sources",
        },
        "features": _features(name, asked),
        "oauth_config": {"scopes": {"bot": sorted(SCOPES)}},
        "settings": settings,
    }


def _features(name: str, command: Mapping[str, Any]) -> dict[str, Any]:
    """What people see of it, and where they can call it."""
    from bot_slack import overview
    from bot_slack.listeners import SHORTCUT

    return {
        "agent_view": {
            "agent_description": "Ask me about our documents; I answer with sources.",
            "suggested_prompts": [{"title": overview.QUESTION, "message": overview.QUESTION}],
        },
        "app_home": {
            "home_tab_enabled": True,
            "messages_tab_enabled": True,
            "messages_tab_read_only_enabled": False,
        },
        "bot_user": {"display_name": name, "always_online": True},
        "slash_commands": [command],
        "shortcuts": [
            {
                "type": "message",
                "name": "Ask about this",
                "callback_id": SHORTCUT,
                "description": "Answer this message from our documents",
            }
        ],
    }
