"""A retriever that finds the question itself."""

from bot import EVERYONE, Passage, Turn, hookimpl


@hookimpl
async def bot_retrieve(turn: Turn) -> list[Passage]:
    """Return the question as a passage that everyone may read."""
    if not turn.question.strip():
        return []
    return [Passage(id="echo", text=turn.question, title="Echo", readers=frozenset({EVERYONE}))]
