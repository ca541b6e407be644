"""docs/users/sources.md speaks of every setting of the built-in components."""

from pathlib import Path

import pytest

from bot.indexing.builtin import bot_components

PAGE = (Path(__file__).parents[2] / "docs/users/sources.md").read_text()


@pytest.mark.parametrize("component", bot_components(), ids=lambda each: each.type)
def test_every_setting_stands_in_its_section_with_its_description(component):
    sections = PAGE.split("\n## ")
    section = next(each for each in sections if f"`{component.type}`" in each.splitlines()[0])
    for name, field in component.settings.model_fields.items():
        assert f"| `{name}` |" in section
        assert field.description in " ".join(section.split())
