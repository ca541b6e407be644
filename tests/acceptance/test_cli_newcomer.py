"""A newcomer's path with the embedded server: nothing is configured but a home."""

import json
import subprocess


def test_from_nothing_to_an_answer_and_back(newcomer):
    bot = newcomer.bot
    newcomer.write("docs/office.md", "# Printer\n\nThe printer stands on the second floor.\n")
    newcomer.write("docs/visit.html", "<h1>Visitors</h1><p>Visitors wear a yellow badge.</p>")

    assert "bot reindex" in bot("source", "add", "handbook", "./docs").stdout
    assert "2 new" in bot("reindex").stdout

    told = bot("ask", "Where does the printer stand?").stdout
    assert "The printer stands on the second floor. [1]" in told
    assert "Sources\n  [1] Printer" in told
    assert (newcomer.folder / "docs/office.md").as_uri() in told

    answer = newcomer.json("ask", "--json", "What", "do", "visitors", "wear?")
    assert answer["outcome"] == "answered"
    assert {"outcome", "text", "citations", "timings", "turn"} <= answer.keys()
    (citation,) = answer["citations"]
    assert {"marker", "uri", "title", "quote"} <= citation.keys()
    assert citation["quote"] == "Visitors wear a yellow badge."
    assert citation["title"] == "Visitors"
    assert f"[{citation['marker']}]" in answer["text"]
    assert answer["timings"]["total"] > 0

    # A conversation in another window: from now on the server stays up between the commands.
    chat = newcomer.start("chat", stdin=subprocess.PIPE)
    shown = bot("turn", "show", answer["turn"]).stdout
    assert "What do visitors wear?" in shown
    assert "Visitors wear a yellow badge." in shown
    assert "answered" in shown
    bot("feedback", "good", answer["turn"])
    bot("feedback", "bad", answer["turn"], "-m", "it is green now")
    (opinion,) = newcomer.json("turn", "show", "--json", answer["turn"])["feedback"]
    assert (opinion["good"], opinion["comment"]) == (False, "it is green now")

    (source,) = newcomer.json("source", "list", "--json")
    assert (source["name"], source["type"], source["documents"]) == ("handbook", "folder", 2)
    bot("doctor")

    (newcomer.folder / "docs/visit.html").unlink()
    newcomer.write("docs/office.md", "# Printer\n\nThe printer stands in the cellar.\n")
    assert "0 new, 1 changed, 0 unchanged, 1 deleted" in bot("reindex").stdout
    assert newcomer.json("ask", "--json", "What do visitors wear?")["outcome"] == "refused"
    assert "cellar" in bot("ask", "Where does the printer stand?").stdout

    assert "removed" in bot("source", "remove", "handbook", "--yes").stdout
    assert newcomer.json("source", "list", "--json") == []
    assert "handbook" not in (newcomer.folder / "bot.toml").read_text()
    out, err = chat.communicate(b"Where does the printer stand?\n")
    assert b"found nothing" in out
    assert (chat.returncode, err) == (0, b"")


def test_two_commands_at_once_in_a_new_home(newcomer):
    newcomer.write("docs/a.md", "Bicycles are kept in the shed.")
    newcomer.bot("source", "add", "one", "docs")
    both = [newcomer.start("reindex"), newcomer.start("db", "status")]
    for process in both:
        _, err = process.communicate()
        assert process.returncode == 0, err
    asking = [newcomer.start("search", "--json", "Where are bicycles kept?") for _ in range(2)]
    for process in asking:
        out, err = process.communicate()
        assert process.returncode == 0, err
        assert "shed" in json.loads(out)["passages"][0]["text"]


def test_the_home_can_be_given_as_an_option(newcomer, short_folder):
    home = short_folder() / "elsewhere"
    assert "to upgrade" in newcomer.bot("--home", str(home), "db", "status", code=1).stdout
    assert (home / "postgresql").is_dir()
    newcomer.bot("--home", str(home), "db", "upgrade")
    assert "current" in newcomer.bot("--home", str(home), "db", "status").stdout


def test_a_removal_is_asked_for(world):
    world.write("docs/a.md", "Bicycles are kept in the shed.")
    world.bot("source", "add", "kept", "docs")
    assert (
        "Nothing was removed" in world.bot("source", "remove", "kept", stdin="n\n", code=1).stderr
    )
    assert "say --yes" in world.bot("source", "remove", "kept", code=2).stderr
    assert "kept" in (world.folder / "bot.toml").read_text()
    world.bot("source", "remove", "kept", stdin="y\n")
    assert "kept" not in (world.folder / "bot.toml").read_text()
