"""What people and operators see of a takeover: terminal, JSON, Slack, `bot turn show`, reports."""

import asyncio
import io
import json
from datetime import UTC, datetime, timedelta

import bot_slack
import pytest
from routing import LARGE, SURE, WEAK, Scripted, World

from bot import Delta, reports
from bot.cli.output import answer_json, print_answer
from bot.cli.turn import _print
from bot.errors import GenerationError
from bot.indexing import builtin
from bot.testing.fake_slack import FakeSlack
from bot.turn import Usage

SLACK = """
[channels.slack]
bot_token = {env = "SLACK_BOT_TOKEN"}
app_token = {env = "SLACK_APP_TOKEN"}
signing_secret = {env = "SLACK_SIGNING_SECRET"}
base_url = "%s"
rate = 1000
"""


async def test_the_terminal_shows_both_answers_what_lies_between_and_who_answered(world):
    out = io.StringIO()
    async with world.bot(Scripted(*WEAK), Scripted(*LARGE)) as bot:
        assert await print_answer(bot.reply("Where is the key?"), out) == 0
    shown = out.getvalue()
    parts = ["".join(WEAK), "cloud answers again:", "It hangs beside the door [1].", "Note: “edge”"]
    assert [shown.find(part) for part in parts] == sorted(shown.find(part) for part in parts)
    assert min(shown.find(part) for part in parts) >= 0
    assert " · edge → cloud\n" in shown


async def test_json_tells_the_routes(world):
    taken = await world.ask(Scripted(*WEAK), Scripted(*LARGE))
    found = json.loads(answer_json(taken.answer))
    assert [(one["generator"], one["cause"]) for one in found["routes"]] == taken.routes
    assert "below 50%" in found["routes"][1]["reason"]


async def test_a_turn_tells_its_routes(world, capsys):
    taken = await world.ask(Scripted(SURE), Scripted(GenerationError("503")), 'start = "large"\n')
    _print(taken.shown)
    shown = capsys.readouterr().out
    assert "cloud (start), " in shown
    assert "edge (failed: cloud: GenerationError: 503), " in shown


async def test_slack_shows_the_takeover_in_the_thread(shared, tmp_path):
    world = World(shared, tmp_path)
    async with FakeSlack(retry_delays=(0.0, 0.2, 0.2)) as slack:
        bot = world.bot(
            Scripted(*WEAK), Scripted(*LARGE), SLACK % slack.base_url,
            plugins={"slack": bot_slack, "builtin": builtin},
            environ={
                "SLACK_BOT_TOKEN": slack.bot_token, "SLACK_APP_TOKEN": slack.app_token,
                "SLACK_SIGNING_SECRET": slack.signing_secret,
            },
        )  # fmt: skip
        async with bot, asyncio.timeout(120):
            serving = asyncio.create_task(bot.serve(concurrency=2))
            await slack.connected(2)
            question = await slack.mention("C1", "U1", "Where is the key?")
            while not (done := _complete(slack.answers("C1", question))):  # noqa: ASYNC110 -- nobody tells
                await asyncio.sleep(0.02)
            serving.cancel()
            await asyncio.gather(serving, return_exceptions=True)
    [answer] = done
    told = answer.markdown.index("The answer above is not certain. cloud answers again:")
    assert answer.markdown.index("The key lies under the mat") < told
    assert told < answer.markdown.index("It hangs beside the door")
    assert "so “cloud” answered." in answer.shown


def _complete(answers):
    return answers if answers and all(one.stream is None for one in answers) else []


@pytest.fixture
async def reported(conninfo, tmp_path):
    """A database of its own with turns of each kind, some of them judged by people."""
    world = World(conninfo, tmp_path)
    spent = Delta(usage=Usage(input_tokens=10, output_tokens=5, cost=0.5))
    down = Scripted(GenerationError("503"))
    for small, large, opinion in [
        (Scripted(SURE), down, True),
        (Scripted(SURE), down, None),
        (Scripted(*WEAK), Scripted(*LARGE, spent), False),
        (Scripted(Delta(text="Nothing.", refusal=True)), down, None),
    ]:
        async with world.bot(small, large) as bot:
            events = [event async for event in bot.reply("Where is the key?")]
            if opinion is not None:
                await bot.feedback(events[-1].answer.turn, opinion)
    return bot


async def test_each_route_has_its_share_cost_latency_and_quality(reported):
    async with reported as bot:
        found = await reports.routes(bot.database, datetime.now(UTC) - timedelta(days=1))
        nothing = await reports.routes(bot.database, datetime.now(UTC) + timedelta(days=1))
        others = await reports.routes(bot.database, datetime(2020, 1, 1, tzinfo=UTC), "other")
    assert nothing == others == []
    alone, *taken = found
    assert (alone.route, alone.cause, alone.turns, alone.share) == ("edge", "start", 2, 0.5)
    assert (alone.good, alone.bad, alone.cost, alone.refused) == (1, 0, 0, 0)
    assert (alone.checked, alone.doubted) == (2, 0)
    by_route = {(one.route, one.cause): one for one in taken}
    over = by_route["edge → cloud", "unsupported"]
    assert (over.turns, over.share, over.cost, over.tokens) == (1, 0.25, 0.5, 15)
    assert (over.good, over.bad, over.checked, over.doubted) == (0, 1, 1, 1)
    assert 0 < over.first_text_p50 <= over.p50 <= over.p95
    back = by_route["edge → cloud → edge", "failed"]
    assert (back.refused, back.failed, back.checked) == (1, 0, 0)
