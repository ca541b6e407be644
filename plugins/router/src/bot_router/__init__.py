"""Edge and cloud: a small generator and a large one behind one name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bot import Component, Context, hookimpl
from bot_router.settings import RouterSettings

if TYPE_CHECKING:
    import click


def make(name: str, settings: Any, context: Context) -> object:
    from bot_router.generator import Router

    return Router(settings, context)


@hookimpl
def bot_components() -> list[Component]:
    return [Component(kind="generator", type="router", settings=RouterSettings, make=make)]


@hookimpl
def bot_commands(cli: click.Group) -> None:
    from bot_router.commands import router

    cli.add_command(router)
