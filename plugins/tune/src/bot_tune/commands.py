"""`bot tune`: a group whose default command trains; `bot tune inspect` looks at data."""

from __future__ import annotations

import click


class Training(click.Group):
    """`bot tune NAME …` trains; a name that is a further command's is that command."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Let what is no command be the name of what is trained."""
        if args and args[0] in self.commands:
            return super().resolve_command(ctx, args)
        return "train", self.commands["train"], args


@click.group(cls=Training, epilog="Example: bot tune inspect data.jsonl")
def tune() -> None:
    """Adapt a model to your own texts and answers."""
