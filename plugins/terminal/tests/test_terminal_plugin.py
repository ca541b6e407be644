"""The plugin by itself; conversations through it are in the acceptance tests."""

import importlib.metadata
import os
import subprocess
import sys

import bot_terminal
import pytest
from bot_terminal import TerminalSettings
from bot_terminal.channel import Terminal
from pydantic import ValidationError

from bot.plugins import Plugins


@pytest.fixture
def plugins():
    loaded = Plugins()
    loaded.load({"BOT_PLUGINS": "terminal"})
    return loaded


def test_it_is_installed_and_registered(plugins):
    (entry,) = importlib.metadata.entry_points(group="bot", name="terminal")
    assert entry.load() is bot_terminal
    assert [(one.name, one.error) for one in plugins.loaded] == [("terminal", "")]
    assert plugins.offers("terminal") == ["channel terminal"]


def test_what_it_makes_is_a_channel(plugins):
    made = plugins.component("channel", "terminal").make("terminal", TerminalSettings(), None)
    assert isinstance(made, Terminal)
    plugins.register(made, "channel:terminal")
    assert plugins.hooks("channel:terminal") == ["bot_serve"]


def test_unknown_settings_are_refused():
    assert TerminalSettings(principals=["group:hr"]).principals == ("group:hr",)
    with pytest.raises(ValidationError):
        TerminalSettings(colour="green")


def test_each_is_a_conversation_of_its_own():
    one, other = Terminal("default", ()), Terminal("default", ())
    assert one._conversation != other._conversation


def test_importing_it_imports_no_terminal_library():
    code = "import sys, bot_terminal; print('prompt_toolkit' in sys.modules)"
    told = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ
    )
    assert told.stdout == "False\n"
