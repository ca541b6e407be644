"""Edge and cloud: a small generator and a large one behind one name."""

from __future__ import annotations

from typing import Any

from bot import Component, Context, hookimpl
from bot_router.settings import RouterSettings


def make(name: str, settings: Any, context: Context) -> object:
    from bot_router.generator import Router

    return Router(settings, context)


@hookimpl
def bot_components() -> list[Component]:
    return [Component(kind="generator", type="router", settings=RouterSettings, make=make)]
