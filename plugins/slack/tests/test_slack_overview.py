"""What the app suggests to ask is answered, to each person as far as they may read."""

import pytest
from bot_slack import manifest, overview
from slack_world import answered, eventually

from bot import curated
from bot.record import show

SOURCES = (
    '[assistants.default]\nretrievers = ["toy"]\ngenerator = "toy"\n'
    '[sources.handbook]\ntype = "folder"\npath = "."\n'
    '[sources.wages]\ntype = "folder"\npath = "."\nreaders = ["email:ada@example.com"]\n'
)
DOCUMENTS = """
with s as (
    insert into source (name, type, readers, synced_at) values
        ('handbook', 'folder', '{everyone}', '2026-01-02 10:00'),
        ('wages', 'folder', '{email:ada@example.com}', '2026-01-02 10:00')
    returning *
)
insert into document (source_id, key, uri, title, text, format, readers, content_hash)
select id, n::text, 'https://docs.example.com/' || name || n,
    case when n = 9 then '<!channel> [free](https://evil.example) <@U1>'
        else name || ' page ' || n end, '', 'text', readers, '' from s, generate_series(1, 9) n
"""


@pytest.fixture
async def documents(database):
    async with database.connection() as connection:
        await connection.execute(DOCUMENTS)


async def ask(slack, channel, user, text=overview.QUESTION):
    question = await slack.mention(channel, user, text)
    if channel == "dm":
        channel = slack.world.direct(user).id
    (answer,) = await answered(slack, channel, question)
    return (
        await eventually(
            lambda: next((m for m in slack.answers(channel, question) if m.blocks), None)
        )
        or answer
    )


async def test_in_a_channel_it_names_what_everybody_may_read(slack, serving, toy, documents):
    async with serving(assistants=SOURCES):
        answer = await ask(slack, "C1", "U1")
    assert "handbook (documents: 9, as of 2026-01-02" in answer.shown
    assert "handbook page 1" in answer.shown
    assert "wages" not in answer.shown
    assert "wages" not in str(answer.blocks)
    assert "https://docs.example.com/handbook1" in str(answer.blocks)
    assert toy.turns == []


async def test_in_a_direct_message_what_the_person_may_read(slack, serving, documents):
    async with serving(assistants=SOURCES):
        answer = await ask(slack, "dm", "U1", "what can you answer")
        other = await ask(slack, "dm", "U2")
    assert "wages (documents: 9" in answer.shown
    assert "wages" not in other.shown


async def test_in_another_language_it_is_understood_and_answered(slack, serving, toy, documents):
    async with serving(assistants=SOURCES):
        answer = await ask(slack, "C1", "U1", "was kannst du beantworten")
    assert "Fragen zu dem, was in diesen Quellen steht" in answer.shown
    assert "handbook (Dokumente: 9, Stand 2026-01-02" in answer.shown
    assert toy.turns == []


async def test_a_title_notifies_and_links_nobody(slack, serving, documents, database, monkeypatch):
    monkeypatch.setattr(overview, "_TITLES", 9)
    async with serving(assistants=SOURCES):
        answer = await ask(slack, "C1", "U1")
    assert "free" in answer.shown
    text = str(answer.markdown) + str(answer.blocks)
    assert not any(bad in text for bad in ("<!channel>", "<@U1>", "(https://evil.example"))


async def test_it_is_a_turn_like_any_other(slack, serving, documents, settled, database):
    async with serving(assistants=SOURCES) as bot:
        await ask(slack, "C1", "U1")
        await settled(slack, bot.database)
        async with database.connection() as connection:
            cursor = await connection.execute("select turn_id, outcome from inbox")
            ((turn, outcome),) = await cursor.fetchall()
        recorded = await show(database, turn)
    assert outcome == recorded["outcome"] == "answered"
    assert [one["title"] for one in recorded["citations"]][:1] == ["handbook page 1"]


async def test_without_a_document_it_says_so(slack, serving):
    async with serving(assistants=SOURCES):
        assert overview.PHRASES[0].nothing in (await ask(slack, "C1", "U1")).shown


async def test_an_answer_of_the_teams_own_comes_first(slack, serving, toy, documents, database):
    mine = curated.Curated(question=overview.QUESTION, answer="Ask me about the office.")
    await curated.put(database, mine)
    async with serving(assistants=SOURCES):
        assert "Ask me about the office." in (await ask(slack, "C1", "U1")).shown


async def test_approved_questions_are_suggested_to_who_may_read_them(slack, serving, database):
    for question, readers in {
        "When does it open?": "everyone",
        "What do I earn?": "email:ada@example.com",
        "x" * 151: "everyone",
    }.items():
        await curated.put(
            database,
            curated.Curated(question=question, answer="…", readers=frozenset({readers})),
        )
    async with serving():
        for user in ("U1", "U2"):
            await slack.open_home(user, tab="messages")
        calls = await eventually(
            lambda: (
                found
                if len(found := slack.called("assistant.threads.setSuggestedPrompts")) == 2
                else None
            )
        )
    told = sorted(str([one["message"] for one in call.arguments["prompts"]]) for call in calls)
    assert told == ["['What do I earn?', 'When does it open?']", "['When does it open?']"]


@pytest.mark.parametrize("phrases", overview.PHRASES, ids=lambda one: one.asked[0])
def test_every_language_has_the_question_and_its_answer(phrases):
    assert all(overview.asks(f" {asked} ") is phrases for asked in phrases.asked)
    assert all(overview.asks(asked.strip("¿?？ ")) is phrases for asked in phrases.asked)
    filled = phrases.source.format(name="handbook", count=9, day="2026", titles="“Leave” [1]")
    assert all(each in filled for each in ("handbook", "9", "2026", "“Leave” [1]"))
    assert "3" in phrases.more.format(count=3)


def test_the_manifest_suggests_what_is_answered():
    (prompt,) = manifest.manifest("socket")["features"]["agent_view"]["suggested_prompts"]
    assert overview.asks(prompt["message"])
    assert not overview.asks("What can you answer about leave?")
