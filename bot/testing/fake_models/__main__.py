"""Run the local models alone, print what a client needs to reach them, and wait for Ctrl-C."""

from __future__ import annotations

import json
import threading

import click

from bot.testing.fake_models import FakeModels


@click.command(epilog="Example: python -m bot.testing.fake_models --port 8766")
@click.option("--port", default=0, help="Port on this machine; 0 takes a free one.")
@click.option("--model", "models", multiple=True, help="A name that is served; all, unless given.")
def main(port: int, models: tuple[str, ...]) -> None:
    """Run models on this machine that quote the source most like the question."""
    with FakeModels(port=port, models=models) as fake:
        click.echo(json.dumps({"url": fake.url, "openai_url": fake.openai_url}))
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            return


if __name__ == "__main__":
    main()
