"""Reading bot.toml and the variables over it."""

from pathlib import Path

import pytest

from bot.conversation import Limits
from bot.errors import ConfigError
from bot.settings import Settings, find_config, read


@pytest.fixture
def write(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def write(text):
        path = tmp_path / "bot.toml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def mistakes(path, environ=()):
    with pytest.raises(ConfigError) as caught:
        read(path, dict(environ))
    return str(caught.value)


def test_the_bot_works_without_a_file():
    settings = read(None, {})
    assert settings.model_dump() == Settings().model_dump()
    assert settings.path is None
    assert settings.warnings == []
    assert settings.home is None
    assert settings.database_url is None
    assert settings.assistants["default"].retrievers == ["documents"]
    assert settings.assistants["default"].generator == "local"
    assert settings.retrievers["documents"].type == "pgvector"
    assert settings.generators["local"].type == "extractive"
    assert (settings.index.embedder, settings.index.splitter) == ("minilm", "structure")
    assert settings.limits == Limits()


def test_defaults_are_not_added_when_nobody_uses_them(write):
    settings = read(write('[assistants.a]\nretrievers = ["x"]\ngenerator = "y"'), {})
    assert list(settings.assistants) == ["a"]
    assert settings.retrievers == {}
    assert settings.generators == {}


def test_a_type_is_the_name_of_its_table_unless_given(write):
    text = '[retrievers.pgvector]\nmode = "vector"\n[sources.a]\ntype = "folder"\npath = "docs"'
    settings = read(write(text), {})
    assert settings.retrievers["pgvector"].type == "pgvector"
    assert settings.retrievers["pgvector"].options == {"mode": "vector"}
    assert settings.sources["a"].type == "folder"
    assert settings.sources["a"].options == {"path": "docs"}
    assert settings.sources["a"].readers == ["everyone"]


def test_limits_are_those_of_the_loop(write):
    assert read(write("[limits]\nretrieve = 3"), {}).limits == Limits(retrieve=3.0)
    assert Settings(limits=Limits(token=1.0)).limits == Limits(token=1.0)


def test_all_mistakes_are_told_at_once_with_their_places(write):
    text = (
        "[assistants.default]\n"
        'instructons = "x"\n'
        "k = [\n  1,\n]\n"
        'without_sources = "refuze"\n'
        "[limits]\n"
        "token = -1\n"
        "[assistant.x]\n"
    )
    assert mistakes(write(text)).splitlines() == [
        "The configuration has 5 mistakes:",
        '  bot.toml:2: assistants.default.instructons: unknown key; did you mean "instructions"?',
        "  bot.toml:3: assistants.default.k: should be a valid integer",
        "  bot.toml:6: assistants.default.without_sources: should be 'refuse' or "
        "'answer_labelled'; did you mean \"refuse\"?",
        "  bot.toml:8: limits.token: should be greater than 0",
        '  bot.toml:9: assistant: unknown key; did you mean "assistants"?',
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[limits]\nhok = 1", 'bot.toml:2: limits.hok: unknown key; did you mean "hook"?'),
        ("assistants = 3", "bot.toml:1: assistants: should be a table"),
        ("[assistants]\ndefault = 3", "bot.toml:2: assistants.default: should be a table"),
        ("[sources.'a b']", 'bot.toml:1: sources."a b": a name has only letters, digits, dots'),
        ("[assistants.a]\nsources = []", "bot.toml:2: assistants.a.sources: should have at least"),
        ("home = 3", "bot.toml:1: home: is not the name of a folder"),
        ('home = ""', "bot.toml:1: home: is not the name of a folder"),
        ('home = "a\\u0000b"', "bot.toml:1: home: is not the name of a folder"),
        ("[sources.a]\nreaders = []", "bot.toml:2: sources.a.readers: "),
        ("[assistants.a]\nk = true", "bot.toml:2: assistants.a.k: should be a valid integer"),
        ("[limits]\nhook = inf", "bot.toml:2: limits.hook: should be less than"),
        ('[groups]\na = ["b c"]', "bot.toml:2: groups.a.0: 'b c' is nobody"),
    ],
)
def test_one_mistake_is_one_line(write, text, expected):
    assert mistakes(write(text)).startswith(expected)
    assert "\n" not in mistakes(write(text))


def test_deferred_mistakes_leave_the_rest_in_force(write):
    path = write('[assistants.default]\nk = "x"\ninstructions = "Hi."\n[limit]\nhook = 1')
    settings = read(path, {}, deferred=True)
    assert settings.assistants["default"].k == 8
    assert settings.assistants["default"].instructions == "Hi."


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "bot.toml is empty; "),
        (b" \n\n", "bot.toml is empty; "),
        (b"a" * 1_048_577, "bot.toml is larger than 1 MiB"),
        (b"x = 1\ny = '\xff'", "bot.toml:2: is not UTF-8 text"),
        (bytes(range(128)), "bot.toml:1: is not TOML: "),
        (b"[limits]\nhook = ", "bot.toml:2: is not TOML: Invalid value."),
        (b"[limits]\nhook = 1\nhook = 2\n", "bot.toml:3: is not TOML: Cannot overwrite a value."),
        (b"a = " + b"[" * 5000 + b"]" * 5000, "bot.toml:1: nested too deeply"),
        (b"a = " + b"[" * 100 + b"]" * 100, "bot.toml:1: nested too deeply."),
        (b".".join([b"a"] * 1_000) + b" = 1", "bot.toml:1: nested too deeply."),
    ],
    ids=["empty", "blank", "huge", "latin", "binary", "cut", "twice", "deep", "deeper", "dotted"],
)
def test_a_file_that_is_no_configuration_is_refused(write, content, expected):
    assert mistakes(write(content)).startswith(expected)


def test_comments_alone_and_a_byte_order_mark_are_fine(write):
    assert read(write("# all defaults"), {}).assistants.keys() == {"default"}
    assert (
        read(write(b"\xef\xbb\xbf[assistants.default]\r\nk = 3\r\n"), {}).assistants["default"].k
        == 3
    )


def test_a_folder_and_a_missing_file_are_refused(tmp_path):
    assert "is a folder" in mistakes(tmp_path)
    assert "cannot be read: No such file" in mistakes(tmp_path / "none.toml")


# -- which file -----------------------------------------------------------------------------------


def test_the_given_file_comes_before_the_variable_and_that_before_the_folder(tmp_path):
    assert find_config(None, {}, tmp_path) is None
    for name in ("bot.toml", "other.toml", "given.toml"):
        (tmp_path / name).write_text("#")
    environ = {"BOT_CONFIG": "other.toml"}
    given = tmp_path / "given.toml"
    assert find_config(given, environ, tmp_path) == given
    assert find_config(None, environ, tmp_path) == tmp_path / "other.toml"
    assert find_config(None, {"BOT_CONFIG": ""}, tmp_path) == tmp_path / "bot.toml"
    assert find_config(None, {}, tmp_path) == tmp_path / "bot.toml"


def test_only_the_current_folder_is_looked_at(tmp_path):
    (tmp_path / "bot.toml").write_text("#")
    below = tmp_path / "below"
    below.mkdir()
    assert find_config(None, {}, below) is None


@pytest.mark.parametrize("environ", [{}, {"BOT_CONFIG": "gone.toml"}])
def test_a_file_that_was_asked_for_must_exist(tmp_path, environ):
    with pytest.raises(ConfigError, match=r"There is no file .*gone\.toml; check --config"):
        find_config(None if environ else Path("gone.toml"), environ, tmp_path)


def test_a_link_to_nowhere_is_not_taken_as_no_file(tmp_path):
    (tmp_path / "bot.toml").symlink_to(tmp_path / "gone")
    found = find_config(None, {}, tmp_path)
    assert found is not None
    assert "cannot be read" in mistakes(found)


# -- variables ------------------------------------------------------------------------------------


def test_variables_override_the_file(write):
    path = write('home = "a"\n[assistants.default]\nk = 3\n[sources.my-docs]\npath = "x"')
    settings = read(
        path,
        {
            "BOT_ASSISTANTS__DEFAULT__K": "5",
            "BOT_ASSISTANTS__DEFAULT__RETRIEVERS": '["a", "b"]',
            "BOT_ASSISTANTS__DEFAULT__INSTRUCTIONS": "Be brief.",
            "BOT_SOURCES__MY_DOCS__PATH": "y",
            "BOT_HOME": "2024",
            "BOT_LIMITS": "{hook = 1}",
            "OTHER": "x",
        },
    )
    assistant = settings.assistants["default"]
    assert (assistant.k, assistant.retrievers) == (5, ["a", "b"])
    assert assistant.instructions == "Be brief."
    assert settings.sources["my-docs"].options == {"path": "y"}
    assert settings.home == Path.cwd() / "2024"
    assert settings.limits == Limits(hook=1)
    assert settings.warnings == []


def test_a_wrong_value_is_told_with_the_name_of_its_variable(write):
    path = write("[assistants.default]\nk = 3\n[limits]\nhook = 1\ntoken = 2")
    environ = {
        "BOT_ASSISTANTS__DEFAULT__K": "many",
        "BOT_ASSISTANTS__DEFAULT__KK": "1",
        "BOT_HOME__X": "1",
        "BOT_LIMITS": "{hook = -1}",
    }
    assert mistakes(path, environ | {"BOT_HOME": "h"}).splitlines()[1:] == [
        "  BOT_ASSISTANTS__DEFAULT__K: assistants.default.k: should be a valid integer",
        '  BOT_ASSISTANTS__DEFAULT__KK: assistants.default.kk: unknown key; did you mean "k"?',
        "  BOT_HOME__X: home.x: goes into something that is no table",
        "  BOT_LIMITS: limits.hook: should be greater than 0",
    ]


def test_a_variable_that_is_no_setting_is_a_warning():
    environ = {"BOT_TOKEN": "x", "BOT_DATABSE_URL": "x", "BOT_A____B": "x"}
    warnings = read(None, environ).warnings
    assert [text.split()[0] for text in warnings] == sorted(environ)
    assert 'BOT_DATABSE_URL is no setting; did you mean "BOT_DATABASE_URL".' in warnings


def test_special_and_empty_variables_are_left_alone():
    environ = {"BOT_CONFIG": "x", "BOT_PLUGINS": "", "BOT_DEBUG": "1", "BOT_HOME": ""}
    settings = read(None, environ)
    assert (settings.warnings, settings.home) == ([], None)


def test_a_value_cannot_smuggle_in_other_keys():
    settings = read(None, {"BOT_ASSISTANTS__DEFAULT__INSTRUCTIONS": "1\nhome = 2"})
    assert settings.assistants["default"].instructions == "1\nhome = 2"
    assert settings.home is None


def test_home_is_relative_to_the_file_and_a_variable_to_the_current_folder(tmp_path, monkeypatch):
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "project" / "bot.toml"
    path.write_text('home = "h"')
    assert read(path, {}).home == tmp_path / "project" / "h"
    assert read(path, {"BOT_HOME": "h"}).home == tmp_path / "h"
    path.write_text('home = "~/h"')
    monkeypatch.setenv("HOME", "/somewhere")
    assert read(path, {}).home == Path("/somewhere/h")
