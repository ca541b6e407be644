"""What `bot doctor` finds, and `bot db status` and `bot db upgrade` with it."""

from pathlib import Path

import pytest

from bot.diagnosis import _pgvector, _room, _server


@pytest.fixture
def found(world, words):
    """Each check's state and sentences."""

    def ask(code):
        rows = world.json("doctor", "--json", env=words, code=code)
        checks = {}
        for row in rows:
            checks.setdefault(row["check"], []).append((row["state"], row["says"]))
        return checks

    return ask


def test_jobs_sources_and_documents_in_trouble_are_named(world, words, found):
    world.write("docs/a.md", "# Start\n\nThe office opens at nine.\n")
    world.bot("source", "add", "handbook", "docs")
    world.bot("reindex", env=words)
    checks = found(0)
    assert checks["queue"] == [("ok", "0 jobs wait, 0 workers live")]
    assert checks["source handbook"] == [("ok", "1 documents")]
    assert checks["search"][0][0] == "ok"

    world.rows("update source set error = 'it is gone' returning 1")
    world.rows("insert into quarantine select 1, id, content_hash, 'no' from document returning 1")
    world.rows("insert into procrastinate_jobs (queue_name, task_name, status, lock) "
               "select 'index', 'index.batch', s::procrastinate_job_status, s from "
               "unnest(array['todo', 'doing', 'failed']) s returning 1")  # fmt: skip
    checks = found(1)
    assert checks["queue"] == [
        ("bad", "2 jobs wait and no worker lives; run `bot worker`"),
        ("note", "1 jobs have failed in the last four weeks; see the workers' logs"),
    ]
    assert ("note", "its last sync ended early: it is gone") in checks["source handbook"]
    assert any("could not take 1 documents" in says for _, says in checks["index"])


def test_migrations_of_plugins_count_and_are_not_applied_by_looking(new_world, tmp_path):
    world = new_world(tmp_path)
    plugin = "domainbot-pgvector.0001.index"
    assert "empty; `bot reindex` sets it up" in world.bot("doctor", code=1).stdout
    applied = world.json("db", "upgrade", "--json", env={"BOT_PLUGINS": ""})["applied"]
    assert "domainbot.0001.documents" in applied
    assert plugin not in applied

    status = world.json("db", "status", "--json", code=1)
    assert status["schema"] == "to upgrade"
    states = {row["migration"]: (row["distribution"], row["state"]) for row in status["migrations"]}
    assert states[plugin] == ("domainbot-pgvector", "missing")
    assert states["domainbot.0001.documents"] == ("domainbot", "applied")
    told = world.bot("doctor", code=1).stdout
    missing = [name for name, (_, state) in states.items() if state == "missing"]
    assert f" bad  schema: {len(missing)} migrations are missing; run `bot db upgrade`" in told
    assert "index" not in told
    assert world.json("db", "upgrade", "--json") == {"applied": missing}
    assert world.json("db", "status", "--json")["schema"] == "current"

    world.rows("insert into _yoyo_migration (migration_hash, migration_id) "
               "values ('x', 'domainbot-pgvector.9999.future') returning 1")  # fmt: skip
    assert world.json("db", "status", "--json", code=1)["schema"] == "newer"
    assert "is of a newer version (domainbot-pgvector.9999" in world.bot("doctor", code=1).stdout


def test_looking_makes_no_database(newcomer, tmp_path):
    home = tmp_path / "home"
    done = newcomer.bot("--home", str(home), "doctor", code=1)
    assert "bad  database: none is in" in done.stdout
    assert not home.exists()


def test_versions_and_room_that_do_not_do():
    assert _server("18.4", 18, embedded=True).state == "ok"
    assert _server("16.9", 16, embedded=False).state == "ok"
    assert "bot db upgrade --server" in _server("16.9", 16, embedded=True).says
    assert _server("15.2", 15, embedded=False).state == "bad"
    states = [_pgvector(version).state for version in ("0.8.0", "0.10.1", "1.0", "0.7.4", None)]
    assert states == ["ok", "ok", "ok", "bad", "bad"]
    assert _room(Path("/"), 1 << 60).state in ("note", "bad")
