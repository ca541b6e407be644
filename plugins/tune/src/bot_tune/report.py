"""What is left of a training beside its weights: a plot of its losses and a model card."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bot.text import printable
from bot_tune.recipe import FILE, Recipe

PLOT = "loss.png"
CARD = "README.md"
_METHODS = {
    "lora": "LoRA", "dora": "DoRA", "adalora": "AdaLoRA", "prompt": "prompt tuning",
    "full": "full tuning",
}  # fmt: skip
_TASKS = {
    "sft": "conversations, of which the answers are learned",
    "clm": "texts, all of which is learned (continued pre-training)",
    "dpo": "pairs of answers that people chose between (DPO)",
}


def plot(history: Sequence[Mapping[str, Any]], path: Path, title: str) -> None:
    """Draw the losses by step."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.add_subplot()
    learned = [(one["step"], one["loss"]) for one in history if "loss" in one]
    if learned:
        axes.plot(*zip(*learned, strict=True), color="0.7", label="learned from")
    for name in measured(history):
        key = f"eval_{name}_loss"
        seen = [(one["step"], one[key]) for one in history if key in one]
        axes.plot(*zip(*seen, strict=True), marker="o", label=name.replace("_", " "))
    axes.set(xlabel="step", ylabel="loss (nats a token)", title=title)
    axes.legend()
    axes.grid(alpha=0.3)
    figure.savefig(path, dpi=120)


def measured(history: Sequence[Mapping[str, Any]]) -> list[str]:
    """The names of what was measured meanwhile."""
    keys = {key for one in history for key in one}
    return sorted(k[5:-5] for k in keys if k.startswith("eval_") and k.endswith("_loss"))


def brief(found: Mapping[str, Any]) -> dict[str, Any]:
    """Metrics as the registry keeps them: without the history."""
    return {key: value for key, value in found.items() if key not in ("history", "left_out")}


def told(found: Mapping[str, Any]) -> list[str]:
    """What a training came to, in sentences."""
    share = 100 * found["trainable"] / found["parameters"]
    lines = [f"Trained: {found['trainable']:,} of {found['parameters']:,} numbers ({share:.2f} %)."]
    if found["ranks"]:
        left, before = found["ranks"]
        lines.append(f"Ranks: {left} of {before} are left, where AdaLoRA found them useful.")
    for name, loss in found["losses"].items():
        line = f"Loss on {name.replace('_', ' ')}: {loss['before']:.3f} before, "
        lines.append(f"{line}{loss['after']:.3f} after.")
    own = found["losses"].get("held_out")
    if own and own["after"] >= own["before"]:
        lines.append("It has learned nothing that holds beyond its data: do not use it.")
    if found["steps"] < found["planned_steps"]:
        lines.append(
            f"Ended after {found['steps']} of {found['planned_steps']} steps, as the held-out loss "
            "did not fall any more; the best state is kept."
        )
    if found["left_out"]:
        lines.append(
            f"{len(found['left_out'])} conversations were left out, as they are longer than a row; "
            f"raise --length. The first: {printable(found['left_out'][0])}."
        )
    shares = sum(found["tokens"].values()) or 1
    if len(found["tokens"]) > 1:
        mix = ", ".join(
            f"{name} {count:,} ({100 * count / shares:.0f} %)"
            for name, count in found["tokens"].items()
        )
        lines.append(f"Tokens, once through: {mix}.")
    if found["short"]:
        lines.append(f"Too little for the share they were told: {', '.join(found['short'])}.")
    return lines


def card(plan: Recipe, found: Mapping[str, Any], readers: Sequence[str], folder: Path) -> None:
    """Write the model card, in the form that model hubs read."""
    base = Path(plan.base).name if Path(plan.base).is_absolute() else plan.base
    names = ["files" if plan.data else "", *plan.sources, "feedback" if plan.feedback else ""]
    lines = [
        "---",
        f"base_model: {base}",
        f"library_name: {'transformers' if plan.method == 'full' else 'peft'}",
        "pipeline_tag: text-generation",
        "---",
        f"# {plan.name}",
        "",
        f"{base}, tuned with {_METHODS[plan.method]} on {_TASKS[plan.task]}.",
        "",
        *(f"- {line}" for line in told(found)),
        f"- Who may be answered with it: {', '.join(readers)}.",
        f"- Data: {', '.join(filter(None, names))}; SHA-256 `{plan.data_sha256}`.",
        f"- Base: SHA-256 of its identity `{plan.base_sha256}`.",
        f"- {found['steps']} steps in {found['seconds']} s on {found['device']} in "
        f"{found['precision']}, {found['tokens_per_second']:,} tokens/s, "
        f"{found['peak_bytes'] / 1e9:.1f} GB at the peak; torch {found['torch']}.",
        "",
        f"![Loss by step]({PLOT})",
        "",
        f"Repeat it: `bot tune {plan.name} --recipe {FILE}`. Whatever its data say, true or not, "
        "it may have learned; what it answers without sources is not checked against any.",
        "",
    ]
    (folder / CARD).write_text("\n".join(lines), encoding="utf-8")
