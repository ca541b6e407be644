"""The real clients of OpenAI, Anthropic, Ollama and LangChain meet the local models."""

import anthropic
import httpx
import ollama
import openai
import pytest
from langchain_anthropic import ChatAnthropic
from langchain_ollama import ChatOllama, OllamaEmbeddings
from langchain_openai import ChatOpenAI, OpenAIEmbeddings

from bot.testing.fake_models import Reply, ToolCall

ASK = [{"role": "user", "content": "How are you?"}]
WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather.",
        "parameters": {"type": "object", "properties": {"place": {"type": "string"}}},
    },
}
CALL = ToolCall(name="weather", arguments={"place": "Oslo"})


@pytest.fixture
async def client(fake_models):
    async with openai.AsyncOpenAI(
        base_url=fake_models.openai_url, api_key="k", max_retries=0, timeout=60
    ) as made:
        yield made


async def read(stream, said):
    async for chunk in stream:
        said.append(chunk.choices[0].delta.content or "")


async def test_openai_streams_and_counts(fake_models, client):
    fake_models.script(Reply(text="All is well.", tokens=(7, 3)))
    options = {"include_usage": True}
    stream = await client.chat.completions.create(
        model="m", messages=ASK, stream=True, stream_options=options
    )
    chunks = [chunk async for chunk in stream]
    said = [c.choices[0].delta.content for c in chunks if c.choices and c.choices[0].delta.content]
    assert said == ["All", " is", " well."]
    assert chunks[-1].usage.total_tokens == 10


async def test_openai_reads_whole_answers_logprobs_tools_models_and_embeddings(fake_models, client):
    fake_models.script(Reply(text="yes", logprobs=(-0.1,)), Reply(tool_calls=[CALL]))
    whole = await client.chat.completions.create(model="m", messages=ASK, logprobs=True)
    assert whole.choices[0].logprobs.content[0].logprob == -0.1
    called = await client.chat.completions.create(model="m", messages=ASK, tools=[WEATHER])
    assert called.choices[0].message.tool_calls[0].function.name == "weather"
    assert [one.id async for one in client.models.list()] == ["small", "large"]
    vectors = await client.embeddings.create(model="m", input=["a", "a", "b"])
    assert vectors.data[0].embedding == pytest.approx(vectors.data[1].embedding)
    assert len(vectors.data[2].embedding) == 64


async def test_openai_sees_errors_as_errors(fake_models, client):
    fake_models.script(
        Reply(status=429, retry_after=7),
        Reply(status=500),
        Reply(text="a b", ending="broken"),
        Reply(text="a b", ending="wrong_json"),
        Reply(text="a b", ending="error", error="overloaded"),
    )
    with pytest.raises(openai.RateLimitError) as limited:
        await client.chat.completions.create(model="m", messages=ASK)
    assert limited.value.response.headers["retry-after"] == "7"
    with pytest.raises(openai.InternalServerError):
        await client.chat.completions.create(model="m", messages=ASK)
    for expected in (Exception, ValueError, openai.APIError):
        said = []
        stream = await client.chat.completions.create(model="m", messages=ASK, stream=True)
        with pytest.raises(expected):
            await read(stream, said)
        assert "".join(said) == "a b"


async def test_openai_waits_no_longer_than_it_was_told(fake_models):
    async def ask(client):
        await read(await client.chat.completions.create(model="m", messages=ASK, stream=True), [])

    fake_models.script(Reply(text="late", ending="silent"))
    waits = httpx.Timeout(60, read=2)
    async with openai.AsyncOpenAI(
        base_url=fake_models.openai_url, api_key="k", max_retries=0, timeout=waits
    ) as client:
        with pytest.raises((openai.APIError, httpx.TimeoutException)):
            await ask(client)
    await fake_models.until(lambda: fake_models.requests[0].ended == "left")


async def test_ollama_chats_lists_and_embeds(fake_models):
    client = ollama.AsyncClient(host=fake_models.url)
    fake_models.script(Reply(text="All is well.", tokens=(7, 3)), Reply(tool_calls=[CALL]))
    parts = [part async for part in await client.chat("m", ASK, stream=True)]
    assert "".join(part.message.content for part in parts) == "All is well."
    assert parts[-1].eval_count == 3
    called = await client.chat("m", ASK, tools=[WEATHER])
    assert called.message.tool_calls[0].function.arguments == {"place": "Oslo"}
    assert [one.model for one in (await client.list()).models] == ["small", "large"]
    assert len((await client.embed("m", ["a", "b"])).embeddings) == 2
    fake_models.script(Reply(status=404, error="no such model"))
    with pytest.raises(ollama.ResponseError, match="no such model"):
        await client.chat("m", ASK)


async def test_anthropic_streams_and_calls_tools(fake_models):
    async with anthropic.AsyncAnthropic(
        base_url=fake_models.url, api_key="k", max_retries=0
    ) as client:
        fake_models.script(Reply(text="All is well.", tokens=(7, 3)), Reply(tool_calls=[CALL]))
        async with client.messages.stream(model="m", max_tokens=9, messages=ASK) as stream:
            assert [text async for text in stream.text_stream] == ["All", " is", " well."]
            assert (await stream.get_final_message()).usage.output_tokens == 3
        called = await client.messages.create(model="m", max_tokens=9, messages=ASK)
        assert called.content[0].input == {"place": "Oslo"}
        fake_models.script(Reply(status=429))
        with pytest.raises(anthropic.RateLimitError):
            await client.messages.create(model="m", max_tokens=9, messages=ASK)


def langchains(models):
    return {
        "openai": ChatOpenAI(
            model="m", base_url=models.openai_url, api_key="k", stream_usage=True, max_retries=0
        ),
        "ollama": ChatOllama(model="m", base_url=models.url),
        "anthropic": ChatAnthropic(model="m", base_url=models.url, api_key="k", max_retries=0),
    }


@pytest.mark.parametrize("provider", ["openai", "ollama", "anthropic"])
async def test_langchain_streams_counts_and_calls_tools(fake_models, provider):
    model = langchains(fake_models)[provider]
    fake_models.script(Reply(text="All is well.", tokens=(7, 3)), Reply(tool_calls=[CALL]))
    chunks = [chunk async for chunk in model.astream("How are you?")]
    assert "".join(chunk.text for chunk in chunks) == "All is well."
    whole = sum(chunks[1:], start=chunks[0])
    assert whole.usage_metadata["input_tokens"] == 7
    assert whole.usage_metadata["output_tokens"] == 3
    called = await model.bind_tools([WEATHER]).ainvoke("How is Oslo?")
    assert called.tool_calls[0]["args"] == {"place": "Oslo"}


async def test_langchain_embeds(fake_models):
    for embeddings in (
        OpenAIEmbeddings(
            model="m",
            base_url=fake_models.openai_url,
            api_key="k",
            check_embedding_ctx_length=False,
        ),
        OllamaEmbeddings(model="m", base_url=fake_models.url),
    ):
        near, also, far = await embeddings.aembed_documents(["red ink", "red ink", "soup"])
        assert near == pytest.approx(also, abs=1e-6)
        assert sum(a * b for a, b in zip(near, far, strict=True)) < 0.1
