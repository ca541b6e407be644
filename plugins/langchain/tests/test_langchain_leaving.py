"""Nothing leaves by a side door: tracing, proxies, options that lead astray, servers that lie."""

import asyncio
from types import SimpleNamespace

import httpx
import langsmith.utils
import pytest
from bot_langchain import calling, generator
from bot_langchain.searching import Search
from bot_langchain.settings import ChatSettings
from langchain_core.messages import AIMessageChunk
from langchain_toys import Seen

PARTS = """
[assistants.default]
generator = "mine"
retrievers = ["ordered"]
[generators.mine]
type = "langchain"
class = "langchain_toys.Watched"
may_receive = "all"
[retrievers.ordered]
type = "langchain-rerank"
class = "langchain_toys.Ordering"
retrievers = ["notes"]
may_receive = "all"
[retrievers.notes]
type = "langchain"
class = "langchain_toys.Notes"
readers = ["everyone"]
may_receive = "all"
"""


@pytest.fixture
def traced(monkeypatch):
    """Whoever runs the bot has LangSmith switched on; its host is this machine, and deaf."""
    monkeypatch.setenv("LANGSMITH_TRACING", "true")
    monkeypatch.setenv("LANGSMITH_API_KEY", "ls-4711")
    monkeypatch.setenv("LANGSMITH_ENDPOINT", "http://127.0.0.1:9")
    langsmith.utils.get_env_var.cache_clear()
    Seen.parts.clear()
    yield
    langsmith.utils.get_env_var.cache_clear()


async def test_langsmith_is_told_nothing_whatever_the_environment_says(make_bot, traced):
    bot = await make_bot(PARTS)
    answer = [event async for event in bot.reply("Where is the printer?")][-1].answer
    assert answer.text.startswith("The printer is upstairs.")
    assert Seen.parts == {"retriever": [False], "reranker": [False], "model": [False]}
    assert langsmith.utils.tracing_is_enabled()  # a chain outside the bot is traced as before


class Proxy:
    """Takes connections and counts them."""

    def __init__(self):
        self.connections = 0

    async def __aenter__(self):
        self.server = await asyncio.start_server(self.taken, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self.server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *error):
        self.server.close()

    async def taken(self, reader, writer):
        self.connections += 1
        writer.close()


@pytest.mark.parametrize("provider", ["openai", "anthropic", "ollama"])
async def test_a_proxy_of_the_environment_gets_nothing_that_is_for_this_machine(
    make_bot, toml, fake_models, monkeypatch, home, provider
):
    (home / "key").write_text("sk-4711")
    text = toml('api_key = {file = "key"}').replace("openai:small", f"{provider}:small")
    if provider != "openai":
        text = text.replace(fake_models.openai_url, fake_models.url)
    monkeypatch.setenv("no_proxy", "")
    monkeypatch.setenv("NO_PROXY", "intranet.example.com")
    async with Proxy() as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", f"{provider.upper()}_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        async with httpx.AsyncClient() as client:
            with pytest.raises(httpx.HTTPError):
                await client.get(fake_models.url)
        assert proxy.connections == 1  # so a client does by itself
        bot = await make_bot(text)
        await bot.sync()
        answer = [event async for event in bot.reply("Where does the printer stand?")][-1].answer
        assert answer.citations, answer.error
        assert proxy.connections == 1
    assert len(fake_models.requests) == 1


@pytest.mark.parametrize(
    ("given", "where"),
    [
        ({"model": "openai:x", "base_url": "http://localhost:1/v1"}, ""),
        ({"model": "ollama:x"}, ""),
        ({"model": "openai:x"}, "openai"),
        ({"model": "openai:x", "base_url": "http://127.0.0.1@evil.example.com/v1"}, "evil."),
        # An option would win over `base_url`, and over Ollama's own address.
        ({"model": "ollama:x", "options": {"base_url": "http://gpu.example.com"}}, "options.base"),
        ({"model": "openai:x", "base_url": "http://localhost:1/v1",
          "options": {"openai_api_base": "https://gpu.example.com"}}, "options.openai_api_base"),
        ({"model": "openai:x", "base_url": "http://localhost:1/v1",
          "options": {"openai_proxy": "http://proxy.example.com"}}, "options.openai_proxy"),
        # A class that may know no `base_url` goes where it always goes.
        ({"model": "google_genai:x", "base_url": "http://localhost:1/v1"}, "google_genai"),
    ],
)  # fmt: skip
def test_only_what_is_known_to_stay_here_needs_no_permission(given, where):
    found = ChatSettings.model_validate(given).elsewhere
    assert where in found if where else found == ""


def test_a_server_that_counts_less_than_nothing_earns_no_money():
    asking = generator._Asking()
    told = {"input_tokens": -1_000_000, "output_tokens": 10**30, "total_tokens": 0}
    asking.take(AIMessageChunk(content="Upstairs.", usage_metadata=told))
    assert asking.told == (0, 2**31 - 1)


def test_probabilities_that_are_none_are_left():
    for told in ("abc", {"content": [{"logprob": "x"}]}, {"content": [{}]}, [{"logprob": "nan"}]):
        chunk = AIMessageChunk(content="x", response_metadata={"logprobs": told})
        assert generator._logprobs(chunk) == ()


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("7", 7), ("-3", 0), ("inf", None), ("nan", None), ("soon", None), ("", None),
     ("Fri, 21 Nov 2025 10:00:00 -0000", 0), ("Fri, 21 Nov 2025 10:00:00 GMT", 0)],
)  # fmt: skip
def test_whatever_retry_after_says_is_understood_or_left(header, seconds):
    error = RuntimeError()
    error.response = SimpleNamespace(headers={"retry-after": header})
    assert calling._retry_after(error) == seconds


def test_retrievers_whose_names_look_alike_are_tools_of_their_own():
    names = ("資料", "文書", "a-b", "a_b")
    turn = SimpleNamespace(assistant=SimpleNamespace(retrievers=names))
    tools = [one["function"]["name"] for one in Search(None, turn, ()).tools]
    assert len(set(tools)) == 4
    assert all(len(one) <= 64 and one.isascii() for one in tools)
