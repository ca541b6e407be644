"""A local Slack: the Web API with streams, Socket Mode, and signed HTTP events.

It speaks to the real slack-bolt and slack-sdk, keeps Slack's limits, and fails on demand. It needs
aiohttp: `pip install domainbot[fake-slack]`. `python -m bot.testing.fake_slack` runs it alone.
"""

from bot.testing.fake_slack.delivery import Delivery
from bot.testing.fake_slack.faults import TIERS, Fault
from bot.testing.fake_slack.server import CHANNELS, USERS, Call, FakeSlack
from bot.testing.fake_slack.world import Channel, Message, User

__all__ = [
    "CHANNELS",
    "TIERS",
    "USERS",
    "Call",
    "Channel",
    "Delivery",
    "FakeSlack",
    "Fault",
    "Message",
    "User",
]
