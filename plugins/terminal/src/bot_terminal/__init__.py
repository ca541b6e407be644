"""The terminal channel: one person, one conversation, at a keyboard or through a pipe."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from bot import Component, Context, hookimpl


class TerminalSettings(BaseModel):
    """`[channels.terminal]`, or the options of `bot chat`."""

    model_config = ConfigDict(extra="forbid")

    assistant: str = Field("default", description="Who answers.")
    principals: tuple[str, ...] = Field((), description="Who asks, besides `everyone`.")


def make(name: str, settings: Any, context: Context) -> object:
    from bot_terminal.channel import Terminal

    return Terminal(settings.assistant, settings.principals)


@hookimpl
def bot_components() -> list[Component]:
    return [Component(kind="channel", type="terminal", settings=TerminalSettings, make=make)]
