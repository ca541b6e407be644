"""The fixtures that plugin authors get: a database, a bot, a Slack."""

from bot import Finished, Passage, hookimpl
from bot.testing.pytest_plugin import fake_slack, home, make_bot  # noqa: F401 - fixtures


class Drawer:
    @hookimpl
    async def bot_retrieve(self, turn):
        text = "The red stapler lies in drawer nine."
        return [Passage(id="1", text=text, readers=frozenset({"everyone"}))]


async def test_a_bot_answers_from_the_plugin_that_was_given(make_bot, rows):  # noqa: F811
    bot = await make_bot('[assistants.default]\nretrievers = ["drawer"]', drawer=Drawer())
    *_, last = [event async for event in bot.reply("Where does the red stapler lie?")]
    assert isinstance(last, Finished)
    assert "drawer nine" in last.answer.text
    assert await rows("select outcome from turn") == [("answered",)]


async def test_a_slack_is_on_this_machine(fake_slack):  # noqa: F811
    assert fake_slack.base_url.startswith("http://127.0.0.1")
