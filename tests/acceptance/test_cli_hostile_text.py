"""Documents, names and plugins may hold what a terminal obeys: none of it reaches the terminal."""

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


def test_ask_search_turn_and_lists(haunted):
    for question in ("Where does the ghost live?", "When does the night watch begin?"):
        assert "Sources" in check(haunted.bot("ask", question)).stdout
        check(haunted.bot("search", question))
        check(haunted.bot("chat", stdin=question + "\n"))
        check(haunted.bot("search", "--json", question))
        check(haunted.bot("ask", "--json", question))
        turn = haunted.json("ask", "--json", question)["turn"]
        assert "ghost" in check(haunted.bot("turn", "show", turn)).stdout or "night" in question
        check(haunted.bot("turn", "show", "--json", turn))
    check(haunted.bot("source", "list"))
    check(haunted.bot("source", "list", "--json"))
    check(haunted.bot("reindex", "--json"))


def test_json_keeps_what_the_document_says(haunted):
    (found,) = haunted.lines("search", "--json", "ghost")
    assert CLEAR in found["passages"][0]["text"]
    assert found["passages"][0]["id"] == f"ghost{EVIL}1"


def test_what_is_typed_comes_back_harmless(haunted):
    for typed in (["ask", EVIL], ["ask", "--assistant", EVIL, "x"], ["ask", "--as", EVIL, "x"],
                  ["search", EVIL], ["turn", "show", EVIL], ["feedback", "good", EVIL],
                  ["feedback", EVIL, "x"], ["source", "add", EVIL, "docs"], [EVIL], ["--" + EVIL],
                  ["source", "add", "x", EVIL], ["source", "remove", "--yes", EVIL],
                  ["source", EVIL], ["ask", "--" + EVIL, "x"], ["--config", EVIL, "ask", "x"],
                  ["reindex", "--source", EVIL], ["search", "--where", EVIL, "x"],
                  ["search", "-k", EVIL, "x"]):  # fmt: skip
        done = check(haunted.bot(*typed, code=None))
        assert "Traceback" not in done.stderr, typed
        assert "defect" not in done.stderr, typed


def test_an_opinion_comes_back_harmless(haunted):
    turn = haunted.json("ask", "--json", EVIL + "Where does the ghost live?")["turn"]
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


def test_a_plugin_that_shouts(haunted, site):
    site("shouting", f"raise RuntimeError({EVIL!r})")
    site("naming", "from bot import hookimpl\n@hookimpl\ndef bot_commands(cli):\n"
         f"    raise RuntimeError({EVIL!r})\n@hookimpl\ndef bot_retrieve(turn):\n"
         f"    raise RuntimeError({EVIL!r})\n")  # fmt: skip
    env = {**site.environ, "BOT_ASSISTANTS__DEFAULT__RETRIEVERS": '["documents", "naming"]'}
    for typed in (["--help"], ["plugins", "list"], ["plugins", "doctor"], ["doctor"],
                  ["plugins", "list", "--json"], ["ask", "ghost"], ["search", "ghost"],
                  ["search", "--json", "ghost"], ["ask", "--json", "ghost"],
                  ["--debug", "ask", "x"], ["nope"]):  # fmt: skip
        done = check(haunted.bot(*typed, env=env, code=None))
        assert "defect" not in done.stderr


@pytest.mark.parametrize("encoding", ["utf-8:strict", "ascii:strict", "latin-1:strict"])
def test_any_terminal_encoding(haunted, encoding):
    env = {"PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"}
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
