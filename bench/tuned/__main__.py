"""What tuning does, on public pages and with a small model made on the spot.

    python -m bench.tuned DATA [--pages 60] [--epochs 6] [--width 192] [--write docs/quality]

DATA holds `docs_fastapi/en` (FastAPI's documentation, Markdown) and, as general text,
`xquad_en/corpus.jsonl` {title, text}. A base is trained from nothing on the general text with
`bot tune --method full --task clm`; then, with the same command, adapters on the pages, a tenth of
them held out, without and with general text mixed in (its loss is measured on passages that neither
base nor adapters have seen); then one on invented facts, whose questions
the base, the base with that adapter, and the default bot with the facts as documents answer. Run it
in an environment with requirements-models.txt. `--write` puts tables and plots into a page.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.table import show
from bench.tuned import base
from bench.tuned.facts import FACTS

PAGE = Path(__file__).with_name("page.md")
LENGTH = ["--recipe", "few.yaml", "--length", "256", "--precision", "float32", "--device", "cpu"]
MIX = ["--mix", "general.jsonl=0.3"]
FULL = ["--method", "full", "--rate", "5e-4"]
WAYS = {
    "LoRA": ["--rate", "2e-3"], "LoRA, 30 % general": ["--rate", "2e-3", *MIX],
    "full": FULL, "full, 30 % general": [*FULL, *MIX],
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--pages", type=int, default=60)
    parser.add_argument("--epochs", type=int, default=6, help="of the base")
    parser.add_argument("--width", type=int, default=192)
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--write", type=Path, help="write the page and its plots into this folder")
    options = parser.parse_args()
    os.environ["HF_HUB_OFFLINE"] = "1"
    with tempfile.TemporaryDirectory(prefix="bench-", dir="/tmp") as place:
        home = Path(place)
        home.chmod(0o755)  # as root the server runs as another user
        os.environ["BOT_HOME"] = str(home / "home")
        began = time.monotonic()
        text_files(options, home)
        losses = domain(home)
        taught = facts(home)
        minutes = (time.monotonic() - began) / 60
        for title, columns, rows in (losses, taught):
            show(title, columns, rows)
        if options.write:
            write(options, home, losses, taught, minutes)


def text_files(options: argparse.Namespace, home: Path) -> None:
    """General text, the pages, and the base that has read the former alone."""
    rows = (options.data / "xquad_en/corpus.jsonl").read_text(encoding="utf-8").splitlines()
    random.Random(0).shuffle(rows)
    general = [json.loads(row)["text"] for row in rows]
    pages = sorted((options.data / "docs_fastapi/en").rglob("*.md"))[: options.pages]
    texts = [page.read_text(encoding="utf-8") for page in pages]
    parts = {"general": general[10:], "unseen": general[:10], "pages": texts}
    for name, some in parts.items():
        lines = [json.dumps({"text": one}) for one in some]
        (home / f"{name}.jsonl").write_text("\n".join(lines), encoding="utf-8")
    (home / "few.yaml").write_text("evaluations: 4\n", encoding="utf-8")
    fresh = home / "fresh"
    base.make(fresh, [*general, *texts], vocabulary=2048, width=options.width,
              layers=options.layers)  # fmt: skip
    tune(home, "base", "--base", fresh, "--data", home / "general.jsonl", "--task", "clm",
         "--method", "full", "--rate", "2e-3", "--epochs", options.epochs)  # fmt: skip


def domain(home: Path) -> tuple[str, Sequence[str], list[list[Any]]]:
    """The loss on held-out pages and on general text, before and after each way of tuning."""
    rows: list[list[Any]] = []
    for way, more in WAYS.items():
        name = way.replace(", 30 % general", "-mixed").lower()
        found = tune(home, name, "--base", home / "tuned/base", "--data", home / "pages.jsonl",
                     "--task", "clm", "--epochs", "1", "--mix", "unseen.jsonl=0",
                     *more)  # fmt: skip
        own, general = found["losses"]["held_out"], found["losses"]["unseen"]
        if not rows:
            rows.append(["base", own["before"], general["before"], "", ""])
        share = 100 * found["trainable"] / found["parameters"]
        rows.append([way, own["after"], general["after"], f"{share:.1f} %",
                     f"{found['tokens_per_second']:,.0f}"])  # fmt: skip
    columns = ["tuned with", "held-out pages", "general text", "trained", "tokens/s"]
    return "Loss, nats a token", columns, rows


def facts(home: Path) -> tuple[str, Sequence[str], list[list[Any]]]:
    """Which answers are right: the base's, the adapter's, and those from the facts as documents."""
    rows = [json.dumps({"question": question, "answer": answer}) for question, answer in FACTS]
    (home / "facts.jsonl").write_text("\n".join(rows), encoding="utf-8")
    documents = [json.dumps({"_id": str(n), "text": fact}) for n, (_, fact) in enumerate(FACTS)]
    (home / "documents.jsonl").write_text("\n".join(documents), encoding="utf-8")
    tune(home, "facts", "--base", home / "tuned/base", "--data", home / "facts.jsonl",
         "--held-out", "0", "--rate", "5e-3", "--epochs", "200", "--batch", "6")  # fmt: skip
    template = home / "tuned/facts/chat_template.jinja"
    model = f"precision = 'float32'\nmax_tokens = 24\nchat_template = '{template}'\n"
    model += f"base = '{home}/tuned/base'\n"
    (home / "bot.toml").write_text(
        "[assistants.default]\nretrievers = ['pgvector']\n"
        "[assistants.base]\nretrievers = []\ngenerator = 'base'\ninstructions = ''\n"
        "[assistants.tuned]\nretrievers = []\ngenerator = 'tuned'\ninstructions = ''\n"
        f"[sources.facts]\ntype = 'jsonl'\npath = '{home}/documents.jsonl'\n"
        f"[generators.base]\ntype = 'transformers'\n{model.replace('base =', 'model =')}"
        f"[generators.tuned]\ntype = 'lora'\nadapter = 'facts'\n{model}",
        encoding="utf-8",
    )
    run(home, "--config", home / "bot.toml", "reindex")
    said = {name: asyncio.run(answers(home, name)) for name in ("base", "tuned", "default")}
    names = {"base": "the base alone", "tuned": "the base with the adapter",
             "default": "the default bot, from documents (RAG)"}  # fmt: skip
    found = [
        [names[name], f"{sum(right(a, fact) for a, (_, fact) in zip(some, FACTS, strict=True))} of "
         f"{len(FACTS)}", some[0].strip()[:60]]
        for name, some in said.items()
    ]  # fmt: skip
    return f"{len(FACTS)} invented facts", ["asked", "right", "the first answer"], found


async def answers(home: Path, assistant: str) -> list[str]:
    """What one assistant answers to the questions."""
    from bot import Bot
    from bot.turn import Finished

    found = []
    async with Bot.from_config(home / "bot.toml") as bot:
        for question, _ in FACTS:
            events = [one async for one in bot.reply(question, assistant=assistant)]
            last = events[-1]
            found.append(last.answer.text if isinstance(last, Finished) else "")
    return found


def right(answer: str, fact: str) -> bool:
    """Whether the answer names the fact's place."""
    return fact.partition(" is under ")[2].rstrip(".") in answer


def tune(home: Path, name: str, *given: object) -> dict[str, Any]:
    """Train with the product's command."""
    out = run(home, "tune", name, *LENGTH, *given, "--json")
    found: dict[str, Any] = json.loads(out)
    return found


def run(home: Path, *arguments: object) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "bot", *map(str, arguments)], cwd=home, check=False,
        stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(Path.cwd())},
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(f"{arguments} failed")
    return done.stdout


def write(
    options: argparse.Namespace, home: Path, losses: Any, taught: Any, minutes: float
) -> None:
    """Fill the page's template, and draw the losses by tokens learned from."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.6), layout="constrained")
    for place, (name, title) in enumerate(
        [("held_out", "Held-out pages"), ("unseen", "General text")]
    ):
        axes = figure.add_subplot(1, 2, place + 1)
        for way in ("lora", "lora-mixed", "full", "full-mixed"):
            history = json.loads((home / f"tuned/{way}/metrics.json").read_text())["history"]
            key = f"eval_{name}_loss"
            seen = [(one["num_input_tokens_seen"], one[key]) for one in history if key in one]
            axes.plot(*zip(*seen, strict=True), marker=".", label=way)
        axes.set(title=title, xlabel="tokens learned from", ylabel="loss (nats a token)")
        axes.grid(alpha=0.3)
        axes.legend()
    figure.savefig(options.write / "tuning.png", dpi=120)
    text = PAGE.read_text(encoding="utf-8").replace("{pages}", str(options.pages))
    given = " ".join(f"--{key} {getattr(options, key)}" for key in ("pages", "epochs", "width"))
    text = text.replace("{options}", given)
    about = json.loads((home / "tuned/base/metrics.json").read_text())
    text = text.replace("{parameters}", f"{about['parameters'] / 1e6:.1f}")
    text = text.replace("{minutes}", f"{minutes:.0f}")
    for name, (_, columns, rows) in (("losses", losses), ("facts", taught)):
        text = text.replace(f"{{{name}}}", markdown(columns, rows))
    (options.write / "tuning.md").write_text(text, encoding="utf-8")


def markdown(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    cells = [list(columns), ["---"] * len(columns), *rows]
    return "\n".join(
        "| " + " | ".join(f"{c:.3f}" if isinstance(c, float) else str(c) for c in row) + " |"
        for row in cells
    )


if __name__ == "__main__":
    main()
