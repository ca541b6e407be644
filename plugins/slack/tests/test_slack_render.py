"""Markdown made fit for Slack: what it becomes, however it is cut."""

import random
import re

import pytest
from bot_slack.blocks import ending, source_line, summary
from bot_slack.code import JOINER
from bot_slack.draft import SIZE, Draft
from bot_slack.links import Links, misleading, usable
from bot_slack.mrkdwn import mrkdwn
from bot_slack.render import Cleaner, clean
from hostile import CORPUS
from hypothesis import example, given, settings
from hypothesis import strategies as st
from slack_world import URI, passage

from bot import Answer, Citation
from bot.turn import Outcome

LINKS = Links([passage("See https://docs.example.com/other for more.")])


def visible(text):
    return text.replace(JOINER, "")


@pytest.mark.parametrize(
    ("given_", "shown"),
    [
        ("**bold** and *thin*", "**bold** and *thin*"),
        ("# Title\n\ntext", "# Title\n\ntext"),
        ("- a\n- b\n  1. c", "- a\n- b\n  1. c"),
        ("1 < 2 & 3 > 2", "1 &lt; 2 &amp; 3 &gt; 2"),
        ("> quoted", "> quoted"),
        ("opens at nine [1].", f"opens at nine [1]({URI})."),
        ("nine [2].", "nine [2]."),  # there is no second source
        (f"[Handbook]({URI})", f"[Handbook]({URI})"),
        ("[elsewhere](https://evil.example/c)", "elsewhere"),
        ("![a picture](https://evil.example/c)", "a picture"),
        ("see https://evil.example/c", "see `evil.example`"),
        ("see https://docs.example.com/other", "see `https://docs.example.com/other`"),
        ("`x < y`", "`x < y`"),
        ("`<!DOCTYPE html>`", "`<!DOCTYPE html>`"),
        ("```python\nif x < y:\n    pass\n```\n", "```python\nif x < y:\n    pass\n```\n"),
        ("```\nnever closed", "```\nnever closed\n```"),
        ("a<br>b", "a\nb"),
        ("AT&amp;T", "AT&amp;T"),
        ("see setup.py and a.md", "see `setup.py` and `a.md`"),
    ],
)
def test_what_slack_is_given(given_, shown):
    assert visible(clean(given_, LINKS)) == shown


def test_tables_become_columns_or_lists():
    small = "| day | opens |\n|---|---|\n| **Monday** | nine |\n"
    assert visible(clean(small)) == "```\nday    │ opens\n───────┼──────\nMonday │ nine\n```\n"
    wide = f"| a | b |\n|---|---|\n| {'x' * 50} | {'y' * 50} |\n"
    assert visible(clean(wide)) == f"- a: {'x' * 50}; b: {'y' * 50}\n"


@pytest.mark.parametrize("text", CORPUS)
def test_a_text_is_the_same_however_it_is_cut(text):
    if len(text) > 1000:
        text = text[:400]  # beyond the limits a cut may show
    whole = clean(f"before {text} after", LINKS)
    for seed in range(3):
        random_ = random.Random(seed)
        cleaner, out, rest = Cleaner(LINKS), [], f"before {text} after"
        while rest:
            size = random_.choice([1, 1, 2, 5, 20])
            out += cleaner.feed(rest[:size])
            rest = rest[size:]
        assert "".join(out + cleaner.end()) == whole


_CODE = re.compile(r"(?<!`)(`+)(?!`).*?(?<!`)\1(?!`)", re.DOTALL)


@pytest.mark.parametrize("code", ["`<!group>`", "```\n<!group>\n```", "`<!future|x>`"])
def test_no_command_survives_in_code(code):
    assert "<!" not in clean(code)
    assert clean("`<!DOCTYPE html>`") == "`<!DOCTYPE html>`"  # it can be copied


@given(st.text(alphabet="ab <>&@!#[]()`*_~|\\\n-:./1;", max_size=60))
@example("`<!`")
@example("`<!-- a` <!b> `<@a>` `<!`channel>")
@settings(max_examples=150, deadline=None)
def test_no_entity_survives_and_nothing_is_lost_that_people_read(text):
    out = clean(text)
    assert "<!" not in out.replace("`", "")
    assert "<@" not in out.replace("`", "")
    assert not re.search("<[!@#]", _CODE.sub("", out))
    assert [c for c in out if c in "ab"] or not any(c in "ab" for c in text) or "(" in text


@pytest.mark.parametrize(
    ("markdown", "text"),
    [
        ("# Title", "*Title*"),
        ("**bold** *thin* ~~gone~~", "*bold* _thin_ ~gone~"),
        ("- a\n- b\n  - c", "• a\n• b\n    • c"),
        ("3. a\n4. b", "3. a\n4. b"),
        (f"[Handbook]({URI})", f"<{URI}|Handbook>"),
        ("> quoted", "> quoted"),
        ("`code`", "`code`"),
        ("```\na\nb\n```", "```\na\nb\n```"),
        ("a &lt; b", "a &lt; b"),
    ],
)
def test_notifications_are_written_in_mrkdwn(markdown, text):
    assert mrkdwn(markdown) == text


def test_a_summary_is_short_and_never_empty():
    assert summary("") == "…"
    assert len(summary("word " * 5000)) < 5000


def test_a_label_that_names_another_host_is_replaced():
    assert misleading("https://evil.example", URI)
    assert not misleading("docs.example.com/handbook", URI)
    assert "docs.example.com>" in source_line(
        Citation(marker=1, uri=URI, title="https://evil.example/login", quote="")
    )


@pytest.mark.parametrize(
    ("uri", "safe"),
    [
        ("https://docs.example.com/a b", ""),
        ("https://docs.example.com/a|b>", "https://docs.example.com/a%7Cb%3E"),
        ("https://user@evil.example/", ""),
        ("javascript:alert(1)", ""),
        ("docs/local.md", ""),
        ("HTTPS://Docs.Example.com/A", "https://docs.example.com/A"),
    ],
)
def test_which_addresses_may_be_links(uri, safe):
    assert usable(uri) == safe


def test_what_stands_below_each_kind_of_answer():
    def kinds(outcome, **options):
        answer = Answer(turn="t", outcome=outcome, text="x", citations=(), **{})
        return [b["type"] for b in ending(answer, **options)]

    assert kinds(Outcome.answered) == ["context_actions"]
    assert kinds(Outcome.refused, handover=True) == ["context_actions", "actions"]
    assert kinds(Outcome.failed, handover=True) == ["actions"]
    assert kinds(Outcome.answered, handover=True, private=True) == ["context_actions", "actions"]


@given(st.lists(st.sampled_from(["word ", "```py\n", "```\n", "ü" * 500, "a line\n"]), max_size=90))
@settings(max_examples=60, deadline=None)
def test_a_draft_is_cut_into_whole_messages(tokens):
    draft = Draft()
    fence = False
    given_ = []
    for token in tokens:
        if token == "```py\n" and fence:
            continue
        if token == "```\n" and not fence:
            continue
        fence = (fence or token == "```py\n") and token != "```\n"
        given_.append(token)
    draft.add(given_)
    draft.cut()
    assert all(len(part.encode()) <= SIZE for part in draft.parts)
    assert all(part.count("```") % 2 == 0 for part in draft.parts)
    words = "".join(token for token in given_ if "```" not in token)
    kept = "".join(draft.parts).replace("```py\n", "").replace("\n```", "\n").replace("```", "")
    assert kept.replace("\n", "") == words.replace("\n", "")
