"""Tiny models made on the spot: Llama, Qwen and BLOOM shapes with a BPE tokenizer of their own."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    BloomConfig,
    BloomForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
    Qwen3Config,
    Qwen3ForCausalLM,
)

CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
# As Gemma's: no system messages, and roles take turns.
STRICT = (
    "{% if messages[0].role == 'system' %}{{ raise_exception('System role not supported') }}"
    "{% endif %}{% for m in messages %}"
    "{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('take turns') }}"
    "{% endif %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
SPECIAL = ["<|pad|>", "<|end|>", "<|im_start|>", "<|im_end|>"]
TEXTS = [
    "Where is the key? The key is under the blue mat.",
    "Who has the door code? The door code is with Alice, it is 4711.",
    "Answer the question from the numbered sources below. user assistant system Question",
    "Die Straße nach Zürich. 钥匙在哪里？ キーはどこですか。 emoji 🙂 café",
]


def tokenizer(template: str | None = CHATML) -> PreTrainedTokenizerFast:
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=600,
        special_tokens=SPECIAL,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    made.train_from_iterator(TEXTS * 20, trainer)
    fast = PreTrainedTokenizerFast(
        tokenizer_object=made, pad_token="<|pad|>", eos_token="<|end|>",
        additional_special_tokens=SPECIAL[2:],
    )  # fmt: skip
    fast.chat_template = template
    return fast


def configuration(shape: str, vocabulary: int, **more):
    common = {"vocab_size": vocabulary, "bos_token_id": None, "eos_token_id": 1, "pad_token_id": 0}
    if shape == "bloom":
        given = {"hidden_size": 64, "n_layer": 2, "n_head": 4, "seq_length": 2048, **more}
        return BloomConfig(**common, **given)
    given = {
        "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2,
        "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 2048, **more,
    }  # fmt: skip
    if shape == "qwen":
        return Qwen3Config(**common, **{"head_dim": 16, **given})
    return LlamaConfig(**common, **given)


CLASSES = {"llama": LlamaForCausalLM, "qwen": Qwen3ForCausalLM, "bloom": BloomForCausalLM}


PAIRS = {
    "Where is the key?": "The key is under the blue mat.",
    "Who has the door code?": "The door code is with Alice, it is 4711.",
    "a b c d " * 30: "user assistant system Question",
    "钥匙在哪里？": "Die Straße nach Zürich. 🙂 café",
}
QUESTIONS = list(PAIRS)


def model(folder: Path, shape: str = "llama", seed: int = 0, template: str | None = CHATML, **more):
    """Make a model's folder; the same arguments make the same weights."""
    words = tokenizer(template)
    torch.manual_seed(seed)
    made = CLASSES[shape](configuration(shape, len(words), **more))
    made.save_pretrained(folder)
    words.save_pretrained(folder)
    return folder


def taught(folder: Path, shape: str, **more) -> Path:
    """Make a model that has learned the answers of `PAIRS`, each up to its end."""
    model(folder, shape, **more)
    made = CLASSES[shape].from_pretrained(folder, dtype=torch.float32)
    teach(made, PAIRS, steps=60)
    made.save_pretrained(folder)
    return folder


def teach(made, pairs, *, steps: int, rate: float = 5e-3) -> None:
    """Train what has gradients on questions and answers, padded with a token of its own."""
    words = tokenizer()
    texts = [
        words.apply_chat_template(
            [
                {"role": "system", "content": "Answer."},
                {"role": "user", "content": question},
                {"role": "assistant", "content": answer},
            ],
            tokenize=False,
        ).rstrip()
        for question, answer in pairs.items()
    ]
    given = words(texts, return_tensors="pt", padding=True, add_special_tokens=False)
    labels = given.input_ids.masked_fill(given.attention_mask == 0, -100)
    for row, (text, answer) in enumerate(zip(texts, pairs.values(), strict=True)):
        asked = words(text[: text.rindex(answer)], add_special_tokens=False).input_ids
        labels[row, : len(asked)] = -100  # only the answer is learned, and where it ends
    inputs = {"input_ids": given.input_ids, "attention_mask": given.attention_mask}
    trained = [parameter for parameter in made.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=rate)
    made.train()
    for _ in range(steps):
        optimizer.zero_grad()
        made(**inputs, labels=labels).loss.backward()
        optimizer.step()
    made.eval()


def configured(folder: Path, **changes) -> None:
    """Change a model's config.json."""
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
