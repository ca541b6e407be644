"""Adding and removing sources: everything else in bot.toml stays as it is."""

import os
import stat
import tomllib

import pytest
import tomlkit
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.errors import ConfigError, UsageError
from bot.settings import add_source, remove_source, switch_plugin
from bot.settings.editing import EMPTY

FILE = """\
# The bot of the team.
home = 'here'   # on purpose

[assistants.default]
instructions = \"\"\"
[sources.fake]
path = "x"
\"\"\"

# The handbook.
[sources.handbook]
type = "folder"  # not a file
# inside
path = "docs"

# The wages are private.
[sources.wages]
path = "wages.jsonl"
readers = [
    "group:hr",  # only they
]
[sources.wages.extra]
x = 1

[groups]
hr = []
"""


def test_a_source_is_added_at_the_end_and_the_rest_stays(tmp_path):
    path = tmp_path / "bot.toml"
    path.write_text(FILE)
    add_source(path, "new", {"type": "folder", "path": 'a "b"', "readers": ["everyone"]})
    assert path.read_text() == FILE + (
        '\n[sources.new]\ntype = "folder"\npath = "a \\"b\\""\nreaders = ["everyone"]\n'
    )


def test_a_missing_or_empty_file_is_made(tmp_path):
    for name in ("new.toml", "empty.toml"):
        path = tmp_path / name
        if name == "empty.toml":
            path.touch()
        add_source(path, "a", {"path": "docs"})
        assert path.read_text() == '[sources.a]\npath = "docs"\n'


def test_what_is_added_is_removed_again_without_a_trace(tmp_path):
    path = tmp_path / "bot.toml"
    path.write_text(FILE)
    add_source(path, "new", {"path": "x"})
    remove_source(path, "new")
    assert path.read_text() == FILE


def test_comments_outside_a_removed_source_stay(tmp_path):
    path = tmp_path / "bot.toml"
    path.write_text(FILE)
    remove_source(path, "handbook")
    removed = '[sources.handbook]\ntype = "folder"  # not a file\n# inside\npath = "docs"\n'
    assert path.read_text() == FILE.replace(removed, "")
    remove_source(path, "wages")
    text = path.read_text()
    assert "# The wages are private.\n" in text
    assert tomllib.loads(text).keys() == {"home", "assistants", "groups"}


def test_the_last_source_leaves_a_file_that_can_be_read(tmp_path):
    path = tmp_path / "bot.toml"
    add_source(path, "a", {"path": "x"})
    remove_source(path, "a")
    assert path.read_text() == EMPTY


@pytest.mark.parametrize(
    "text",
    [
        'sources.a.path = "x"\nsources.b.path = "y"\n',
        '[sources]\na.path = "x"\na.type = "file"\nb.path = "y"\n',
        '[sources]\na = {path = "x"}\nb = {path = "y"}\n',
        '[sources.a]\npath = "x"\n[limits]\nhook = 1\n[sources.b]\npath = "y"\n[sources.a.c]\nd=1',
        '["sources".\'a\']\npath = "x"\n["sources"."b"]\npath = "y"',
    ],
)
def test_every_way_to_write_a_source_can_be_edited(tmp_path, text):
    path = tmp_path / "bot.toml"
    path.write_text(text)
    before = tomllib.loads(text)
    add_source(path, "c", {"path": "z"})
    assert tomllib.loads(path.read_text())["sources"] == {
        **before["sources"],
        "c": {"path": "z"},
    }
    remove_source(path, "a")
    assert tomllib.loads(path.read_text())["sources"] == {"b": {"path": "y"}, "c": {"path": "z"}}


def test_one_inline_table_of_all_sources_is_left_to_its_author(tmp_path):
    path = tmp_path / "bot.toml"
    text = 'sources = {a = {path = "x"}}\n'
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"add this by hand:\n\[sources\.b\]"):
        add_source(path, "b", {"path": "y"})
    assert path.read_text() == text


@pytest.mark.parametrize("name", ["", "a b", "a/b", "x" * 65, "-x", "a\nb"])
def test_a_name_that_cannot_be_one_is_refused(tmp_path, name):
    with pytest.raises(UsageError, match="cannot be the name of a source"):
        add_source(tmp_path / "bot.toml", name, {"path": "x"})
    assert not (tmp_path / "bot.toml").exists()


def test_a_taken_and_an_unknown_name_are_refused(tmp_path):
    path = tmp_path / "bot.toml"
    path.write_text(FILE)
    with pytest.raises(UsageError, match="has a source 'wages' already"):
        add_source(path, "wages", {})
    with pytest.raises(UsageError, match="has no source 'fake'"):
        remove_source(path, "fake")
    assert path.read_text() == FILE


@pytest.mark.parametrize("text", ["[sources", "sources = 3", "x = 'a"])
def test_a_broken_file_is_not_touched(tmp_path, text):
    path = tmp_path / "bot.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match="run `bot config check`"):
        add_source(path, "a", {"path": "x"})
    assert path.read_text() == text
    assert os.listdir(tmp_path) == ["bot.toml"]


def test_mode_link_and_line_ends_are_kept(tmp_path):
    real = tmp_path / "real.toml"
    real.write_bytes(b"[limits]\r\nhook = 1\r\n")
    real.chmod(0o640)
    link = tmp_path / "bot.toml"
    link.symlink_to(real)
    add_source(link, "a", {"path": "x"})
    assert link.is_symlink()
    assert stat.S_IMODE(real.stat().st_mode) == 0o640
    assert real.read_bytes() == (b'[limits]\r\nhook = 1\r\n\r\n[sources.a]\r\npath = "x"\r\n')
    assert sorted(os.listdir(tmp_path)) == ["bot.toml", "real.toml"]


def test_a_folder_that_cannot_be_written_is_told(tmp_path):
    with pytest.raises(ConfigError, match="cannot be written: No such file"):
        add_source(tmp_path / "gone" / "bot.toml", "a", {"path": "x"})


NAMES = st.sampled_from(["a", "b", "c"])
VALUES = st.recursive(
    st.integers(-9, 9) | st.text(max_size=5) | st.booleans(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=6,
)
TABLES = st.dictionaries(st.sampled_from(["path", "type", "x y"]), VALUES, max_size=3)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(st.dictionaries(NAMES, TABLES, min_size=1), TABLES)
def test_removing_one_source_leaves_the_others(tmp_path, sources, other):
    path = tmp_path / "bot.toml"
    path.write_text(tomlkit.dumps({"sources": sources, "other": other}))
    first = min(sources)
    remove_source(path, first)
    data = tomllib.loads(path.read_text())
    assert data.get("sources", {}) == {k: v for k, v in sources.items() if k != first}
    assert data["other"] == other


PLUGINS = """\
[plugins]  # ours
disabled = [
    "slow",  # too slow
]

[limits]
hook = 3
"""


def test_a_plugin_is_switched_off_and_on_and_the_rest_stays(tmp_path):
    path = tmp_path / "bot.toml"
    path.write_text(PLUGINS)
    assert switch_plugin(path, "echo", off=True)
    assert not switch_plugin(path, "echo", off=True)
    assert tomllib.loads(path.read_text())["plugins"]["disabled"] == ["slow", "echo"]
    assert "[plugins]  # ours" in path.read_text()
    assert "hook = 3" in path.read_text()
    assert switch_plugin(path, "slow", off=False)
    assert switch_plugin(path, "echo", off=False)
    assert not switch_plugin(path, "echo", off=False)
    assert tomllib.loads(path.read_text())["plugins"]["disabled"] == []


@pytest.mark.parametrize("text", [None, "", "# nothing\n", FILE])
def test_a_plugin_is_switched_off_in_any_file(tmp_path, text):
    path = tmp_path / "bot.toml"
    if text is not None:
        path.write_text(text)
    assert not switch_plugin(path, "echo", off=False)
    assert switch_plugin(path, "echo", off=True)
    assert tomllib.loads(path.read_text()) == {
        **tomllib.loads(text or ""),
        "plugins": {"disabled": ["echo"]},
    }
    assert path.read_text().startswith((text or "").rstrip())
