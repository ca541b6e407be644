"""Chinese, Japanese and Korean are compared by characters beside their neighbours."""

import pytest
from bot_extractive.kinds import wanted
from bot_extractive.ranking import rank
from bot_extractive.selection import confidence, select
from bot_extractive.terms import characters, everyday

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


def test_characters_of_everyday_words_are_known_in_both_scripts() -> None:
    assert everyday("主要問題") == {" 主要", "主要問", "要問題", "問題 ", *"主要問題"}
    # The second character stands in another word, too.
    assert everyday("问题，题材") == {" 问题", "问题 ", "问"}
    assert everyday("叶绿体") == everyday("the ball") == frozenset()


def test_everyday_words_make_no_answer_sure_and_choose_as_others_do() -> None:
    named, common = passage("叶绿体很小。"), passage("主要问题很小。")
    question = "叶绿体主要问题？"

    of_named, of_common = (rank(question, (), [one]) for one in (named, common))

    assert of_common.best[0].coverage > of_named.best[0].coverage
    assert of_named.told(of_named.best[0].terms) > 2 * of_common.told(of_common.best[0].terms)
    assert sum(of_named.telling.values()) == pytest.approx(1)


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
        words = (
            ranking.told(ranking.best[0].terms) + 2 * ranking.told(ranking.around(ranking.best[0]))
        ) / 3
        return confidence(question, ranking, [found]) - words / 2

    assert meant(long) > meant(short) + 0.05


def quoted(question: str, *texts: str) -> list[str]:
    passages = [passage(text) for text in texts]
    found = select(question, (), passages, max_sentences=4, threshold=0)
    return [quote.unit.text for quote in found]


@pytest.mark.parametrize(
    ("question", "answer", "other"),
    [
        ("有多少人参加？", "约300人参加。", "2015年的人参加。"),
        ("工厂何时关闭？", "工厂将在2017年关闭。", "工厂将关闭300台。"),
        ("这是谁的论文？", "论文由科特·科尔曼所写。", "论文写于去年。"),
        ("总部在哪里？", "总部位于悉尼。", "总部很大。"),
        ("为什么失败？", "由于没有备份而失败。", "昨天失败。"),
        ("有哪些颜色？", "红色、蓝色。", "颜色很美。"),
        ("它的别名叫什么？", "又称“小红”。", "它很小。"),
        ("如何安装？", "通过网页安装。", "安装很快。"),
    ],
)
def test_what_is_asked_for_is_told_from_other_things(
    question: str, answer: str, other: str
) -> None:
    kind = wanted(question)

    assert kind is not None
    assert kind.has(answer)
    assert not kind.has(other)


def test_only_short_facts_are_brief() -> None:
    assert [kind.brief for q in ("何时？", "为什么？", "why?") if (kind := wanted(q))] == [
        True, False, True,
    ]  # fmt: skip


LONG_ONE = (
    "公司总部位于市中心的一座旧大楼里，数据库服务器的备份在每天凌晨三时由机房人员运行，"
    "此外职员还可以使用顶楼的餐厅，天气好的话也可以使用机房旁边的花园。"
)


def test_clauses_without_the_time_that_is_asked_for_are_left_out() -> None:
    assert quoted("数据库服务器的备份何时由机房人员运行？", LONG_ONE) == [
        "数据库服务器的备份在每天凌晨三时由机房人员运行"
    ]


def test_where_a_reason_is_asked_for_all_is_quoted() -> None:
    assert quoted("为什么服务器的备份要运行？", LONG_ONE) == [LONG_ONE]


def test_of_two_about_as_likely_the_shorter_one_is_quoted() -> None:
    long = (
        "备份的密码由小王设置，"
        + "他先写在一张纸上，再把这张纸放在办公室的柜子里，" * 2
        + "从来没有人知道这件事。"
    )
    short = "备份的密码由小李设置。"

    assert quoted("备份的密码由谁设置？", long + "天气很好。" + short) == [short]


def test_what_the_heading_and_the_sentence_before_hold_counts_once() -> None:
    told = "东关街位于扬州市。此街很繁盛。"
    titled = Passage(
        id="1", text=told, title="东关街", readers=frozenset({"everyone"}), evidence={}
    )

    best = rank("东关街在哪里？", (), [titled]).best[0]

    assert best.unit.text == "东关街位于扬州市。"


def test_a_word_among_characters_counts_as_several() -> None:
    ranking = rank("BSkyB的体育内容", (), [passage("体育内容很多。")])

    assert ranking.weights["bskyb"] > 1.5 * max(
        value for term, value in ranking.weights.items() if term != "bskyb"
    )
