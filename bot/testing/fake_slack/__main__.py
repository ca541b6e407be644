"""Run the local Slack alone, print what a channel needs to reach it, and wait for Ctrl-C."""

from __future__ import annotations

import asyncio
import json

import click

from bot.testing.fake_slack import TIERS, FakeSlack


@click.command(epilog="Example: python -m bot.testing.fake_slack --port 8765")
@click.option("--port", default=0, help="Port on this machine; 0 takes a free one.")
@click.option("--events-url", default="", help="Send events there by signed HTTP, not by socket.")
@click.option("--rate-limits", is_flag=True, help="Keep Slack's rate limits.")
@click.option("--fast-retries", is_flag=True, help="Repeat events after 1 s, not after minutes.")
def main(port: int, events_url: str, rate_limits: bool, fast_retries: bool) -> None:
    """Run a Slack on this machine."""
    slack = FakeSlack(
        port=port,
        events_url=events_url,
        rate_limits=TIERS if rate_limits else None,
        retry_delays=(0.0, 1.0, 1.0) if fast_retries else (0.0, 60.0, 300.0),
    )
    try:
        asyncio.run(_serve(slack))
    except KeyboardInterrupt:
        return


async def _serve(slack: FakeSlack) -> None:
    async with slack:
        about = {
            "base_url": slack.base_url,
            "control_url": slack.base_url.replace("/api/", "/_control/"),
            "bot_token": slack.bot_token,
            "app_token": slack.app_token,
            "signing_secret": slack.signing_secret,
        }
        click.echo(json.dumps(about))
        await asyncio.Event().wait()


if __name__ == "__main__":
    main()
