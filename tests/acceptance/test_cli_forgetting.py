"""What is recorded of a question at the command line, and how it is forgotten."""


def test_a_question_is_shown_and_forgotten(world, words):
    world.write("docs/office.md", "# The printer\n\nThe printer stands on the second floor.\n")
    world.bot("source", "add", "office", "docs")
    world.bot("reindex", env=words)
    turn = world.json("ask", "--json", "Where does the printer stand?", env=words)["turn"]
    world.bot("ask", "Where is the canteen?", env=words)

    shown = world.bot("turn", "show", turn).stdout
    assert " on the command line\n" in shown
    assert "somebody" not in shown
    timings = world.json("turn", "show", turn, "--json")["timings"]
    assert timings.keys() >= {"retrieve", "generate", "record", "total"}

    assert "Say what to delete" in world.bot("conversations", "purge", "--yes", code=2).stderr
    world.bot("conversations", "purge", "--channel", "cli", stdin="n\n", code=1)
    assert len(world.json("conversations", "list", "--json")) == 2
    gone = world.json("conversations", "purge", "--channel", "cli", "--yes", "--json")
    assert gone == {"messages": 4}
    assert world.json("conversations", "list", "--json") == []
    assert "No turn is called" in world.bot("turn", "show", turn, code=1).stderr
