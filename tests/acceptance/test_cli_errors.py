"""Every error is a sentence that says what to do next, and a traceback only when asked for."""

import pytest

NOWHERE = {"BOT_DATABASE_URL": "postgresql://somebody@127.0.0.1:1/nothing"}


@pytest.mark.parametrize(
    "typed",
    [["ask", "x"], ["search", "x"], ["reindex"], ["db", "status"], ["turn", "show", "x"], ["chat"],
     ["source", "list"], ["db", "upgrade"]],
    ids=" ".join,
)  # fmt: skip
def test_a_database_that_is_not_there(handbook, typed):
    done = handbook.bot(*typed, env=NOWHERE, code=1)
    assert done.stderr.startswith("Error: The database cannot be reached")
    assert "`database_url` is right" in done.stderr
    assert "Traceback" not in done.stderr


def test_debug_shows_the_traceback(handbook):
    for shown in (
        handbook.bot("--debug", "ask", "x", env=NOWHERE, code=1),
        handbook.bot("ask", "x", env={**NOWHERE, "BOT_DEBUG": "1"}, code=1),
    ):
        assert "Traceback (most recent call last)" in shown.stderr
        assert "DatabaseUnavailable: The database cannot be reached" in shown.stderr


def test_the_doctor_goes_as_far_as_it_can(handbook):
    done = handbook.bot("doctor", env=NOWHERE, code=1)
    assert "ok  configuration" in done.stdout
    assert "bad  database: The database cannot be reached" in done.stdout


def test_a_mistake_in_bot_toml_is_told_with_its_place_by_every_command(handbook):
    handbook.write("wrong.toml", '[assistants.default]\ninstuctions = "x"\n\n[surces.a]\n')
    every = (
        ["ask", "x"],
        ["search", "x"],
        ["reindex"],
        ["source", "list"],
        ["chat"],
        ["doctor"],
        ["config", "check"],
        ["config", "show"],
        ["db", "status"],
    )  # but for `plugins`, with which one finds what a mistake needs
    for done in handbook.each(*(["--config", "wrong.toml", *typed] for typed in every), code=None):
        told = done.stdout + done.stderr
        assert done.returncode in (1, 2), done
        assert (
            'wrong.toml:2: assistants.default.instuctions: unknown key; did you mean "instr' in told
        )
        assert 'wrong.toml:4: surces: unknown key; did you mean "sources"?' in told
        assert "Traceback" not in told


def test_a_bot_toml_that_is_not_there_or_no_toml(handbook):
    assert "There is no file" in handbook.bot("--config", "no.toml", "ask", "x", code=2).stderr
    handbook.write("torn.toml", "[assistants.default\nk = 3\n")
    done = handbook.bot("--config", "torn.toml", "ask", "x", code=2)
    assert "torn.toml:1" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_misspelled_variable_is_named(handbook):
    done = handbook.bot("config", "check", env={"BOT_HOM": "/nowhere"})
    assert 'did you mean "BOT_HOME"' in done.stderr


def test_no_secret_is_shown(handbook):
    url = "postgresql://bot:hunter2@127.0.0.1:1/nothing"
    every = (["config", "show"], ["ask", "x"], ["--debug", "ask", "x"], ["db", "status"],
             ["doctor"], ["--debug", "reindex"])  # fmt: skip
    for done in handbook.each(*every, env={"BOT_DATABASE_URL": url}, code=None):
        assert "hunter2" not in done.stdout + done.stderr


def test_a_home_that_cannot_be_one(handbook, tmp_path):
    (tmp_path / "file").touch()
    for home in ("/proc/domainbot", str(tmp_path / "file")):
        env = {"BOT_DATABASE_URL": "", "BOT_HOME": home}
        done = handbook.bot("ask", "x", env=env, code=1)
        assert home in done.stderr
        assert "choose another --home, or set `database_url`" in done.stderr
        assert "Traceback" not in done.stderr
        assert len(done.stderr.splitlines()) == 1


def test_a_source_that_has_gone_deletes_nothing(world):
    world.write("docs/a.md", "Bicycles are kept in the shed.")
    world.bot("source", "add", "one", "docs")
    world.bot("reindex")
    (world.folder / "docs").rename(world.folder / "moved")
    done = world.bot("reindex", code=1)
    assert done.stderr.startswith("Error: ")
    assert "docs" in done.stderr
    assert "Traceback" not in done.stderr
    assert "shed" in world.bot("ask", "Where are bicycles kept?").stdout


def test_what_cannot_be_read_is_reported_and_the_rest_goes_on(world):
    world.write("docs/good.md", "Bicycles are kept in the shed.")
    (world.folder / "docs/bad.md").write_bytes(b"caf\xe9 \xff\x00\x01")
    world.bot("source", "add", "one", "docs")
    done = world.bot("reindex")
    assert "1 new" in done.stdout
    assert "1 not readable" in done.stdout
    assert "not indexed: bad.md" in done.stderr
    assert "shed" in world.bot("ask", "Where are bicycles kept?").stdout
    (source,) = world.json("source", "list", "--json")
    assert (source["documents"], source["unreadable"]) == (1, 1)
    (row,) = world.json("reindex", "--json")["sources"]
    assert (row["unchanged"], row["unreadable"]) == (1, 1)
