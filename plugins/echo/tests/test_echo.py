from importlib.metadata import entry_points

import bot_echo

from bot import Turn


def test_it_is_installed_and_registered() -> None:
    (found,) = entry_points(group="bot", name="echo")
    assert found.load() is bot_echo


async def test_it_finds_the_question() -> None:
    (passage,) = await bot_echo.bot_retrieve(Turn(id="1", question="Who is there?"))
    assert passage.text == "Who is there?"
    assert passage.readers == {"everyone"}
