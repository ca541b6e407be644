"""docs/plugin-authors/hooks.md is what bot.authoring.reference writes from the specifications."""

import inspect
import re
from pathlib import Path

import pytest

from bot import hookspecs
from bot.authoring.reference import reference

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/plugin-authors/hooks.md").read_text(encoding="utf-8")
HOOKS = {
    name: function
    for name, function in vars(hookspecs).items()
    if inspect.isfunction(function) and hasattr(function, "bot_spec")
}


def test_the_page_is_what_the_specifications_say():
    told = "run `python -m bot.authoring.reference > docs/plugin-authors/hooks.md`"
    assert reference() == PAGE, told


def test_the_page_has_every_hook():
    assert len(HOOKS) > 20
    assert set(re.findall(r"^### `(\w+)`$", PAGE, re.MULTILINE)) == set(HOOKS)


@pytest.mark.parametrize("hook", HOOKS)
def test_each_hook_says_when_it_is_called_what_it_gives_and_what_a_failure_does(hook):
    (section,) = re.findall(rf"^### `{hook}`\n(.*?)(?=^##|\Z)", PAGE, re.MULTILINE | re.DOTALL)
    told = dict(re.findall(r"^- \*\*(.+?):?\*\* (.+)", section, re.MULTILINE))
    assert list(told) == ["Called", "Gives", "A failure", "Since"]
    assert re.fullmatch(r"\d+\.\d+\.", told["Since"])
    assert HOOKS[hook].since
    assert f"def {hook}(" in section
    for name in inspect.signature(HOOKS[hook]).parameters:
        assert f"{name}:" in section
