"""Whatever bot.toml holds, the outcome is settings or one clear error."""

import tomllib
from contextlib import suppress

import tomlkit
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.assembly import installed
from bot.errors import ConfigError
from bot.settings import Settings, check, dump, read
from bot.settings.model import TABLES, AssistantSettings, LimitsSettings
from bot.settings.places import parse

PLUGINS = installed(Settings(), {})

WORDS = [
    *Settings.model_fields, *AssistantSettings.model_fields, *LimitsSettings.model_fields,
    *TABLES, "default", "documents", "local", "type", "folder", "jsonl", "pgvector", "extractive",
    "path", "readers", "everyone", "group:a", "env", "file", "slack", "minilm", "embedder",
    "model_config", "__class__", "a b", "", "é", "x.y", "~", "~nobody/x", "a@b.c",
]  # fmt: skip
TEXT = st.sampled_from(WORDS) | st.text(st.characters(codec="utf-8"), max_size=8)
SCALARS = (
    TEXT
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats()
    | st.booleans()
    | st.dates()
    | st.datetimes()
    | st.times()
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)
TABLE = st.dictionaries(TEXT, VALUES, max_size=4)
FILES = st.dictionaries(
    st.sampled_from(list(Settings.model_fields)) | TEXT,
    st.dictionaries(TEXT, TABLE | VALUES, max_size=3) | VALUES,
    max_size=6,
)
VARIABLES = st.dictionaries(
    st.lists(st.sampled_from([*Settings.model_fields, "default", "k", "type", "x", ""]), min_size=1,
             max_size=4).map(lambda parts: "BOT_" + "__".join(parts).upper()),
    TEXT | st.sampled_from(["1", "{}", "{a=1}", "[1", "{env='X'}", "[['a']]", "nan"]),
    max_size=3,
)  # fmt: skip

QUIET = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    deadline=None,
    max_examples=150,
)


def outcome(path, environ):
    with suppress(ConfigError):
        read(path, environ)
    try:
        made = read(path, environ, deferred=True)
        dump(made)
        return check(made, PLUGINS.component, PLUGINS.types, ["echo"])
    except ConfigError as error:
        return str(error)


@QUIET
@given(FILES, VARIABLES)
def test_any_table_is_settings_or_a_clear_error(tmp_path, data, environ):
    path = tmp_path / "bot.toml"
    path.write_text("#\n" + tomlkit.dumps(data), encoding="utf-8")
    outcome(path, environ)


@QUIET
@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda t: t.encode("utf-8", "replace")))
def test_any_bytes_are_settings_or_a_clear_error(tmp_path, content):
    path = tmp_path / "bot.toml"
    path.write_bytes(content)
    outcome(path, {})


def leaves(data, key=()):
    for name, value in data.items() if isinstance(data, dict) else enumerate(data):
        yield (*key, name)
        if isinstance(value, dict | list):
            yield from leaves(value, (*key, name))


@QUIET
@given(FILES)
def test_every_key_has_a_line(data):
    text = "# top\n\n" + tomlkit.dumps(data)
    parsed, entries = parse(text)
    assert parsed == tomllib.loads(text) or "nan" in text
    placed = {entry.key[:n] for entry in entries for n in range(1, len(entry.key) + 1)}
    for key in leaves(parsed):
        if not any(isinstance(part, int) for part in key):  # [[tables]] are placed as a whole
            assert key in placed
    last = text.count("\n") + 1
    assert all(3 <= entry.first <= entry.last <= last for entry in entries)


def test_lines_are_those_a_person_counts():
    text = (
        'a = 1 # = x\n"b c".d = """\nx = 1\n""""\n'
        "e = [ # [\n  1, {f = 2},\n]\n[g]\r\n[g.h]\ni = 1979-05-27 07:32:00\n"
        "j = '''\n[x]'''\n[[k]]\nl = 1\n[[k]]\nl = 2\n"
    )
    assert [(entry.key, entry.first, entry.last) for entry in parse(text)[1]] == [
        (("a",), 1, 1),
        (("b c", "d"), 2, 4),
        (("e",), 5, 7),
        (("e", 0), 6, 6),
        (("e", 1, "f"), 6, 6),
        (("e", 1), 6, 6),
        (("g",), 8, 8),
        (("g", "h"), 9, 9),
        (("g", "h", "i"), 10, 10),
        (("g", "h", "j"), 11, 12),
        (("k",), 13, 13),
        (("k", "l"), 14, 14),
        (("k",), 15, 15),
        (("k", "l"), 16, 16),
    ]
