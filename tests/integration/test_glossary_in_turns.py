"""What a team means by its words reaches the search and the prompt."""

import toys

from bot.conversation import Limits, Machinery, Run
from bot.plugins import Plugins
from bot.turn import Assistant, Conversation, Finished, Message, Passage, Turn

GROUPS = (("PTO", "paid time off"), ("SLA", "service level agreement"))


async def test_only_what_a_question_mentions_is_explained(database):
    plugins = Plugins()
    told = Passage(id="1", text="Thirty days.", readers=frozenset({"everyone"}), source="handbook")
    retriever, speaker = toys.Fixed(told), toys.Speaker("Thirty days.")
    plugins.register(retriever, "documents")
    plugins.register(speaker, "generator")

    async def resolve(kind, name):
        return name

    async def ask(question, *history):
        turn = Turn(
            id=f"t{len(retriever.asked)}",
            question=question,
            queries=(question,),
            assistant=Assistant(retrievers=("documents",), generator="generator", glossary=GROUPS),
            conversation=Conversation(channel="test", key="talk", history=history),
        )
        machinery = Machinery(
            manager=plugins.manager, database=database, resolve=resolve, limits=Limits()
        )
        events = [event async for event in Run(machinery, turn).events()]
        assert isinstance(events[-1], Finished)
        return retriever.asked[-1].glossary, speaker.prompts[-1]

    found, prompt = await ask("How much pto do I have?")
    assert found == prompt.glossary == (("PTO", "paid time off"),)
    assert "PTO means paid time off." in prompt.messages[-1][1]
    assert "SLA" not in prompt.messages[-1][1]

    found, prompt = await ask("Who decides?")
    assert found == prompt.glossary == ()
    assert " means " not in prompt.messages[-1][1]

    # A follow-up is about the words of the question before it.
    found, _ = await ask("And when does it expire?", Message(role="user", text="How much PTO?"))
    assert found == (("PTO", "paid time off"),)
