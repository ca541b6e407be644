import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.sentences import sentences


def split(text: str) -> list[str]:
    return [text[start:end] for start, end in sentences(text)]


@pytest.mark.parametrize(
    "expected",
    [
        ["It works.", "Try it!", "Does it?", "Yes."],
        ["Use a small one, e.g. Qwen, i.e. The Model.", "Then go on."],
        ["Version v1.2.3 is 3.5 % faster.", "It has `a. B` and foo.bar() too."],
        ["Dr. Smith met J. R. R. Tolkien.", "They talked."],
        ["He lives in the U.S. Army base.", "It is big."],
        ["He moved to the U.S.", "He liked it there."],
        ["See Fig. 3 and No. 5 on p. 7.", "The answer is no.", "Stop."],
        ["See https://example.com/a.b?c=d. for more.", "Or not…", "Perhaps... soon."],
        ['"What?" he said.', '"Nothing."', "(It was late.)", "He left."],
        ["It rose.[1]", "It fell [2].", "**Note.**", "Done."],
        ["It was late (etc.) and dark.", "Acme Inc. Germany was closed."],
        ["Wait for 5 min. or so, then stop.", "3 more follow."],
    ],
)
def test_english(expected: list[str]) -> None:
    assert split(" ".join(expected)) == expected


@pytest.mark.parametrize(
    "expected",
    [
        ["今天天气很好。", "我们去公园吧！", "你去吗？", "我去；", "他不去。"],
        ["他说：“你好。”", "然后他走了……", "没有回来。"],
        ["彼は「行こう。」と言った。", "『そうだ。』", "終わり。"],
        ["真的?", "当然!", "版本1.2.3发布了。"],
    ],
)
def test_cjk(expected: list[str]) -> None:
    assert split("".join(expected)) == expected


def test_markdown_structure_ends_sentences_and_wrapped_lines_do_not() -> None:
    text = """# Install. On Windows
Run this first. It is
short
- One item. With two sentences
  that wrap
- Another
1. Numbered. Item
2. Second

```python
a = 1. # No. Break

b = 2
```
| a. B | c |
|------|---|
| d    | e |
After the table
***
> Quoted text
> that wraps. End
"""
    assert split(text) == [
        "# Install. On Windows",
        "Run this first.",
        "It is\nshort",
        "- One item.",
        "With two sentences\n  that wrap",
        "- Another",
        "1. Numbered.",
        "Item",
        "2. Second",
        "```python\na = 1. # No. Break\n\nb = 2\n```",
        "| a. B | c |",
        "|------|---|",
        "| d    | e |",
        "After the table",
        "***",
        "> Quoted text\n> that wraps.",
        "End",
    ]


def test_fences() -> None:
    assert split("~~~\nA. B\n```\nC. D") == ["~~~\nA. B\n```\nC. D"]
    assert split("````\n```\nA. B\n````\nEnd") == ["````\n```\nA. B\n````", "End"]
    assert split("```inline``` is no fence. So") == ["```inline``` is no fence.", "So"]
    assert split("> ```\n> A. B\n> ```\nEnd") == ["> ```\n> A. B\n> ```", "End"]


def test_windows_line_ends_and_blank_lines() -> None:
    assert split("One\r\nline\r\n\r\nTwo\r\n```\r\nA. B\r\n```\r\nThree") == [
        "One\r\nline",
        "Two",
        "```\r\nA. B\r\n```",
        "Three",
    ]


TRICKY = st.text(alphabet="aA1 .!?…。」\"')[]`~#|-*>\n\r\t\u2028\ud800と", max_size=80)


@given(st.one_of(st.text(), TRICKY))
def test_spans_are_ordered_trimmed_and_complete(text: str) -> None:
    spans = sentences(text)
    at = 0
    for start, end in spans:
        assert not text[at:start].strip()
        assert text[start:end] == text[start:end].strip() != ""
        at = end
    assert not text[at:].strip()


@given(TRICKY)
def test_no_sentence_outside_code_crosses_a_blank_line(text: str) -> None:
    for part in split(text):
        if "```" not in part and "~~~" not in part:
            assert "\n\n" not in part


@pytest.mark.parametrize("piece", [".", "`", "a. ", " ", "> ", "- ", "。」", "\n", "(", "*", "[1]"])
def test_it_reads_each_character_a_bounded_number_of_times(piece: str) -> None:
    """Quadratic work on 300,000 characters would take hours."""
    text = "x." + piece * (300_000 // len(piece)) + "x"
    assert "".join(split(text)).replace("\n", "")


def test_where_nothing_is_capitalized_a_small_letter_begins_a_sentence():
    text = "we sold apples, pears etc. and plums. the u.s. paid. prices rose by 0.25 vs. 2016."
    found = [text[start:end] for start, end in sentences(text)]
    assert found == [
        "we sold apples, pears etc. and plums.", "the u.s. paid.", "prices rose by 0.25 vs. 2016.",
    ]  # fmt: skip
    assert len(sentences("It ends in approx. three hours. and That is so.")) == 1
