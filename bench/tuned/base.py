"""A small model made on the spot: it knows general English a little, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path


def make(folder: Path, texts: Iterable[str], *, vocabulary: int, width: int, layers: int) -> None:
    """Write a Llama with random weights, and a tokenizer of its own (BPE over these texts)."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    words = Tokenizer(models.BPE())
    words.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    words.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary, special_tokens=["<|pad|>", "<|end|>"], show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )  # fmt: skip
    words.train_from_iterator(texts, trainer)
    fast = PreTrainedTokenizerFast(
        tokenizer_object=words, pad_token="<|pad|>", eos_token="<|end|>"
    )  # fmt: skip
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(fast), hidden_size=width, intermediate_size=3 * width,
        num_hidden_layers=layers, num_attention_heads=width // 32, num_key_value_heads=width // 32,
        max_position_embeddings=1024, tie_word_embeddings=True, bos_token_id=None, eos_token_id=1,
        pad_token_id=0,
    )  # fmt: skip
    made = LlamaForCausalLM(config)
    # Else an adapter could be sure of nothing: embeddings that small bound every score.
    torch.nn.init.normal_(made.get_input_embeddings().weight, std=0.1)
    made.save_pretrained(folder)
    fast.save_pretrained(folder)
