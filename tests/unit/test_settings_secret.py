"""Secrets: by reference only, and never shown."""

import json
import traceback

import pytest
from pydantic import BaseModel, ConfigDict

from bot import Component, Secret
from bot.errors import ConfigError
from bot.settings import Settings, check, dump, read

TOKEN = "xoxb-very-secret"


class Talk(BaseModel):
    model_config = ConfigDict(extra="forbid")

    token: Secret
    spare: Secret | None = None


TALK = Component(kind="channel", type="talk", settings=Talk, make=lambda *_: None)


def checked(settings):
    return check(
        settings,
        lambda kind, type_: TALK if (kind, type_) == ("channel", "talk") else None,
        lambda kind: ["talk"] if kind == "channel" else [],
        [],
        ["pgvector", "extractive"],
    )


@pytest.fixture
def configured(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def configured(text, **environ):
        path = tmp_path / "bot.toml"
        path.write_text(text)
        return read(path, environ, deferred=True)

    return configured


def refused(settings):
    with pytest.raises(ConfigError) as caught:
        checked(settings)
    text = str(caught.value)
    assert TOKEN not in "".join(traceback.format_exception(caught.value))
    return text


def test_a_secret_comes_from_the_environment(configured):
    valid = checked(configured("[channels.talk]\ntoken = {env = 'T'}", T=TOKEN))
    token = valid.options["channel", "talk"].token
    assert token.reveal() == TOKEN
    assert token.reference == {"env": "T"}


def test_a_secret_comes_from_a_file_beside_the_configuration(configured, tmp_path):
    (tmp_path / "token").write_text(TOKEN + "\n")
    valid = checked(configured("[channels.talk]\ntoken = {file = 'token'}"))
    token = valid.options["channel", "talk"].token
    assert token.reveal() == TOKEN
    assert token.reference == {"file": str(tmp_path / "token")}


def test_a_secret_is_never_shown(configured):
    valid = checked(configured("[channels.talk]\ntoken = {env = 'T'}", T=TOKEN))
    options = valid.options["channel", "talk"]
    shown = [repr(options), str(options.token), f"{options.token}", options.model_dump_json()]
    assert not [text for text in shown if TOKEN in text]
    assert json.loads(options.model_dump_json()) == {"token": {"env": "T"}, "spare": None}


def test_stored_settings_find_their_secret_again(configured, monkeypatch):
    valid = checked(configured("[channels.talk]\ntoken = {env = 'T'}", T=TOKEN))
    stored = valid.options["channel", "talk"].model_dump(mode="json")
    assert Talk.model_validate(stored, context=valid.context).token.reveal() == TOKEN
    monkeypatch.setenv("T", TOKEN)
    assert Talk.model_validate(stored).token.reveal() == TOKEN


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (f'"{TOKEN}"', "a secret is not written into the configuration; use {env = "),
        ("3", "a secret is not written into the configuration"),
        ('{env = "GONE"}', "the environment variable GONE is not set"),
        ('{env = "EMPTY"}', "the secret in EMPTY is empty"),
        ('{file = "gone"}', "gone cannot be read: No such file or directory"),
        ('{file = "."}', "cannot be read: Is a directory"),
        ('{file = "a\\u0000b"}', "cannot be read: not a path"),
        ('{file = "bytes"}', "bytes is not UTF-8 text"),
        ('{file = "large"}', "large is too large for a secret"),
        ('{env = "T", file = "x"}', "is no reference to a secret"),
        ("{env = 3}", "is no reference to a secret"),
        ("{}", "is no reference to a secret"),
    ],
)
def test_what_is_no_reference_is_refused_without_its_value(configured, tmp_path, value, expected):
    (tmp_path / "bytes").write_bytes(TOKEN.encode() + b"\xff")
    (tmp_path / "large").write_text(TOKEN * 10_000)
    settings = configured(f"[channels.talk]\ntoken = {value}", T=TOKEN, EMPTY="")
    text = refused(settings)
    assert text.startswith("bot.toml:2: channels.talk.token: ")
    assert expected in text


def test_a_variable_of_the_setting_itself_may_hold_the_secret(configured):
    settings = configured("[channels.talk]", BOT_CHANNELS__TALK__TOKEN=TOKEN)
    token = checked(settings).options["channel", "talk"].token
    assert token.reveal() == TOKEN
    assert token.reference == {"env": "BOT_CHANNELS__TALK__TOKEN"}
    assert TOKEN not in repr(settings) + json.dumps(dump(settings))


def test_the_dump_hides_what_is_written_out_all_the_same(configured):
    text = (
        f'[channels.talk]\ntoken = "{TOKEN}"\nurl = "https://me:{TOKEN}@host/x"\n'
        f'headers = {{Authorization = "{TOKEN}"}}\nlist = [{{api_key = "{TOKEN}"}}]'
    )
    shown = dump(configured(text))
    assert TOKEN not in json.dumps(shown)
    assert shown["values"]["channels.talk.url"]["value"] == "https://…@host/x"


# -- database_url ---------------------------------------------------------------------------------


def test_a_database_url_without_a_password_may_be_written_out(configured):
    settings = configured('database_url = "postgresql://bot@db:5433/bot"')
    assert settings.database_url.reveal() == "postgresql://bot@db:5433/bot"
    assert dump(settings)["values"]["database_url"] == {
        "value": "postgresql://bot@db:5433/bot",
        "from": "bot.toml:1",
    }
    assert "5433" not in repr(settings)


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://bot:{TOKEN}@db/bot",
        f"postgresql://db/bot?password={TOKEN}",
        f"host=db user=bot password={TOKEN}",
        f"host=db sslpassword={TOKEN}",
        f"mysql://bot:{TOKEN}@db/bot",
        f"postgresql://bot@db/bot?{TOKEN}=1",
    ],
)
def test_a_password_in_the_file_is_refused_and_not_repeated(configured, url):
    text = refused(configured(f'database_url = "{url}"'))
    assert text.startswith("bot.toml:1: database_url: ")


def test_a_database_url_by_reference_may_hold_a_password(configured, tmp_path):
    url = f"postgresql://bot:{TOKEN}@db/bot"
    (tmp_path / "url").write_text(url)
    by_variable = configured('database_url = {env = "DB"}', DB=url)
    by_file = configured('database_url = {file = "url"}')
    of_its_own = configured("# nothing", BOT_DATABASE_URL=url)
    by_both = configured("# nothing", BOT_DATABASE_URL='{file = "url"}')
    for settings in (by_variable, by_file, of_its_own, by_both):
        assert settings.database_url.reveal() == url
        assert TOKEN not in repr(settings) + json.dumps(dump(settings))
    assert dump(of_its_own)["values"]["database_url"] == {
        "value": {"env": "BOT_DATABASE_URL"},
        "from": "BOT_DATABASE_URL",
    }


def test_a_bad_url_in_a_variable_is_told_by_its_name():
    with pytest.raises(
        ConfigError, match=r"^BOT_DATABASE_URL: database_url: is not a Postgre"
    ) as e:
        read(None, {"BOT_DATABASE_URL": f"what {TOKEN}"})
    assert TOKEN not in "".join(traceback.format_exception(e.value))


def test_settings_made_in_python_take_secrets_too(monkeypatch):
    monkeypatch.setenv("DB", "postgresql://a:b@c/d")
    made = Settings.model_validate({"database_url": {"env": "DB"}})
    assert made.database_url == Secret("postgresql://a:b@c/d", {"env": "DB"})
