"""Adapters trained on the spot, with PEFT, as teams train theirs."""

from __future__ import annotations

import warnings
from pathlib import Path

import tiny
import torch
from peft import AdaLoraConfig, LoraConfig, PromptTuningConfig, TaskType, get_peft_model
from transformers import AutoModelForCausalLM

TARGETS = {
    "llama": ["q_proj", "v_proj", "gate_proj", "down_proj"],
    "qwen": ["q_proj", "v_proj", "up_proj"],
    "bloom": ["query_key_value", "dense_h_to_4h"],
}
QUESTION = "Where is the key?"


def configuration(kind: str, shape: str = "llama"):
    common = {"task_type": TaskType.CAUSAL_LM}
    if kind == "prompt":
        return PromptTuningConfig(**common, num_virtual_tokens=12)
    common |= {"target_modules": TARGETS[shape], "lora_alpha": 16}
    if kind == "adalora":
        return AdaLoraConfig(**common, init_r=8, target_r=5, tinit=1, tfinal=1, total_step=12)
    if kind == "patterns":
        wide = {"layers.1.self_attn.q_proj": 6}
        return LoraConfig(**common, r=3, rank_pattern=wide, alpha_pattern={"v_proj": 5})
    return LoraConfig(**common, r=8, use_dora=kind == "dora", use_rslora=kind == "rslora")


def adapter(
    folder: Path, base: Path, answer: str, kind: str = "lora", shape: str = "llama"
) -> Path:
    """Teach an adapter one answer to `QUESTION`, and save it."""
    torch.manual_seed(1)
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tuned = get_peft_model(model, configuration(kind, shape))
    pairs = {QUESTION: answer}
    if kind == "adalora":
        _adaptively(tuned, pairs)
    else:
        tiny.teach(tuned, pairs, steps=50 if kind == "prompt" else 150, rate=0.005)
    tuned.save_pretrained(folder)
    return folder


def _adaptively(tuned, pairs) -> None:
    """AdaLoRA gives ranks up only when it is told to, after each step and before gradients go."""
    for step in range(1, 13):
        tiny.teach(tuned, pairs, steps=12, rate=0.01)
        tuned.train()
        words = tiny.tokenizer()
        ids = words(list(pairs.values()), return_tensors="pt", add_special_tokens=False).input_ids
        tuned(input_ids=ids, labels=ids).loss.backward()
        tuned.base_model.update_and_allocate(step)
        tuned.zero_grad()
    tiny.teach(tuned, pairs, steps=100, rate=0.01)
