"""`bot db backup` and `bot db restore`: one file, taken to another database."""

import os


def test_a_backup_makes_the_bot_anew_elsewhere(world, new_world, words, tmp_path_factory):
    world.write("docs/office.md", "# The printer\n\nThe printer stands on the second floor.\n")
    world.bot("source", "add", "office", "docs")
    world.bot("reindex", env=words)
    turn = world.json("ask", "--json", "Where does the printer stand?", env=words)["turn"]
    world.bot("feedback", "good", turn)
    world.bot("golden", "import", "--feedback")

    done = world.json("db", "backup", "bot.dump", "--json")
    file = world.folder / "bot.dump"
    assert done == {"file": "bot.dump", "bytes": file.stat().st_size}
    assert file.stat().st_mode & 0o077 == 0
    before = file.read_bytes()
    assert (
        "Nothing was changed" in world.bot("db", "backup", "bot.dump", stdin="n\n", code=1).stderr
    )
    assert file.read_bytes() == before

    other = new_world(tmp_path_factory.mktemp("other"))
    os.link(file, other.folder / "bot.dump")
    other.write("bot.toml", (world.folder / "bot.toml").read_text())
    refused = other.bot("db", "restore", "bot.dump", stdin="n\n", code=1)
    assert "Restoring runs the SQL in it; go on only if you trust it." in refused.stderr
    assert other.rows("select count(*) from pg_tables where schemaname = 'public'") == [(0,)]
    told = other.json("db", "restore", "bot.dump", "--yes", "--json")
    assert told["postgresql"].startswith("18")

    found = other.json("search", "--json", "printer", env=words)
    assert "second floor" in str(found)
    assert other.json("turn", "show", turn, "--json")["feedback"][0]["good"] is True
    assert len(other.json("golden", "list", "--json")) == 1
    assert "not empty" in other.bot("db", "restore", "bot.dump", "--yes", code=1).stderr
    other.bot("db", "restore", "bot.dump", "--yes", "--replace")
    assert other.json("db", "status", "--json")["schema"] == "current"


def test_what_is_no_backup_is_told_without_touching_the_database(world):
    world.write("bot.dump", "drop table source;")
    assert "is no backup" in world.bot("db", "restore", "bot.dump", "--yes", code=1).stderr
    assert "cannot be read" in world.bot("db", "restore", "none.dump", "--yes", code=1).stderr
    assert "cannot be written" in world.bot("db", "backup", "no/bot.dump", "--yes", code=1).stderr
    assert world.rows("select count(*) from source") == [(0,)]
