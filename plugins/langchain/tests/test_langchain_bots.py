"""The bot as a Runnable and as a retriever of LangChain, with and without a loop."""

import asyncio

import pytest
from bot_langchain import BotRetriever, BotRunnable
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.output_parsers import StrOutputParser
from langchain_core.runnables import RunnablePassthrough

from bot import Bot
from bot.errors import ConfigError, GenerationError
from bot.testing.fake_models import Reply

ANN = ["email:ann@example.com"]
QUESTION = "Where does the printer stand?"


@pytest.fixture
async def config(home, toml, conninfo):
    """A bot.toml with an index of its documents."""
    path = home / "bot.toml"
    path.write_text(f'home = "{home}"\ndatabase_url = "{conninfo}"\n{toml()}')
    async with Bot.from_config(path) as bot:
        await bot.sync()
    return path


async def test_a_question_becomes_a_message_with_its_sources(config, fake_models):
    with BotRunnable(config) as bot:
        told = [HumanMessage("Hi"), HumanMessage(QUESTION)]
        for asked in (QUESTION, {"question": QUESTION}, told):
            fake_models.script(Reply(text="On the second floor. [1]", tokens=(30, 5)))
            message = await bot.ainvoke(asked)
            assert isinstance(message, AIMessage)
            assert message.content == "On the second floor. [1]"
            assert message.response_metadata["outcome"] == "answered"
            assert message.response_metadata["citations"][0]["title"] == "Office"
            assert message.usage_metadata["output_tokens"] == 5


async def test_it_works_without_a_loop_and_in_a_chain(config, fake_models):
    def use():
        with BotRunnable(config) as bot:
            chain = {"question": RunnablePassthrough()} | bot | StrOutputParser()
            return chain.invoke(QUESTION), "".join(c.content for c in bot.stream(QUESTION))

    answer, streamed = await asyncio.to_thread(use)
    assert answer == streamed.strip() == "The printer stands on the second floor. [1]"


async def test_it_streams_and_stops_when_it_is_left(config, fake_models):
    with BotRunnable(config) as bot:
        chunks = [chunk async for chunk in bot.astream(QUESTION)]
        assert len([chunk for chunk in chunks if chunk.content]) > 3
        assert chunks[-1].response_metadata["outcome"] == "answered"
        fake_models.script(Reply(text="on and on ", ending="endless"))
        stream = bot.astream(QUESTION)
        await anext(stream)
        await stream.aclose()
        await fake_models.until(lambda: fake_models.requests[-1].ended == "left")


async def test_a_conversation_goes_on(config, fake_models):
    with BotRunnable(config) as bot:
        thread = {"configurable": {"conversation": "thread-7"}}
        await bot.ainvoke("My question is about printers.", thread)
        await bot.ainvoke(QUESTION, thread)
        await bot.ainvoke(QUESTION)
    _, follow_up, alone = fake_models.requests
    assert "My question is about printers." in follow_up.text
    assert "My question is about printers." not in alone.text


async def test_what_fails_raises_and_what_is_wrong_is_told(config, fake_models, home):
    with BotRunnable(config) as bot:
        fake_models.script(Reply(status=401))
        with pytest.raises(GenerationError, match="reference"):
            await bot.ainvoke(QUESTION)
    (home / "wrong.toml").write_text("nonsense = 1")
    with pytest.raises(ConfigError):
        BotRunnable(home / "wrong.toml")


async def test_the_retriever_finds_what_the_asker_may_read(config):
    for principals, finds in (([], False), (ANN, True)):
        with BotRetriever(config=config, principals=principals, k=3) as retriever:
            found = await retriever.ainvoke("secret wage printer")
            assert any("secret wage" in one.page_content for one in found) is finds
            first = await asyncio.to_thread(retriever.invoke, QUESTION)
    assert first[0].metadata["readers"]
    assert {"title", "source", "score"} <= first[0].metadata.keys()
