"""The local models speak their interfaces on the wire; the real clients meet them elsewhere."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator

import httpx2
import pytest

from bot.testing.fake_models import FakeModels, Reply, ToolCall

CHAT = {"model": "m", "messages": [{"role": "user", "content": "How are you?"}]}


@pytest.fixture
def models() -> Iterator[FakeModels]:
    with FakeModels() as running:
        yield running


def post(models: FakeModels, path: str = "/v1/chat/completions", **body: object) -> httpx2.Response:
    return httpx2.post(models.url + path, json={**CHAT, **body}, timeout=60)


def events(response: httpx2.Response) -> list[dict]:
    lines = [line.removeprefix("data: ") for line in response.text.split("\n\n") if line]
    assert lines[-1] == "[DONE]"
    return [json.loads(line) for line in lines[:-1]]


def test_without_a_script_it_quotes_the_source_most_like_the_question(models: FakeModels) -> None:
    sources = (
        '<source number="1" title="a">\nSoup is at noon. It is hot.\n</source>\n'
        '<source number="2" title="b">\nThe printer is upstairs. It works.\n</source>'
    )
    content = f"{sources}\n\nQuestion: Where is the printer?"
    said = post(models, messages=[{"role": "user", "content": content}]).json()
    assert said["choices"][0]["message"]["content"] == "The printer is upstairs. [2]"


def test_a_stream_has_a_word_an_event_and_usage_when_asked(models: FakeModels) -> None:
    models.script(Reply(text="All is well.", tokens=(7, 3)))
    chunks = events(post(models, stream=True, stream_options={"include_usage": True}))
    pieces = [c["choices"][0]["delta"].get("content", "") for c in chunks if c["choices"]]
    assert pieces == ["", "All", " is", " well.", ""]
    assert chunks[-1]["usage"]["prompt_tokens"] == 7
    assert [request.sent for request in models.requests] == [3]


def test_scripts_are_kept_apart_by_model(models: FakeModels) -> None:
    models.script(Reply(text="small"), model="s")
    models.script(Reply(text="any"))
    texts = [post(models, model=name).json()["choices"][0]["message"]["content"] for name in "lsl"]
    assert texts == ["any", "small", "You asked: How are you?"]
    assert [one.model for one in models.chats("s")] == ["s"]


def test_errors_carry_the_status_and_when_to_come_again(models: FakeModels) -> None:
    models.script(Reply(status=429, error="slow down", retry_after=3))
    response = post(models)
    assert response.status_code == 429
    assert response.headers["Retry-After"] == "3"
    assert response.json()["error"]["message"] == "slow down"


def test_log_probabilities_come_when_asked(models: FakeModels) -> None:
    models.script(Reply(text="a b", logprobs=(-0.5, -2.0)), Reply(text="a b"))
    asked = post(models, logprobs=True).json()["choices"][0]["logprobs"]["content"]
    assert [one["logprob"] for one in asked] == [-0.5, -2.0]
    assert "logprobs" not in post(models).json()["choices"][0]


def test_a_broken_stream_breaks_after_what_it_said(models: FakeModels) -> None:
    models.script(Reply(text="half an", ending="broken"))
    got: list[str] = []
    url, body = f"{models.openai_url}/chat/completions", {**CHAT, "stream": True}
    with httpx2.stream("POST", url, json=body) as response:
        pieces = response.iter_text()
        with pytest.raises(httpx2.TransportError):
            got.extend(pieces)
    assert "half" in "".join(got)
    assert "[DONE]" not in "".join(got)


@pytest.mark.parametrize("ending", ["endless", "silent"])
async def test_who_leaves_an_endless_answer_is_noted(models: FakeModels, ending: str) -> None:
    models.script(Reply(text="on and on ", ending=ending))
    async with (
        httpx2.AsyncClient(timeout=60) as client,
        client.stream(
            "POST", f"{models.openai_url}/chat/completions", json={**CHAT, "stream": True}
        ),
    ):
        await models.until(lambda: models.requests[0].sent >= 3)
    await models.until(lambda: models.requests[0].ended == "left")


def test_nothing_comes_before_the_test_lets_it(models: FakeModels) -> None:
    let = threading.Event()
    models.script(Reply(text="late", hold=let))
    waits = httpx2.Timeout(60, read=1)
    with pytest.raises(httpx2.ReadTimeout):
        httpx2.post(f"{models.openai_url}/chat/completions", json=CHAT, timeout=waits)
    let.set()
    models.script(Reply(text="late", hold=let))
    assert post(models).json()["choices"][0]["message"]["content"] == "late"


def test_wrong_json_is_wrong(models: FakeModels) -> None:
    models.script(Reply(text="x", ending="wrong_json"))
    with pytest.raises(ValueError, match=r"Unterminated|Expecting|delimiter"):
        post(models).json()


def test_tools_are_called_with_their_arguments(models: FakeModels) -> None:
    models.script(Reply(tool_calls=[ToolCall(name="search", arguments={"query": "printer"})]))
    choice = post(models).json()["choices"][0]
    assert choice["finish_reason"] == "tool_calls"
    call = choice["message"]["tool_calls"][0]["function"]
    assert json.loads(call["arguments"]) == {"query": "printer"}


def test_unknown_models_wrong_keys_and_wrong_bodies_are_refused() -> None:
    with FakeModels(models=["m"], api_key="k") as models:
        assert post(models).status_code == 401
        headers = {"Authorization": "Bearer k"}
        url = f"{models.openai_url}/chat/completions"
        assert httpx2.post(url, json={**CHAT, "model": "x"}, headers=headers).status_code == 404
        assert httpx2.post(url, json={"model": "m"}, headers=headers).status_code == 400
        assert httpx2.post(url, content=b"{", headers=headers).status_code == 400
        assert httpx2.post(url, json=CHAT, headers=headers).status_code == 200
        listed = httpx2.get(f"{models.openai_url}/models").json()["data"]
        assert [one["id"] for one in listed] == ["m"]


def test_the_same_words_are_near_each_other(models: FakeModels) -> None:
    texts = ["the red printer", "a red printer", "noodle soup"]
    data = post(models, "/v1/embeddings", input=texts).json()["data"]
    vectors = [one["embedding"] for one in data]
    near, far = (
        sum(a * b for a, b in zip(vectors[0], other, strict=True)) for other in vectors[1:]
    )
    assert near > 0.6 > 0.1 > far


def test_ollama_streams_lines_and_lists_its_models(models: FakeModels) -> None:
    models.script(Reply(text="all well", tokens=(4, 2)))
    lines = [json.loads(line) for line in post(models, "/api/chat").text.splitlines()]
    assert [line["message"]["content"] for line in lines] == ["all", " well", ""]
    assert lines[-1]["done"]
    assert lines[-1]["eval_count"] == 2
    tags = httpx2.get(f"{models.url}/api/tags").json()["models"]
    assert [one["name"] for one in tags] == ["small", "large"]
    embedded = post(models, "/api/embed", input="hello").json()
    assert len(embedded["embeddings"][0]) == 64


def test_anthropic_streams_events(models: FakeModels) -> None:
    models.script(Reply(text="all well", tokens=(4, 2)))
    text = post(models, "/v1/messages", stream=True, max_tokens=9).text
    names = [line.removeprefix("event: ") for line in text.splitlines() if line[:5] == "event"]
    assert names[0] == "message_start"
    assert names.count("content_block_delta") == 2
    assert names[-1] == "message_stop"
