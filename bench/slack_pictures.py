"""Draw what people see in Slack, from the blocks that the bot really sends.

    python bench/slack_pictures.py docs/users/images

A bot answers in a Slack on this machine, each of its messages becomes a page of HTML, and Chromium
takes a picture of it. It needs `chromium` on the path.
"""

from __future__ import annotations

import argparse
import asyncio
import html
import os
import re
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from markdown_it import MarkdownIt

from bot import Bot
from bot.testing.fake_slack import FakeSlack, Message, User

DOCS = {
    "office.md": "# Office\n\n## Opening hours\n\nThe office opens at nine in the morning. It "
    "closes at six.\n\n## Visitors\n\nVisitors are registered at the front desk.\n",
    "leave.md": "# Leave\n\n## Holidays\n\nEverybody has 30 days of holiday a year. Ask for them "
    "in the calendar two weeks before.\n",
}
CONFIG = """
[assistants.default]
[sources.handbook]
type = "folder"
path = "docs"
url = "https://handbook.example.com/"
[channels.slack]
bot_token = {{env = "SLACK_BOT_TOKEN"}}
app_token = {{env = "SLACK_APP_TOKEN"}}
base_url = "{slack.base_url}"
handover = "C2"
[channels.slack.rooms.C2]
private = true
"""
STYLE = """
body { font: 15px/1.45 'DejaVu Sans', sans-serif; color: #1d1c1d; margin: 0; background: #fff }
main { padding: 14px 18px; width: 600px }
.said { display: flex; gap: 10px; margin-bottom: 12px }
.face { width: 36px; height: 36px; border-radius: 6px; color: #fff; text-align: center;
        line-height: 36px; font-weight: bold; flex: none }
.name { font-weight: bold } .only, .context, .fields { color: #696969; font-size: 12.5px }
p, ul, h3 { margin: 2px 0 } .context { margin: 6px 0 } a { color: #1264a3; text-decoration: none }
button { font: 13px 'DejaVu Sans', sans-serif; border: 1px solid #bbb; border-radius: 5px;
         background: #fff; padding: 5px 11px; margin: 4px 6px 0 0 }
.section { border-bottom: 1px solid #eee; padding: 5px 0 } h3 { margin: 10px 0 4px }
"""
MARKDOWN = MarkdownIt("gfm-like", {"linkify": False})


def block(one: dict[str, Any]) -> str:
    """A block as HTML; those that the bot sends, and no others."""
    match one["type"]:
        case "markdown":
            return MARKDOWN.render(one["text"])
        case "header":
            return f"<h3>{html.escape(one['text']['text'])}</h3>"
        case "section":
            fields = "".join(mrkdwn(field["text"]) for field in one.get("fields", ()))
            text = mrkdwn(one["text"]["text"])
            return f"<div class=section>{text}<div class=fields>{fields}</div></div>"
        case "context":
            lines = "<br>".join(mrkdwn(each["text"]) for each in one["elements"])
            return f"<div class=context>{lines}</div>"
        case "actions":
            texts = [each["text"]["text"] for each in one["elements"]]
        case "context_actions":
            (element,) = one["elements"]
            sides = [("positive_button", "👍"), ("negative_button", "👎")]
            texts = [f"{sign} {element[side]['text']['text']}" for side, sign in sides]
        case other:
            raise ValueError(f"nobody has drawn a block of type {other} yet")
    return "".join(f"<button>{html.escape(text)}</button>" for text in texts)


def mrkdwn(text: str) -> str:
    """Slack's own markup: links and lines, entities as they are."""
    linked = re.sub(r"<(https?:[^|>]+)\|([^>]*)>", r'<a href="\1">\2</a>', text)
    return linked.replace("\n", "<br>")


def said(name: str, colour: str, body: str, note: str = "") -> str:
    only = f"<div class=only>{note}</div>" if note else ""
    face = f'<div class=face style="background: {colour}">{name[0].upper()}</div>'
    return f"<div class=said>{face}<div>{only}<div class=name>{name}</div>{body}</div></div>"


def message(one: Message, names: dict[str, str]) -> str:
    body = MARKDOWN.render(one.markdown) if one.markdown else ""
    if not one.blocks and not body:
        body = f"<p>{html.escape(one.text).replace('&lt;@U0BOT&gt;', '<a>@domainbot</a>')}</p>"
    body += "".join(map(block, one.blocks))
    name, colour = ("domainbot", "#2f6f6f") if one.by_app else (names[one.user], "#8a5a9e")
    return said(name, colour, body, "Only visible to you" if one.visible_to else "")


def draw(content: str, picture: Path) -> None:
    """Take a picture that is as high as its content."""
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder, "page.html")
        # The page tells its own height in its title.
        tell = "<script>document.title = document.querySelector('main').offsetHeight</script>"
        page.write_text(
            f"<!doctype html><meta charset=utf-8><style>{STYLE}</style>"
            f"<main>{content}</main>{tell}", encoding="utf-8"
        )  # fmt: skip
        chromium = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
        quiet = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "check": True}
        told = subprocess.run([*chromium, "--dump-dom", page.as_uri()], text=True, **quiet).stdout
        height = int(re.search(r"<title>(\d+)</title>", told)[1])
        size = f"--window-size=636,{height}"
        subprocess.run([*chromium, size, f"--screenshot={picture}", page.as_uri()], **quiet)
    print(f"{picture}  636 x {height}, {picture.stat().st_size // 1024} kB")


async def ask(slack: FakeSlack, channel: str, question: str, *, user: str = "") -> list[Message]:
    """Ask, and wait for the whole answer; the question comes first."""
    ts = await slack.mention(channel, "U1", question)
    while True:
        await asyncio.sleep(0.2)
        found = [one for one in slack.messages(channel, user=user) if one.ts >= ts]
        if any(one.by_app and one.stream is None and one.blocks for one in found):
            return found


async def pictures(folder: Path, home: Path) -> None:
    users = [User(id="U1", name="Ada", email="ada@example.com")]
    async with FakeSlack(users=users) as slack:
        os.environ |= {"SLACK_BOT_TOKEN": slack.bot_token, "SLACK_APP_TOKEN": slack.app_token}
        os.environ["BOT_HOME"] = str(home / "home")
        for name, text in DOCS.items():
            path = home / "docs" / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        (home / "bot.toml").write_text(CONFIG.format(slack=slack))
        async with Bot.from_config(home / "bot.toml") as bot:
            await bot.sync()
            serving = asyncio.create_task(bot.serve(concurrency=4))
            await slack.connected(2)
            drawn = {
                "answer": await ask(slack, "C1", "When does the office open, and how many days "
                                    "of holiday are there?"),
                "refusal": await ask(slack, "C1", "What is the capital of France?"),
                "private": await ask(slack, "C2", "How many days of holiday are there?", user="U1"),
            }  # fmt: skip
            for name, messages in drawn.items():
                content = "".join(message(one, {"U1": "Ada"}) for one in messages)
                await asyncio.to_thread(draw, content, folder / f"slack-{name}.png")
            await slack.open_home("U1")
            while not (view := slack.world.views.get("home:U1")):  # noqa: ASYNC110
                await asyncio.sleep(0.1)
            content = "".join(map(block, view["blocks"]))
            await asyncio.to_thread(draw, content, folder / "slack-home.png")
            serving.cancel()
            await asyncio.gather(serving, return_exceptions=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path, help="Where the pictures go.")
    folder = parser.parse_args().folder.resolve()
    folder.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bot-", dir="/tmp") as home:
        Path(home).chmod(0o711)
        asyncio.run(pictures(folder, Path(home)))


if __name__ == "__main__":
    main()
