"""Which events are for us, and what they ask."""

import pytest
from bot_slack.conversations import Identity, asked, deleted, edited, question
from bot_slack.settings import SlackSettings

ME = Identity(channel="slack", team="T1", user="U0BOT", bot="B0BOT")


def settings(**more):
    from bot import Secret

    token = Secret("x", {"env": "X"})
    return SlackSettings(bot_token=token, app_token=token, **more)


def message(text="How?", **more):
    return {
        "type": "message", "channel": "C1", "channel_type": "channel", "user": "U1",
        "ts": "1.000001", "text": text, **more,
    }  # fmt: skip


def read(event, **more):
    return asked(event, "Ev1", ME, settings(**more))


@pytest.mark.parametrize(
    ("event", "addressed", "follows"),
    [
        (message("<@U0BOT> how?"), True, False),
        (message("how, <@U0BOT|bot>?", type="app_mention"), True, False),
        (message("how?", channel="D1", channel_type="im"), True, False),
        (message("how?", thread_ts="0.5"), False, True),
        (message("<@U0BOT> how?", thread_ts="0.5"), True, False),
        (message("<@U0BOT> how?", subtype="file_share", files=[{}]), True, False),
        (message("<@U0BOT> how?", subtype="thread_broadcast", thread_ts="0.5"), True, False),
    ],
)
def test_what_is_a_question(event, addressed, follows):
    found = read(event)
    assert (found.addressed, found.follows) == (addressed, follows)


@pytest.mark.parametrize(
    "event",
    [
        message("how?"),  # in a channel, to nobody
        message("<@U2> how?", thread_ts="0.5"),  # to somebody else
        message("<@U0BOT> joined", subtype="channel_join"),
        message("<@U0BOT> how?", user="U0BOT"),
        message("<@U0BOT> how?", user="", bot_id="B0BOT"),
        message("<@U0BOT> how?", user="U9", bot_id="B9", subtype="bot_message"),
        {"type": "message", "channel": "C1", "subtype": "message_replied"},
    ],
)
def test_what_is_none(event):
    assert read(event) is None


def test_follow_ups_by_channel():
    reply, plain = message(thread_ts="0.5"), message()
    assert read(reply, follow_ups="mention") is None
    assert read(plain, follow_ups="all").addressed
    assert read(message("<@U2> lunch?"), follow_ups="all") is None
    rooms = {"C1": {"follow_ups": "mention"}}
    assert read(reply, rooms=rooms) is None
    assert read({**reply, "channel": "C2"}, rooms=rooms).follows


def test_bots_only_by_setting_and_only_when_they_mention_us():
    bot = message("<@U0BOT> how?", user="", bot_id="B9", subtype="bot_message")
    assert read(bot) is None
    found = read(bot, bots=True)
    assert (found.incoming.author, found.incoming.details["bot"]) == ("B9", True)
    assert read({**bot, "text": "how?"}, bots=True, follow_ups="all") is None
    assert read({**bot, "text": "how?", "thread_ts": "0.5"}, bots=True) is None


def test_the_thread_is_the_conversation():
    assert read(message("<@U0BOT> how?")).incoming.key == "T1/C1/1.000001"
    assert read(message("how?", thread_ts="0.5")).incoming.key == "T1/C1/0.5"
    private = read(message("how?", thread_ts="0.5"), rooms={"C1": {"private": True}})
    assert private.incoming.key == "T1/C1/0.5/U1"  # what others asked is nobody else's context
    assert private.incoming.details["private"]


def test_who_comes_from_elsewhere_is_marked():
    details = read(message("<@U0BOT> how?", user_team="T2")).incoming.details
    assert details["foreign"]
    assert "foreign" not in read(message("<@U0BOT> how?", user_team="T1")).incoming.details


def test_edits_and_deletions():
    change = {"channel": "C1", "subtype": "message_changed", "message": message("<@U0BOT> why?")}
    assert edited(change, "Ev2", ME, settings()) is None  # a reply count, an unfurled link
    change["message"]["edited"] = {"user": "U1", "ts": "2.0"}
    found = edited(change, "Ev2", ME, settings())
    assert (found.incoming.text, found.incoming.edited) == ("<@U0BOT> why?", "2.0")
    gone = {"channel": "C1", "deleted_ts": "1.0", "previous_message": message(thread_ts="0.5")}
    place = deleted(gone, ME)
    assert (place.room, place.thread, place.ts) == ("C1", "0.5", "1.0")


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("<@U0BOT> how?", "how?"),
        ("<@U0BOT>: how?", "how?"),
        ("how is <@U2|bob> in <#C2|random>?", "how is @bob in #random?"),
        ("see <https://a.example/b|the page> &amp; <https://c.example>",
         "see the page (https://a.example/b) & https://c.example"),
        ("<mailto:a@b.example|a@b.example> &lt;b&gt;", "a@b.example <b>"),
        ("<!here> and <!subteam^S1>", "@here and @subteam"),
        ("<@U0BOT>", ""),
    ],
)  # fmt: skip
def test_what_a_text_means(text, meant):
    assert question(text, ME) == meant
