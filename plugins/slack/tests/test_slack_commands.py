"""`bot slack`: the manifest, and what the doctor finds."""

import json

import pytest
from bot_slack import SlackSettings, doctor
from bot_slack.channel import Slack

from bot import Context, Secret
from bot.testing.fake_slack import Channel, FakeSlack


class OneChannel:
    """A bot with one channel, as the doctor needs it."""

    def __init__(self, channel):
        self._channel = channel

    async def component(self, kind, name):
        return self._channel


@pytest.fixture
async def examine(slack, database, tmp_path):
    made = []

    async def run(**options):
        given = {
            "bot_token": Secret(slack.bot_token, {"env": "B"}),
            "app_token": Secret(slack.app_token, {"env": "A"}),
            "base_url": slack.base_url,
            **options,
        }
        context = Context(home=tmp_path, database=database, embed=None)
        channel = Slack("slack", SlackSettings(**given), context)
        made.append(channel)
        found = await doctor.examine(OneChannel(channel), "slack")
        return {one.check: (one.ok, one.says) for one in found}

    yield run
    for channel in made:
        await channel.aclose()


@pytest.fixture
async def slack():
    channels = [Channel(id="C1", name="general"), Channel(id="C2", name="other", bot_in=False)]
    async with FakeSlack(channels=channels) as running:
        yield running


async def test_all_is_well(slack, examine):
    found = await examine(rooms={"C1": {}})
    assert all(ok for ok, _ in found.values()), found
    assert list(found) == ["bot_token", "scopes", "app_token", "socket", "C1", "events"] or list(
        found
    ) == ["bot_token", "scopes", "socket", "C1", "events"]


async def test_each_thing_that_is_wrong_is_one_sentence_with_a_fix(slack, examine):
    slack.scopes -= {"users:read.email", "commands"}
    found = await examine(
        app_token=Secret("xapp-wrong", {"env": "A"}), rooms={"C2": {}}, handover="C9"
    )
    wrong = {check: says for check, (ok, says) in found.items() if not ok}
    assert set(wrong) == {"scopes", "app_token", "C2", "C9"}
    assert "commands" in wrong["scopes"]
    assert "users:read.email (to know whose documents a person may read)" in wrong["scopes"]
    assert "connections:write" in wrong["app_token"]
    assert "invite" in wrong["C2"]
    assert "channel_not_found" in wrong["C9"]


@pytest.mark.parametrize(
    ("token", "fix"), [("xoxb-wrong", "copy it from OAuth"), ("xapp", "begins with xoxb-")]
)
async def test_a_wrong_bot_token_is_the_only_thing_told(slack, examine, token, fix):
    token = slack.app_token if token == "xapp" else token
    found = await examine(bot_token=Secret(token, {"env": "B"}))
    ((ok, says),) = found.values()
    assert not ok
    assert fix in says
    assert token not in says


async def test_a_slack_out_of_reach(slack, examine):
    found = await examine(base_url="http://127.0.0.1:9/api/")
    ((ok, says),) = found.values()
    assert not ok
    assert "check base_url and the network" in says


async def test_the_commands_of_a_process(slack, process):
    from slack_world import toml

    (process.folder / "bot.toml").write_text(toml(slack))
    made = json.loads(await process.bot("slack", "manifest"))
    assert made["settings"]["socket_mode_enabled"]
    out = await process.bot("slack", "manifest", "--mode", "http", code=2)
    assert "--url" in out
    out = await process.bot("slack", "doctor")
    assert "bot in Fake (T1)" in out
    slack.revoked = True
    found = json.loads(await process.bot("slack", "doctor", "--json", code=1))
    assert found == [
        {
            "check": "bot_token",
            "ok": False,
            "says": "Slack says token_revoked; install the app again and copy the new one.",
        }
    ]
