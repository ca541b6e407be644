"""Newcomers' questions on the project's own documentation, answered by the product as installed."""

import shutil
import sys
import tempfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT))  # for what the benchmark measures

from bench.quality import own  # noqa: E402  # after its folder is on the path

# Below what is measured (docs/quality/README.md), by as much as other words in a few pages change.
RIGHT = 0.6
REFUSED = 0.8


def test_each_question_has_pages_that_still_hold_its_answer():
    for expected in own.read():
        for page in expected.pages:
            text = (ROOT / "docs" / page).read_text(encoding="utf-8")
            assert expected.held(text), (
                f"{page} no longer holds {expected.holds}: change own_docs.jsonl with it, "
                f"for the question {expected.question!r}"
            )


@pytest.fixture
def home():
    folder = Path(tempfile.mkdtemp(prefix="bot-", dir="/tmp"))  # short: sockets have a limit
    folder.chmod(0o755)  # as root the server runs as another user
    yield folder
    shutil.rmtree(folder)


async def test_most_questions_are_answered_rightly_and_what_has_no_answer_is_refused(home):
    asked = await own.ask(ROOT / "docs", home, own.read())
    answerable = [one for one in asked if one.expected.pages]
    without = [one for one in asked if not one.expected.pages]
    wrong = [one.expected.question for one in answerable if not one.right]
    assert len(answerable) >= 50
    assert 1 - len(wrong) / len(answerable) >= RIGHT, wrong
    answered = [(one.expected.question, one.text) for one in without if one.text]
    assert 1 - len(answered) / len(without) >= REFUSED, answered
