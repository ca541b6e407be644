"""The cheapest rung that is not below the best is chosen, and the page says so, escaped."""

import html.parser
import re

import pytest

from bot.evaluation import ladder, page, plots
from bot.evaluation.engine import Sheet, Trial
from bot.evaluation.golden import Golden
from bot.evaluation.journal import Kept
from bot.evaluation.statistics import Interval
from bot.evaluation.variants import Step
from bot.evaluation.view import view

BASE = Step(name="base", means=())
ICL = Step(name="icl", means=("examples",))
RAG = Step(name="base+rag", means=("documents",))
LORA = Step(name="lora", means=("tuned",))
BOTH = Step(name="lora+rag", means=("tuned", "documents"))
EVIL = '"><script>alert(1)</script><img src="http://evil.example/x" onerror=y>\u202e\x1b[31m{{7*7}}'


def sheet(**values):
    count = len(next(iter(values.values())))
    return Sheet(
        golden=[Golden(id=n, question=f"q{n}", answer="a b") for n in range(count)],
        trials={
            name.replace("_", "+"): [
                Trial(values={"m": value}, milliseconds=10.0, answer="a c",
                      error="" if value is not None else "broken")
                for value in row
            ]
            for name, row in values.items()
        },
    )  # fmt: skip


def kept(sheet_, steps, **more):
    given = {"id": 3, "by": "m", "readings": {}, "ratings": [], "finished": True, "settings": {}}
    return Kept(steps=steps, sheet=sheet_, **{**given, **more})


def test_means_are_ordered_as_on_the_ladder():
    assert [one.rung for one in (BASE, ICL, RAG, LORA, BOTH)] == [0, 1, 2, 4, 6]
    assert ladder.means(BOTH) == "tuned weights and documents"


def test_the_cheapest_that_is_not_below_the_best_is_chosen():
    noisy = [0.9, 0.7] * 20
    found = sheet(base=[0.1] * 40, base_rag=noisy, lora=noisy[::-1], lora_rag=[0.81] * 40)
    chosen = ladder.choose(found, [LORA, BOTH, RAG, BASE], "m")
    assert (chosen.name, chosen.best) == ("base+rag", "lora+rag")
    assert "does not tell them apart" in chosen.reason
    assert re.search(r"cheaper is worse than the best: base -0\.71", chosen.reason)
    assert "little can be told" not in chosen.reason


def test_the_difference_is_taken_question_by_question():
    hard = [n / 40 for n in range(40)]
    found = sheet(base=hard, lora=[value + 0.01 for value in hard])
    chosen = ladder.choose(found, [BASE, LORA], "m")
    assert chosen.name == "lora"  # the intervals of the means overlap nearly wholly
    assert "the highest of all" in chosen.reason


def test_of_one_rung_the_one_that_costs_less_money_is_chosen():
    found = sheet(base=[0.5] * 3, other=[0.5] * 3)
    costs = {"base": {"cost": 2.0}, "other": {"cost": 1.0}}
    trials = {
        name: [Trial(values=t.values, costs=costs[name], milliseconds=1.0) for t in row]
        for name, row in found.trials.items()
    }
    other = Step(name="other", means=())
    chosen = ladder.choose(Sheet(golden=found.golden, trials=trials), [BASE, other], "m")
    assert chosen.name == "other"
    assert "little can be told" in chosen.reason


def test_what_has_failed_or_was_not_measured_is_not_chosen():
    found = sheet(base=[0.0, 0.0], lora=[1.0, 1.0])
    broken = [Trial(values={"m": 5.0}, milliseconds=1.0, error="gone")] * 2
    trials = {**found.trials, "lora": broken}
    assert ladder.choose(Sheet(golden=found.golden, trials=trials), [BASE, LORA], "m").name == (
        "base"
    )
    none = ladder.choose(found, [BASE, LORA], "other metric")
    assert (none.name, none.differences) == ("", {})


def test_what_people_prefer_is_a_share_with_an_interval():
    ratings = [(1, "a", "b", "one"), (2, "a", "b", "other"), (3, "a", "c", "neither")]
    found = ladder.preferred(ratings, ["a", "b", "c", "d"])
    assert {name: figure.mean for name, figure in found.items()} == {"a": 0.5, "b": 0.5, "c": 0.5}


class Strict(html.parser.HTMLParser):
    """Collects tags, attributes and text."""

    def __init__(self):
        super().__init__()
        self.tags, self.values, self.text = [], [], ""

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.values += [(name, value or "") for name, value in attrs]

    def handle_data(self, data):
        self.text += data


def hostile():
    steps = [BASE, Step(name=EVIL, means=("tuned",))]
    golden = [Golden(id=1, question=EVIL, answer=EVIL, readers=frozenset({"group:hr"}))]
    trials = {
        "base": [Trial(values={"m": 0.5, EVIL: 1.0}, milliseconds=1.0, answer=EVIL)],
        EVIL: [Trial(values={"m": 0.2}, milliseconds=1.0, error=EVIL)],
    }
    return kept(
        Sheet(golden=golden, trials=trials), steps, ratings=[(1, EVIL, "base", "one", EVIL)]
    )


def test_the_page_escapes_everything_and_asks_nothing_of_a_network():
    made = page.html(view(hostile()), [EVIL])
    read = Strict()
    read.feed(made)
    read.close()
    assert not {"script", "img", "link", "iframe", "object", "base", "form"} & set(read.tags)
    assert not [name for name, _ in read.values if name.startswith("on") or name in ("src", "href")]
    assert "alert(1)" in read.text
    assert "{{7*7}}" in read.text  # no template either
    assert not {"\u202e", "\x1b"} & set(made)
    assert "url(" not in made
    assert "@import" not in made
    assert "default-src 'none'" in made
    assert "group:hr" in read.text  # who may see it is said


def test_the_page_shows_the_choice_the_answers_and_the_marks():
    found = sheet(base=[0.5] * 2, lora=[0.9] * 2)
    made = page.html(view(kept(found, [BASE, LORA], ratings=[(0, "base", "lora", "other", "x")])))
    assert "It would choose <strong>lora</strong>" in made
    assert made.count('<mark class="same">a</mark> <span class="other">c</span>') == 4
    assert "1 rating by 1 person." in " ".join(made.split())
    assert made.count("<svg") == 3  # m, milliseconds, preferred
    assert "prefers-color-scheme: dark" in made


def test_the_page_is_for_its_owners_eyes_alone(tmp_path):
    page.write(tmp_path / "page.html", view(kept(sheet(base=[1.0]), [BASE])))
    assert (tmp_path / "page.html").stat().st_mode & 0o777 == 0o600
    with pytest.raises(Exception, match="name another file"):
        page.write(tmp_path, view(kept(sheet(base=[1.0]), [BASE])))


def test_a_plot_puts_means_and_intervals_in_their_places():
    drawn = plots.intervals("t", [("a", Interval(0.5, 0.25, 0.75)), ("b", None)], "a", share=True)
    assert drawn.count("<circle") == 1
    assert 'cx="263.0"' in drawn  # half of what lies between 130 and 396
    assert 'x1="196.5"' in drawn
    assert 'x2="329.5"' in drawn
