"""docs/users/slack.md has every key with its default, as the core's page has the core's."""

import json
import re
from pathlib import Path

import pytest
from bot_slack.settings import RoomSettings, SlackSettings
from pydantic_core import PydanticUndefined, to_jsonable_python

TEXT = (Path(__file__).parents[3] / "docs" / "users" / "slack.md").read_text(encoding="utf-8")
SECTIONS = {"Rooms": RoomSettings, "All settings": SlackSettings}
FIELDS = [
    (heading, name, field)
    for heading, model in SECTIONS.items()
    for name, field in model.model_fields.items()
]


def section(heading):
    (found,) = [text for text in re.split(r"^## ", TEXT, flags=re.M) if text.startswith(heading)]
    return found


def written(field):
    default = field.get_default(call_default_factory=True)
    if default is PydanticUndefined:
        return "required"
    return "not set" if default is None else f"`{json.dumps(to_jsonable_python(default))}`"


@pytest.mark.parametrize(("heading", "name", "field"), FIELDS, ids=lambda v: str(v)[:40])
def test_every_key_is_documented_with_its_default(heading, name, field):
    assert f"| `{name}` | {written(field)} | " in section(heading)


@pytest.mark.parametrize("heading", SECTIONS)
def test_no_documented_key_is_invented(heading):
    rows = re.findall(r"^\| `(\w+)` \|", section(heading), flags=re.MULTILINE)
    assert rows == list(SECTIONS[heading].model_fields)
