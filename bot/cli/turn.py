"""`bot turn`: what happened in one turn."""

from __future__ import annotations

from typing import Any

import click

from bot.cli.session import Session, asynchronous

# Where nobody says who asks: whoever may use the machine.
_LOCALLY = {"cli": "on the command line", "terminal": "in the terminal", "python": "from Python"}


@click.group(epilog="Example: bot turn show k3v9x2m7q8ab")
def command() -> None:
    """Look into one turn."""


@command.command(epilog="Example: bot turn show k3v9x2m7q8ab")
@click.argument("turn_id")
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
@asynchronous
async def show(session: Session, turn_id: str, as_json: bool) -> int:
    """Show a turn: question, answer, sources, timings, and what failed.

    TURN_ID stands below each answer and in every apology.
    """
    from bot import record
    from bot.cli.output import dumps

    async with session.bot() as bot:
        found = await record.show(bot.database, turn_id)
    if as_json:
        click.echo(dumps(found))
    else:
        _print(found)
    return 0


def _print(turn: Any) -> None:
    from bot.text import printable

    def line(name: str, value: object) -> None:
        if value not in (None, "", [], {}):
            click.secho(f"{name:>12}  ", bold=True, nl=False)
            click.echo(printable(str(value)).replace("\n", "\n" + " " * 14))

    line("turn", f"{turn['id']} (attempt {turn['attempt']}) in {turn['channel']}")
    who = f"by {turn['author']}" if turn["author"] else _LOCALLY.get(turn["channel"], "")
    line("asked", f"{turn['started_at']:%Y-%m-%d %H:%M:%S} {who}".rstrip())
    line("may read", ", ".join(turn["principals"]))
    line("question", turn["question"])
    line("searched", " | ".join(turn["queries"]))
    line("outcome", turn["outcome"] or "not finished")
    line("answer", turn["answer"])
    for citation in turn["citations"]:
        by = f" ({citation['retriever']})" if citation["retriever"] else ""
        line(f"[{citation['marker']}]", f"{citation['title']} — {citation['uri']}{by}")
        line("", f"“{citation['quote']}”")
    line("generator", turn["generator"])
    for route in turn["routes"]:
        why = ": ".join(filter(None, [route["cause"], route["reason"]]))
        line("asked", f"{route['generator']} ({why}), {route['milliseconds']:.0f} ms")
    if used := turn["usage"]:
        cost = f", cost {used['cost']:.6g}" if used.get("cost") else ""
        line("tokens", f"{used['input_tokens']} read, {used['output_tokens']} written{cost}")
    line("index", turn["index_version"])
    line("timings", ", ".join(f"{step} {ms:.1f} ms" for step, ms in turn["timings"].items()))
    for notice in turn["notices"]:
        line("note", notice)
    line("error", turn["error"])
    for opinion in turn["feedback"]:
        verdict = "good" if opinion["good"] else "bad"
        line("feedback", f"{verdict} {opinion['author']} {opinion['comment']}".strip())
