"""A training on one readable page: from a folder with a recipe and its data to a tuned model.

    python -m bot_tune.training FOLDER [--resume]     (accelerate launch -m … for several GPUs)

The folder holds `recipe.yaml` and `data/`: `train.jsonl`, `held_out.jsonl`, and for each file that
is mixed in `mix/NAME.jsonl` and `measured/NAME.jsonl`. It gets the weights (safetensors),
`metrics.json`, and meanwhile `checkpoints/`. Everything is PEFT's, TRL's and transformers' own;
what is ours is which tokens are learned (`rows.py`), and AdaLoRA's schedule, which no trainer runs
(`methods.py`).
"""

from __future__ import annotations

import json
import math
import os
import shutil
import sys
import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bot.errors import UsageError
from bot_tune import examples, methods, recipe, rows
from bot_tune.progress import Shown

if TYPE_CHECKING:
    from bot_transformers.chat import Chat

    from bot_tune.recipe import Recipe

MEASURED = "held_out"
METRICS = "metrics.json"
UNREAD = "training_args.bin"  # a pickle that trainers write and nobody needs


@dataclass(frozen=True, slots=True)
class Data:
    """What goes into a trainer.

    Attributes:
        train: rows to learn from.
        measured: rows to measure with, by name: `held_out`, and the files that are mixed in.
        tokens: to learn from, once through; by name, `data` and the files that are mixed in.
        left_out: conversations that are longer than a row.
        short: files that have too little for the share they were told.
    """

    train: Any
    measured: dict[str, Any]
    tokens: dict[str, int]
    left_out: list[str]
    short: list[str]


def run(folder: Path, *, resume: bool = False) -> dict[str, Any]:
    """Train what a folder's recipe says; return the metrics that it also writes there.

    Raises:
        UsageError: nothing fits into a row, AdaLoRA has too few steps, or a checkpoint is damaged.
        GenerationError: the base cannot be used.
    """
    import torch
    from bot_transformers import loading, weights
    from transformers import set_seed

    hush()
    plan = recipe.make(**recipe.read(folder / recipe.FILE))
    base = weights.locate(plan.base)
    made = loading.plan(base, plan.device, plan.precision, plan.length)
    set_seed(plan.seed)
    # Full tuning keeps its weights in 32 bits: steps are too small for what 16 bits can tell.
    held = "float32" if plan.method == "full" else made.precision
    model = loading.load(loading.Plan(base, "cpu", held, made.limit, made.token_bytes))
    model.requires_grad_(plan.method == "full").train()
    chat, template = rows.chat_of(base, plan.chat_template)
    # Virtual tokens would stand before each row, and not before each of its sequences.
    packed = plan.task != "dpo" and plan.method != "prompt" and rows.isolates(model)
    data = pairs(folder, chat) if plan.task == "dpo" else prepared(plan, folder, chat, packed)
    steps = count_steps(plan, len(data.train))
    common = arguments(plan, folder, data, steps, made, resume)
    trainer = trainer_of(plan, model, chat.tokenizer, data, packed, common)
    found = last(folder) if resume else None
    if found is not None:
        check(found)
    began = time.monotonic()
    trainer.train(resume_from_checkpoint=str(found) if found else None)
    seconds = time.monotonic() - began
    after = trainer.evaluate() if data.measured else {}
    trainer.save_model(str(folder))
    if not trainer.is_world_process_zero():
        return {}
    (folder / UNREAD).unlink(missing_ok=True)
    told = summary(trainer, data, after, seconds)
    told |= {"device": made.device, "precision": made.precision, "packed": packed}
    told |= {"own_template": template is None, "processes": trainer.args.world_size}
    told |= {"torch": torch.__version__}
    (folder / METRICS).write_text(json.dumps(told, indent=1), encoding="utf-8")
    shutil.rmtree(folder / "checkpoints", ignore_errors=True)
    return told


def hush() -> None:
    """Keep the libraries' bars and talk among themselves from the terminal."""
    from datasets import disable_progress_bars

    disable_progress_bars()
    warnings.filterwarnings("ignore", message=".*invalid shape")  # ranks that AdaLoRA gave up
    warnings.simplefilter("ignore", FutureWarning)


def prepared(plan: Recipe, folder: Path, chat: Chat, packed: bool) -> Data:
    """Read the folder's data and turn them into rows, with further data in their shares.

    Args:
        packed: the model keeps several sequences in a row apart.

    Raises:
        UsageError: nothing fits into a row.
    """
    length = plan.length - (plan.virtual_tokens if plan.method == "prompt" else 0)
    own = rows.read(examples.read([folder / "data/train.jsonl"]), chat, length)
    learned, left_out = list(own.sequences), list(own.too_long)
    tokens, measured, short = {"data": own.tokens}, {}, []
    if (path := folder / f"data/{MEASURED}.jsonl").exists():
        measured[MEASURED] = rows.read(examples.read([path]), chat, length).sequences
    whole = own.tokens / (1 - sum(one.share for one in plan.mix))
    for one in plan.mix:
        for part in ("mix", "measured"):
            path = folder / f"data/{part}/{one.name}.jsonl"
            found = rows.read(examples.read([path]) if path.exists() else [], chat, length)
            if part == "mix":
                some = rows.drawn(found, whole * one.share, plan.seed)
                learned += some
                tokens[one.name] = sum(len(each.ids) for each in some)
                if found.tokens < whole * one.share:
                    short.append(one.name)
            else:
                measured[one.name] = found.sequences
    filled = packed and plan.task == "clm"  # whole rows; else a step has its number of examples
    if not learned:
        raise UsageError(
            f"No example fits into {length} tokens; raise --length, which the longest one needs."
        )
    return Data(
        rows.dataset(learned, length, packed=filled),
        {k: rows.dataset(v, length, packed=filled) for k, v in measured.items() if v},
        tokens,
        left_out,
        short,
    )


def pairs(folder: Path, chat: Chat) -> Data:
    """Read the folder's pairs as TRL wants them."""
    from datasets import Dataset

    found, tokens = {}, 0
    for name in ("train", MEASURED):
        path = folder / f"data/{name}.jsonl"
        given = [
            {
                "prompt": [{"role": m.role, "content": m.content} for m in one.messages],
                "chosen": [{"role": "assistant", "content": one.chosen}],
                "rejected": [{"role": "assistant", "content": one.rejected}],
            }
            for one in (examples.read([path]) if path.exists() else [])
            if isinstance(one, examples.Pair)
        ]
        if given:
            found[name] = Dataset.from_list(given)
        if name == "train":
            tokens = sum(
                2 * sum(chat.count(m["content"]) for m in one["prompt"])
                + chat.count(one["chosen"][0]["content"])
                + chat.count(one["rejected"][0]["content"])
                for one in given
            )
    train = found.pop("train")
    return Data(train, found, {"data": tokens}, [], [])


def count_steps(plan: Recipe, rows_: int) -> int:
    """Steps of the optimizer over the whole training, on however many processes."""
    batch = plan.batch * plan.accumulate * int(os.environ.get("WORLD_SIZE", "1"))
    return math.ceil(math.ceil(rows_ / batch) * plan.epochs)


def arguments(
    plan: Recipe, folder: Path, data: Data, steps: int, made: Any, resume: bool
) -> dict[str, Any]:
    """What trainers of all methods and tasks are told, by the names of `TrainingArguments`."""
    whole = plan.method not in recipe.UNRESUMABLE  # else no checkpoint could be read again
    best = whole and MEASURED in data.measured
    every = max(1, steps // plan.evaluations)
    return {
        "output_dir": str(folder / "checkpoints"),
        "max_steps": steps,
        "per_device_train_batch_size": plan.batch,
        "per_device_eval_batch_size": plan.batch,
        "gradient_accumulation_steps": plan.accumulate,
        "learning_rate": plan.rate,
        "lr_scheduler_type": "cosine",
        "warmup_steps": max(1, steps // 30),
        "gradient_checkpointing": plan.checkpointing,
        "bf16": made.precision == "bfloat16",
        "use_cpu": made.device == "cpu",
        "ddp_find_unused_parameters": False,
        "dataloader_pin_memory": made.device.startswith("cuda"),
        "logging_steps": max(1, steps // 500),
        "eval_strategy": "steps" if data.measured else "no",
        "eval_steps": every,
        "eval_on_start": bool(data.measured) and not resume,
        "prediction_loss_only": True,
        "save_strategy": "steps" if whole else "no",
        "save_steps": every,
        "save_total_limit": 2,
        "load_best_model_at_end": best,
        "metric_for_best_model": f"eval_{MEASURED}_loss" if best else None,
        "greater_is_better": False if best else None,
        "seed": plan.seed,
        "remove_unused_columns": False,
        "include_num_input_tokens_seen": "non_padding",
        "report_to": "none",
        "disable_tqdm": True,
        "log_level": "error",
    }


def trainer_of(
    plan: Recipe, model: Any, tokenizer: Any, data: Data, packed: bool, common: dict[str, Any]
) -> Any:
    """The trainer of a recipe's method and task.

    Args:
        common: as `arguments` makes them.
    """
    from transformers import EarlyStoppingCallback, TrainingArguments
    from trl import DPOConfig, DPOTrainer, SFTConfig, SFTTrainer

    tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token  # padding is never learned
    model.config.use_cache = False  # with a cache, models do not keep packed sequences apart
    given: dict[str, Any] = {
        "model": model,
        "train_dataset": data.train,
        "eval_dataset": data.measured or None,
        "processing_class": tokenizer,
        "callbacks": [Shown()],
    }
    if common["load_best_model_at_end"]:
        given["callbacks"].append(EarlyStoppingCallback(plan.patience))
    config = methods.configuration(plan, common["max_steps"])
    if plan.task == "dpo":
        own = DPOConfig(**common, max_length=plan.length, beta=plan.beta)
        return quiet(DPOTrainer(args=own, peft_config=config, **given))
    given["data_collator"] = rows.Collator(tokenizer.pad_token_id, packed)
    if plan.method == "adalora":
        from peft import get_peft_model

        given["model"] = get_peft_model(model, config)
        given["callbacks"].append(methods.Allocating())
        return quiet(methods.Adaptive(args=TrainingArguments(**common), **given))
    own = SFTConfig(**common, max_length=None, dataset_kwargs={"skip_prepare_dataset": True})
    return quiet(SFTTrainer(args=own, peft_config=config, **given))


def quiet(trainer: Any) -> Any:
    """Without the trainer's own printing; `Shown` shows what it told."""
    from transformers import PrinterCallback

    trainer.remove_callback(PrinterCallback)
    return trainer


def last(folder: Path) -> Path | None:
    """The newest whole checkpoint; one that was being written when the process died is removed."""
    found = sorted(
        (folder / "checkpoints").glob("checkpoint-*"), key=lambda one: int(one.name.split("-")[1])
    )
    while found:
        try:
            json.loads((found[-1] / "trainer_state.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):  # it is written last
            shutil.rmtree(found.pop(), ignore_errors=True)
            continue
        return found[-1]
    return None


def check(checkpoint: Path) -> None:
    """Refuse a checkpoint that is damaged, or holds more than numbers.

    Weights are safetensors, but the trainer keeps the state of its optimizer and of chance as
    pickles. It reads them with torch's reader of numbers alone, which runs nothing; here they are
    looked at with the same one, without their data, so that the reason is a sentence.

    Raises:
        UsageError: it cannot be gone on with.
    """
    import torch
    from transformers.trainer_pt_utils import safe_globals

    for file in sorted(checkpoint.iterdir()):
        if file.suffix not in (".pt", ".pth", ".bin") or file.name == UNREAD:
            continue
        try:
            with safe_globals():
                torch.load(file, map_location="cpu", mmap=True, weights_only=True)
        except Exception as error:  # whatever its reader meets with
            raise UsageError(
                f"{file} is damaged or was not written by a training; remove "
                f"{checkpoint.name}, and --resume goes on from the checkpoint before it."
            ) from error


def summary(trainer: Any, data: Data, after: dict[str, float], seconds: float) -> dict[str, Any]:
    """What a training came to."""
    from bot_tune.measuring import memory

    history = trainer.state.log_history
    losses = {}
    for name in data.measured:
        key = f"eval_{name}_loss"
        seen = [one[key] for one in history if key in one]
        losses[name] = {"before": seen[0], "after": after.get(key, seen[-1])}
    model = trainer.accelerator.unwrap_model(trainer.model)
    trained = sum(one.numel() for one in model.parameters() if one.requires_grad)
    whole = sum(one.numel() for one in model.parameters())
    return {
        "steps": trainer.state.global_step,
        "planned_steps": trainer.state.max_steps,
        "losses": losses,
        "trainable": trained,
        "parameters": whole,
        "ranks": methods.ranks(model),
        "tokens": data.tokens,
        "left_out": data.left_out,
        "short": data.short,
        "seconds": round(seconds, 1),
        "tokens_per_second": round(trainer.state.num_input_tokens_seen / seconds, 1),
        "peak_bytes": memory(),
        "history": history,
    }


if __name__ == "__main__":
    run(Path(sys.argv[1]), resume="--resume" in sys.argv)
