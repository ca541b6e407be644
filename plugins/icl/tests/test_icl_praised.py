"""Answers that people marked right become examples, for those who may read their sources."""

from scripted import Script

from bot import Turn, record
from bot.turn import Answer, Assistant, Citation, Conversation, Feedback, Outcome


async def answered(database, number, question, answer, readers, *opinions):
    turn = Turn(
        id=f"t{number}", question=question, assistant=Assistant(name="default"),
        conversation=Conversation(channel="cli", key=str(number)),
    )  # fmt: skip
    cited = tuple(
        Citation(marker=n, uri="", title="", quote="", readers=frozenset(one))
        for n, one in enumerate(readers, 1)
    )
    await record.start(database, turn, "")
    await record.finish(
        database, turn,
        Answer(turn=turn.id, outcome=Outcome.answered, text=answer, citations=cited),
    )  # fmt: skip
    for author, good in enumerate(opinions):
        await record.feedback(database, Feedback(turn=turn.id, good=good, author=str(author)))


async def test_only_what_people_marked_right_and_the_asker_may_read(stored):
    database = stored.context.database
    everyone = {"everyone"}
    await answered(database, 1, "Where is key one?", "Answer one.", [everyone], True)
    await answered(database, 2, "Where is key two?", "Answer two.", [everyone])
    await answered(database, 3, "Where is key three?", "Answer three.", [everyone], True, False)
    await answered(
        database, 4, "Where is key four?", "Answer four.", [everyone, {"group:hr"}], True
    )
    await answered(database, 5, "Where is key five?", "Answer five.", [], True)
    script = Script("x")
    turn = Turn(id="t", question="Where is the key?", assistant=Assistant(name="default"))
    await stored.run(script, turn=turn, praised=True)
    system = script.prompts[0].messages[0][1]
    shown = [one for one in ("one", "two", "three", "four", "five") if f"Answer {one}." in system]
    assert shown == ["one"]
