"""Remote chat models as generators: streams, failures, retries, tools, money and permission."""

import asyncio
import logging
import time

import pytest

from bot import Bot
from bot.spending import Spending
from bot.testing.fake_models import Reply, ToolCall
from bot.turn import Failed, Finished, Outcome, TextDelta

FAST = "retries = 2\ntimeout = 60"
KEY = "sk-very-secret-4711"
ANN = {"principals": ["email:ann@example.com"], "author": "ann"}


async def spent(database, by="person"):
    async with database.connection() as connection:
        rows = await (
            await connection.execute(
                "select person, assistant, turn_id, cost, input_tokens, output_tokens "
                "from spending order by id"
            )
        ).fetchall()
    return rows


async def test_it_answers_from_the_sources_and_streams(make_bot, toml, fake_models):
    fake_models.script(Reply(text="It stands on the second floor. [1]", tokens=(50, 8)))
    bot = await make_bot(toml())
    await bot.sync()
    events = [event async for event in bot.reply("Where does the printer stand?")]
    assert len([event for event in events if isinstance(event, TextDelta)]) > 3
    answer = events[-1].answer
    assert answer.outcome is Outcome.answered
    assert answer.text == "It stands on the second floor. [1]"
    assert answer.citations[0].title == "Office"
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (50, 8)
    (asked,) = fake_models.requests
    assert "second floor" in asked.question
    assert asked.body["stream"]
    assert asked.headers["authorization"] == "Bearer none"


@pytest.mark.parametrize(
    ("provider", "path", "extra"),
    [
        ("ollama", "/api/chat", ""),
        ("anthropic", "/v1/messages", "api_key = {file = 'key'}"),
    ],
)
async def test_other_providers_answer_alike(
    make_bot, toml, fake_models, home, provider, path, extra
):
    (home / "key").write_text(KEY)
    text = toml(extra).replace("openai:small", f"{provider}:small")
    bot = await make_bot(text.replace(fake_models.openai_url, fake_models.url))
    await bot.sync()
    fake_models.script(Reply(text="Upstairs. [1]", tokens=(40, 3)))
    events = [event async for event in bot.reply("Where does the printer stand?")]
    assert events[-1].answer.text == "Upstairs. [1]"
    assert events[-1].answer.usage.output_tokens == 3
    assert fake_models.requests[0].path == path


async def test_an_adapter_is_a_models_name(answered, fake_models, toml, make_bot):
    bot = await make_bot(toml().replace("openai:small", "openai:finance-lora"))
    await bot.sync()
    events = [event async for event in bot.reply("Where does the printer stand?")]
    assert events[-1].answer.outcome is Outcome.answered
    assert fake_models.requests[0].model == "finance-lora"


async def test_a_chat_model_may_be_named_by_its_import_path(make_bot, toml, fake_models):
    chosen = f"""
class = "langchain_openai.ChatOpenAI"
may_receive = "all"
options = {{model = "mine", base_url = "{fake_models.openai_url}", api_key = "none"}}
"""
    text = toml(chosen).replace('model = "openai:small"\n', "")
    bot = await make_bot(text.replace(f'base_url = "{fake_models.openai_url}"\n', "", 1))
    await bot.sync()
    events = [event async for event in bot.reply("Where does the printer stand?")]
    assert "second floor" in events[-1].answer.text
    assert fake_models.requests[0].model == "mine"


async def test_it_asks_again_when_it_is_told_to_and_not_before(answered, fake_models):
    fake_models.script(Reply(status=429, retry_after=1), Reply(status=503, retry_after=0))
    begun = time.monotonic()
    answer = await answered(generator=FAST)
    assert time.monotonic() - begun >= 1
    assert answer.outcome is Outcome.answered
    assert len(fake_models.requests) == 3


async def test_it_does_not_wait_longer_than_its_patience(answered, fake_models):
    fake_models.script(Reply(status=429, retry_after=3600))
    answer = await answered(generator=FAST + "\npatience = 5")
    assert answer.outcome is Outcome.failed
    assert "rate limit; ask again in 3600 s" in answer.error
    assert len(fake_models.requests) == 1


@pytest.mark.parametrize(
    ("reply", "tries", "said"),
    [
        (Reply(status=500), 3, "failed with status 500"),
        (Reply(status=401, error=f"wrong key {KEY}"), 1, "refuses the key (401)"),
        (Reply(status=404), 1, "was not found by its server"),
        (Reply(ending="broken"), 3, "cannot be reached"),
        (Reply(ending="wrong_json"), 1, "did not answer as it should"),
        (Reply(text="It is", ending="broken"), 1, "broke off in the middle"),
        (Reply(text="It is", ending="error"), 1, "broke off in the middle"),
        (Reply(text="It is", ending="wrong_json"), 1, "broke off in the middle"),
    ],
)
async def test_what_fails_is_tried_again_only_before_its_first_word(
    answered, fake_models, monkeypatch, caplog, home, reply, tries, said
):
    monkeypatch.setattr("bot_langchain.calling._FIRST", 0.01)
    (home / "key").write_text(KEY)
    fake_models.script(*[reply] * 5)
    with caplog.at_level(logging.DEBUG):
        answer = await answered(generator=FAST + '\napi_key = {file = "key"}')
    assert answer.outcome is Outcome.failed
    assert said in answer.error
    assert len(fake_models.requests) == tries
    assert fake_models.requests[0].headers["authorization"] == f"Bearer {KEY}"
    assert KEY not in caplog.text + answer.error + repr(answer)


async def test_a_slow_first_token_is_given_up_in_time(answered, fake_models):
    fake_models.script(Reply(text="late", delay=600))
    answer = await answered(generator="timeout = 5\nretries = 0")
    assert answer.outcome is Outcome.failed
    await fake_models.until(lambda: fake_models.requests[0].ended == "left")


async def test_an_endless_answer_is_cut_and_says_so(answered, fake_models):
    fake_models.script(Reply(text="on and on ", ending="endless"))
    answer = await answered(generator="max_tokens = 20")
    assert answer.outcome is Outcome.answered
    assert any("did not stop by itself" in notice for notice in answer.notices)
    assert len(answer.text) < 400
    await fake_models.until(lambda: fake_models.requests[0].ended == "left")


async def test_who_stops_the_answer_stops_the_model_and_pays_for_what_came(
    make_bot, toml, fake_models, database
):
    bot = await make_bot(toml("prices = {input = 1, output = 1000000}"))
    await bot.sync()
    fake_models.script(Reply(text="It is upstairs.", ending="silent"))
    events = bot.reply("Where does the printer stand?", **ANN)
    async for event in events:
        if isinstance(event, TextDelta):
            break
    assert not fake_models.requests[0].ended
    await events.aclose()
    await fake_models.until(lambda: fake_models.requests[0].ended == "left")
    ((person, assistant, _, cost, read, written),) = await spent(database)
    assert (person, assistant) == ("ann", "default")
    assert read > 50
    assert 0 < written < 20
    assert cost == pytest.approx(written + read / 1e6)


async def test_what_an_answer_costs_is_recorded_with_the_turn_and_the_person(
    make_bot, toml, fake_models, database
):
    bot = await make_bot(toml("prices = {input = 2, output = 10}"))
    await bot.sync()
    fake_models.script(Reply(text="Upstairs. [1]", tokens=(1000, 100)))
    answer = (await _last(bot, "Where does the printer stand?", **ANN)).answer
    assert answer.usage.cost == pytest.approx(0.003)
    ((person, assistant, turn, cost, read, written),) = await spent(database)
    assert (person, assistant, turn) == ("ann", "default", answer.turn)
    assert (cost, read, written) == (pytest.approx(0.003), 1000, 100)


async def _last(bot: Bot, question, **given) -> Finished | Failed:
    events = [event async for event in bot.reply(question, **given)]
    return events[-1]


async def test_a_server_that_counts_nothing_is_counted_for(answered, fake_models, database):
    fake_models.script(Reply(text="Upstairs it is. [1]", tokens=None))
    answer = await answered(generator="prices = {input = 1, output = 1}")
    assert answer.usage.input_tokens > 50
    assert answer.usage.output_tokens >= 4


async def test_a_budget_that_is_used_up_is_told_and_nothing_is_sent(
    make_bot, toml, fake_models, database
):
    prices = "max_tokens = 100\nprices = {input = 0, output = 1000}"
    bot = await make_bot(toml(prices, "[budget]\nperson_day = 0.15"))
    await bot.sync()
    fake_models.script(*[Reply(text="Upstairs. [1]", tokens=(10, 60))] * 3)
    question = "Where does the printer stand?"
    first = (await _last(bot, question, **ANN)).answer
    assert first.outcome is Outcome.answered
    second = (await _last(bot, question, **ANN)).answer
    assert second.outcome is Outcome.refused
    assert second.text.startswith("Your budget for today is used up")
    assert len(fake_models.requests) == 1
    other = (await _last(bot, question, principals=["email:bob@example.com"])).answer
    assert other.outcome is Outcome.answered


async def test_questions_at_once_keep_to_the_budget(make_bot, toml, fake_models):
    prices = "max_tokens = 100\nprices = {input = 0, output = 1000}"
    bot = await make_bot(toml(prices, "[budget]\nmonth = 0.25"))
    await bot.sync()
    fake_models.otherwise = lambda request: Reply(text="Upstairs. [1]", tokens=(1, 100))
    asked = [_last(bot, "Where does the printer stand?") for _ in range(6)]
    ended = [event.answer.outcome for event in await asyncio.gather(*asked)]
    assert ended.count(Outcome.answered) == 2
    assert ended.count(Outcome.refused) == 4


@pytest.mark.parametrize("reply", [Reply(status=500), Reply(status=401)])
async def test_the_fallback_answers_and_says_so(answered, fake_models, monkeypatch, reply):
    monkeypatch.setattr("bot_langchain.calling._FIRST", 0.01)
    fake_models.script(*[reply] * 4, model="small")
    more = '[generators.here]\ntype = "extractive"'
    answer = await answered(generator='fallback = "here"', more=more)
    assert answer.outcome is Outcome.answered
    assert "second floor" in answer.text
    assert any(notice.startswith("here has answered: openai:small") for notice in answer.notices)
    assert [route.generator for route in answer.routes] == ["here"]


async def test_the_fallback_answers_when_the_budget_is_used_up(answered, fake_models):
    generator = 'fallback = "here"\nprices = {input = 0, output = 1000}'
    more = '[generators.here]\ntype = "extractive"\n[budget]\nanswer = 0.01'
    answer = await answered(generator=generator, more=more)
    assert "second floor" in answer.text
    assert fake_models.requests == []
    assert [route.cause for route in answer.routes] == ["limit"]


async def test_a_model_may_search_with_the_assistants_retrievers(answered, fake_models):
    fake_models.script(
        Reply(tool_calls=[ToolCall(name="search_documents", arguments={"query": "soup canteen"})]),
        Reply(text="Soup is at noon. [2]", tokens=(90, 6)),
    )
    answer = await answered(generator="tools = true", more="[assistants.x]\nk = 1")
    first, second = fake_models.requests
    assert [tool["function"]["name"] for tool in first.body["tools"]] == ["search_documents"]
    (result,) = [one for one in second.messages if one["role"] == "tool"]
    assert "canteen serves soup" in result["content"] or "canteen serves soup" in first.question
    assert "Soup is at noon." in answer.text
    assert answer.usage.output_tokens >= 6


async def test_tools_find_only_what_the_asker_may_read(answered, fake_models):
    call = ToolCall(name="search_documents", arguments={"query": "secret wage"})
    for given, finds in (({}, False), (ANN, True)):
        fake_models.requests.clear()
        fake_models.script(Reply(tool_calls=[call]), Reply(text="Done. [1]"))
        await answered(generator="tools = true", **given)
        assert ("secret wage for the printer" in fake_models.requests[1].text) is finds


async def test_calls_that_are_none_are_answered_and_end(answered, fake_models):
    wrong = [
        ToolCall(name="rm", arguments={"path": "/"}, id="a"),
        ToolCall(name="search_documents", arguments={"q": 5}, id="b"),
    ]
    fake_models.script(*[Reply(tool_calls=wrong)] * 2, Reply(text="I give up. [1]"))
    answer = await answered(generator="tools = true\nsteps = 2")
    results = [one["content"] for one in fake_models.requests[1].messages if one["role"] == "tool"]
    assert results == ["There is no tool 'rm'.", "Give a `query`, a text."]
    assert "tools" not in fake_models.requests[2].body
    assert "I give up." in answer.text


@pytest.mark.parametrize("provider", ["openai", "ollama"])
async def test_it_tells_how_sure_it_was_when_asked(make_bot, toml, fake_models, provider):
    text = toml("logprobs = true")
    if provider == "ollama":
        text = text.replace("openai:", "ollama:").replace(fake_models.openai_url, fake_models.url)
    bot = await make_bot(text)
    await bot.sync()
    fake_models.script(Reply(text="It is upstairs. [1]", logprobs=(-0.1, -2.0, -0.3, -0.4)))
    turn = await bot.turn("Where is the printer?")
    generator = await bot._components._context.generator("cloud")
    from bot import prompt

    asked = await prompt.build(turn, [], None, prompt.estimate_tokens)
    deltas = [delta async for delta in generator.deltas(turn, asked)]
    assert [p for delta in deltas for p in delta.logprobs] == [-0.1, -2.0, -0.3, -0.4]


@pytest.mark.parametrize(("allowed", "sent"), [("nothing", 0), ("public", 1), ("all", 1)])
async def test_what_may_leave_is_all_that_leaves(
    make_bot, toml, fake_models, monkeypatch, allowed, sent
):
    """Elsewhere is whatever is not this machine; the local server plays it."""
    monkeypatch.setattr("bot_langchain.settings.host_elsewhere", lambda url: "api.example.com")
    bot = await make_bot(toml(f'may_receive = "{allowed}"\ntools = true'))
    await bot.sync()
    call = ToolCall(name="search_documents", arguments={"query": "secret wage"})
    fake_models.script(Reply(tool_calls=[call]), Reply(text="Upstairs. [1]"))
    await _last(bot, "What about the printer and its wage?", **ANN)
    text = "".join(request.text for request in fake_models.requests)
    assert bool(fake_models.requests) is bool(sent)
    assert ("second floor" in text) is bool(sent)
    assert ("secret wage for the printer" in text) is (allowed == "all")
    assert "ann@example.com" not in text


async def test_examples_that_not_everyone_may_read_stay_here(
    make_bot, toml, fake_models, monkeypatch, home
):
    monkeypatch.setattr("bot_langchain.settings.host_elsewhere", lambda url: "api.example.com")
    (home / "examples.jsonl").write_text(
        '{"question": "Where is the lift?", "answer": "In the open hall."}\n'
        '{"question": "Where is the safe?", "answer": "In the hidden cellar.", '
        '"readers": ["group:hr"]}\n'
    )
    shots = '[generators.shots]\ntype = "icl"\ngenerator = "cloud"\nexamples = "examples.jsonl"\n'
    for allowed, finds in (("public", False), ("all", True)):
        fake_models.requests.clear()
        text = toml(f'may_receive = "{allowed}"', shots)
        bot = await make_bot(text.replace('generator = "cloud"\n[gen', 'generator = "shots"\n[gen'))
        await bot.sync()
        await _last(bot, "Where does the printer stand?", **ANN)
        (asked,) = fake_models.requests
        assert "open hall" in asked.text
        assert ("hidden cellar" in asked.text) is finds


async def test_the_key_of_the_environment_is_not_sent_to_another_server(
    answered, fake_models, monkeypatch
):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    await answered()
    assert KEY not in str(fake_models.requests[0].headers)


async def test_a_spending_report_needs_no_prices(answered, fake_models, database):
    await answered(**ANN)
    from datetime import UTC, datetime, timedelta

    (row,) = await Spending(database).report(datetime.now(UTC) - timedelta(days=1), "person")
    assert (row["name"], row["calls"], row["cost"]) == ("ann", 1, 0)
    assert row["input_tokens"] > 10
