"""What is printed: sources under the answer, JSON for programs, nothing a terminal obeys."""

import io
import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.cli import output
from bot.errors import UsageError
from bot.turn import Answer, Citation, Failed, Finished, Outcome, Status, TextDelta

CITATION = Citation(marker=1, uri="https://x/y", title="Guide", quote="q", location="Guide › Ports")


def answer(**changes):
    values = {
        "turn": "abc",
        "outcome": Outcome.answered,
        "text": "So it is. [1]",
        "citations": (CITATION,),
        "timings": {"total": 1234.5},
    }
    return Answer(**values | changes)


async def printed(*events):
    async def stream():
        for event in events:
            yield event

    out = io.StringIO()
    code = await output.print_answer(stream(), out)
    return code, out.getvalue()


async def test_an_answer_its_sources_and_its_reference():
    code, text = await printed(
        Status("Searching"),
        TextDelta("So it "),
        TextDelta("is. [1]"),
        Finished(answer(notices=("wiki did not work and was left out.",))),
    )
    assert code == 0
    assert text.startswith("So it is. [1]\n")
    assert "[1] Guide › Ports — https://x/y" in text
    assert "Note: wiki did not work" in text
    assert "turn abc" in text


async def test_a_failure_apologizes_and_tells_the_operator_apart(capsys):
    failed = answer(outcome=Outcome.failed, text="", error="it broke")
    code, text = await printed(Failed("Sorry, look up abc.", "abc", failed))
    assert code == 1
    assert "Sorry, look up abc." in text
    assert "it broke" not in text
    assert "it broke" in capsys.readouterr().err


async def test_nothing_that_a_terminal_obeys_is_printed():
    evil = "a\x1b]8;;http://evil\x07b\x9b31m\u202ec"
    citation = Citation(marker=1, uri=evil, title=evil, quote="", location=evil)
    end = Finished(answer(citations=(citation,), notices=(evil,)))
    _, text = await printed(TextDelta("a\x1b"), TextDelta("[31mb"), TextDelta(evil), end)
    assert not set("\x1b\x07\x9b\u202e") & set(text)
    assert "evil" not in text


@pytest.mark.parametrize(
    ("citation", "line"),
    [
        (CITATION, "Guide › Ports — https://x/y"),
        (Citation(marker=1, uri="u", title="A", quote="", location="page 3"), "A › page 3 — u"),
        (Citation(marker=1, uri="u", title="A", quote=""), "A — u"),
        (Citation(marker=1, uri="u", title="", quote=""), "u"),
        (Citation(marker=1, uri="u", title="A\nB", quote=""), "A B — u"),
    ],
)
def test_a_source_is_one_line(citation, line):
    assert output.source_line(citation) == line


def test_an_answer_as_json():
    found = json.loads(output.answer_json(answer()))
    assert found["outcome"] == "answered"
    assert found["text"] == "So it is. [1]"
    assert found["turn"] == "abc"
    assert found["timings"] == {"total": 1234.5}
    [cited] = found["citations"]
    assert {"marker": 1, "uri": "https://x/y", "title": "Guide", "quote": "q"}.items() <= (
        cited.items()
    )


@given(st.text(st.characters(codec=None) | st.sampled_from('\x1b\x9b\x7f\u202e\ud800\\"')))
def test_json_says_the_same_and_commands_no_terminal(text):
    line = output.dumps({"text": text})
    assert json.loads(line) == {"text": text}
    line.encode()
    assert not any(ord(c) < 32 or 0x7F <= ord(c) < 0xA0 or c in "\u202e\u2066" for c in line)


def test_json_writes_dates_and_sets():
    value = {"at": datetime(2025, 1, 2, tzinfo=UTC), "readers": frozenset({"b", "a"})}
    assert json.loads(output.dumps(value)) == {
        "at": "2025-01-02T00:00:00+00:00",
        "readers": ["a", "b"],
    }


def test_a_listing_in_a_pipe_is_tab_separated(capsys):
    rows = [{"name": "a\tb\nc", "on": None, "tags": ["x", "y"]}, {"name": "d", "on": 1, "tags": []}]
    output.print_rows(rows, as_json=False, empty="none")
    assert capsys.readouterr().out == "name\ton\ttags\na b c\t–\tx, y\nd\t1\t\n"


def test_an_empty_listing_says_so_apart(capsys):
    output.print_rows([], as_json=False, empty="No sources yet.")
    assert capsys.readouterr() == ("", "No sources yet.\n")
    output.print_rows([], as_json=True, empty="No sources yet.")
    assert capsys.readouterr() == ("[]\n", "")


def test_filters_are_read_and_collected():
    assert output.filters(["a=1", "b=x=y", "a=2", "c="]) == {
        "a": ("1", "2"),
        "b": ("x=y",),
        "c": ("",),
    }


@pytest.mark.parametrize("wrong", ["a", "=1", ""])
def test_a_filter_without_key_or_value_is_refused(wrong):
    with pytest.raises(UsageError, match="KEY=VALUE"):
        output.filters([wrong])


@pytest.mark.parametrize("explain", [True, False])
async def test_reasoning_is_shown_to_who_asks_for_it(explain):
    done = answer(reasoning="The mat \x1b[31mis blue.")

    async def events():
        yield Finished(done)

    out = io.StringIO()
    assert await output.print_answer(events(), out, explain=explain) == 0
    assert ("The mat is blue." in out.getvalue()) is explain
    assert ("reasoning" in output.answer_json(done, explain=explain)) is explain
