"""Settings, and the manifest that goes with them."""

import json
from pathlib import Path

import pytest
from bot_slack import SlackSettings, listeners
from bot_slack.manifest import EVENTS, PATH, SCOPES, manifest
from pydantic import ValidationError

from bot import Secret

TOKEN = Secret("xoxb-secret", {"env": "SLACK_BOT_TOKEN"})


def test_each_mode_needs_its_own_secret():
    with pytest.raises(ValidationError, match="app_token"):
        SlackSettings(bot_token=TOKEN)
    with pytest.raises(ValidationError, match="signing_secret"):
        SlackSettings(bot_token=TOKEN, mode="http")
    assert SlackSettings(bot_token=TOKEN, mode="http", signing_secret=TOKEN).port == 3000


def test_no_secret_is_ever_shown():
    shown = repr(SlackSettings(bot_token=TOKEN, app_token=TOKEN))
    assert "xoxb-secret" not in shown


@pytest.mark.parametrize("room", ["general", "#general", "U1", "c1"])
def test_rooms_are_named_by_their_ids(room):
    with pytest.raises(ValidationError):
        SlackSettings(bot_token=TOKEN, app_token=TOKEN, rooms={room: {}})


def test_a_room_inherits_what_it_does_not_say():
    made = SlackSettings(
        bot_token=TOKEN, app_token=TOKEN, assistant="a", follow_ups="all",
        rooms={"C1": {"assistant": "b"}, "C2": {"follow_ups": "mention"}},
    )  # fmt: skip
    found = [(made.room(r).assistant, made.room(r).follow_ups) for r in ("C1", "C2", "C3")]
    assert found == [("b", "all"), ("a", "mention"), ("a", "all")]


def test_the_manifest_has_what_each_way_needs():
    socket = manifest("socket")
    assert socket["settings"]["socket_mode_enabled"]
    assert "http" not in json.dumps(socket)
    http = manifest("http", url="https://bot.example.com/")
    address = "https://bot.example.com" + PATH
    assert not http["settings"]["socket_mode_enabled"]
    assert http["settings"]["event_subscriptions"]["request_url"] == address
    assert http["settings"]["interactivity"]["request_url"] == address
    assert http["features"]["slash_commands"][0]["url"] == address


def test_slacks_own_limits_of_a_manifest():
    made = manifest("socket")
    assert len(made["display_information"]["description"]) <= 140
    assert len(made["features"]["agent_view"]["agent_description"]) <= 300
    assert len(made["features"]["shortcuts"][0]["name"]) <= 24
    assert made["features"]["shortcuts"][0]["callback_id"] == listeners.SHORTCUT


def test_every_scope_is_needed_and_every_need_has_its_scope():
    """By what Slack documents for each event and method that the plugin uses."""
    by_event = {
        "app_mention": "app_mentions:read", "message.channels": "channels:history",
        "message.groups": "groups:history", "message.im": "im:history",
        "message.mpim": "mpim:history",
    }  # fmt: skip
    by_method = {
        "conversations_info(": {"channels:read", "groups:read", "mpim:read"},
        "users_info(": {"users:read", "users:read.email"},
        "usergroups_users_list(": {"usergroups:read"},
        "app.command(": {"commands"},
        "chat.": {"chat:write"},
        "assistant_threads_setSuggestedPrompts(": {"assistant:write"},
    }
    source = Path(listeners.__file__).parent
    code = "".join(path.read_text() for path in source.glob("*.py"))
    used = {scope for name, scopes in by_method.items() if name in code for scope in scopes}
    used |= {by_event[event] for event in EVENTS if event in by_event}
    assert used == set(SCOPES)
