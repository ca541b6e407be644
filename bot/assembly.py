"""What a bot is put together from: its plugins, its folder, its database."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from bot.plugins import Plugins

if TYPE_CHECKING:
    from bot.database import Database
    from bot.settings import Settings


def installed(settings: Settings, environ: Mapping[str, str]) -> Plugins:
    """Load the built-in and the installed plugins."""
    from bot.indexing import builtin

    plugins = Plugins()
    plugins.register(builtin, "builtin")
    plugins.load(environ, settings.plugins.disabled)
    return plugins


def home(settings: Settings, environ: Mapping[str, str]) -> Path:
    """The folder that holds everything a bot keeps outside its database."""
    from bot.embedded import default_home

    return settings.home or default_home(environ)


def database_of(settings: Settings, home: Path) -> Database:
    """The database that the settings name, unopened."""
    from bot.database import Database

    if settings.database_url is not None:
        return Database(settings.database_url.reveal())
    from bot.embedded import EmbeddedServer

    return Database(server=EmbeddedServer(home))
