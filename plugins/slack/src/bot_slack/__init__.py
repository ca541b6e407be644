"""The Slack channel: mentions, direct messages, threads, commands and buttons."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from bot import Component, Context, hookimpl
from bot.task import Job, Task
from bot_slack.settings import SlackSettings

if TYPE_CHECKING:
    import click

    from bot import Bot


async def _answer(bot: Bot, job: Job) -> None:
    from bot_slack.channel import Slack

    channel = await bot.component("channel", job.arguments["channel"])
    assert isinstance(channel, Slack)
    await channel.answer(bot, job.arguments["key"], last=job.last)


# Tried for a day and a half: so long may Slack be out of reach.
ANSWER = Task("slack.answer", _answer, queue="slack", attempts=400)


def make(name: str, settings: Any, context: Context) -> object:
    from bot_slack.channel import Slack

    return Slack(name, settings, context)


@hookimpl
def bot_components() -> list[Component]:
    return [Component(kind="channel", type="slack", settings=SlackSettings, make=make)]


@hookimpl
def bot_migrations() -> Path:
    return Path(__file__).parent / "migrations"


@hookimpl
def bot_tasks() -> list[Task]:
    return [ANSWER]


@hookimpl
def bot_commands(cli: click.Group) -> None:
    from bot_slack.commands import group

    cli.add_command(group, "slack")
