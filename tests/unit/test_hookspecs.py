"""The contract: each hook is prefixed, documented, typed, and accepted from a plugin."""

import inspect

import pytest

from bot import hookimpl, hookspecs
from bot.plugins import Plugins

HOOKS = {
    name: function
    for name, function in vars(hookspecs).items()
    if inspect.isfunction(function) and hasattr(function, "bot_spec")
}


def test_there_are_hooks_and_all_are_prefixed():
    assert {"bot_retrieve", "bot_generate", "bot_components", "bot_load"} <= set(HOOKS)
    assert all(name.startswith("bot_") for name in HOOKS)


@pytest.mark.parametrize("name", HOOKS)
def test_every_hook_is_documented_and_typed(name):
    hook = HOOKS[name]
    assert hook.__doc__
    assert hook.__doc__.strip().endswith((".", "`"))
    signature = inspect.signature(hook)
    assert signature.return_annotation is not inspect.Signature.empty
    for parameter in signature.parameters.values():
        assert parameter.annotation is not inspect.Parameter.empty, parameter


def plugin_of(names, *, rename=None):
    """A plugin that implements these hooks with all their arguments."""
    source = []
    for name in names:
        arguments = ", ".join(inspect.signature(HOOKS[name]).parameters)
        source.append(f"@hookimpl\ndef {rename or name}({arguments}):\n    return ()\n")
    space = {"hookimpl": hookimpl}
    exec("\n".join(source), space)
    return type("Plugin", (), {n: staticmethod(f) for n, f in space.items() if n[:4] == "bot_"})()


def test_a_plugin_with_every_hook_is_accepted():
    plugins = Plugins()
    plugins.register(plugin_of(HOOKS), "all")
    assert plugins.hooks("all") == sorted(HOOKS)


@pytest.mark.parametrize("name", HOOKS)
def test_any_hook_may_be_asynchronous_or_leave_out_arguments(name):
    space = {"hookimpl": hookimpl}
    prefix = "" if name in {"bot_components", "bot_migrations"} else "async "
    exec(f"@hookimpl\n{prefix}def {name}():\n    return ()\n", space)
    plugins = Plugins()
    plugins.register(type("Plugin", (), {name: staticmethod(space[name])})(), "one")
    assert plugins.hooks("one") == [name]


def test_the_smallest_retriever_is_four_lines():
    space = {}
    exec(
        "from bot import Passage, hookimpl\n"
        "@hookimpl\n"
        "async def bot_retrieve(turn):\n"
        "    return [Passage(id='1', text=turn.question, readers=frozenset({'everyone'}))]\n",
        space,
    )
    plugins = Plugins()
    plugins.register(type("M", (), {"bot_retrieve": staticmethod(space["bot_retrieve"])})(), "m")
    assert plugins.hooks("m") == ["bot_retrieve"]
