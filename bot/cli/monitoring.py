"""`--monitor`: where `bot serve` and `bot worker` tell how they are."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from bot.app import Bot
    from bot.monitoring import Monitor

Address = tuple[str, int]

LOOPBACK = "127.0.0.1"


def option(port: int) -> Callable[[Any], Any]:
    """Make the option `--monitor`, with the port for when it is not given."""
    return click.option(
        "--monitor",
        metavar="[HOST:]PORT",
        callback=_address,
        help=f"Where /healthz and /metrics are, {LOOPBACK}:{port} unless given; 0 is nowhere.",
    )


def watched(bot: Bot, given: Address | None, port: int) -> AbstractAsyncContextManager[Monitor]:
    """Watch this process. Only an address that was asked for must be free.

    Raises:
        MonitoringError: it is not.
    """
    from bot.monitoring import monitored

    def told(problem: str) -> None:
        click.echo(f"Note: {problem}", err=True)

    host, port = given or (LOOPBACK, port)
    return monitored(bot, host, port, None if given else told)


def _address(ctx: click.Context, param: click.Parameter, value: str | None) -> Address | None:
    if value is None:
        return None
    host, _, port = value.rpartition(":")
    if not (port.isascii() and port.isdecimal() and int(port) < 65_536):
        raise click.BadParameter(f"{value!r} is no [HOST:]PORT, such as 9464 or 0.0.0.0:9464.")
    return host.strip("[]") or LOOPBACK, int(port)
