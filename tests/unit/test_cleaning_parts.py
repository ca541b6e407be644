"""Languages, boilerplate and near-duplicates, each alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.indexing.boilerplate import Boilerplate, paragraphs
from bot.indexing.duplicates import Duplicates, signature
from bot.indexing.language import language

NOTICE = "This page is licensed to everybody who wants to read it.\nWas it helpful?"
EVERYONE = frozenset({"everyone"})


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("en", "You can take the days off that remain until the end of March next year."),
        ("de", "Der Urlaub verfällt am Ende des Monats März, wenn er nicht genommen wird."),
        ("fr", "Les congés non pris sont perdus à la fin du mois de mars de l'année suivante."),
        ("zh", "员工每年有三十天的假期，未使用的假期将于次年三月底失效，请提前申请。"),
        ("ja", "未使用の休暇は翌年の三月末に失効しますので、早めに申請してください。"),
        ("es", "Las vacaciones que no se disfruten caducan a finales de marzo del año siguiente."),
    ],
)
def test_the_language_of_prose(code, text):
    assert language(text) == code
    with_code = (
        f"```python\nimport os; print(os.environ)\n```\n\n{text}\n\n<div class='note'></div>"
    )
    assert language(with_code) == code


@pytest.mark.parametrize(
    "text", ["", "   ", "OK", "4711 0815", "```\nwhile True: pass\n```", "😀" * 99]
)
def test_what_says_too_little_has_no_language(text):
    assert language(text) == ""


@given(st.text(max_size=300))
def test_any_text_has_a_code_or_none(text):
    assert language(text) == "" or len(language(text)) == 2


def test_a_paragraph_of_many_documents_is_left_out_from_the_sixth_on():
    boilerplate = Boilerplate()
    for number in range(5):
        text = f"# Page {number}\n\nOnly here: {number}.\n\n{NOTICE}\n"
        assert boilerplate.without(text) == (text, 0)
    text = f"# Page 6\n\n{NOTICE}\n\nOnly in the last one.\n"
    assert boilerplate.without(text) == ("# Page 6\n\nOnly in the last one.\n", 1)
    assert len(boilerplate.fresh) == 1


def test_a_text_that_is_nothing_but_boilerplate_stays():
    boilerplate = Boilerplate()
    for _ in range(9):
        assert boilerplate.without(NOTICE) == (NOTICE, 0)


def test_a_paragraph_of_few_among_many_documents_stays():
    boilerplate = Boilerplate()
    for number in range(100):
        text = f"Number {number} is something else.\n\n{NOTICE if number % 10 == 0 else ''}"
        assert boilerplate.without(text) == (text, 0)


def test_what_was_judged_before_is_left_out_once_five_documents_are_known_to_keep_it():
    first = Boilerplate()
    for number in range(9):
        first.without(f"Number {number} is this one.\n\n{NOTICE}")
    later = Boilerplate(first.fresh)
    for number in range(100):
        text = f"Number {number} is this one.\n\n{NOTICE if number < 5 else ''}"
        later.store(str(number), text)
    text = f"Something new, at last.\n\n{NOTICE}"
    assert later.without(text) == (text, 0)  # the others may all be gone
    for number in range(100):
        later.still(str(number))
    assert later.without(text) == ("Something new, at last.\n\n", 1)


def test_headings_code_and_tables_are_never_boilerplate():
    kept = [
        "# A heading that stands on every page",
        "```sh\npip install something-useful\n\nrun something-useful\n```",
        "| a column | another column |\n|---|---|\n| a value | another value |",
        "    indented code that is rather long",
        "short",
    ]
    boilerplate = Boilerplate()
    text = "\n\n".join([*kept, "the end of the page, for sure"])
    for number in range(9):
        boilerplate.without(f"{text}\n\nand in number {number} something more")
    left, count = boilerplate.without(text + "\n\nnew")
    assert count == 1
    assert all(each in left for each in kept)


@given(st.text(alphabet="ab \n`~#|\t", max_size=200))
def test_paragraphs_lie_in_order_without_overlap(text):
    at = 0
    for start, end in paragraphs(text):
        assert at <= start < end <= len(text)
        at = end


def words(count, start=0):
    return " ".join(f"word{n}" for n in range(start, start + count))


def test_documents_that_differ_in_a_word_or_two_are_the_same_and_others_are_not():
    seen = Duplicates()
    seen.learn("a", words(400), EVERYONE)
    assert seen.like(words(400).replace("word7 ", "other "), EVERYONE)[0] == "a"
    assert seen.like(words(400).upper(), EVERYONE) == ("a", 1.0)
    assert seen.like(words(400, 200), EVERYONE) is None
    assert seen.like(words(300), EVERYONE) is None


def test_chinese_is_compared_by_its_characters():
    text = "".join(chr(0x4E00 + n) for n in range(600))
    seen = Duplicates()
    seen.learn("a", text, EVERYONE)
    assert seen.like(text[:300] + "啊" + text[300:], EVERYONE)[0] == "a"
    assert seen.like(text[300:], EVERYONE) is None


def test_only_what_the_same_people_may_read_stands_for_another():
    seen = Duplicates()
    seen.learn("a", words(400), frozenset({"group:hr"}))
    assert seen.like(words(400), EVERYONE) is None
    assert seen.like(words(400), frozenset({"group:hr"})) is not None


def test_a_few_words_are_too_little_to_compare():
    assert signature(words(10)) is None
    assert signature(words(40)).shape == (128,)
