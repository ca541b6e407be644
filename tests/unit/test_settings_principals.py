"""Principals and groups."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.errors import UsageError
from bot.settings import Settings, principal, principals


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("everyone", "everyone"),
        ("Everyone", "everyone"),
        (" Alice@Example.com ", "email:alice@example.com"),
        ("EMAIL:Alice@Example.com", "email:alice@example.com"),
        ("group:HR", "group:HR"),
        ("slack:channel:t01/c02", "slack:channel:T01/C02"),
    ],
)
def test_a_principal_has_one_form(text, expected):
    assert principal(text) == expected
    assert principal(expected) == expected


@pytest.mark.parametrize(
    "text",
    ["", "alice", "email:alice", "email:a@", "group:", "group:a b", "slack:channel:T01", "x:y",
     "slack:user:U1", "everyone:x", "email:a@b c", "a@b@c\n@d", ":", "@"],
)  # fmt: skip
def test_anything_else_is_refused(text):
    with pytest.raises(UsageError, match=r"is nobody; write everyone"):
        principals(Settings(), [text])


def test_everyone_is_always_there():
    assert principals(Settings(), []) == {"everyone"}


def test_groups_of_groups_are_added_and_circles_end():
    settings = Settings(
        groups={
            "hr": ["alice@example.com"],
            "staff": ["group:hr", "group:circle"],
            "circle": ["group:staff"],
            "all": ["everyone"],
            "other": ["bob@example.com", "group:nobody"],
        }
    )
    assert principals(settings, ["ALICE@example.com"]) == {
        "everyone",
        "email:alice@example.com",
        "group:hr",
        "group:staff",
        "group:circle",
        "group:all",
    }
    assert principals(settings, []) == {"everyone", "group:all"}
    assert principals(settings, ["group:circle"]) >= {"group:circle", "group:staff"}


@given(st.text())
def test_any_text_is_a_principal_in_its_one_form_or_refused(text):
    try:
        found = principal(text)
    except ValueError:
        return
    assert principal(found) == found
    assert "\n" not in found
