"""`ask`, `search` and `chat`: what they print, for people and for programs."""

import json

import pytest

FIELDS = {"id", "uri", "title", "text", "score", "retriever"}


def test_search_prints_passages_and_no_answer(handbook):
    out = handbook.bot("search", "-k", "1", "Where does the printer stand?").stdout
    assert out.startswith("1. The printer")
    assert "The printer stands on the second floor." in out
    assert "2. " not in out
    assert "turn" not in out


def test_search_reads_questions_from_standard_input(handbook):
    history = [
        {"role": "user", "text": "How many days of holiday do I have?"},
        {"role": "assistant", "text": "Every employee has 30 days of holiday a year."},
    ]
    follow_up = json.dumps({"question": "When do they expire?", "history": history})
    asked = f"What does the canteen serve?\n\n{follow_up}\nhow do I print\n"
    canteen, expiry, printing = handbook.lines("search", "--json", "-k", "3", stdin=asked)
    for result in (canteen, expiry, printing):
        assert set(result) == {"question", "passages"}
        assert 1 <= len(result["passages"]) <= 3
        assert all(set(passage) >= FIELDS for passage in result["passages"])
        assert all(passage["retriever"] == "documents" for passage in result["passages"])
    assert canteen["question"] == "What does the canteen serve?"
    assert canteen["passages"][0]["id"] == "canteen-7"
    assert canteen["passages"][0]["uri"] == "https://example.com/canteen"
    assert canteen["passages"][0]["title"] == "Canteen"
    scores = [passage["score"] for passage in canteen["passages"]]
    assert scores == sorted(scores, reverse=True)
    assert expiry["question"] == "When do they expire?"
    assert expiry["passages"][0]["title"] == "Holidays", "not the passwords: history carries over"


def test_search_goes_on_past_a_bad_line(handbook):
    asked = '{"question": 3\n{"quest": "x"}\n[1]\n{"question": "soup", "history": [7]}\nsoup\n'
    results = handbook.lines("search", "--json", stdin=asked, code=1)
    assert [("error" in result) for result in results] == [True, True, False, True, False]
    assert results[4]["passages"][0]["id"] == "canteen-7"


def test_search_with_a_question_and_json_prints_one_line(handbook):
    (result,) = handbook.lines("search", "--json", "soup")
    assert result["passages"][0]["id"] == "canteen-7"
    assert handbook.lines("search", "--json", stdin="") == []


def test_filters_by_metadata(handbook):
    (result,) = handbook.lines("search", "--json", "--where", "floor=1", "printer")
    assert [passage["id"] for passage in result["passages"]] == ["canteen-7"]


def test_search_explains_why_each_passage_was_found(handbook):
    asked = ("search", "--explain", "-k", "1", "When do passwords expire?")
    plain, as_json = handbook.each(asked, (*asked, "--json"))
    head, why, *_, queries, took = plain.stdout.splitlines()
    assert head.startswith("1. Passwords")
    for told in ("lexical rank 1", "vector rank 1", "cosine 0.", "terms password expir"):
        assert told in why
    assert queries == "Searched for: When do passwords expire?"
    assert took.startswith("Milliseconds: ")
    found = json.loads(as_json.stdout)
    evidence = found["passages"][0]["evidence"]
    assert (evidence["lexical_rank"], evidence["vector_rank"]) == (1, 1)
    assert evidence["terms"] == ["password", "expir"]
    assert {"queries", "retrieve", "rank", "retrieve.embed"} <= set(found["timings"])


def test_a_chinese_question_finds_a_chinese_document(handbook):
    answer = handbook.json("ask", "--json", "打印机的密码是什么?")
    assert answer["outcome"] == "answered"
    assert "密码是4711" in answer["text"]
    assert "打印机" in handbook.bot("ask", "打印机在哪里?").stdout


def test_a_refusal_is_an_answer(handbook):
    question = "Who won the football world cup in 1954?"
    answer = handbook.json("ask", "--json", question)
    assert answer["outcome"] == "refused"
    assert answer["citations"] == []
    assert answer["text"]
    assert "Sources" not in handbook.bot("ask", question).stdout


def test_a_failure_is_an_apology_with_a_reference(handbook, site):
    site("shelf", BROKEN)
    env = {**site.environ, "BOT_ASSISTANTS__DEFAULT__RETRIEVERS": '["shelf"]'}
    done = handbook.bot("ask", "Where is the printer?", env=env, code=1)
    assert "Traceback" not in done.stdout + done.stderr
    assert "Error: None of the assistant's retrievers gave a result." in done.stderr
    reference = done.stdout.split("reference ")[1].split(".")[0]
    shown = handbook.json("turn", "show", "--json", reference)
    assert shown["outcome"] == "failed"
    assert "the shelf is empty" in shown["error"]
    answer = handbook.json("ask", "--json", "printer?", env=env, code=1)
    assert answer["outcome"] == "failed"
    assert answer["turn"]


BROKEN = """
from bot import hookimpl

@hookimpl
def bot_retrieve(turn):
    raise RuntimeError("the shelf is empty")
"""


def test_chat_answers_every_line_and_carries_the_subject_over(handbook):
    asked = "How many days of holiday do I have?\n\nAnd when do they expire?\nWhat about soup?\n"
    done = handbook.bot("chat", stdin=asked)
    first, second, third = done.stdout.split("turn ")[:3]
    assert "30 days of holiday" in first
    assert "Unused holidays expire at the end of March." in second
    assert "soup at noon" in third
    assert done.stderr == ""


def test_a_question_about_something_else_is_not_answered_from_the_last_subject(handbook):
    asked = (
        "How many days of holiday do I have?\n"
        "What is the capital of France?\nWhat does it cost?\nWer ist der Präsident?\n"
    )
    _, france, cost, president = handbook.bot("chat", stdin=asked).stdout.split("\nturn ")[:4]
    for answer in (france, cost):
        assert "I found nothing in the sources that answers this." in answer
        assert "I looked at: " in answer
    assert "In den Quellen habe ich nichts gefunden" in president


def test_chat_goes_on_after_a_question_it_cannot_take(handbook):
    done = handbook.bot("chat", stdin="\0\n \t \nWhat does the canteen serve?")
    assert "soup at noon" in done.stdout


def test_chat_with_nobody_says_so_before_a_question_is_asked(handbook):
    done = handbook.bot("chat", "--assistant", "nobody", code=1)
    assert "There is no assistant 'nobody'" in done.stderr


@pytest.mark.parametrize("question", ["", " \t\n", "\0", "\u00a0"])
def test_no_question_is_a_usage_error(handbook, question):
    if "\0" in question:  # cannot be an argument: from standard input
        (result,) = handbook.lines("search", "--json", stdin=question + "\n", code=1)
        assert "no question" in result["error"]
    else:
        assert "There is no question" in handbook.bot("ask", question, code=2).stderr


def test_odd_questions_get_an_answer(handbook):
    odd = ["printer 🖨️ 👩‍👩‍👧‍👦?", "🖨️", "' or 1=1; --", "%s {} [1] \\", "a" * 100_000, "-" * 5000]
    for done in handbook.each(*(["ask", "--json", "--", question] for question in odd)):
        assert json.loads(done.stdout)["outcome"] in ("answered", "refused")


def test_a_question_of_invalid_bytes_gets_an_answer(handbook):
    answer = handbook.json("ask", "--json", b"Where does the printer stand? \xff\xfe")
    assert answer["outcome"] == "answered"
    shown = handbook.bot("turn", "show", answer["turn"]).stdout
    assert "Where does the printer stand?" in shown
    assert "(documents)" in shown  # who found what is cited
    (found,) = handbook.lines("search", "--json", stdin="printer \udcff\udcfe\n", code=None)
    assert found["passages"]


def test_a_lone_surrogate_in_json_gets_an_answer(handbook):
    (found,) = handbook.lines("search", "--json", stdin='{"question": "printer \\ud800"}\n')
    assert found["passages"]


def test_a_question_of_a_megabyte_is_cut_and_says_so(handbook):
    question = "printer " * 131_072
    (found,) = handbook.lines("search", "--json", "-k", "1", stdin=question + "\n")
    assert found["passages"][0]["title"] == "The printer"
    assert "cut after 8000 characters" in found["notices"][0]
    assert "cut after 8000 characters" in handbook.bot("chat", stdin=question + "\n").stdout
