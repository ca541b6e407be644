"""What all commands share: where the configuration is, how errors look, how work is run."""

from __future__ import annotations

import functools
import logging
import os
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec

import click

if TYPE_CHECKING:
    from bot.app import Bot
    from bot.settings import Settings

P = ParamSpec("P")


@dataclass(frozen=True, slots=True)
class Session:
    """One call of the command line.

    Attributes:
        environ: the environment, with --config and --home as if they had been set there.
    """

    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    debug: bool = False

    @classmethod
    def make(cls, config: str | None, home: str | None, debug: bool) -> Session:
        """Take the options before the command."""
        environ = dict(os.environ)
        if config is not None:
            environ["BOT_CONFIG"] = config
        if home is not None:
            environ["BOT_HOME"] = home
        debug = debug or environ.get("BOT_DEBUG", "") not in ("", "0")
        if debug:
            logging.getLogger().setLevel(logging.DEBUG)
            logging.getLogger("psycopg").setLevel(logging.WARNING)
        return cls(environ, debug)

    @property
    def config_path(self) -> Path | None:
        """The bot.toml in force."""
        from bot.settings import find_config

        return find_config(None, self.environ, Path.cwd())

    def settings(self, *, deferred: bool = False) -> Settings:
        """Read the configuration; warnings go to the terminal.

        Args:
            deferred: leave mistakes to the bot's own check, which tells all of them at once.
        """
        from bot.settings import read
        from bot.text import printable

        settings = read(self.config_path, self.environ, deferred=deferred)
        for warning in settings.warnings:
            click.secho(f"Warning: {printable(warning)}", err=True, fg="yellow")
        return settings

    def bot(self) -> Bot:
        """Make the bot that the configuration describes."""
        from bot.app import Bot
        from bot.text import printable

        made = Bot(self.settings(deferred=True), environ=self.environ)
        for loaded in made.plugins.loaded:
            if loaded.error:
                click.secho(
                    f"Warning: a plugin was left out: {printable(loaded.error)}. "
                    "`bot plugins doctor` tells more.",
                    err=True,
                    fg="yellow",
                )
        for trouble in made.plugins.manager.quarantine.troubles():
            if trouble.held and made.plugins.manager.has_plugin(trouble.name):
                click.secho(
                    f"Warning: {printable(trouble.name)} is in quarantine. `bot plugins doctor` "
                    f"says why, `bot plugins enable {printable(trouble.plugin)}` takes it back.",
                    err=True,
                    fg="yellow",
                )
        return made

    def plugin_commands(self, group: click.Group) -> list[str]:
        """Let the plugins add their commands; return what went wrong."""
        from bot.assembly import installed
        from bot.errors import BotError
        from bot.plugins import bounded
        from bot.text import printable

        try:
            plugins = installed(self.settings(), self.environ)
        except BotError as error:
            return [f"Warning: the plugins' commands are not listed: {printable(str(error))}"]
        failures = [
            f"Warning: a plugin was left out: {printable(loaded.error)}."
            for loaded in plugins.loaded
            if loaded.error
        ]
        for impl in plugins.manager.hook.bot_commands.get_hookimpls():
            try:
                bounded(functools.partial(impl.function, cli=group), "bot_commands")
            except BotError as error:  # one plugin's mistake must not take the others' commands
                failures.append(f"Warning: {impl.plugin_name}: {printable(str(error))}.")
        return failures


class PrintableHandler(logging.StreamHandler[Any]):
    """Log lines quote documents and plugins: cleaned like everything that is shown.

    A traceback is shown only with --debug.
    """

    def format(self, record: logging.LogRecord) -> str:
        from bot.text import printable

        if not logging.getLogger().isEnabledFor(logging.DEBUG):
            record.exc_info = record.exc_text = None
        return printable(super().format(record))


def asynchronous(
    function: Callable[Concatenate[Session, P], Coroutine[Any, Any, int | None]],
) -> Callable[P, None]:
    """Make a coroutine a command: run it, and turn errors into a sentence and an exit code.

    What the coroutine returns is the exit code.
    """

    @click.pass_obj
    @functools.wraps(function)
    def run(session: Session, /, *args: P.args, **kwargs: P.kwargs) -> None:
        import asyncio  # half of what `bot --version` would take

        def work() -> int | None:
            try:
                return asyncio.run(function(session, *args, **kwargs))
            except asyncio.CancelledError:
                raise KeyboardInterrupt from None

        if code := guarded(session, work):
            raise click.exceptions.Exit(code)

    return run


def guarded(session: Session, work: Callable[[], int | None]) -> int:
    """Do some work; an error is told on standard error and becomes the exit code."""
    from bot.errors import BotError
    from bot.text import printable

    try:
        return work() or 0
    except (KeyboardInterrupt, click.exceptions.Abort):
        click.echo("Stopped.", err=True)
        return 130
    except (BrokenPipeError, click.ClickException, click.exceptions.Exit):
        raise
    except Exception as error:
        if session.debug:
            raise
        known = isinstance(error, BotError)
        text = str(error) if known else f"{type(error).__name__}: {error}"
        click.secho(f"Error: {printable(text)}", err=True, fg="red")
        if not known:
            click.echo("This is a defect; run it again with --debug and report it.", err=True)
        return error.exit_code if isinstance(error, BotError) else 1
