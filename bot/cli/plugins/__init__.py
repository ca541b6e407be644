"""`bot plugins`: which plugins are here, which are broken, and getting others."""

from __future__ import annotations

import click

from bot.cli.plugins.doctor import doctor
from bot.cli.plugins.install import install, uninstall
from bot.cli.plugins.listing import list_, show
from bot.cli.plugins.new import new
from bot.cli.plugins.switching import disable, enable


@click.group(epilog="Example: bot plugins list  ·  bot plugins install domainbot-wikipedia")
def command() -> None:
    """See which plugins are here and which are broken; get others, and begin your own."""


for one in (disable, doctor, enable, install, list_, new, show, uninstall):
    command.add_command(one)
