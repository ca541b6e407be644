"""Whether the embedder was made for the languages that the documents are in."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pluggy

from bot import dispatch
from bot.database import Database, load_queries

QUERIES = load_queries(Path(__file__).parent / "queries" / "languages.sql")

MANY = (
    "intfloat/multilingual-e5-small",
    "BAAI/bge-m3",
    "sentence-transformers/paraphrase-multilingual-MiniLM-L12-v2",
)
"""Models for many languages, the smallest first."""

_SAMPLE = 200  # documents whose language is looked at when nobody has told it
_FEW = 0.1  # share of the documents that may be in other languages
_PATIENCE = 5.0  # seconds


async def unfit(database: Database, manager: pluggy.PluginManager) -> str:
    """Say in which languages the documents are that the embedders in use were not made for.

    Returns:
        One sentence, with what to do; empty when they fit, or when nothing is known of either.
    """
    results = await dispatch.gather(manager, "bot_embedder_languages", timeout=_PATIENCE)
    made_for = {language for one in results if one.error is None for language in one.value or ()}
    if not made_for:
        return ""
    spoken = await count(database)
    others = {language: n for language, n in spoken.most_common() if language not in made_for}
    if sum(others.values()) <= _FEW * spoken.total():
        return ""
    named = ", ".join(f"{language} ({n})" for language, n in others.items())
    return (
        f"{sum(others.values())} of {spoken.total()} documents are in {named}, and the embedder "
        f"was made for {', '.join(sorted(made_for))}: they are found by words alone. For meaning, "
        'run `make setup-models`, write [embedders.many] with type = "sentence-transformers" and '
        f'model = "{MANY[0]}" (or {", ".join(MANY[1:])}), set [index] embedder = "many", and run '
        "`bot reindex --rebuild`"
    )


async def count(database: Database) -> Counter[str]:
    """Count documents by language: as their metadata tell, else as a sample of them shows."""
    async with database.connection() as connection:
        told = await (await connection.execute(QUERIES["told"])).fetchall()
        cursor = await connection.execute(QUERIES["untold"], {"limit": _SAMPLE})
        untold = await cursor.fetchall()
    found = Counter(dict(told))
    if untold:
        from bot.indexing.language import language

        detected = await dispatch.in_thread(lambda: [language(text) for (text,) in untold])
        found.update(one for one in detected if one)
    return found
