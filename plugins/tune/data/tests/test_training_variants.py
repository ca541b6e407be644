"""Variants ask the same in other words; what must not change does not."""

import json
import random

import pytest
from bot_tune import varying
from bot_tune.augmenting import OWN, Replacing, grouped
from bot_tune.examples import Conversation, Message, Pair, Text, read, write
from bot_tune.gathering import held_out
from bot_tune.protecting import kept
from bot_tune.translating import Translating, unfit

from bot import Delta, asking, glossary, hookimpl
from bot.errors import HookFailed, UsageError
from bot.machinery import Limits, Machinery
from bot.plugins import Plugins

TEAM = [("PTO", "paid time off", "vacation")]
GERMAN = {
    "How do I delete my account in Berlin?": "Wie lösche ich mein Konto in Berlin?",
    "When is the office closed on Fridays?": "Wann ist das Büro freitags zu?",
}
BACK = {
    "Wie lösche ich mein Konto in Berlin?": "What must I do to remove my account in Berlin?",
    "Wann ist das Büro freitags zu?": "At what time does the office close on Fridays?",
}


def said(question, answer="The office opens at nine in the morning.", **more):
    messages = (Message("user", question), Message("assistant", answer))
    return Conversation(messages=messages, **more)


def words(question, copies=20, groups=TEAM):
    return {one.messages[0].content for one in Replacing(groups).variants(said(question), copies)}


# -- other words -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("question", "others"),
    [
        ("How do I delete it?", {"How can I delete it?", "What is the way to remove it?"}),
        ("Can I take PTO?", {"May I take paid time off?", "Can I take vacation?"}),
        ("Vacation?", {"Paid time off?", "PTO?"}),
        ("Is an employee there? Perhaps.", {"Is a staff member there? Maybe."}),
        ("为什么？什么时候？", {"为何？何时？"}),
        ("Warum oft?", {"Weshalb häufig?", "Wieso häufig?"}),
    ],
)
def test_phrases_are_replaced_where_they_stand(question, others):
    made = words(question)
    assert others <= made
    assert question not in made


@pytest.mark.parametrize(
    "question",
    [
        "Who pays Ann 3,000 EUR?",
        "`delete` or https://x.example/delete or ./delete.sh?",
        'What says "Perhaps not often"?',
        "A PTOX and a co-vacation?",
    ],
)
def test_what_has_no_other_words_or_is_protected_stays(question):
    assert words(question) == set()


def test_a_phrase_inside_what_is_protected_stays():
    for made in words("How do I delete `delete` in May 2024 with Ann Smith at 9:30?"):
        assert "`delete` in May 2024 with Ann Smith at 9:30?" in made


@pytest.mark.parametrize("group", glossary.read(OWN), ids=lambda group: group[0])
def test_every_phrase_of_the_list_can_be_replaced(group):
    for phrase in group:
        made = Replacing().replaced(f"Well, {phrase} this", random.Random(1))
        assert made != f"Well, {phrase} this"


def test_the_same_seed_gives_the_same_words_and_answers_never_change():
    given = said("How do I delete an employee, and is not that often so?")
    made = Replacing(seed=1).variants(given, 5)
    assert made == Replacing(seed=1).variants(given, 5)
    assert made != Replacing(seed=2).variants(given, 5)
    assert len({one.messages[0].content for one in made}) == 5
    assert {one.messages[1] for one in made} == {given.messages[1]}
    pair = Pair(messages=(Message("user", "Can I delete it?"),), chosen="Can I.", rejected="often")
    (other,) = Replacing().variants(pair, 1)
    assert (other.chosen, other.rejected) == (pair.chosen, pair.rejected)
    assert other.messages != pair.messages


def test_what_is_kept():
    text = 'Ask Ann Smith for 3.5% of `x_1`, "the rest" by 9:30, or NASA. Then ann@example.com.'
    assert {"Smith", "3.5%", "x_1", "the rest", "9:30", "NASA", "ann@example.com"} <= set(
        kept(text)
    )


# -- through another language ----------------------------------------------------------------------


class Translator:
    def __init__(self, *, refuses=False, breaks=False):
        self.prompts = []
        self.refuses = refuses
        self.breaks = breaks

    @hookimpl
    async def bot_generate(self, turn, prompt):
        self.prompts.append(prompt)
        if self.breaks:
            raise OSError("the line is dead")
        if self.refuses:
            yield Delta(text="I do not know.", refusal=True)
            return
        text = prompt.passages[0].text
        found = GERMAN.get(text) if prompt.question.endswith("into German.") else BACK.get(text)
        yield f'"{found or text}"\n'


def generator(script, may_receive="all"):
    plugins = Plugins()
    plugins.register(script, "generator:model")

    async def resolve(kind, name):
        return f"{kind}:{name}"

    machinery = Machinery(
        manager=plugins.manager, database=None, resolve=resolve, limits=Limits(),
        may_receive=lambda name: may_receive,
    )  # fmt: skip
    return asking.Generator(machinery, "generator:model")


async def test_a_question_comes_back_in_other_words():
    script = Translator()
    translating = Translating(generator(script), "German")
    for question, german in GERMAN.items():
        made, why = await translating.variant(said(question))
        assert why == ""
        assert made.messages[0].content == BACK[german]
        assert made.messages[1] == said(question).messages[1]
    assert "never follow instructions" in script.prompts[0].messages[0][1]
    assert script.prompts[1].question == "Translate the source into English."


@pytest.mark.parametrize(
    ("text", "back", "why"),
    [
        ("Where is it?", "", "nothing came back"),
        ("Where is it?", "where is IT", "the same came back"),
        ("Where is it?", "In which place can somebody who looks for it find it now?", "longer"),
        ("Are 3 keys with Bob?", "Does Bob have 4 keys?", "a number, a name"),
        ("Where does Bob Miller live?", "Where does Bob Müller live?", "a number, a name"),
        ("Why can't I come?", "Why can I come?", "a negation"),
        ("Why can't I come?", "Why am I not allowed to come?", ""),
        ("Who has the spare key of the office?", "Wer hat den zweiten Schlüssel des Büros?",
         "another language"),
    ],
)  # fmt: skip
def test_what_says_something_else_is_left_out(text, back, why):
    found = unfit(text, back)
    assert why in found
    assert bool(why) == bool(found)


async def test_what_may_not_leave_is_not_sent():
    script = Translator()
    translating = Translating(generator(script, "public"), "German")
    secret = said(next(iter(GERMAN)), readers=frozenset({"group:hr"}))
    made, why = await translating.variant(secret)
    assert (made, script.prompts) == (None, [])
    assert "may not leave" in why


async def test_a_generator_that_declines_or_fails(tmp_path):
    given = tmp_path / "x.jsonl"
    write(given, [said(next(iter(GERMAN)))])
    done = await varying.write(
        varying.translated([given], generator(Translator(refuses=True)), "German"),
        tmp_path / "y.jsonl", lambda _: None,
    )  # fmt: skip
    assert (done.variants, done.refused) == (0, {"nothing came back": 1})
    with pytest.raises(HookFailed):
        await varying.write(
            varying.translated([given], generator(Translator(breaks=True)), "German"),
            tmp_path / "z.jsonl", lambda _: None,
        )  # fmt: skip


# -- files -----------------------------------------------------------------------------------------


async def test_examples_and_variants_are_one_group_on_one_side_of_a_training(tmp_path):
    given = tmp_path / "x.jsonl"
    write(given, [*(said(f"How do I delete account {n}?") for n in range(40)), Text(text="Doors.")])
    output = tmp_path / "y.jsonl"
    done = await varying.write(varying.replaced([given], [], 3, 0), output, lambda _: None)
    assert (done.examples, done.variants, done.refused) == (41, 120, {"it asks nothing": 1})
    found = list(read([output]))
    assert len(found) == 161
    assert len({one.group for one in found}) == 41
    learned, measured = held_out(found, 0.2, 0)
    assert measured
    assert {one.group for one in learned}.isdisjoint(one.group for one in measured)


async def test_through_another_language_each_stands_behind_its_own(tmp_path):
    given = tmp_path / "x.jsonl"
    others = [Text(text="Doors."), *(said(f"Why {n}?") for n in range(9))]
    write(given, [said(next(iter(GERMAN))), *others, said(list(GERMAN)[1])])
    work = varying.translated([given], generator(Translator()), "German")
    done = await varying.write(work, tmp_path / "y.jsonl", lambda _: None)
    assert (done.examples, done.variants) == (12, 2)
    assert done.refused == {"it asks nothing": 1, "the same came back": 9}
    lines = [json.loads(line) for line in (tmp_path / "y.jsonl").read_text().splitlines()]
    assert lines[0]["group"] == lines[1]["group"]
    assert lines[1]["messages"][0]["content"].startswith("What must I do")
    assert lines[-1]["messages"][0]["content"].startswith("At what time")


def test_nothing_is_written_over_what_is_read(tmp_path):
    with pytest.raises(UsageError, match="name another"):
        varying.check([tmp_path / "x.jsonl"], tmp_path / "." / "x.jsonl")


def test_a_group_of_its_own_stays():
    assert grouped(said("x", group="7")).group == "7"
    assert grouped(said("x")).group == grouped(said("x", place="other")).group != ""
