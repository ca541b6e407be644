"""Tuning against stock TRL with the same settings: tokens a second, and memory.

    python bench/tuning.py [--width 512 --layers 8] [--rows 64] [--length 512] [--runs 3]

Run it in an environment with requirements-models.txt. Both train LoRA of rank 16 on all linear
layers of the same model (made on the spot, random weights) with the same texts, batch, length,
steps and precision; each run is a process of its own, and runs are taken in turn, so that other
load on the machine meets both; medians are shown. Stock TRL packs with `bfd_split`, as its default
drops what does not fit. Tokens are those of the data: padding and repeated ones do not count.
`--device cuda --precision bfloat16 --width 4096 --layers 32 --length 4096` is the shape of a model
of eight billion parameters; the share of peak is told for `--peak` in TFLOP/s.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

BATCH = 8
SETTINGS = {"rank": 16, "alpha": 32.0, "rate": 2e-4}


def main() -> None:
    from table import show

    options = arguments()
    if options.only:
        print(json.dumps(once(options)))
        return
    rows = []
    for task in ("clm", "sft"):
        with tempfile.TemporaryDirectory() as place:
            options.place = Path(place)
            make(options, task)
            found: dict[str, list[dict[str, float]]] = {"ours": [], "TRL": []}
            for _ in range(options.runs):
                for way in found:
                    found[way].append(process(options, way, task))
        ours, theirs = (
            {key: median(run[key] for run in found[way]) for key in ("speed", "memory")}
            for way in found
        )
        ratio = ours["speed"] / theirs["speed"]
        row: list[Any] = [task, ours["speed"], theirs["speed"], ratio,
                          ours["memory"] / 1e6, theirs["memory"] / 1e6]  # fmt: skip
        if options.peak:
            flops = 4 * found["ours"][0]["parameters"] * ours["speed"]  # the base has no gradients
            row.append(100 * flops / options.peak / 1e12)
        rows.append(row)
    columns = ["task", "tokens/s", "TRL", "times", "MB", "TRL MB"]
    show("LoRA, against stock TRL", [*columns, "% of peak"] if options.peak else columns, rows)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--width", type=int, default=512)
    parser.add_argument("--layers", type=int, default=8)
    parser.add_argument("--rows", type=int, default=64, help="full rows of text")
    parser.add_argument("--length", type=int, default=512)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--precision", default="float32")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--peak", type=float, help="TFLOP/s of the device, for its share")
    parser.add_argument("--only", choices=["ours", "TRL"], help=argparse.SUPPRESS)
    parser.add_argument("--task", help=argparse.SUPPRESS)
    parser.add_argument("--place", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def make(options: argparse.Namespace, task: str) -> None:
    """A model, and texts or conversations of varied lengths."""
    sys.path.insert(0, str(Path(__file__).parents[1]))
    from bench.tuned import base

    chance = random.Random(0)
    words = ["key", "depot", "under", "the", "mat", "opens", "parcel", "late", "code", "Alice"]

    def said(count: float) -> str:
        return " ".join(chance.choice(words) for _ in range(max(2, int(count))))

    rows: list[dict[str, str]] = []
    total = options.rows * options.length
    while total > 0:
        size = chance.lognormvariate(0, 0.8) * options.length / (2 if task == "clm" else 8)
        total -= int(size)
        if task == "clm":
            rows.append({"text": said(size)})
        else:
            rows.append({"question": said(size / 4), "answer": said(size * 3 / 4)})
    lines = "\n".join(map(json.dumps, rows))
    (options.place / "data.jsonl").write_text(lines, encoding="utf-8")
    texts = [" ".join(row.values()) for row in rows]
    base.make(options.place / "base", texts, vocabulary=1000, width=options.width,
              layers=options.layers)  # fmt: skip


def process(options: argparse.Namespace, way: str, task: str) -> dict[str, float]:
    command = [sys.executable, __file__, "--only", way, "--task", task]
    for name in ("width", "layers", "rows", "length", "precision", "device", "place"):
        command += [f"--{name}", str(getattr(options, name))]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def once(options: argparse.Namespace) -> dict[str, float]:
    from bot_tune.measuring import memory

    tokens, seconds, parameters = (ours if options.only == "ours" else theirs)(options)
    return {"speed": tokens / seconds, "memory": memory(), "parameters": parameters}


def ours(options: argparse.Namespace) -> tuple[int, float, int]:

    from bot_tune import folder, gathering, recipe, training

    plan = recipe.make(
        name="x", base=str(options.place / "base"), data=[options.place / "data.jsonl"],
        task=options.task, epochs=1, batch=BATCH, length=options.length, held_out=0, evaluations=1,
        precision=options.precision, device=options.device, **SETTINGS,
    )  # fmt: skip
    found = gathering.Gathered(list(gathering.examples.read(plan.data)), {}, [])
    place = options.place / f"ours{time.monotonic_ns()}"
    folder.lay_out(place, plan, found)
    metrics = training.run(place)
    return sum(metrics["tokens"].values()), metrics["seconds"], metrics["parameters"]


def theirs(options: argparse.Namespace) -> tuple[int, float, int]:
    import torch
    from bot_tune import rows
    from bot_tune.rows import PLAIN
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from trl import SFTConfig, SFTTrainer

    words = AutoTokenizer.from_pretrained(options.place / "base")
    words.chat_template = PLAIN.read_text(encoding="utf-8")
    lines = (options.place / "data.jsonl").read_text(encoding="utf-8").splitlines()
    given = [json.loads(line) for line in lines]
    packed = options.task == "clm"
    if not packed:
        given = [
            {"prompt": [{"role": "user", "content": one["question"]}],
             "completion": [{"role": "assistant", "content": one["answer"]}]}
            for one in given
        ]  # fmt: skip
    chat, _ = rows.chat_of(options.place / "base", None)
    read = rows.read(rows_of(options), chat, options.length)
    model = AutoModelForCausalLM.from_pretrained(
        options.place / "base", dtype=getattr(torch, options.precision)
    )
    config = SFTConfig(
        output_dir=str(options.place / "trl"), per_device_train_batch_size=BATCH,
        num_train_epochs=1, learning_rate=SETTINGS["rate"], max_length=options.length,
        packing=packed, packing_strategy="bfd_split", bf16=options.precision == "bfloat16",
        gradient_checkpointing=False, use_cpu=options.device == "cpu", logging_steps=1,
        save_strategy="no", report_to="none", disable_tqdm=True, log_level="error",
        lr_scheduler_type="cosine",
    )  # fmt: skip
    trainer = SFTTrainer(
        model=model, args=config, train_dataset=Dataset.from_list(given), processing_class=words,
        peft_config=LoraConfig(
            r=SETTINGS["rank"], lora_alpha=SETTINGS["alpha"], target_modules="all-linear",
            task_type="CAUSAL_LM",
        ),
    )  # fmt: skip
    began = time.monotonic()
    trainer.train()
    seconds = time.monotonic() - began
    return read.tokens, seconds, sum(one.numel() for one in trainer.model.parameters())


def rows_of(options: argparse.Namespace) -> Any:
    from bot_tune import examples

    return examples.read([options.place / "data.jsonl"])


if __name__ == "__main__":
    main()
