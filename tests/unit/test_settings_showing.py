"""What `bot config show` prints: the values in force, and the JSON Schema."""

import json
from typing import Any

import jsonschema
import pytest
from pydantic import BaseModel, ConfigDict, Field

from bot import Component, Secret
from bot.assembly import installed
from bot.settings import Settings, dump, json_schema, read


class Inner(BaseModel):
    model_config = ConfigDict(extra="forbid")

    n: int = 0


class Talk(BaseModel):
    model_config = ConfigDict(extra="forbid")

    token: Secret
    inner: Inner = Inner()
    mode: str = Field(default="a", pattern="^[ab]$")


class Odd(BaseModel):
    model_config = ConfigDict(arbitrary_types_allowed=True)

    thing: object = None
    call: Any = None
    kind: type[Inner] | complex | None = None


def component(kind, type_, settings):
    return Component(kind=kind, type=type_, settings=settings, make=lambda *_: None)


@pytest.fixture
def schema():
    return json_schema([component("channel", "talk", Talk), component("loader", "talk", Talk),
                        component("splitter", "odd", Odd)])  # fmt: skip


def valid(schema, data):
    return not list(jsonschema.Draft202012Validator(schema).iter_errors(data))


def test_values_say_where_they_come_from(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "bot.toml"
    path.write_text(
        '[assistants.default]\nk = 3\nretrievers = [\n"a"]\n[sources."x.y"]\npath = "docs"\n'
        "limits = {hook = 1}\n[limits]\nhook = 2\ntoken = 3"
    )
    environ = {"BOT_ASSISTANTS__DEFAULT__K": "5", "BOT_LIMITS": "{token = 4}"}
    shown = dump(read(path, environ))
    assert shown["file"] == str(path)
    values = shown["values"]
    assert values["assistants.default.k"] == {"value": 5, "from": "BOT_ASSISTANTS__DEFAULT__K"}
    assert values["assistants.default.retrievers"] == {"value": ["a"], "from": "bot.toml:3"}
    assert values["assistants.default.generator"] == {"value": "local", "from": "default"}
    assert values['sources."x.y".path'] == {"value": "docs", "from": "bot.toml:6"}
    assert values['sources."x.y".type'] == {"value": "x.y", "from": "default"}
    assert values['sources."x.y".limits.hook'] == {"value": 1, "from": "bot.toml:7"}
    assert values["limits.token"] == {"value": 4.0, "from": "BOT_LIMITS"}
    assert values["limits.hook"] == {"value": 5.0, "from": "default"}
    assert json.loads(json.dumps(shown)) == shown


def test_dates_are_shown_as_json(tmp_path):
    path = tmp_path / "bot.toml"
    path.write_text("[sources.a]\nsince = 2024-01-02\nat = [07:30:00, 1.5]")
    values = dump(read(path, {}))["values"]
    assert values["sources.a.since"]["value"] == "2024-01-02"
    assert json.loads(json.dumps(values["sources.a.at"]["value"])) == ["07:30:00", 1.5]


def test_the_schema_is_valid_for_the_plugins_that_are_installed(schema):
    plugins = installed(Settings(), {})
    for each in (schema, json_schema(plugins.components), json_schema([])):
        assert each["$schema"] == "https://json-schema.org/draft/2020-12/schema"
        jsonschema.Draft202012Validator.check_schema(each)
        assert valid(each, {})
        json.dumps(each)


@pytest.mark.parametrize(
    "data",
    [
        {"channels": {"talk": {"token": {"env": "T"}}}},
        {"channels": {"x": {"type": "talk", "token": {"file": "t"}, "inner": {"n": 1}}}},
        {"sources": {"x": {"type": "talk", "token": {"env": "T"}, "readers": ["everyone"]}}},
        {"splitters": {"odd": {"anything": 1}}},
        {"database_url": "postgresql://db", "limits": {"hook": 1}, "home": "x"},
        {"database_url": {"env": "X"}, "groups": {"hr": ["a@b.c"]}},
    ],
)
def test_the_schema_takes_what_is_right(schema, data):
    assert valid(schema, data)


@pytest.mark.parametrize(
    "data",
    [
        {"chanels": {}},
        {"channels": {"talk": {"token": "plain"}}},
        {"channels": {"talk": {}}},
        {"channels": {"x": {"type": "tlak"}}},
        {"channels": {"x": {"type": "talk", "token": {"env": "T"}, "tokn": 1}}},
        {"channels": {"x": {"type": "talk", "token": {"env": "T"}, "inner": {"m": 1}}}},
        {"channels": {"talk": {"token": {"env": "T"}, "readers": ["everyone"]}}},
        {"channels": {"talk": {"token": {"env": "T"}, "mode": "c"}}},
        {"assistants": {"a": {"without_sources": "x"}}},
        {"limits": {"hook": 0}},
    ],
)
def test_the_schema_refuses_what_is_wrong(schema, data):
    assert not valid(schema, data)
