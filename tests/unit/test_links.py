"""No link but those of the sources comes through, however it is cut and dressed."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.links import LEFT_OUT, LinkStream

SOURCES = [
    "See https://wiki.example.com/leave?id=1 and http://intra.example.com/Mercury_(planet).",
    "https://docs.example.com/page#part",
]


def said(text, size=7):
    stream = LinkStream(SOURCES)
    pieces = [stream.feed(text[at : at + size]) for at in range(0, len(text), size)]
    return "".join(pieces) + stream.end()


@pytest.mark.parametrize(
    "text",
    [
        "Read https://wiki.example.com/leave?id=1.",
        "Read [it](https://docs.example.com/page#part), please.",
        "The planet: http://intra.example.com/Mercury_(planet)!",
        "A ratio of 1:2, a time 10:30, a path /etc/hosts and the word http.",
        "No link at all, www is three letters, and https too",
    ],
)
@pytest.mark.parametrize("size", [1, 3, 1000])
def test_what_the_sources_have_comes_through(text, size):
    assert said(text, size) == text


@pytest.mark.parametrize(
    "link",
    [
        "https://evil.example/?q=secret",
        "HTTPS://EVIL.example/x",
        "https://wiki.example.com/leave?id=1&q=secret",
        "https://wiki.example.com/leave?id=1@evil.example",
        "www.evil.example/x",
        "ftp://evil.example/x",
        "javascript://evil.example/%0aalert(1)",
        "slack://channel?team=1",
        "mailto:evil@example.com?body=secret",
        "javascript:evil()",
    ],
)
@pytest.mark.parametrize(
    "dress", ["{}", "[here]({})", "![x]({})", "<{}>", '<a href="{}">', "`{}`", "see:{}."]
)
@pytest.mark.parametrize("size", [1, 5, 1000])
def test_what_they_have_not_is_left_out(link, dress, size):
    text = said(f"Look: {dress.format(link)} and on.", size)
    assert "evil" not in text.lower()
    assert "secret" not in text
    assert "channel" not in text
    assert LEFT_OUT in text
    assert text.endswith(" and on.")


@given(st.text(alphabet="htps:/w.evil ()[]\n?q=1", max_size=80), st.integers(1, 9))
def test_cutting_changes_nothing(text, size):
    assert said(text, size) == said(text, 1000)


@given(st.text(max_size=80))
def test_other_text_is_never_changed(text):
    if not re.search(r"://|www\.", text, re.IGNORECASE):
        assert said(text) == text
