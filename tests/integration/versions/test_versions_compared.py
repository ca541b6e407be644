"""Documents that are synced while answers are compared: which ones an answer is from is kept."""

import pytest
import versioned
from versioned import PLUGINS as PLUGINS
from versioned import TEXTS

from bot import hookimpl
from bot.cli import comparing as commands
from bot.evaluation import comparing, golden, journal
from bot.evaluation.golden import Golden
from bot.evaluation.view import view

CONFIG = versioned.CONFIG.replace(
    "retrieve = 60",
    """retrieve = 60
hook = 60
[assistants.other]
retrievers = ["documents"]
generator = "speaker" """,
)
WAYS = ["default", "other", "speaker"]  # the last one is asked without documents
NEW = {**TEXTS, "d0": "changed"}
TOLD = (
    "Documents have changed while this was measured, so that not all answers are from the same "
    "ones (answers of default: 2 of state 1 and 1 of state 2; answers of other: 1 of state 1 and 2 "
    "of state 2); compare with --new while nothing is synced."
)


class Syncs:
    """A plugin that is called when an answer is there, and syncs."""

    def __init__(self, fill):
        self.fill = fill
        self.answers = 0
        self.at = {}  # what the source holds once there are so many answers

    @hookimpl
    async def bot_measure(self, golden, answer, passages):
        self.answers += 1
        if (texts := self.at.get(self.answers)) is not None:
            await self.fill(**texts)


@pytest.fixture
async def syncs(bot, fill):
    await fill(**TEXTS)
    asked = [Golden(question=f"text {n} one", answer=f"text {n} two") for n in range(3)]
    await golden.put(bot.database, asked)
    plugin = Syncs(fill)
    bot.plugins.register(plugin, "syncs")
    return plugin


async def test_which_documents_each_way_was_asked_of_is_told(bot, syncs, capsys):
    # The first question is put to the last way first, the second one to the first way first.
    syncs.at = {5: NEW}  # once the second way has answered the second question
    kept, notes = await comparing.compare(bot, WAYS)
    assert notes == []
    found = view(kept).plain()
    assert found["notes"] == [TOLD]
    before, after = found["variants"]["default"]["documents"]
    assert before.startswith("7 documents, ")
    assert after.startswith("7 documents, ")
    assert found["variants"]["default"]["documents"] == {before: 2, after: 1}
    assert found["variants"]["other"]["documents"] == {before: 1, after: 2}
    assert found["variants"]["speaker"]["documents"] == {}
    commands.show_answers(await journal.load(bot.database, kept.id), None, as_json=False)
    assert TOLD in capsys.readouterr().err


async def test_one_that_was_stopped_and_goes_on_after_a_sync_tells_it(bot, syncs):
    stopped = RuntimeError("stopped")

    def stop(done):
        if done == 1:
            raise stopped

    with pytest.raises(RuntimeError, match="stopped"):
        await comparing.compare(bot, WAYS[:1], told=stop)
    await syncs.fill(**NEW)
    kept, _ = await comparing.compare(bot, WAYS[:1])
    assert kept.id == 1
    assert "(answers of default: 1 of state 1 and 2 of state 2)" in view(kept).mixed


@pytest.mark.parametrize(
    ("ways", "at"),
    [
        (WAYS, {}),
        (WAYS, {4: TEXTS}),  # nothing has changed
        (WAYS, {6: NEW, 7: TEXTS}),  # while only the one without documents is asked
        (["speaker"], {2: NEW}),  # no documents are asked
    ],
)
async def test_a_sync_that_no_way_has_noticed_is_not_told(bot, syncs, ways, at):
    syncs.at = at
    kept, _ = await comparing.compare(bot, ways)
    assert kept.finished
    assert view(kept).mixed == ""


async def test_of_many_states_only_the_number_is_told(bot, syncs):
    syncs.at = {n: {**TEXTS, "d0": f"changed {n}"} for n in range(1, 7)}
    await golden.put(
        bot.database, [Golden(question=f"text {n} two", answer="text") for n in range(3, 6)]
    )
    kept, _ = await comparing.compare(bot, WAYS[:1])
    assert "(answers of default: some of 6 states)" in view(kept).mixed
