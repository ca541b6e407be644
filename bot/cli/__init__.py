"""The command line: one file a command, imported when it is called."""

from __future__ import annotations

import io
import logging
import os
import signal
import sys
import threading
from contextlib import suppress
from importlib import import_module
from typing import NoReturn

import click

from bot import __version__
from bot.cli.session import PrintableHandler, Session

COMMANDS = {
    "answers": "Keep approved answers.",
    "ask": "Answer one question, with sources.",
    "chat": "Talk in the terminal.",
    "config": "Check and show the configuration.",
    "conversations": "Look at conversations, and forget them.",
    "db": "Look after the database.",
    "doctor": "Find what is wrong.",
    "eval": "Measure the bot by its golden set.",
    "feedback": "Say what you think of an answer.",
    "golden": "Keep questions with the sources that answer them.",
    "index": "Look after index versions: compare, promote, roll back.",
    "plugins": "See which plugins are here and which are broken.",
    "reindex": "Bring the index in step with the sources.",
    "report": "Learn from what people asked.",
    "search": "Find passages, without an answer.",
    "serve": "Serve the channels of bot.toml.",
    "source": "Say where documents come from.",
    "turn": "Look into one turn.",
    "worker": "Do what is waiting in the queue.",
}


class Commands(click.Group):
    """The core's commands, loaded by name; what is unknown is asked of the plugins."""

    _asked = False

    def list_commands(self, ctx: click.Context) -> list[str]:
        self._ask_plugins(ctx)
        return sorted({*COMMANDS, *self.commands})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in COMMANDS:
            command: click.Command = import_module(f"bot.cli.{cmd_name}").command
            return command
        if cmd_name not in self.commands:
            self._ask_plugins(ctx)
        return self.commands.get(cmd_name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find a command; the error for an unknown one names the nearest of all."""
        try:
            return super().resolve_command(ctx, args)
        except click.NoSuchCommand as error:
            name, known = error.command_name, self.list_commands(ctx)
            raise click.NoSuchCommand(name, possibilities=known, ctx=ctx) from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        rows = [
            (name, COMMANDS.get(name) or self.commands[name].get_short_help_str())
            for name in self.list_commands(ctx)
        ]
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def _ask_plugins(self, ctx: click.Context) -> None:
        if self._asked:
            return
        self._asked = True
        session = ctx.ensure_object(Session)
        for failure in session.plugin_commands(self):
            click.echo(failure, err=True)


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Start with: bot source add handbook ./docs, then bot reindex, then bot chat.",
)
@click.option("--config", metavar="FILE", help="Use this bot.toml (or set BOT_CONFIG).")
@click.option("--home", metavar="FOLDER", help="Keep everything in this folder (or set BOT_HOME).")
@click.option("--debug", is_flag=True, help="Show tracebacks and the log (or set BOT_DEBUG=1).")
@click.version_option(__version__, prog_name="domainbot")
@click.pass_context
def bot(ctx: click.Context, config: str | None, home: str | None, debug: bool) -> None:
    """Answer from your team's own documents, with sources."""
    ctx.obj = Session.make(config, home, debug)
    if os.environ.get("NO_COLOR"):
        ctx.color = False


def main() -> None:
    """Run the command line; every error is one sentence and an exit code."""
    _take_any_encoding()
    # `docker stop` and service managers ask with this signal: end as after Ctrl-C, in order.
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    logging.basicConfig(  # notices and errors tell people, not the log
        level=logging.CRITICAL,
        format="%(levelname)s %(name)s: %(message)s",
        handlers=[PrintableHandler()],
    )
    logging.getLogger("psycopg").setLevel(logging.CRITICAL)  # it would set a level of its own
    try:
        code = bot.main(standalone_mode=False)
    except click.exceptions.Abort:
        click.echo("Stopped.", err=True)
        code = 130
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except BrokenPipeError:
        # The reader has left; Python must not complain about it once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    _leave(code)


def _leave(code: int | None) -> NoReturn:
    """End, at once when a thread still waits for a line: Python would abort over its lock."""
    waiting = {thread.name for thread in threading.enumerate() if thread.daemon}
    if waiting:
        from bot.threads import IDLE  # loaded already where there are any

        waiting.discard(IDLE)
    if waiting:
        logging.shutdown()
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):  # its reader has left
                stream.flush()
        os._exit(code or 0)
    sys.exit(code)


def _take_any_encoding() -> None:
    """Let nothing that is read or written fail for its encoding, whatever the locale."""
    sys.stdin = sys.stdin or open(os.devnull)  # noqa: SIM115 - None when it was closed; held to the end
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
