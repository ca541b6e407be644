"""docs/plugin-authors/hooks.md has every hook, with the signature of bot/hookspecs.py."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/plugin-authors/hooks.md").read_text(encoding="utf-8")


def signatures(source):
    """Each function's signature, written in one way, in order."""
    functions = [node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)]
    return {
        f.name: f"{f.name}({ast.unparse(f.args)}) -> {ast.unparse(f.returns)}" for f in functions
    }


HOOKS = signatures((ROOT / "bot/hookspecs.py").read_text(encoding="utf-8"))
DOCUMENTED = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def test_the_page_has_exactly_the_hooks_of_the_contract_in_its_order():
    assert len(HOOKS) > 20
    assert [signatures(block) for block in DOCUMENTED] == [{n: s} for n, s in HOOKS.items()]


@pytest.mark.parametrize("hook", HOOKS)
def test_each_hook_says_when_it_is_called_what_it_gives_and_what_a_failure_does(hook):
    (section,) = re.findall(rf"^### `{hook}`\n(.*?)(?=^##|\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert re.findall(r"^- \*\*(.+?)\*\*", section, re.MULTILINE) == [
        "Called",
        "Gives",
        "A failure:",
    ]
    assert f"def {hook}(" in section
