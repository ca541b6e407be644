"""`reindex --rebuild` and `index`: what an operator does, and what the exit codes say."""

import psycopg
import pytest

CONFIG = '[sources.office]\ntype = "folder"\npath = "docs"\nurl = "https://wiki.example.com/"\n'


@pytest.fixture
def office(world):
    world.write("bot.toml", CONFIG)
    for n in range(12):
        world.write(f"docs/room{n}.md", f"# Room {n}\n\nRoom {n} has {n} windows.\n")
    world.bot("reindex")
    return world


def test_a_version_is_built_compared_promoted_rolled_back_and_dropped(office):
    told = office.json("reindex", "--rebuild", "--set", "splitter.size=32", "--json")
    assert (told["version"], told["state"], told["indexed"]) == (2, "ready", 12)
    assert told["settings"]["splitter"]["options"]["max_tokens"] == 32
    assert [one["version"] for one in office.json("index", "list", "--json")] == [1, 2]
    asked = office.bot("index", "promote", "2", code=2)
    assert "without an evaluation? [y/N]" in asked.stderr
    assert "Nobody answers here, so nothing was changed; say --yes." in asked.stderr
    office.bot("index", "promote", "2", stdin="y\n")
    assert office.json("index", "list", "--json")[1]["evaluated"] == "not evaluated"
    office.bot("index", "rollback")
    office.bot("golden", "add", "Which room has 7 windows?",
               "--source", "https://wiki.example.com/room7.md")  # fmt: skip
    compared = office.json("eval", "run", "--index", "2", "--json")
    assert compared["outcome"] == "not worse"
    assert set(compared["differences"]) == {"recall@8", "nDCG@10", "hit@1", "milliseconds"}
    promoted = office.json("index", "promote", "2", "--yes", "--json")
    assert (promoted["promoted"], promoted["outcome"]) == (True, "not worse")
    assert "splitter.max_tokens is 200 in bot.toml, and 32" in office.bot("config", "check").stderr
    (note,) = office.json("config", "check", "--json")["notes"]
    assert "splitter.max_tokens is 200 in bot.toml, and 32" in note
    assert office.json("index", "rollback", "--json") == {"version": 1, "changed": 0}
    office.bot("index", "drop", "1", "--yes", code=2)
    assert "?" not in office.bot("index", "drop", "1", code=2).stderr, "there is nothing to ask"
    assert "?" not in office.bot("index", "cancel", "2", code=2).stderr
    office.bot("index", "drop", "2", "--yes")
    (status,) = office.json("index", "status", "--json")["versions"]
    assert (status["version"], status["state"]) == (1, "live")


def test_a_worse_version_is_refused_unless_forced(office):
    office.bot("golden", "add", "Which room has 7 windows?",
               "--source", "https://wiki.example.com/room7.md")  # fmt: skip
    office.bot("reindex", "--rebuild")
    office.rows("with gone as (delete from pgvector_2.chunk where text like '%%7%%' returning 1)"
                " select count(*) from gone")  # fmt: skip
    refused = office.bot("index", "promote", "2", "--yes", code=1)
    assert "worse than version 1" in refused.stderr
    assert office.json("index", "list", "--json")[0]["state"] == "live"
    office.bot("index", "promote", "2", "--force", "--yes")
    assert office.json("index", "list", "--json")[1]["evaluated"] == "worse"


def test_a_source_that_is_gone_deletes_nothing_until_somebody_agrees(office):
    for file in list((office.folder / "docs").iterdir()):
        file.unlink()
    office.write("docs/left.md", "# Left\n\nOnly this is left.\n")
    refused = office.bot("reindex", code=1)
    assert "office has lost 12 of its 13 documents" in refused.stderr
    status = office.json("index", "status", "--json", code=1)
    assert status["sources"][0]["source"] == "office"
    done = office.bot("reindex", "--source", "office", "--yes")
    assert "12 deleted" in done.stdout
    assert office.json("index", "status", "--json")["sources"] == []


def test_settings_that_are_not_the_live_version_s_are_told(office):
    assert office.json("config", "check", "--json")["notes"] == []
    office.write(
        "bot.toml",
        f'{CONFIG}[index]\nembedder = "other"\nsplitter = "short"\nvectors = "half"\n'
        '[embedders.other]\ntype = "sentence-transformers"\nmodel = "a/model"\n'
        '[splitters.short]\ntype = "structure"\nmax_tokens = 64\n',
    )
    how = " in index version 1; `bot reindex --rebuild` builds one as bot.toml says."
    expected = [
        f"The embedder of [index] is 'sentence-transformers', and 'minilm'{how}",
        f"splitter.max_tokens is 64 in bot.toml, and 200{how}",
        f"index.vectors is 'half' in bot.toml, and 'single'{how}",
    ]
    assert office.json("config", "check", "--json")["notes"] == expected
    found = office.json("doctor", "--json")
    assert [one["says"] for one in found if one["state"] == "note"] == expected


def test_a_rebuild_that_is_paused_or_cancelled_by_another_hand_is_told_and_fails(office):
    """Its jobs are not due for an hour, so that it waits as long as it takes."""
    with psycopg.connect(office.conninfo) as connection:
        connection.execute(
            "create function later() returns trigger language plpgsql as $$ begin"
            " new.scheduled_at := now() + interval '1 hour'; return new; end $$;"
            " create trigger later before insert on procrastinate_jobs"
            " for each row execute function later()"
        )
    waits = office.start("reindex", "--rebuild")
    office.wait("select count(*) > 0 from index_version where id = 2", waits)
    office.bot("index", "pause", "2")
    out, _ = waits.communicate(timeout=120)
    assert (waits.returncode, b"Version 2 is paused; `bot index resume 2`" in out) == (1, True)
    watched = office.bot("index", "status", "--watch")
    assert "version 2 building, paused" in watched.stdout, "it ends, as nothing moves"
    assert "is paused" in office.bot("index", "retry", "2", code=2).stderr
    office.bot("index", "resume", "2")
    waits = office.start("reindex", "--rebuild")
    assert b"was begun before" in waits.stderr.readline()
    stopped = office.start("reindex", "--rebuild")
    assert b"was begun before" in stopped.stderr.readline()
    code, _, err = office.stop(stopped)
    assert (code, "What was finished of version 2 is kept" in err) == (130, True)
    watches = office.start("index", "status", "--watch")
    seen = [watches.stdout.readline() for _ in range(6)]
    assert sum(line.startswith(b"version 2 building") for line in seen) == 2
    office.bot("index", "cancel", "2", "--yes")
    _, err = waits.communicate(timeout=120)
    assert (waits.returncode, b"was cancelled meanwhile" in err) == (1, True)
    out, _ = watches.communicate(timeout=120)
    left, workers = out.splitlines()[-2:]
    assert (watches.returncode, left[:14]) == (0, b"version 1 live")
    assert workers.split()[1] in (b"worker", b"workers")
    assert "nothing to pause" in office.bot("index", "pause", "1").stdout
    assert "nothing to go on with" in office.bot("index", "resume", "1").stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["reindex", "--set", "splitter.size=3"], "go with --rebuild"),
        (["reindex", "--rebuild", "--source", "office"], "leave out --source"),
        (["reindex", "--rebuild", "--set", "size"], "--set takes KEY=VALUE"),
        (["reindex", "--rebuild", "--set", "splitter.sise=3"], "--set splitter.sise"),
        (["reindex", "--rebuild", "--set", "splitter.size=3"], "--set splitter.max_tokens"),
    ],
)
def test_a_rebuild_that_cannot_be_is_a_usage_error(world, arguments, message):
    world.write("bot.toml", CONFIG)
    done = world.bot(*arguments, code=2)
    assert message in done.stderr


def test_a_rebuild_before_the_first_sync_begins_nothing(world):
    world.write("bot.toml", CONFIG)
    for arguments in (["--rebuild"], ["--rebuild", "--dry-run"]):
        done = world.bot("reindex", *arguments, code=2)
        assert "Nothing is indexed yet; run `bot reindex` first." in done.stderr
    assert world.json("index", "status", "--json")["versions"] == []


def test_what_could_not_be_read_is_listed_with_its_reason(world):
    world.write("bot.toml", CONFIG)
    world.write("docs/start.md", "# Start\n\nThe office opens at eight.\n")
    world.write("docs/broken.pdf", "This is none.")
    world.bot("reindex")
    (unread,) = world.json("index", "status", "--json")["unreadable"]
    assert (unread["source"], unread["document"]) == ("office", "broken.pdf")
    told = world.bot("index", "status").stdout
    assert f"not indexed: office/broken.pdf: {unread['error']}" in told


def test_versions_that_are_not_there(world):
    for command in (["promote", "7"], ["drop", "7", "--yes"], ["retry", "7"], ["pause", "7"]):
        assert "There is no index version 7" in world.bot("index", *command, code=None).stderr
    assert "There is no index yet" in world.bot("index", "list").stderr
