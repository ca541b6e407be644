"""Rate limits: no minute has more calls than Slack allows, over all processes together."""

import asyncio

from bot_slack.limits import PER_MINUTE, Limiter

from bot import schema
from bot.testing.fake_slack import TIERS


async def limiters(database, count=2, **options):
    import bot_slack

    await schema.ensure(database, [schema.core_migrations(), bot_slack.bot_migrations()])
    return [Limiter(database, "T1", **options) for _ in range(count)]


def test_the_limits_are_those_of_the_local_slack():
    assert {method: TIERS[method] for method in PER_MINUTE} == PER_MINUTE


async def test_two_processes_share_a_bucket(database):
    one, two = await limiters(database)
    taken = await asyncio.gather(*(each.take("chat.startStream") for each in [one, two] * 10))
    assert sum(taken) == 5  # a quarter of twenty; the rest comes with the minute
    assert not await one.take("chat.startStream")
    assert await one.take("chat.stopStream")  # each method has its own


async def test_each_channel_has_its_own_posts(database):
    (one,) = await limiters(database, 1)
    taken = [await one.take("chat.postMessage", channel) for channel in ("C1", "C2") * 20]
    assert sum(taken) == 30


async def test_a_call_waits_for_its_turn_or_is_not_booked(database):
    one, two = await limiters(database, rate=10)
    assert sum([await one.take("chat.startStream") for _ in range(60)]) >= 50
    clock = asyncio.get_running_loop().time
    begun = clock()
    assert await two.take("chat.startStream", patience=5)
    assert clock() - begun < 5
    (slow,) = await limiters(database, 1, rate=0.1)
    slow._team = "T2"
    assert await slow.take("chat.startStream")
    assert not await slow.take("chat.startStream", patience=1)


async def test_retry_after_holds_up_every_process(database):
    one, two = await limiters(database)
    await one.block("chat.update", "", 30)
    assert not await one.take("chat.update", patience=5)
    assert not await two.take("chat.update", patience=5)
    await one.block("users.info", "", 0.05)
    assert not await one.take("users.info")
    assert await one.take("users.info", patience=1)


async def test_no_minute_has_more_than_slack_allows(database, rows):
    """By arithmetic: what a bucket holds, and what a minute adds to it."""
    (one,) = await limiters(database, 1)
    for method, allowed in PER_MINUTE.items():
        _, each, burst = one._bucket(method, "C1")
        size = burst / each + 1
        assert size + 60 / each <= allowed + 1e-6
        assert size >= 1


async def test_what_is_full_again_is_forgotten(database, rows):
    (one,) = await limiters(database, 1)
    await one.take("chat.update")
    async with database.connection() as connection:
        await connection.execute("update slack_limit set at = at - interval '2 days'")
    await one.tidy()
    assert await rows("select count(*) from slack_limit") == [(0,)]
