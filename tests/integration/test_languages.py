"""Whether the embedder fits the languages of the documents."""

import pluggy
import pytest

from bot import hookimpl, hookspecs, languages

GERMAN = "Das Büro öffnet um neun Uhr, und die Kantine bietet mittags eine Suppe für alle an."
ENGLISH = "The office opens at nine, and the canteen serves a soup at noon for everybody."


class Embedder:
    def __init__(self, *made_for):
        self.made_for = made_for

    @hookimpl
    def bot_embedder_languages(self):
        if "broken" in self.made_for:
            raise RuntimeError("no card")
        return list(self.made_for) or None


@pytest.fixture
def manager():
    made = pluggy.PluginManager("bot")
    made.add_hookspecs(hookspecs)
    return made


@pytest.fixture
def add(rows):
    """Add documents whose metadata tell their language, or do not."""

    async def add(text, count, lang=None):
        await rows(
            """
            with s as (insert into source (name, type, readers) values ('s', 'x', '{everyone}')
                on conflict (name) do update set type = 'x' returning id)
            insert into document (source_id, key, uri, title, text, format, readers, content_hash,
                metadata)
            select id, %(t)s || n || coalesce(%(l)s, ''), 'u', 't', %(t)s, 'text', '{everyone}',
                '', case when %(l)s is null then '{}' else jsonb_build_object('lang', %(l)s) end
            from s, generate_series(1, %(n)s) n returning id
            """,
            {"t": text, "n": count, "l": lang},
        )

    return add


async def test_documents_in_other_languages_are_told_with_models_for_them(database, manager, add):
    manager.register(Embedder("en"), "embedder")
    await add(ENGLISH, 7, "en")
    await add("x", 2, "zh")
    await add("x", 1, "ja")
    told = await languages.unfit(database, manager)
    assert "3 of 10 documents are in zh (2), ja (1)" in told
    assert "made for en" in told
    assert languages.MANY[0] in told


@pytest.mark.parametrize("made_for", [("en",), ()])
async def test_what_fits_or_is_not_known_is_not_told(database, manager, add, made_for):
    manager.register(Embedder(*made_for), "embedder")
    assert await languages.unfit(database, manager) == ""
    await add(ENGLISH, 19, "en")
    await add("x", 1, "zh")
    assert await languages.unfit(database, manager) == ""


async def test_an_embedder_for_all_of_them_fits(database, manager, add):
    manager.register(Embedder("en", "zh"), "embedder")
    await add("x", 5, "zh")
    assert await languages.unfit(database, manager) == ""


async def test_one_that_fails_tells_nothing(database, manager, add):
    manager.register(Embedder("broken"), "embedder")
    await add("x", 5, "zh")
    assert await languages.unfit(database, manager) == ""


async def test_what_no_metadata_tell_is_looked_at(database, manager, add):
    manager.register(Embedder("en"), "embedder")
    await add(GERMAN, 3)
    await add(ENGLISH, 3)
    assert "3 of 6 documents are in de (3)" in await languages.unfit(database, manager)
