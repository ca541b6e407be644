"""Documents, names and plugins may hold what a terminal obeys: none of it reaches the terminal."""

import json
import re

import pytest

CLEAR = "\x1b[2J\x1b[31m"
TITLE = "\x1b]0;pwned\x07"
LINK = "\x1b]8;;https://evil.example\x1b\\"
C1 = "\x9b31m\x85"
TURNED = "\u202e\u2066"
EVIL = CLEAR + TITLE + LINK + C1 + TURNED + "\b\r"

OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


@pytest.fixture(scope="module")
def haunted(new_world, with_schema, tmp_path_factory):
    """Documents whose texts, titles, names, links and metadata are full of it."""
    world = new_world(tmp_path_factory.mktemp("haunted"), with_schema)
    world.jsonl(
        "a.jsonl",
        {"_id": f"ghost{EVIL}1", "title": f"The{EVIL} ghost", "url": f"https://example.com/{EVIL}x",
         "text": f"The ghost{EVIL} lives in the{EVIL} attic. {EVIL}It is{CLEAR} called Casper."},
        {"_id": f"bad{EVIL}", "text": f"x{EVIL}", "readers": [f"grup{EVIL}"]},
        {"_id": f"worse{EVIL}", "text": 7},
    )  # fmt: skip
    name = f"night{CLEAR}{TITLE}.md"
    world.write(f"docs/{name}", f"# Night{EVIL}watch\n\nThe night watch begins{EVIL} at ten.\n")
    (world.folder / f"docs/bad{CLEAR}.md").write_bytes(b"\xff\x00\xfe")
    world.bot("source", "add", "ghosts", "a.jsonl")
    world.bot("source", "add", "nights", "docs")
    done = world.bot("reindex")
    assert "not indexed" in done.stderr
    check(done)
    return world


def check(done):
    for text in (done.stdout, done.stderr):
        assert not OBEYED.search(text), done
    return done


@pytest.mark.parametrize(
    "question", ["Where does the ghost live?", "When does the night watch begin?"]
)
def test_ask_search_and_turn(haunted, words, question):
    asked, *others = haunted.each(
        ["ask", "--json", question], ["ask", question], ["search", question],
        ["search", "--json", question], env=words,
    )  # fmt: skip
    assert "Sources" in others[0].stdout
    answer = json.loads(check(asked).stdout)
    chat = haunted.bot("chat", stdin=question + "\n", env=words)
    turn = answer["turn"]
    shown = haunted.each(["turn", "show", turn], ["turn", "show", "--json", turn])
    for done in (*others, chat, *shown):
        assert "ghost" in check(done).stdout or "watch" in done.stdout


def test_lists(haunted):
    for done in haunted.each(["source", "list"], ["source", "list", "--json"], ["reindex"]):
        assert "ghosts" in check(done).stdout


def test_json_keeps_what_the_document_says(haunted, words):
    (found,) = haunted.lines("search", "--json", "ghost", env=words)
    assert CLEAR in found["passages"][0]["text"]
    assert found["passages"][0]["id"] == f"ghost{EVIL}1"


def test_what_is_typed_comes_back_harmless(haunted, words):
    every = (["ask", EVIL], ["ask", "--assistant", EVIL, "x"], ["ask", "--as", EVIL, "x"],
                  ["search", EVIL], ["turn", "show", EVIL], ["feedback", "good", EVIL],
                  ["feedback", EVIL, "x"], ["source", "add", EVIL, "docs"], [EVIL], ["--" + EVIL],
                  ["source", "add", "x", EVIL], ["source", "remove", "--yes", EVIL],
                  ["source", EVIL], ["ask", "--" + EVIL, "x"], ["--config", EVIL, "ask", "x"],
                  ["reindex", "--source", EVIL], ["search", "--where", EVIL, "x"],
                  ["search", "-k", EVIL, "x"])  # fmt: skip
    for done in haunted.each(*every, env=words, code=None):
        assert "Traceback" not in check(done).stderr
        assert "defect" not in done.stderr


def test_an_opinion_comes_back_harmless(haunted, words):
    question = EVIL + "Where does the ghost live?"
    turn = haunted.json("ask", "--json", question, env=words)["turn"]
    haunted.bot("feedback", "bad", turn, "-m", EVIL + "boo")
    assert "boo" in check(haunted.bot("turn", "show", turn)).stdout


def test_a_configuration_with_it_in_names_and_values(haunted):
    text = (haunted.folder / "bot.toml").read_text()
    quoted = '"\\u001b[31m\\u009b\\u202e\\u0007"'
    haunted.write("evil.toml", f"{text}\n[assistants.{quoted}]\nk = 1\n[limits]\n{quoted} = 3\n")
    for typed in (["config", "check"], ["ask", "x"], ["doctor"], ["config", "show"]):
        done = check(haunted.bot("--config", "evil.toml", *typed, code=None))
        assert done.returncode in (1, 2)
    check(haunted.bot("config", "check", env={"BOT_\x1b[31mX": "1"}))
    haunted.write("instructions.toml", f"{text}\n[assistants.default]\ninstructions = {quoted}\n")
    check(haunted.bot("--config", "instructions.toml", "config", "show"))


def test_a_plugin_that_shouts(haunted, site, words):
    site("shouting", f"raise RuntimeError({EVIL!r})")
    site("naming", "from bot import hookimpl\n@hookimpl\ndef bot_commands(cli):\n"
         f"    raise RuntimeError({EVIL!r})\n@hookimpl\ndef bot_retrieve(turn):\n"
         f"    raise RuntimeError({EVIL!r})\n")  # fmt: skip
    retrievers = {"BOT_ASSISTANTS__DEFAULT__RETRIEVERS": '["documents", "naming"]'}
    every = (["--help"], ["plugins", "list"], ["plugins", "doctor"], ["doctor"],
                  ["plugins", "list", "--json"], ["ask", "ghost"], ["search", "ghost"],
                  ["search", "--json", "ghost"], ["ask", "--json", "ghost"],
                  ["--debug", "ask", "x"], ["nope"])  # fmt: skip
    for done in haunted.each(*every, env={**words, **site.environ, **retrievers}, code=None):
        assert "defect" not in check(done).stderr


@pytest.mark.parametrize("encoding", ["utf-8:strict", "ascii:strict", "latin-1:strict"])
def test_any_terminal_encoding(haunted, words, encoding):
    env = {**words, "PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"}
    process = haunted.start("search", "--json", env=env, stdin=-1)
    out, err = process.communicate(b"ghost \xff\xfe\ncaf\xc3\xa9\n")
    assert (process.returncode, err) == (0, b"")
    assert len(out.splitlines()) == 2
    process = haunted.start("chat", env=env, stdin=-1)
    out, err = process.communicate(b"Where does the ghost live? \xff\n")
    assert (process.returncode, err) == (0, b"")
    assert b"attic" in out
    process = haunted.start("source", "list", env=env)
    assert process.communicate()[1] == b""
