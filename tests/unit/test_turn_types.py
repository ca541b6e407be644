"""The values that flow through a turn: frozen, named, and safe by default."""

import dataclasses

import pytest

import bot
from bot import document, turn

FROZEN = [
    value
    for module in (turn, document)
    for value in vars(module).values()
    if dataclasses.is_dataclass(value) and value.__module__ == module.__name__
]
NAMELESS = {turn.Status, turn.TextDelta, turn.Finished, turn.Failed}


@pytest.mark.parametrize("kind", FROZEN, ids=lambda kind: kind.__name__)
def test_every_value_is_frozen_small_and_documented(kind):
    parameters = kind.__dataclass_params__
    assert parameters.frozen
    assert hasattr(kind, "__slots__")
    assert kind.__doc__
    assert not kind.__doc__.startswith(f"{kind.__name__}(")  # what dataclass writes itself
    if kind not in NAMELESS:
        assert all(field.kw_only for field in dataclasses.fields(kind))


def test_who_may_read_a_passage_must_be_said():
    with pytest.raises(TypeError, match="readers"):
        bot.Passage(id="1", text="text")


def test_a_turn_asks_as_everyone_and_nothing_more():
    assert bot.Turn(id="t", question="q").principals == {"everyone"}


def test_a_document_takes_the_readers_of_its_source_unless_it_says_its_own():
    assert bot.Document(key="k", text="t").readers is None


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (bot.Turn(id="t", question="q"), "filters"),
        (bot.Passage(id="1", text="t", readers=frozenset()), "metadata"),
        (bot.Document(key="k", text="t"), "metadata"),
    ],
)
def test_a_default_mapping_is_shared_and_so_cannot_be_changed(value, name):
    with pytest.raises(TypeError):
        getattr(value, name)["x"] = 1


def test_values_cannot_be_changed_but_replaced():
    asked = bot.Turn(id="t", question="q")
    with pytest.raises(dataclasses.FrozenInstanceError):
        asked.question = "other"
    assert dataclasses.replace(asked, question="other").question == "other"


def test_outcomes_are_their_names():
    assert [str(outcome) for outcome in turn.Outcome] == ["answered", "refused", "failed"]


def test_every_public_name_is_importable_from_the_package():
    for name in bot.__all__:
        assert getattr(bot, name) is not None
    with pytest.raises(AttributeError, match="nonsense"):
        _ = bot.nonsense
