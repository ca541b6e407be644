"""`bot plugins new`: the beginning of a plugin."""

from __future__ import annotations

from pathlib import Path

import click

from bot.cli.session import Session, guarded

KINDS = ("retriever", "generator", "channel", "loader", "embedder")


@click.command(epilog="Example: bot plugins new retriever glossary")
@click.argument("kind", type=click.Choice(KINDS))
@click.argument("name")
@click.option(
    "--directory",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("."),
    help="Where to make the folder NAME; here, unless given.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def new(session: Session, kind: str, name: str, directory: Path, as_json: bool) -> None:
    """Write a small tested package for a plugin of yours."""
    from bot.authoring import write
    from bot.cli.output import dumps
    from bot.text import printable

    def work() -> None:
        folder = write(kind, name, directory)
        if as_json:
            files = sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())
            click.echo(dumps({"folder": str(folder), "files": files}))
            return
        click.echo(printable(f"{folder}/ has the {kind} and its tests. Go on with:"))
        click.echo(printable(f"  cd {folder}\n  pip install -e .[test]\n  pytest"))

    raise SystemExit(guarded(session, work))
