"""docs/users/configuration.md has every key of the core with its default, and its examples work."""

import json
import re
from pathlib import Path

import pytest
from pydantic_core import PydanticUndefined, to_jsonable_python

from bot import settings as configuration
from bot.assembly import installed
from bot.indexing import builtin
from bot.settings import Settings

PAGE = Path(__file__).parents[2] / "docs" / "users" / "configuration.md"
TEXT = PAGE.read_text(encoding="utf-8")
SECTIONS = re.split(r"^##+ ", TEXT, flags=re.MULTILINE)

KEYED = {
    "Top of the file": ("home", "database_url"),
    "`[assistants.NAME]`": configuration.AssistantSettings,
    "`[retrievers.NAME]`": configuration.ComponentTable,
    "`[sources.NAME]`": configuration.SourceTable,
    '`type = "folder"`': builtin.FolderSettings,
    '`type = "file"`': builtin.FileSettings,
    '`type = "jsonl"`': builtin.JsonlSettings,
    "`[index]`": configuration.IndexSettings,
    "`[embedders.NAME]`": builtin.StructureSettings,
    "`[conversations]`": configuration.ConversationsSettings,
    "`[plugins]`": configuration.PluginsSettings,
    "`[limits]`": configuration.LimitsSettings,
    "`[budget]`": configuration.BudgetSettings,
}
FIELDS = [
    (heading, name, model.model_fields[name])
    for heading, keys in KEYED.items()
    for model in [Settings if isinstance(keys, tuple) else keys]
    for name in (keys if isinstance(keys, tuple) else model.model_fields)
]
EXAMPLES = re.findall(r"^```toml\n(.*?)^```", TEXT, flags=re.MULTILINE | re.DOTALL)


def section(heading):
    (found,) = [text for text in SECTIONS if text.startswith(heading)]
    return found


def written(field):
    default = field.get_default(call_default_factory=True)
    if default is PydanticUndefined:
        return "required"
    return "not set" if default is None else f"`{json.dumps(to_jsonable_python(default))}`"


@pytest.mark.parametrize(("heading", "name", "field"), FIELDS, ids=lambda v: str(v)[:40])
def test_every_key_is_documented_with_its_default(heading, name, field):
    assert f"| `{name}` | {written(field)} | " in section(heading)


def test_no_documented_key_is_invented():
    rows = re.findall(r"^\| `(\w+)` \|", TEXT, flags=re.MULTILINE)
    assert sorted(rows) == sorted(name for _, name, _ in FIELDS)


def test_every_table_of_the_core_has_a_section():
    tables = set(Settings.model_fields) - {"home", "database_url"}
    headings = " ".join(text.partition("\n")[0] for text in SECTIONS)
    assert {table for table in tables if f"`[{table}" not in headings} == set()


@pytest.mark.parametrize("name", sorted({"BOT_CONFIG", "BOT_DEBUG", "BOT_PLUGINS", "BOT_HOME"}))
def test_every_special_variable_is_documented(name):
    assert f"`{name}" in TEXT


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_every_example_can_be_used(number, tmp_path):
    path = tmp_path / "bot.toml"
    path.write_text(EXAMPLES[number], encoding="utf-8")
    environ = {"DATABASE_URL": "postgresql://bot:password@db.example.com/bot"}
    found = configuration.read(path, environ)
    plugins = installed(found, environ)
    names = [one.name for one in plugins.loaded if not one.error]
    checked = configuration.check(found, plugins.component, plugins.types, names)
    assert checked.types
    assert found.warnings == []


def test_every_variable_of_the_example_is_a_setting():
    shown = dict(re.findall(r"^export (BOT_\w+)='?(.*?)'?$", TEXT, flags=re.MULTILINE))
    assert len(shown) == 4
    assert configuration.read(None, shown).warnings == []
