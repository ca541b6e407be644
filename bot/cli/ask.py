"""`bot ask`: one question, one answer."""

from __future__ import annotations

import sys

import click

from bot.cli.session import Session, asynchronous


@click.command(
    epilog='Example: bot ask "How do I log in?"  ·  bot ask --json --as alice@example.com "…"'
)
@click.argument("question", nargs=-1, required=True)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object at the end.")
@click.option("--as", "principals", multiple=True, metavar="PRINCIPAL",
              help="Ask as somebody: an e-mail address, group:NAME, …")  # fmt: skip
@click.option("--assistant", default="default", show_default=True, help="Who answers.")
@click.option("--explain", is_flag=True, help="Show how the model came to its answer.")
@click.option("--where", multiple=True, metavar="KEY=VALUE", help="Only documents with this.")
@asynchronous
async def command(
    session: Session,
    question: tuple[str, ...],
    as_json: bool,
    principals: tuple[str, ...],
    assistant: str,
    explain: bool,
    where: tuple[str, ...],
) -> int:
    """Answer one question, with sources.

    The answer is printed as it comes, then where it was found. It exits with 1 when the answer
    failed; a refusal is an answer.
    """
    from bot.cli.output import answer_json, filters, print_answer
    from bot.turn import Failed, Finished

    async with session.bot() as bot:
        chosen = bot.settings.assistants.get(assistant)
        if not bot.settings.sources and chosen and "documents" in chosen.retrievers:
            note = "There is no source yet; add one: bot source add handbook ./docs"
            click.secho(f"Note: {note}", err=True, fg="yellow")
        events = bot.reply(
            " ".join(question),
            assistant=assistant,
            principals=principals,
            channel="cli",
            filters=filters(where),
        )
        if not as_json:
            return await print_answer(events, sys.stdout, explain=explain)
        async for event in events:
            if isinstance(event, Finished | Failed):
                click.echo(answer_json(event.answer, explain=explain))
                return int(isinstance(event, Failed))
    raise AssertionError("a turn ended without an answer")
