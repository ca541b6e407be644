"""The commands that read and edit the configuration, as a person calls them."""

import json
import os
import subprocess
import sys

import pytest

BOT = "import sys; from bot.cli import main; sys.argv[0] = 'bot'; main()"


@pytest.fixture
def bot(tmp_path):
    def bot(*arguments, **environ):
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("BOT_")}
        return subprocess.run(
            [sys.executable, "-c", BOT, *arguments],
            cwd=tmp_path,
            env=inherited | environ,
            capture_output=True,
            text=True,
            timeout=60,
        )

    return bot


def test_all_mistakes_of_core_and_plugins_are_listed_at_once(bot, tmp_path):
    (tmp_path / "bot.toml").write_text('[limits]\nhok = 1\n[sources.a]\ntype = "foldr"\n')
    done = bot("config", "check")
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "Error: The configuration has 2 mistakes:",
        '  bot.toml:2: limits.hok: unknown key; did you mean "hook"?',
        '  bot.toml:4: sources.a.type: no plugin offers the loader type "foldr"; did you mean '
        '"folder"?',
    ]


def test_an_escape_in_the_file_does_not_reach_the_terminal(bot, tmp_path):
    (tmp_path / "bot.toml").write_text('"\\u001b[31mred" = 1\n[groups]\na = ["\\u001b[31mx"]')
    assert "\x1b" not in bot("config", "check").stderr


def test_a_source_is_added_checked_and_shown(bot, tmp_path):
    (tmp_path / "docs").mkdir()
    (tmp_path / "bot.toml").write_text('[groups]\nhr = ["a@b.c"]\n')
    assert bot("source", "add", "handbook", "docs", "--readers", "group:hr").returncode == 0
    assert bot("config", "check").stdout == f"{tmp_path / 'bot.toml'}: no mistakes.\n"
    values = json.loads(bot("config", "show").stdout)["values"]
    assert values["sources.handbook.path"] == {"value": "docs", "from": "bot.toml:6"}


def test_the_schema_is_shown_even_when_the_file_has_mistakes(bot, tmp_path):
    (tmp_path / "bot.toml").write_text("[limits]\nhok = 1\n")
    schema = json.loads(bot("config", "show", "--schema").stdout)
    assert "loader-folder" in schema["$defs"]


def test_an_unknown_variable_is_a_warning(bot):
    done = bot("config", "check", BOT_HOMME="x")
    assert done.returncode == 0
    assert 'Warning: BOT_HOMME is no setting; did you mean "BOT_HOME".' in done.stderr


def test_the_version_is_told_without_reading_the_configuration(bot, tmp_path):
    (tmp_path / "bot.toml").write_text("broken")
    assert bot("--version").returncode == 0
    code = (
        "import sys; sys.argv = ['bot', '--version']\nfrom bot.cli import main\n"
        "try: main()\nexcept SystemExit: pass\n"
        "sys.exit(bool({'asyncio', 'pydantic', 'bot.settings'} & sys.modules.keys()))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_help_lists_the_plugins_commands_without_a_database_driver():
    code = (
        "import sys; sys.argv = ['bot', '--help']\nfrom bot.cli import main\n"
        "try: main()\nexcept SystemExit: pass\n"
        "sys.exit(bool({'asyncio', 'psycopg'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert "slack " in done.stdout


def test_secret_is_exported_for_plugin_authors():
    import bot
    from bot.settings import Secret

    assert bot.Secret is Secret
    assert "Secret" in bot.__all__


@pytest.mark.parametrize(
    ("option", "why"),
    [
        (("--readers", "nobody"), "'nobody' is nobody"),
        (("--readers", "group:hr"), 'there is no group "hr"'),
        (("--type", "foldr"), 'did you mean "folder"?'),
    ],
)
@pytest.mark.parametrize("text", [None, "# mine\n[groups]\nit = []\n"])
def test_a_source_that_would_be_a_mistake_is_not_added(bot, tmp_path, option, why, text):
    config = tmp_path / "bot.toml"
    if text is not None:
        config.write_text(text)
    done = bot("source", "add", "handbook", ".", *option)
    assert done.returncode == 2
    assert "Nothing was added." in done.stderr
    assert why in done.stderr
    assert (config.read_text() if config.exists() else None) == text


@pytest.mark.parametrize(
    ("place", "table"),
    [
        ("https://ex.test/guide", 'type = "web"\nurls = ["https://ex.test/guide"]'),
        ("https://ex.test/sitemap.xml", 'type = "web"\nsitemaps = ["https://ex.test/sitemap.xml"]'),
        ("https://ex.test/a.git", 'type = "git"\nrepository = "https://ex.test/a.git"'),
        ("git@ex.test:a", 'type = "git"\nrepository = "git@ex.test:a"'),
    ],
)
def test_an_address_becomes_a_source_of_its_type(bot, tmp_path, place, table):
    done = bot("source", "add", "manual", place)
    assert done.returncode == 0, done.stderr
    assert table in (tmp_path / "bot.toml").read_text()
    assert bot("config", "check").returncode == 0


def test_an_address_with_a_password_is_refused(bot, tmp_path):
    done = bot("source", "add", "manual", "https://ann:secret@ex.test/a.git")
    assert done.returncode == 2
    assert "must not hold" in done.stderr
    assert not (tmp_path / "bot.toml").exists()
