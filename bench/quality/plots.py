"""The figures as pictures; needs matplotlib (the extra `bench`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.quality.answering import Quality, Sure
from bench.quality.retrieval import WAYS
from bench.quality.worlds import DEFAULTS
from bot.evaluation.statistics import bootstrap

_COLOURS = {"BM25": "#9aa5b1", "dense": "#c3b091", "RRF": "#6c8ebf", "ours": "#b8432f"}


def draw(
    folder: Path,
    fusion: Mapping[str, Mapping[str, Sequence[float]]],
    answers: Mapping[str, Quality],
    wrong: Mapping[str, Sequence[Sure]],
    mtrag: Mapping[str, Sequence[float]],
) -> None:
    """Write `fusion.png`, `answers.png` and `refusal.png`."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    folder.mkdir(parents=True, exist_ok=True)
    figure, axes = pyplot.subplots(figsize=(9, 3.6), layout="constrained")
    _fusion(axes, fusion)
    figure.savefig(folder / "fusion.png", dpi=110)
    figure, axes = pyplot.subplots(figsize=(6, 4), layout="constrained")
    _answers(axes, answers)
    figure.savefig(folder / "answers.png", dpi=110)
    figure, axes = pyplot.subplots(figsize=(5, 4.6), layout="constrained")
    _refusal(axes, answers, wrong, mtrag)
    figure.savefig(folder / "refusal.png", dpi=110)
    pyplot.close("all")


def _fusion(axes, found) -> None:
    for shift, way in enumerate(WAYS):
        each = [bootstrap(values[way]) for values in found.values()]
        places = [place + 0.2 * (shift - 1.5) for place in range(len(each))]
        error = [[one.mean - one.low for one in each], [one.high - one.mean for one in each]]
        axes.bar(places, [one.mean for one in each], 0.2, yerr=error, label=way,
                 color=_COLOURS[way], error_kw={"lw": 0.8})  # fmt: skip
    axes.set_xticks(range(len(found)), [title.replace(" ", "\n", 1) for title in found], fontsize=8)
    axes.set(ylabel="nDCG@10", ylim=(0, 1.02), title="Fusion beside its two rankings")
    axes.legend(ncols=4, fontsize=8, loc="lower left")


def _answers(axes, found) -> None:
    for title, one in found.items():
        for values, lengths, colour, name in (
            (one.ours, one.our_words, "#b8432f", "ours"),
            (one.theirs, one.their_words, "#9aa5b1", "best BM25 sentence"),
        ):
            said = [n for n in lengths if n]
            at, mean = sum(said) / len(said), bootstrap(values)
            error = [[mean.mean - mean.low], [mean.high - mean.mean]]
            axes.errorbar(at, mean.mean, yerr=error, fmt="o", color=colour, capsize=2, label=name)
            axes.annotate(title, (at, mean.mean), xytext=(5, 3), textcoords="offset points",
                          fontsize=8)  # fmt: skip
    handles, names = axes.get_legend_handles_labels()
    unique = dict(zip(names, handles, strict=True))
    axes.legend(unique.values(), unique.keys(), fontsize=8, loc="lower right")
    axes.margins(x=0.2)  # for the names
    axes.set(xlabel="words (Chinese: characters) of an answer", ylabel="holds the gold answer",
             title="Quotes beside the best BM25 sentence")  # fmt: skip


def _refusal(axes, own, wrong, mtrag) -> None:
    for title, confidences in wrong.items():
        sure = [one.confidence for one in confidences]
        _curve(axes, own[title].confidence, sure, f"{title}, wrong corpus")
    _curve(axes, mtrag["ANSWERABLE"], mtrag["UNANSWERABLE"], "MTRAG, unanswerable")
    axes.plot([0, 1], [0, 1], color="#cccccc", lw=0.8)
    axes.set(xlabel="answerable questions refused", ylabel="others refused",
             title=f"Refusal by confidence (default {DEFAULTS.threshold})")  # fmt: skip
    axes.legend(fontsize=8, loc="lower right")


def _curve(axes, answerable, others, label) -> None:
    def refused(cut: float) -> tuple[float, float]:
        both = (answerable, others)
        return tuple(sum(one < cut for one in each) / len(each) for each in both)

    points = [refused(cut) for cut in sorted({*answerable, *others, -1.0, 9.0})]
    (line,) = axes.plot(*zip(*points, strict=True), label=label, lw=1.4)
    axes.plot(*refused(DEFAULTS.threshold), "o", color=line.get_color())
