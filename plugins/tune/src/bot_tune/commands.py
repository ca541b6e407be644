"""`bot tune`: a group whose default command trains."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from bot.cli.session import Session, guarded


class Training(click.Group):
    """`bot tune NAME …` trains; a name that is a further command's is that command."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Let what is no command be the name of what is trained."""
        if args and args[0] in self.commands:
            return super().resolve_command(ctx, args)
        return "train", self.commands["train"], args

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Let options stand before the name, too."""
        if args and args[0].startswith("-") and args[0] not in ctx.help_option_names:
            args = ["train", *args]
        return super().parse_args(ctx, args)


@click.group(
    cls=Training,
    subcommand_metavar="NAME [OPTIONS] | COMMAND …",
    epilog="Example: bot tune finance --base Qwen/Qwen3-0.6B --data answers.jsonl  ·  "
    "`bot tune train --help` lists the options.",
)
def tune() -> None:
    """Adapt a model to your own texts and answers."""


def _mixed(ctx: click.Context, option: click.Parameter, given: tuple[str, ...]) -> list[Any]:
    found = []
    for one in given:
        path, _, share = one.rpartition("=")
        try:
            found.append({"data": Path(path), "share": float(share)})
        except ValueError:
            path = ""
        if not path:
            raise click.BadParameter(f"{one!r} is not FILE=SHARE, as general.jsonl=0.25 is.")
    return found


_FILE = click.Path(exists=True, path_type=Path)


@tune.command(
    epilog="Example: bot tune finance --base Qwen/Qwen3-0.6B --data answers.jsonl  ·  "
    "bot tune finance --base Qwen/Qwen3-0.6B --source handbook --task clm --mix news.txt=0.3  ·  "
    "bot tune finance --resume"
)
@click.argument("name")
@click.option("--base", metavar="MODEL", help="A folder, or a name that has been downloaded.")
@click.option("--data", multiple=True, type=_FILE, help="JSONL, JSON, .txt, .md, or a folder.")
@click.option("--source", "sources", multiple=True, help="The documents of a source, as indexed.")
@click.option("--feedback", is_flag=True, default=None, help="The answers that people approved.")
@click.option("--mix", multiple=True, callback=_mixed, metavar="FILE=SHARE",
              help="Further data, as a share of all tokens; 0 only measures them.")  # fmt: skip
@click.option("--method", type=click.Choice(["lora", "dora", "adalora", "prompt", "full"]))
@click.option("--task", type=click.Choice(["sft", "clm", "dpo"]),
              help="Answers, texts, or pairs that people chose between.")  # fmt: skip
@click.option("--readers", multiple=True, metavar="PRINCIPAL",
              help="Who is answered with it; needed when some data are restricted.")  # fmt: skip
@click.option("--epochs", type=float, help="How often through the data (3).")
@click.option("--rate", type=float, help="The learning rate; the method's own, unless given.")
@click.option("--batch", type=int, help="Rows at once, on each device (8).")
@click.option("--length", type=int, help="Tokens of a row (1024).")
@click.option("--rank", type=int, help="Of LoRA, DoRA, AdaLoRA (16).")
@click.option("--held-out", type=float, help="The share to measure with (0.1).")
@click.option("--seed", type=int, help="The same seed and data give the same result (0).")
@click.option("--precision", type=click.Choice(["auto", "float32", "bfloat16"]))
@click.option("--device", help='"auto", "cpu", "cuda", "cuda:1" or "mps".')
@click.option("--chat-template", type=_FILE, help="A Jinja file instead of the base's own.")
@click.option("--recipe", "recipe_", type=_FILE, help="Repeat a recipe.yaml; options change it.")
@click.option(
    "--to", type=click.Path(path_type=Path), help="The folder of the result (tuned/NAME)."
)
@click.option("--resume", is_flag=True, help="Go on with what was stopped.")
@click.option("--dry-run", is_flag=True, help="Check the data and tell what it would take.")
@click.option("--launch", metavar="ARGS", help='With `accelerate launch ARGS`; "" for none.')
@click.option("--yes", is_flag=True, help="Replace what the folder holds of an earlier training.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def train(
    session: Session,
    /,
    name: str,
    recipe_: Path | None,
    to: Path | None,
    resume: bool,
    dry_run: bool,
    launch: str | None,
    yes: bool,
    as_json: bool,
    **given: Any,
) -> None:
    """Train NAME; the result is an adapter of `bot adapters list`, or a model with --method full.

    The folder of the result has the recipe, a plot of the losses and a model card.
    """

    def work() -> int:
        try:
            from bot_tune.running import Run
        except ModuleNotFoundError as error:
            from bot.errors import PluginError

            raise PluginError(
                f"Training needs {error.name}, which is not installed; run `make setup-models`."
            ) from error
        folder = (to or Path("tuned") / name).absolute()
        run = Run(session, folder, as_json=as_json, launch=launch)
        if resume:
            return run.resume()
        values = {key: value for key, value in given.items() if value not in (None, (), [])}
        return run.begin({**values, "name": name}, recipe_, dry_run=dry_run, replace=yes)

    raise SystemExit(guarded(session, work))
