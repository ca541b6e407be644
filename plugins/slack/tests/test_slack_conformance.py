"""The suite that every channel passes, against a Slack on this machine."""

import pytest
from slack_world import environ

from bot.testing.conformance import ChannelConformance


class TestSlack(ChannelConformance):
    plugin = "slack"
    conversations = ("one", "two", "three")
    forbidden = ("<!", "<@", "\x1b")

    @pytest.fixture(autouse=True)
    def _slack(self, slack, database, monkeypatch):
        self.slack, self.database, self.threads = slack, database, {}
        for name, value in environ(slack).items():
            monkeypatch.setenv(name, value)
        self.settings = {
            "bot_token": {"env": "SLACK_BOT_TOKEN"},
            "app_token": {"env": "SLACK_APP_TOKEN"},
            "base_url": slack.base_url,
            "rate": 1000,
            "per_minute": 1000,
        }

    async def say(self, text, conversation):
        await self.slack.connected(2)
        thread = self.threads.get(conversation)
        said = await self.slack.mention("C1", "U1", text, thread_ts=thread)
        self.threads.setdefault(conversation, said)

    async def say_twice(self, text, conversation):
        before = len(self.slack.deliverer.sent)
        await self.say(text, conversation)
        for delivery in self.slack.deliverer.sent[before:]:
            self.slack.redeliver(delivery)

    async def seen(self, conversation):
        if conversation not in self.threads:
            return ""
        messages = self.slack.answers("C1", self.threads[conversation])
        return "\n".join(message.shown for message in messages if message.stream is None)
