"""The registry: versions that are promoted, rolled back and dropped while people ask."""

import pytest
import training
from bot_transformers import registry, weights
from bot_transformers.choosing import UNREAD
from training import QUESTION

from bot.errors import GenerationError, NotFound, UsageError


@pytest.fixture(scope="module")
def versions(llama, tmp_path_factory):
    answers = ["It is lost.", "Alice has the key."]
    folders = [training.adapter(tmp_path_factory.mktemp("v"), llama, one) for one in answers]
    return dict(zip(answers, folders, strict=True))


async def test_a_version_is_promoted_rolled_back_and_dropped_while_running(
    llama, versions, context, make, say
):
    database = context.database
    (one, first), (two, second) = versions.items()
    assert await registry.add(database, "finance", first, str(llama), note="first") == 1
    tuned = make("lora", base=llama, adapter="finance", context=context, max_tokens=30)
    assert await say(tuned, QUESTION) == one
    assert await registry.add(database, "finance", second, str(llama)) == 2
    assert await say(tuned, QUESTION) == one
    base = f"base {weights.identity(llama)[:8]}"
    assert await tuned.bot_revision() == f"{base} with finance 1"
    await registry.promote(database, "finance", 2)
    assert await say(tuned, QUESTION) == two
    assert await tuned.bot_revision() == f"{base} with finance 2"
    assert await make(model=llama).bot_revision() == base
    assert await registry.rollback(database, "finance") == 1
    assert await say(tuned, QUESTION) == one
    with pytest.raises(UsageError, match="promote another version"):
        await registry.drop(database, "finance", 1)
    await registry.drop(database, "finance", 2)
    (left,) = await registry.listed(database)
    assert (left.version, left.live, left.kind, left.note) == (1, True, "LORA", "first")
    assert left.base_sha256 == weights.identity(llama)
    await registry.drop(database, "finance", 1)
    with pytest.raises(NotFound, match="bot adapters list"):
        await say(tuned, QUESTION)


async def test_versions_count_on_and_each_name_has_one_that_is_live(llama, versions, context):
    database = context.database
    folder = next(iter(versions.values()))
    for name in ("a", "a", "b"):
        await registry.add(database, name, folder, str(llama))
    found = [(one.name, one.version, one.live) for one in await registry.listed(database)]
    assert found == [("a", 2, False), ("a", 1, True), ("b", 1, True)]
    with pytest.raises(NotFound, match="no adapter a 7"):
        await registry.promote(database, "a", 7)
    assert (await registry.live(database, "a")).version == 1  # nothing was changed
    with pytest.raises(UsageError, match="no live version before"):
        await registry.rollback(database, "a")


async def test_who_may_not_read_what_it_learned_from_gets_the_base(
    llama, versions, context, make, ask, say
):
    text, folder = next(iter(versions.items()))
    await registry.add(
        context.database, "hr", folder, str(llama), readers=["email:alice@example.com"]
    )
    tuned = make("lora", base=llama, adapter="hr", context=context, max_tokens=30)
    assert await say(tuned, QUESTION, principals=["everyone", "alice@example.com"]) == text
    deltas = [delta async for delta in tuned.bot_generate(*ask(QUESTION))]
    assert deltas[0].notice == UNREAD
    assert "".join(delta.text for delta in deltas) != text


async def test_one_made_for_another_base_is_refused(shapes, versions, context, make, say, tmp_path):
    import tiny

    folder = next(iter(versions.values()))
    with pytest.raises(GenerationError, match="made for another base"):
        await registry.add(context.database, "x", folder, str(shapes["bloom"]))
    sibling = tiny.model(tmp_path / "sibling", seed=5)  # the same shapes, other weights
    await registry.add(context.database, "x", folder, str(sibling))
    tuned = make("lora", base=shapes["llama"], adapter="x", context=context)
    with pytest.raises(GenerationError, match="made for another base"):
        await say(tuned, QUESTION)


async def test_a_copy_that_was_damaged_is_fetched_again(llama, versions, context, tmp_path):
    folder = next(iter(versions.values()))
    await registry.add(context.database, "a", folder, str(llama))
    one = await registry.live(context.database, "a")
    cached = await registry.fetched(context.database, one, tmp_path / "cache")
    assert registry.digest(cached) == registry.digest(folder) == one.sha256
    (cached / "adapter_model.safetensors").write_bytes(b"damaged")
    assert registry.digest(await registry.fetched(context.database, one, tmp_path / "cache")) == (
        one.sha256
    )


async def test_files_that_the_database_lost_are_not_used(llama, versions, context, tmp_path, rows):
    await registry.add(context.database, "a", next(iter(versions.values())), str(llama))
    await rows("update adapter_piece set data = 'x' where file like '%safetensors' returning 1")
    one = await registry.live(context.database, "a")
    with pytest.raises(GenerationError, match="damaged"):
        await registry.fetched(context.database, one, tmp_path / "cache")
    assert not list((tmp_path / "cache").iterdir())


async def test_files_larger_than_a_piece_come_back_whole(
    llama, versions, context, tmp_path, monkeypatch
):
    monkeypatch.setattr(registry, "_PIECE", 1000)
    folder = next(iter(versions.values()))
    await registry.add(context.database, "a", folder, str(llama))
    one = await registry.live(context.database, "a")
    assert one.bytes > 5000
    await registry.fetched(context.database, one, tmp_path / "cache")
