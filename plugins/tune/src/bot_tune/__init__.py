"""Adapting a language model to a team's own texts and answers."""

from __future__ import annotations

import click

from bot import hookimpl


@hookimpl
def bot_commands(cli: click.Group) -> None:
    from bot_tune.commands import tune
    from bot_tune.data_commands import augment, inspect

    tune.add_command(augment)
    tune.add_command(inspect)
    cli.add_command(tune)
