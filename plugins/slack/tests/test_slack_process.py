"""`bot serve` in a process of its own, against a Slack on this machine."""

import asyncio
import signal

from slack_world import PATIENCE, answered, eventually, toml


async def test_from_a_folder_to_an_answer_with_sources(slack, process):
    docs = process.folder / "docs"
    docs.mkdir()
    (docs / "office.md").write_text(
        "# Office\n\nThe office opens at nine in the morning.\n\nThe office closes at five.\n"
    )
    sources = '[assistants.default]\n[sources.docs]\ntype = "folder"\npath = "docs"\n'
    (process.folder / "bot.toml").write_text(toml(slack, assistants=sources))
    await process.bot("reindex")
    await process.begin("serve")
    await slack.connected(2, timeout=PATIENCE)

    question = await slack.mention("C1", "U1", "When does the office open?")
    await slack.settled()
    (delivery, *_) = slack.deliverer.sent
    assert delivery.acked
    assert delivery.attempts == 1
    (answer,) = await answered(slack, "C1", question)
    assert "nine" in answer.shown
    called = [call.method for call in slack.calls]
    assert called.index("agents.sessions.setStatus") < called.index("chat.startStream")
    assert called.index("chat.startStream") < called.index("chat.stopStream")
    types = [block["type"] for block in answer.blocks]
    assert types == ["context", "context_actions"]
    assert "Office" in answer.blocks[0]["elements"][0]["text"]

    async def closed():
        return slack.world.statuses["C1", question][-1]["status"] == "active"

    await eventually(closed)
    await slack.click("answer_feedback", "U1", "C1", answer.ts, value="bad")
    view = await eventually(lambda: next(iter(slack.world.views), None))
    await slack.submit("U1", view, {"comment": {"text": {"value": "It opens at eight."}}})
    await slack.settled()
    turn = slack.world.messages["C1", answer.ts].blocks[1]["elements"][0]
    assert "turn" in turn["positive_button"]["value"]


async def test_a_worker_that_dies_is_followed_by_one_that_completes_its_message(slack, process):
    toys = '[assistants.default]\nretrievers = ["toy"]\ngenerator = "toy"\n'
    (process.folder / "bot.toml").write_text(toml(slack, assistants=toys))
    listening = await process.begin("serve", "--no-worker")
    await slack.connected(2, timeout=PATIENCE)
    first = await process.begin("worker")
    question = await slack.mention("C1", "U1", "slowly: when?")
    (begun,) = await eventually(lambda: slack.answers("C1", question))
    assert begun.stream is not None
    second = await process.begin("worker")
    await eventually(lambda: _ready(process))
    first.kill()
    (process.folder / "go").touch()
    (answer,) = await answered(slack, "C1", question)
    assert answer.ts == begun.ts
    await eventually(lambda: "five" in slack.answers("C1", question)[0].shown)
    assert len(slack.answers("C1", question)) == 1
    statuses = [one["status"] for one in slack.world.statuses["C1", question]]
    assert "is taking this up again …" in statuses
    assert listening.returncode is None
    assert second.returncode is None


async def _ready(process):
    """Whether two workers show signs of life."""
    import psycopg

    async with await psycopg.AsyncConnection.connect(process.conninfo) as connection:
        cursor = await connection.execute("select count(*) from procrastinate_workers")
        return (await cursor.fetchone())[0] >= 2


async def test_a_worker_that_only_slept_writes_no_more(slack, process):
    """It was believed dead; when it goes on, its message is somebody else's."""
    toys = '[assistants.default]\nretrievers = ["toy"]\ngenerator = "toy"\n'
    (process.folder / "bot.toml").write_text(toml(slack, assistants=toys))
    await process.begin("serve", "--no-worker")
    await slack.connected(2, timeout=PATIENCE)
    sleeper = await process.begin("worker")
    question = await slack.mention("C1", "U1", "slowly: when?")
    (begun,) = await eventually(lambda: slack.answers("C1", question))
    sleeper.send_signal(signal.SIGSTOP)
    await process.begin("worker")
    (process.folder / "go").touch()
    (answer,) = await answered(slack, "C1", question)
    assert answer.ts == begun.ts
    await eventually(lambda: slack.called("chat.update"))
    await eventually(lambda: slack.world.statuses["C1", question][-1]["status"] in ("", "active"))
    calls = len(slack.calls)
    sleeper.send_signal(signal.SIGCONT)
    await asyncio.sleep(3)
    later = [call.method for call in slack.calls[calls:] if call.method.startswith("chat.")]
    assert later == []
    assert len(slack.answers("C1", question)) == 1
    assert "five" in slack.answers("C1", question)[0].shown
