"""One tree of errors, each a sentence, each with an exit code."""

import inspect

import pytest

from bot import errors

CLASSES = [
    value
    for value in vars(errors).values()
    if inspect.isclass(value) and value.__module__ == "bot.errors"
]


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_every_error_is_ours_and_its_docstring_is_one_sentence(kind):
    assert issubclass(kind, errors.BotError)
    first = inspect.cleandoc(kind.__doc__).split("\n\n")[0]
    assert first.endswith(".")
    assert kind.exit_code in (1, 2)


@pytest.mark.parametrize(
    "kind", [k for k in CLASSES if k is not errors.HookFailed], ids=lambda kind: kind.__name__
)
def test_the_docstring_is_the_default_message(kind):
    assert str(kind()) == " ".join(inspect.cleandoc(kind.__doc__).split())
    assert str(kind("Something else.")) == "Something else."


def test_wrong_use_exits_with_2_and_failure_with_1():
    assert errors.UsageError.exit_code == errors.ConfigError.exit_code == 2
    assert errors.DatabaseUnavailable.exit_code == 1


def test_a_failed_hook_names_plugin_hook_and_reason():
    failed = errors.HookFailed("wiki", "bot_retrieve", "raised KeyError: 'x'")
    assert str(failed) == "wiki: bot_retrieve raised KeyError: 'x'"
    assert (failed.plugin, failed.hook) == ("wiki", "bot_retrieve")
