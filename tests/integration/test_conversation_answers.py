"""What an answer says of its sources, and of what it has none for."""

import pytest
import toys
from rooms import EVERYBODY, PORT, SECRET

from bot import (
    Delta,
    Failed,
    Passage,
    hookimpl,
)
from bot.turn import Outcome


async def test_a_claim_that_its_source_does_not_support_is_noted(room):
    room.add("documents", toys.Fixed(PORT))
    room.add("generator", toys.Speaker("The port is 9090. [1] It can be changed. [1]"))
    answer = (await room.ask()).answer
    (notice,) = answer.notices
    assert "The port is 9090." in notice
    assert "9090" in notice
    assert answer.text == "The port is 9090. [1] It can be changed. [1]"


async def test_an_answer_that_names_no_source_is_noted(room):
    room.add("documents", toys.Fixed(PORT))
    room.add("generator", toys.Speaker("I think that it is 8080."))
    assert (await room.ask()).answer.notices == ("The answer names no source.",)


@pytest.mark.parametrize(
    ("question", "label"),
    [
        ("Which port?", "No source supports this answer."),
        ("端口是什么？", "没有资料支持这个回答。"),
    ],
)
@pytest.mark.parametrize("found", [[PORT], []])
async def test_a_model_s_own_knowledge_is_labelled(room, question, label, found):
    room.add("documents", toys.Fixed(*found))
    room.add("generator", toys.Speaker("It is usually 80."))
    answer = (await room.ask(question, assistant={"without_sources": "answer_labelled"})).answer
    assert answer.text == f"It is usually 80.\n\n{label}"
    assert answer.outcome is Outcome.answered


async def test_without_sources_a_model_is_not_even_asked(room):
    room.add("documents", toys.Fixed())
    generator = room.add("generator", toys.Speaker("It is usually 80."))
    answer = (await room.ask("What is the port?")).answer
    assert answer.outcome is Outcome.refused
    assert answer.text == "I found nothing in the sources that answers this."
    assert generator.prompts == []


async def test_passages_that_a_generator_found_are_cited_and_reasoning_is_kept_apart(room):
    further = Passage(id="f", text="The host is alpha.", readers=EVERYBODY, title="Hosts")

    class Searching:
        @hookimpl
        async def bot_generate(self, turn, prompt):
            yield Delta(reasoning="I look for the host. ", passages=(further,))
            yield Delta(text="The host is alpha. [2] The port is 8080. [1]", reasoning="Done.")

    room.add("documents", toys.Fixed(PORT))
    room.add("generator", Searching())
    answer = (await room.ask()).answer
    assert [(one.marker, one.title) for one in answer.citations] == [(1, "Ports"), (2, "Hosts")]
    assert answer.reasoning == "I look for the host. Done."
    assert "look for" not in answer.text


async def test_a_generator_cannot_bring_what_the_asker_may_not_read(room):
    class Leaking:
        @hookimpl
        async def bot_generate(self, turn, prompt):
            yield Delta(passages=(SECRET,))
            yield Delta(text="The salary is 1. [2]")

    room.add("documents", toys.Fixed(PORT))
    room.add("generator", Leaking())
    end = await room.ask()
    assert isinstance(end, Failed)
    assert "may not read" in end.answer.error
    assert end.answer.text == ""
