"""`bot config`: what bot.toml says."""

from __future__ import annotations

import click

from bot.cli.session import Session, guarded


@click.group(epilog="Example: bot config check")
def command() -> None:
    """Check and show the configuration."""


@command.command(epilog="Example: bot config check  ·  bot config check --json")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def check(session: Session, as_json: bool) -> None:
    """Check bot.toml as a whole: every mistake with its place and the nearest valid name.

    It also tells where the live index version was built with other settings.
    """
    import asyncio

    from bot.cli.output import print_result
    from bot.errors import BotError
    from bot.text import printable

    def work() -> None:
        from bot.indexing.drift import looked_for

        bot = session.bot()
        bot.check()
        try:
            differences = asyncio.run(looked_for(bot))
        except BotError as error:  # the file is right all the same
            differences = [f"The index was not looked at: {error}"]
        path = str(bot.settings.path or "")
        told = f"{path or 'The defaults'}: no mistakes."
        print_result(told, as_json=as_json, path=path, notes=differences)
        for one in [] if as_json else differences:
            click.secho(f"Note: {printable(one)}", err=True, fg="yellow")

    raise SystemExit(guarded(session, work))


@command.command(epilog="Example: bot config show  ·  bot config show --schema > bot.schema.json")
@click.option("--schema", is_flag=True, help="Print the JSON Schema of bot.toml, for editors.")
@click.option("--template", is_flag=True, help="Print a bot.toml with every key, as comments.")
@click.pass_obj
def show(session: Session, schema: bool, template: bool) -> None:
    """Show what is in force, and where each value comes from. Secrets are never shown."""
    from bot.cli.output import dumps
    from bot.settings import dump, json_schema

    def work() -> None:
        if template:
            from bot.settings.template import template as write

            click.echo(write(session.bot().plugins.components), nl=False)
        elif schema:
            click.echo(dumps(json_schema(session.bot().plugins.components), indent=2))
        else:
            click.echo(dumps(dump(session.settings()), indent=2))

    raise SystemExit(guarded(session, work))
