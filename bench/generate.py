"""Local generation against bare transformers: streaming, answers at once, prefixes, adapters.

    python bench/generate.py [--width 768 --layers 12] [--precision P] [--device D] [--runs 3]

Run it in an environment with requirements-models.txt. The model is made on the spot with random
weights: the defaults are a Llama of about 100 million parameters; `--width 4096 --layers 32` with
`--device cuda --precision bfloat16` is the shape of one of eight billion. Each row is the median of
runs taken in turn with its peer's, so that other load on the machine meets both.
"""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any, TypeAlias

import torch
from bot_transformers import loading
from bot_transformers.engine import Engine
from bot_transformers.lora import Adapter, Part
from bot_transformers.sampling import Sampler
from bot_transformers.waiting import Request
from table import show

ANSWER = 48  # tokens of an answer
PROMPT = 64
PREFIX = 1500


def model_folder(width: int, layers: int) -> Path:
    """A Llama's shape in a folder; no tokenizer, as only tokens are timed."""
    from transformers import LlamaConfig, LlamaForCausalLM

    folder = Path(tempfile.mkdtemp())
    heads = width // 64 if width < 4096 else width // 128
    config = LlamaConfig(
        vocab_size=32000, hidden_size=width, intermediate_size=width * 7 // 2,
        num_hidden_layers=layers, num_attention_heads=heads, num_key_value_heads=max(1, heads // 4),
        max_position_embeddings=4096, tie_word_embeddings=True,
    )  # fmt: skip
    with torch.device("meta"):
        shape = LlamaForCausalLM(config)
    made = shape.to_empty(device="cpu").to(torch.bfloat16)
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter, std=0.02)
    made.save_pretrained(folder)
    return folder


def tokens(count: int, seed: int) -> list[int]:
    chance = torch.Generator().manual_seed(seed)
    return torch.randint(5, 31999, (count,), generator=chance).tolist()


def adapters(model: Any, count: int) -> list[Adapter]:
    """Adapters of rank 8 over all linear layers of the blocks."""
    made = []
    for number in range(count):
        parts = {}
        for name, module in model.named_modules():
            if isinstance(module, torch.nn.Linear) and "lm_head" not in name:
                out, into = module.weight.shape
                new = module.weight.new_empty
                parts[name] = Part(new(into, 8).normal_(std=0.01), new(8, out).normal_(std=0.01))
        made.append(Adapter(f"a{number}", parts))
    return made


def answers(
    engine: Engine, asked: list[tuple[list[int], Adapter | None]], count: int = ANSWER
) -> float:
    """Seconds until all answers of `count` tokens are complete, asked at once."""
    left = threading.Semaphore(0)

    def tell(event: object) -> None:
        if not isinstance(event, int):
            left.release()

    begun = time.perf_counter()
    for number, (prompt, adapter) in enumerate(asked):
        engine.submit(
            Request(tokens=prompt, limit=count, ends=frozenset(), sampler=Sampler(0, 1, None),
                    tell=tell, adapter=adapter, group=str(number))
        )  # fmt: skip
    for _ in asked:
        left.acquire()
    return time.perf_counter() - begun


def bare(model: Any, prompt: list[int], count: int = ANSWER) -> float:
    """Seconds of `model.generate`."""
    ids = torch.tensor([prompt], device=model.device)
    begun = time.perf_counter()
    with torch.inference_mode():
        out = model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=count,
                             min_new_tokens=count, do_sample=False, pad_token_id=0)  # fmt: skip
    out.cpu()
    return time.perf_counter() - begun


def compare(runs: int, ours: Callable[[int], float], theirs: Callable[[int], float]) -> list[float]:
    """Medians of both, and how many times faster ours is."""
    ours(-1), theirs(-1)
    pairs = [(ours(run), theirs(run)) for run in range(runs)]
    mine, other = median(p[0] for p in pairs), median(p[1] for p in pairs)
    return [mine, other, median(p[1] / p[0] for p in pairs)]


def memory() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--width", type=int, default=768)
    parser.add_argument("--layers", type=int, default=12)
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--runs", type=int, default=3)
    given = parser.parse_args()
    folder = model_folder(given.width, given.layers)
    plan = loading.plan(folder, given.device, given.precision, None)
    before = memory()
    model = loading.load(plan)
    size = sum(p.numel() for p in model.parameters())
    loaded = memory()
    three = adapters(model, 3)
    rows = [
        [name, *(f"{value:.2f}" for value in compare(given.runs, ours, theirs)), goal]
        for name, goal, ours, theirs in contests(model, three)
    ]
    columns = ["seconds", "ours", "peer", "times", "goal"]
    show(f"{size / 1e6:.0f} M, {plan.precision}, {plan.device}, {torch.get_num_threads()} threads",
         columns, rows)  # fmt: skip
    facts = {
        "weights_mb": round(size * model.dtype.itemsize / 2**20),
        "rss_rise_of_loading_mb": round(loaded - before),
        "rss_rise_of_answering_mb": round(memory() - loaded),
        "adapter_mb": round(three[0].bytes() / 2**20, 1),
    }
    print(json.dumps(facts))


Contest: TypeAlias = tuple[str, str, Callable[[int], float], Callable[[int], float]]
"""What is compared, how many times faster it is to be, and a run's seconds, ours and the peer's."""


def contests(model: Any, three: list[Adapter]) -> Iterator[Contest]:
    """Each with engines that are there already; they are closed at the end."""

    def alone(run: int) -> list[tuple[list[int], Adapter | None]]:
        return [(tokens(PROMPT, run), None)]

    def eight(run: int) -> list[tuple[list[int], Adapter | None]]:
        return [(tokens(PROMPT, 8 * run + n), None) for n in range(8)]

    def begun(run: int) -> list[tuple[list[int], Adapter | None]]:
        return [(common + tokens(16, 2000 + run), None)]

    def mixed(run: int) -> list[tuple[list[int], Adapter | None]]:
        return [(tokens(PROMPT, 8 * run + n), three[n % 3]) for n in range(6)]

    common = tokens(PREFIX, 1000)
    with engine(model, 0) as plain, engine(model, 2 << 30) as warm:
        yield (
            "one answer, streamed : bare generate", ".95",
            lambda run: answers(plain, alone(run)),
            lambda run: bare(model, tokens(PROMPT, run)),
        )  # fmt: skip
        yield (
            "eight at once : one after another", "4",
            lambda run: answers(plain, eight(run)),
            lambda run: sum(bare(model, prompt) for prompt, _ in eight(run)),
        )  # fmt: skip
        yield (
            "1,500 tokens reused, 16 written : read again", "1.6",
            lambda run: answers(warm, begun(run), 16),
            lambda run: answers(plain, begun(run), 16),
        )  # fmt: skip
        yield (
            "three adapters mixed : switching", "1.3",
            lambda run: answers(plain, mixed(run)),
            lambda run: sum(answers(plain, [x for x in mixed(run) if x[1] is a]) for a in three),
        )  # fmt: skip


@contextmanager
def engine(model: Any, prefix_bytes: int) -> Iterator[Engine]:
    made = Engine(lambda: model, width=8, prefix_bytes=prefix_bytes)
    made.ready.wait()
    try:
        yield made
    finally:
        made.close()


if __name__ == "__main__":
    main()
