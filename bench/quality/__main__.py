"""Measure retrieval, answers, refusals and follow-ups on public questions.

    python -m bench.quality DATA [--questions 400] [--keep FOLDER] [--write docs/quality]

DATA holds the folders `anthropic_docs_qa`, `scifact_beir`, `mtrag`, `xquad_en`, `xquad_zh` and
`cmrc2018_trial`, each with `corpus.jsonl` {_id, title, text}, `queries.jsonl` {_id, text, and
answers or answer} and `qrels.tsv` or `qrels/*.tsv`; `mtrag` with its pooled files and
`reference_tasks.jsonl`. Every corpus is indexed by the product with its defaults, and questions
take the steps of `bot ask`. Intervals are 95 %, by bootstrap over the questions, paired where two
ways are compared. Newcomers' questions are our own, on our own documentation. `--write` puts the
tables into the text of `page.md`, beside three plots.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench.quality import answering, own, retrieval
from bench.quality.measures import area
from bench.quality.worlds import DEFAULTS
from bench.table import show
from bot.evaluation.statistics import bootstrap

Table = tuple[str, Sequence[str], Sequence[Sequence[object]]]

ANSWERED = 4  # times as many questions are answered as retrieval is measured on
PAGE = Path(__file__).with_name("page.md")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument(
        "--questions",
        type=int,
        default=400,
        help="at most so many a set, four times as many for answers",
    )
    parser.add_argument("--keep", type=Path, help="keep the indexes here for the next run")
    parser.add_argument("--write", type=Path, help="write the page and the plots into this folder")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-", dir="/tmp") as home:
        keep = options.keep or Path(home)
        keep.mkdir(parents=True, exist_ok=True)
        keep.chmod(0o755)  # as root the server runs as another user
        tables = asyncio.run(measure(options.data, keep, options.questions, options.write))
    for title, columns, rows in tables.values():
        show(title, columns, rows)
    if options.write:
        text = PAGE.read_text(encoding="utf-8")
        for name, (_, columns, rows) in tables.items():
            text = text.replace(f"{{{name}}}", markdown(columns, rows))
        text = text.replace("{questions}", str(options.questions))
        text = text.replace("{answered}", str(ANSWERED * options.questions))
        (options.write / "README.md").write_text(text, encoding="utf-8")


async def measure(data: Path, keep: Path, most: int, write: Path | None) -> dict[str, Table]:
    """Run everything; return the tables by name."""
    fusion = await retrieval.fusion(data, keep, most)
    followups = await retrieval.followups(data, keep, most)
    subjects = await retrieval.changes_of_subject(data, keep, most)
    answers = await answering.answers(data, keep, ANSWERED * most)
    wrong = await answering.foreign(data, keep, ANSWERED * most)
    after = await answering.off_topic_after_topic(data, keep, most)
    mtrag = await answering.unanswerable(data, keep, most)
    newcomers = await own.fresh(own.DOCS)
    if write:
        from bench.quality.plots import draw

        draw(write, fusion, answers, wrong, mtrag)
    return {
        "fusion": (
            "Does fusion drown the better ranker? nDCG@10",
            ["questions of", "n", *retrieval.WAYS, "ours − better one", "ours − RRF"],
            retrieval.fusion_rows(fusion),
        ),
        "followups": (
            "Do follow-ups find what they mean? nDCG@10",
            ["asked", "n", "nDCG@10", "history − this"],
            _against(followups, "history") + _against(subjects, "after another subject"),
        ),
        "answers": (
            "Does the answer hold the gold answer, in how many words?",
            ["questions of", "n", "ours", "words", "best BM25 sentence", "words",
             "difference", "refused", "difference, of those answered"],
            answering.answer_rows(answers),
        ),
        "looked_at": (
            "Answers to questions that parameters were chosen on, and to the others",
            ["questions of", "n", "difference", "words", "refused",
             "refused on the wrong corpus"],
            answering.looked_at_rows(answers, wrong),
        ),
        "own": (
            "Are newcomers' questions on the project's own documentation answered rightly?",
            own.COLUMNS,
            own.rows(newcomers),
        ),
        "refusal": (
            "Are questions on the wrong corpus refused?",
            ["questions of", "wrong", "right", "recall", "precision"],
            answering.refusal_rows(answers, wrong),
        ),
        "after": (
            "Is a question about something else refused after one on the documents?",
            ["asked", "n", "refused", "difference"],
            _against(after, "after a question on the documents"),
        ),
        "mtrag": (
            "MTRAG: how sure is it of what cannot be answered?",
            ["judged", "n", "refused", "area under ROC against answerable"],
            _mtrag(mtrag),
        ),
    }  # fmt: skip


def _against(ways: dict[str, list[float]], last: str) -> list[list[object]]:
    return [
        [
            way,
            len(values),
            bootstrap(values),
            "" if way == last else f"{retrieval.difference(ways[last], values):+}",
        ]
        for way, values in ways.items()
    ]


def _mtrag(found: dict[str, list[float]]) -> list[list[object]]:
    return [
        [
            judged,
            len(sure),
            bootstrap([float(one < DEFAULTS.threshold) for one in sure]),
            "" if judged == "ANSWERABLE" else f"{area(found['ANSWERABLE'], sure):.3f}",
        ]
        for judged, sure in sorted(found.items())
    ]


def markdown(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Write a table as the documentation has it."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


if __name__ == "__main__":
    main()
