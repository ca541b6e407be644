"""Chinese, Japanese and Korean are compared by characters beside their neighbours."""

import pytest
from bot_extractive.ranking import rank
from bot_extractive.selection import confidence
from bot_extractive.terms import characters

from bot import Passage


def passage(text: str, **evidence: float) -> Passage:
    return Passage(
        id=text, text=text, title="", readers=frozenset({"everyone"}), evidence=dict(evidence)
    )


def test_a_character_is_named_with_its_neighbours() -> None:
    assert characters("東京都") == {
        " 東京": frozenset({"東京"}),
        "東京都": frozenset({"東京", "京都"}),
        "京都 ": frozenset({"京都"}),
    }
    assert characters("谁丢了 the ball？") == {" 丢 ": frozenset()}


def test_words_in_another_order_are_all_found() -> None:
    question = "备份数据库权限"
    held = passage("数据库有备份，要有权限。")
    scattered = passage("据说库里备有权杖，限期内数了三份。")

    assert rank(question, (), [held]).best[0].coverage > 0.95
    # The same characters, none beside its neighbour.
    assert rank(question, (), [scattered]).best[0].coverage == pytest.approx(0.3, abs=0.05)


def test_a_question_of_lone_characters_finds_its_sentence() -> None:
    ranking = rank("谁丢了球？", (), [passage("天气很好。牛顿把球丢给对手。")])

    assert [one.unit.text for one in ranking.best] == ["牛顿把球丢给对手。"]


def test_what_a_long_question_finds_is_more_than_chance() -> None:
    found = passage("备份每天凌晨运行。", lexical=0.2, known=0.6)
    short, long = "备份运行？", "数据库备份每天凌晨几点在服务器上运行？"

    def meant(question: str) -> float:
        ranking = rank(question, (), [found])
        words = (ranking.best[0].coverage + 2 * ranking.weight(ranking.around(ranking.best[0]))) / 3
        return confidence(question, ranking, [found]) - words / 2

    assert meant(long) > meant(short) + 0.05
