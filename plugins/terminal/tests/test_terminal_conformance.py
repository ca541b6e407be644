import os
import sys

import pytest

from bot.testing.conformance import ChannelConformance


class TestTerminal(ChannelConformance):
    plugin = "terminal"
    conversations = ("the only one",)
    forbidden = ("\x1b", "\x07", "\u202e")

    @pytest.fixture(autouse=True)
    def _piped(self, database, monkeypatch, capsys):
        self.database, self.screen, self.shown = database, capsys, ""
        reading, self.writing = os.pipe()
        with open(reading, encoding="utf-8") as keyboard:
            monkeypatch.setattr(sys, "stdin", keyboard)
            yield
            os.close(self.writing)

    async def say(self, text, conversation):
        os.write(self.writing, f"{text}\n".encode())

    async def seen(self, conversation):
        self.shown += self.screen.readouterr().out
        return self.shown
