"""`bot serve` in a process of its own, against a Slack on this machine."""

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
