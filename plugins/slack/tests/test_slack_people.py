"""Who is answered, as whom, and who sees it."""

import pytest
from slack_world import URI, answered, eventually, passage

from bot.testing.fake_slack import Channel, FakeSlack, User

DOCUMENTS = """
with s as (
    insert into source (name, type, readers)
    values ('handbook', 'folder', '{everyone}'), ('secret', 'folder', '{email:bob@example.com}')
    returning *
)
insert into document (source_id, key, uri, title, text, format, readers, content_hash)
select id, n::text, '', '', '', 'text', readers, '' from s, generate_series(1, 3) n
"""
EVERYBODY = frozenset({"everyone"})


@pytest.fixture
async def slack():
    users = [
        User(id="U1", name="ada", email="ada@example.com"),
        User(id="U2", name="bob"),
        User(id="U3", name="guest", email="guest@example.com", is_guest=True),
        User(id="U4", name="stranger", email="stranger@elsewhere.example", team="T2"),
        User(id="U9", name="robot", is_bot=True),
    ]
    everybody = {user.id for user in users}
    channels = [
        Channel(id="C1", name="general", members=everybody),
        Channel(id="C2", name="partners", members=everybody, shared=True),
        Channel(id="C3", name="questions", members={"U2"}),
        Channel(id="C4", name="without us", members=everybody, bot_in=False),
    ]
    async with FakeSlack(users=users, channels=channels, retry_delays=(0.0, 0.2)) as running:
        yield running


def seen(slack, channel, user):
    """What one person alone sees of the bot in a channel."""
    return [m.shown for m in slack.messages(channel, user=user) if m.visible_to == user]


@pytest.mark.parametrize(
    ("channel", "user", "setting", "why"),
    [
        ("C1", "U3", "guests", "guests of this workspace"),
        ("C1", "U4", "foreign", "the workspace that I belong to"),
        ("C2", "U1", "shared", "shared with other organisations"),
    ],
)
async def test_who_is_refused_unless_a_setting_says_otherwise(
    slack, serving, toy, channel, user, setting, why
):
    async with serving():
        await slack.mention(channel, user, "When?")
        (refusal,) = await eventually(lambda: seen(slack, channel, user))
        assert why in refusal
    assert slack.answers(channel) == [m for m in slack.answers(channel) if m.visible_to]
    assert toy.turns == []
    async with serving(**{setting: "true"}):
        question = await slack.mention(channel, user, "When now?")
        (answer,) = await answered(slack, channel, question)
        assert "nine" in answer.shown
    assert toy.turns[0].principals == {"everyone", f"slack:channel:T1/{channel}"}


async def test_bots_are_ignored_unless_a_setting_says_otherwise(slack, serving, toy):
    mention = "<@U0BOT> When?"
    async with serving():
        await slack.post_message("C1", "U9", mention, bot_id="B9")
        await slack.settled()
    assert toy.turns == []
    async with serving(bots="true"):
        first = await slack.post_message("C1", "U9", mention, bot_id="B9")
        await answered(slack, "C1", first)
        for n in range(2, 8):  # two bots must not talk for ever
            await slack.post_message("C1", "U9", mention, thread_ts=first, bot_id="B9")
            await answered(slack, "C1", first, n)
    assert len(toy.turns) == 5
    assert "enough bots" in slack.answers("C1", first)[-1].shown


async def test_in_a_channel_only_what_everybody_there_may_read(slack, serving, toy):
    toy.passages = [
        passage("For the channel: a.", readers={"slack:channel:T1/C1"}, id="channel"),
        passage("For ada: b.", readers={"email:ada@example.com"}, id="ada"),
        passage("For all: c.", id="all"),
    ]
    async with serving():
        await answered(slack, "C1", await slack.mention("C1", "U1", "in the channel"))
        await answered(slack, "D1", await slack.post_message("dm", "U1", "alone"))
        await answered(slack, "D2", await slack.post_message("dm", "U2", "alone, no address"))
    assert [turn.principals - EVERYBODY for turn in toy.turns] == [
        {"slack:channel:T1/C1"}, {"email:ada@example.com"}, set(),
    ]  # fmt: skip


async def test_user_groups_stand_for_groups_of_readers(slack, serving, toy):
    slack.world.groups["S1"] = {"U1"}
    async with serving(user_groups='{S1 = "finance"}'):
        for user, channel in (("U1", "D1"), ("U2", "D2")):
            await answered(slack, channel, await slack.post_message("dm", user, "When?"))
        await answered(slack, "C1", await slack.mention("C1", "U1", "When?"))
    told = [sorted(turn.principals - EVERYBODY) for turn in toy.turns]
    # U2 has no confirmed address, so nothing vouches for who it is.
    assert told == [["email:ada@example.com", "group:finance"], [], ["slack:channel:T1/C1"]]


async def test_a_missing_scope_apologises_and_says_which_one(slack, serving, toy, caplog):
    slack.scopes.discard("users:read")
    async with serving() as bot:
        question = await slack.post_message("dm", "U1", "When?")
        (answer,) = await answered(slack, "D1", question)
        async with bot.database.connection() as connection:
            cursor = await connection.execute("select id, error from turn")
            ((turn, error),) = await cursor.fetchall()
    assert turn in answer.shown
    assert toy.turns == []
    assert "missing_scope" in error
    assert "users:read" in error
    assert "bot slack manifest" in error
    assert error in caplog.text


async def test_without_the_scope_for_addresses_nobody_reads_as_themselves(slack, serving, toy):
    slack.scopes.discard("users:read.email")
    async with serving():
        await answered(slack, "D1", await slack.post_message("dm", "U1", "When?"))
    assert toy.turns[0].principals == EVERYBODY


async def test_questions_a_minute_are_limited_kindly(slack, serving, toy):
    async with serving(per_minute=2, per_day=3):
        for n in range(3):
            question = await slack.mention("C1", "U1", f"question {n}")
            (answer,) = await answered(slack, "C1", question)
        assert "2 questions within a minute" in answer.shown
        other = await slack.mention("C1", "U2", "mine?")
        (answer,) = await answered(slack, "C1", other)
        assert "nine" in answer.shown
    assert len(toy.turns) == 3


async def test_a_command_is_answered_to_who_gave_it_as_themselves(slack, serving, toy):
    async with serving():
        delivery = await slack.slash_command("C1", "U1", "When does it open?")
        (answer,) = await eventually(lambda: seen(slack, "C1", "U1"))
        assert delivery.acked
    assert "nine" in answer
    assert URI in slack.links()
    assert "email:ada@example.com" in toy.turns[0].principals
    assert seen(slack, "C1", "U2") == []


async def test_a_command_works_where_the_bot_is_no_member(slack, serving):
    async with serving():
        await slack.slash_command("C4", "U1", "When?")
        (answer,) = await eventually(lambda: seen(slack, "C4", "U1"))
    assert "nine" in answer


async def test_a_command_without_a_question_says_how(slack, serving, toy):
    async with serving():
        delivery = await slack.slash_command("C1", "U1", " ")
        await slack.settled()
    assert "Write a question" in str(delivery.response)
    assert toy.turns == []


async def test_the_shortcut_answers_the_message_in_its_thread(slack, serving, toy):
    async with serving():
        message = await slack.post_message("C1", "U2", "Does anybody know when it opens?")
        await slack.shortcut("ask_msg", "U1", "C1", message)
        (answer,) = await answered(slack, "C1", message)
        assert "nine" in answer.shown
        await slack.shortcut("ask_msg", "U1", "C1", message)
        (said,) = await eventually(lambda: seen(slack, "C1", "U1"))
    assert "asked this already" in said
    assert [turn.question for turn in toy.turns] == ["Does anybody know when it opens?"]


async def test_a_private_room_answers_who_asked_alone(slack, serving, toy):
    toy.passages = [passage("For ada: b.", readers={"email:ada@example.com"})]
    async with serving(rooms="{C1 = {private = true}}"):
        await slack.mention("C1", "U1", "When?")
        (answer,) = await eventually(lambda: seen(slack, "C1", "U1"))
        assert "nine" in answer
        assert "Show in the channel" not in answer  # it rests on what others may not read
    assert [m for m in slack.answers("C1") if not m.visible_to] == []


async def test_a_private_answer_is_shown_to_all_only_if_all_may_read_its_sources(
    slack, serving, toy
):
    async with serving(rooms="{C1 = {private = true}}") as bot:
        question = await slack.mention("C1", "U1", "When?")
        await eventually(lambda: seen(slack, "C1", "U1"))
        for _ in range(2):  # pressed twice, shown once
            await slack.click("answer_publish", "U1", "C1")
        (public,) = await eventually(
            lambda: [m for m in slack.answers("C1") if not m.visible_to and m.stream is None]
        )
        assert "nine" in public.shown
        assert URI in public.shown
        await slack.settled()
        async with bot.database.connection() as connection:  # rights have changed since
            await connection.execute("update citation set readers = '{email:ada@example.com}'")
        question = await slack.mention("C1", "U1", "When again?")
        await eventually(lambda: len(seen(slack, "C1", "U1")) == 2)
        async with bot.database.connection() as connection:
            await connection.execute("update citation set readers = '{email:ada@example.com}'")
        await slack.click("answer_publish", "U1", "C1")
        await eventually(lambda: len(seen(slack, "C1", "U1")) == 3)
    assert "not everybody" in seen(slack, "C1", "U1")[-1]
    assert len([m for m in slack.answers("C1") if not m.visible_to]) == 1
    assert question


async def test_what_was_said_in_private_is_never_context_elsewhere(slack, serving, toy):
    toy.answers["salary"] = ["The salary of ada is a secret."]
    async with serving(rooms="{C3 = {private = true}}"):
        private = await slack.post_message("dm", "U1", "What is my salary?")
        await answered(slack, "D1", private)
        await slack.slash_command("C1", "U1", "What is my salary?")
        await eventually(lambda: seen(slack, "C1", "U1"))
        first = await slack.mention("C3", "U2", "What is the salary of ada?")
        await eventually(lambda: seen(slack, "C3", "U2"))
        for user in ("U1", "U2"):
            question = await slack.mention("C1", user, "What was said?")
            await answered(slack, "C1", question)
        await slack.mention("C3", "U1", "What was said?", thread_ts=first)
        await eventually(lambda: len(toy.turns) == 6)
        await slack.settled()
    for turn in toy.turns:
        said = " ".join(m.text for m in turn.conversation.history if m.role == "assistant")
        assert "secret" not in said


async def test_a_person_is_asked_what_the_bot_cannot_answer(slack, serving, toy):
    toy.answers = {"": ["I do not know."]}
    toy.refuses = True
    toy.passages = [
        passage("Opening hours.", title="Hours"),
        passage("For ada.", readers={"email:ada@example.com"}, title="Ada's diary"),
    ]
    async with serving(handover='"C3"') as bot:
        question = await slack.mention("C1", "U1", "Who has the key? <!channel>")
        await answered(slack, "C1", question)
        for _ in range(2):
            await slack.click("answer_handover", "U2", "C1")
        (handed,) = await eventually(lambda: slack.answers("C3"))
        await eventually(lambda: seen(slack, "C1", "U2"))
        await slack.settled()
        del bot
    assert "Who has the key?" in handed.shown
    assert "Hours" in handed.shown
    assert "diary" not in handed.shown
    assert "ada" in handed.shown
    assert len(slack.answers("C3")) == 1
    assert slack.notified() == set()


async def test_a_good_answer_and_no_setting_offer_no_person(slack, serving, toy):
    async with serving(handover='"C3"'):
        question = await slack.mention("C1", "U1", "When?")
        (answer,) = await answered(slack, "C1", question)
    assert "Ask a person" not in answer.shown


async def test_who_may_not_ask_an_assistant_is_told_alone(slack, serving, toy):
    assistants = (
        '[assistants.default]\nretrievers = ["toy"]\ngenerator = "toy"\naskers = ["group:board"]'
        '\n[groups]\nboard = ["email:ada@example.com"]'
    )
    async with serving(assistants=assistants):
        await slack.mention("C1", "U2", "When?")
        (refusal,) = await eventually(lambda: seen(slack, "C1", "U2"))
        own = await slack.post_message("dm", "U1", "When?")
        (answer,) = await answered(slack, "D1", own)
    assert "may not ask" in refusal
    assert "nine" in answer.shown


async def test_feedback_with_a_comment_is_recorded(slack, serving):
    async with serving() as bot:
        question = await slack.mention("C1", "U1", "When?")
        await answered(slack, "C1", question)
        await slack.click("answer_feedback", "U2", "C1", value="good")
        await slack.click("answer_feedback", "U1", "C1", value="bad")
        view = await eventually(lambda: next(iter(slack.world.views), None))
        await slack.submit("U1", view, {"comment": {"text": {"value": "It opens at eight."}}})
        await slack.settled()
        async with bot.database.connection() as connection:
            cursor = await connection.execute(
                "select author, good, comment from feedback order by 1"
            )
            found = await cursor.fetchall()
    assert found == [("T1/U1", False, "It opens at eight."), ("T1/U2", True, "")]


async def test_the_home_tab_tells_sources_and_recent_questions(slack, serving, settled, tmp_path):
    (tmp_path / "docs").mkdir()
    assistants = (
        '[assistants.default]\nretrievers = ["toy"]\ngenerator = "toy"\n'
        '[sources.handbook]\ntype = "folder"\npath = "docs"\n'
        '[sources.secret]\ntype = "folder"\npath = "docs"\nreaders = ["email:bob@example.com"]'
    )
    async with serving(assistants=assistants) as bot:
        async with bot.database.connection() as connection:
            await connection.execute(DOCUMENTS)
        await answered(slack, "C1", await slack.mention("C1", "U1", "When &lt;does&gt; it open?"))
        await settled(slack, bot.database)
        await slack.open_home("U1")
        view = await eventually(lambda: slack.world.views.get("home:U1"))
    words = str(view)
    assert "handbook" in words
    assert "3 documents" in words
    assert "secret" not in words
    assert "'When <does> it open?'" in words  # as the person wrote it, without our mention


async def test_prompts_are_suggested_in_the_agent_view(slack, serving):
    async with serving(prompts='["When does the office open?"]'):
        await slack.open_home("U1", tab="messages")
        (call,) = await eventually(lambda: slack.called("assistant.threads.setSuggestedPrompts"))
    prompt = {"title": "When does the office open?", "message": "When does the office open?"}
    assert call.arguments["prompts"] == [prompt]
    assert call.reply["ok"]


async def test_who_writes_from_another_workspace_in_a_shared_channel_is_refused_not_ignored(
    slack, serving, toy
):
    async with serving():
        event = {"type": "app_mention", "channel": "C2", "user": "U4", "ts": "1.5",
                 "text": "<@U0BOT> When?", "user_team": "T2"}  # fmt: skip
        slack.event(event, team_id="T2")
        (refusal,) = await eventually(lambda: seen(slack, "C2", "U4"))
    assert "the workspace that I belong to" in refusal
    assert toy.turns == []


async def test_where_it_is_no_member_an_answer_cannot_be_shown_and_that_is_said(slack, serving):
    async with serving():
        await slack.slash_command("C4", "U1", "When?")
        await eventually(lambda: seen(slack, "C4", "U1"))
        await slack.click("answer_publish", "U1", "C4")
        (_, said) = await eventually(
            lambda: found if len(found := seen(slack, "C4", "U1")) == 2 else None
        )
    assert "invite me" in said


async def test_what_is_older_than_the_retention_is_forgotten(slack, serving, database):
    async with serving():
        question = await slack.mention("C1", "U1", "When?")
        await answered(slack, "C1", question)
    async with database.connection() as connection:
        await connection.execute("update inbox set received_at = now() - interval '8 days'")
        await connection.execute("update message set created_at = now() - interval '8 days'")
        await connection.execute("update turn set started_at = now() - interval '8 days'")

    async def left():
        async with database.connection() as connection:
            cursor = await connection.execute(
                "select (select count(*) from message) + (select count(*) from inbox)"
            )
            return (await cursor.fetchone())[0]

    assert await left() == 3
    async with serving(retention=9):
        await answered(slack, "C1", await slack.mention("C1", "U2", "When?"))
    assert await left() == 6
    async with serving(retention=7):

        async def gone():
            return await left() == 3

        await eventually(gone)
