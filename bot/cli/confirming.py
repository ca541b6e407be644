"""Asking a person before something is done that cannot be taken back."""

from __future__ import annotations

import click

from bot.errors import UsageError


async def confirmed(question: str, yes: bool = False, *, done: str = "changed") -> bool:
    """Ask on standard error, and tell when the answer was no.

    Args:
        yes: it was answered beforehand, by an option.
        done: what would have been: "Nothing was changed."

    Raises:
        UsageError: standard input has ended, as in a script or a cron job.
    """
    from bot.dispatch import in_thread

    if yes:
        return True
    try:
        # On a thread, as the event loop would keep Ctrl-C from a question asked in its own.
        agreed = await in_thread(click.confirm, text=question, err=True)
    except click.exceptions.Abort as stopped:
        if not isinstance(stopped.__context__, EOFError):
            raise
        click.echo(err=True)
        raise UsageError(f"Nobody answers here, so nothing was {done}; say --yes.") from None
    if not agreed:
        click.echo(f"Nothing was {done}.", err=True)
    return bool(agreed)
