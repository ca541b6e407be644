"""Stopping: Ctrl-C, kill -9, a reader that leaves. Nothing is lost and nothing doubled."""

import signal
import subprocess

import pytest

DOCUMENTS = 800
SOME_ARE_IN = "select count(*) > 0 from indexed"


@pytest.fixture
def library(world):
    """More documents than are embedded in a moment; each is one chunk."""
    world.jsonl(
        "books.jsonl",
        *(
            {"_id": f"b{n}", "title": f"Book {n}",
             "text": f"The book number {n} stands on shelf {n * 7 % 1009}. " * 4}
            for n in range(DOCUMENTS)
        ),
    )  # fmt: skip
    world.bot("source", "add", "books", "books.jsonl")
    return world


def counts(world):
    """Documents, different documents, chunks, different chunks, and what the index counts."""
    ((version,),) = world.rows("select id from index_version")
    return world.rows(
        f"""
        select (select count(*) from document), (select count(distinct key) from document),
            count(*), count(distinct (document_id, ordinal)), (select sum(chunks) from indexed),
            (select chunks - dead from pgvector_index)
        from pgvector_{version}.chunk
        """
    )[0]


def goes_on(world, kept):
    """The next reindex does the rest, and all is as after one that was never stopped."""
    assert 0 < kept < DOCUMENTS
    (told,) = world.json("reindex", "--json")["sources"]
    assert (told["unchanged"], told["added"]) == (kept, DOCUMENTS - kept)
    assert (told["changed"], told["deleted"], told["unreadable"]) == (0, 0, 0)
    assert counts(world) == (DOCUMENTS,) * 6
    (again,) = world.json("reindex", "--json")["sources"]
    assert (again["unchanged"], again["embedded"]) == (DOCUMENTS, 0)
    (found,) = world.lines("search", "--json", "-k", "1", "Where does the book number 799 stand?")
    assert found["passages"][0]["id"] == "b799"


@pytest.mark.parametrize(
    "by", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=lambda by: by.name
)
def test_a_reindex_that_is_stopped_goes_on(library, by):
    process = library.start("reindex")
    library.wait(SOME_ARE_IN, process)
    code, out, err = library.stop(process, by)
    if by != signal.SIGKILL:
        assert (code, out, err) == (130, "", "Stopped.\n")
    else:
        assert code == -signal.SIGKILL
    ((kept,),) = library.rows("select count(*) from document")
    goes_on(library, kept)


def test_two_at_once_double_nothing(library):
    both = [library.start("reindex"), library.start("reindex")]
    ended = [(process.communicate(), process.returncode) for process in both]
    assert sorted(code for _, code in ended) == [0, 1]
    ((_, err),) = [output for output, code in ended if code == 1]
    assert err == (
        b"Error: The source 'books' is being synced by another process; wait for it to end.\n"
    )
    assert counts(library) == (DOCUMENTS,) * 6


ENDLESS = """
import asyncio
from bot import Component, hookimpl
from pydantic import BaseModel

@hookimpl
async def bot_generate(turn, prompt):
    if "soup" in turn.question:
        yield "Soup is served."
        return
    yield "It all began"
    while True:
        await asyncio.sleep(0.01)
        yield " and went on"
"""


@pytest.fixture
def endless(site):
    """An environment whose generator talks for ever, unless asked about soup."""
    return {**site("endless", ENDLESS).environ, "BOT_ASSISTANTS__DEFAULT__GENERATOR": "endless"}


def read_until(process, text):
    told = b""
    while text not in told:
        piece = process.stdout.read1()
        assert piece, told
        told += piece
    return told


def test_ctrl_c_stops_an_answer_and_the_conversation_goes_on(handbook, endless):
    chat = handbook.start("chat", env=endless, stdin=subprocess.PIPE)
    chat.stdin.write(b"Where is the printer?\nWhat about soup?\n")
    chat.stdin.flush()
    read_until(chat, b"and went on")
    chat.send_signal(signal.SIGINT)
    told = read_until(chat, b"Stopped.")
    out, err = chat.communicate()
    assert b"Soup is served." in told + out
    assert (chat.returncode, err) == (0, b"")


def test_ctrl_c_stops_an_ask_and_what_was_said_is_recorded(handbook, endless):
    ask = handbook.start("ask", "Where is the elevator?", env=endless)
    read_until(ask, b"and went on")
    code, _, err = handbook.stop(ask)
    assert (code, err.strip()) == (130, "Stopped.")
    ((turn,),) = handbook.rows(
        "select t.id from turn t join message m on m.id = question_id"
        " where m.text = 'Where is the elevator?'"
    )
    shown = handbook.json("turn", "show", "--json", turn)
    assert shown["answer"].startswith("It all began and went on")
    assert shown["notices"] == ["The answer was stopped before the end of the answer."]


def test_ctrl_c_while_waiting_for_a_question_ends_the_chat(handbook):
    chat = handbook.start("chat", stdin=subprocess.PIPE)
    chat.stdin.write(b"Where does the printer stand?\n")
    chat.stdin.flush()
    read_until(chat, b" s\n\n")  # the answer is over
    code, out, err = handbook.stop(chat)
    assert (code, err) == (130, "Stopped.\n")
    assert "Traceback" not in out


FAILING_CHANNEL = """
from pydantic import BaseModel
from bot import Component, hookimpl

class Settings(BaseModel):
    pass

class Failing:
    @hookimpl
    async def bot_serve(self, bot):
        raise RuntimeError("the line is dead")

@hookimpl
def bot_components():
    return [Component(kind="channel", type="dead", settings=Settings, make=lambda *_: Failing())]
"""


def test_serving_goes_on_past_a_dead_channel_until_ctrl_c(handbook, site):
    env = {
        **site("dead", FAILING_CHANNEL).environ,
        "BOT_CHANNELS__TERMINAL__TYPE": "terminal",
        "BOT_CHANNELS__PHONE__TYPE": "dead",
    }
    serve = handbook.start("serve", env=env, stdin=subprocess.PIPE)
    serve.stdin.write(b"Where does the printer stand?\n")
    serve.stdin.flush()
    told = read_until(serve, b" s\n\n")
    assert b"second floor" in told
    code, _, err = handbook.stop(serve)
    assert code == 130
    assert "the channel phone has failed" in err
    assert "the line is dead" in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    "typed",
    [["ask", "Where does the printer stand?"], ["search", "-k", "3", "printer"], ["chat"],
     ["config", "show"], ["search", "--json"], ["plugins", "list"], ["source", "list"]],
    ids=" ".join,
)  # fmt: skip
def test_a_reader_that_leaves_is_no_error(handbook, typed):
    process = handbook.start(*typed, stdin=subprocess.PIPE)
    process.stdout.close()
    process.stdin.write(b"printer\n" * 50)
    process.stdin.close()
    err = process.stderr.read().decode()
    assert process.wait() in (0, 1)
    assert err == ""
