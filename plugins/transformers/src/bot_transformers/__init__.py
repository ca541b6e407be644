"""Local language models with transformers, and LoRA adapters over one resident base."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from bot import Component, Context, hookimpl
from bot_transformers.settings import LoraSettings, TransformersSettings


def make_transformers(name: str, settings: Any, context: Context) -> object:
    from bot_transformers.generator import make

    return make(settings, settings.model)


def make_lora(name: str, settings: Any, context: Context) -> object:
    from bot_transformers.choosing import adapted, named
    from bot_transformers.generator import make

    return make(settings, settings.base, adapted(settings, context), named(settings, context))


@hookimpl
def bot_components() -> list[Component]:
    return [
        Component(
            kind="generator",
            type="transformers",
            settings=TransformersSettings,
            make=make_transformers,
        ),
        Component(kind="generator", type="lora", settings=LoraSettings, make=make_lora),
    ]


@hookimpl
def bot_migrations() -> Path:
    return Path(__file__).parent / "migrations"


@hookimpl
def bot_commands(cli: click.Group) -> None:
    from bot_transformers.commands import adapters

    cli.add_command(adapters)
