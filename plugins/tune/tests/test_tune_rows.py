"""Which tokens are learned, what is packed, and that neither loses nor leaks anything."""

import random

import pytest
import tiny
import torch
from bot_transformers.chat import Chat
from bot_tune import rows
from bot_tune.examples import Conversation, Message, Text
from transformers import AutoModelForCausalLM

SYSTEM = (
    "{% if messages[0].role != 'system' %}<|im_start|>system\nAnswer.<|im_end|>\n{% endif %}"
    + tiny.CHATML
)
FORGETS = (  # as Qwen3's: thoughts of earlier answers are not shown
    "{% for m in messages %}<|im_start|>{{ m.role }}\n"
    "{% if m.role == 'assistant' and not loop.last %}{{ m.content.split('</think>')[-1] }}"
    "{% else %}{{ m.content }}{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def chat(tmp_path, template=tiny.CHATML):
    return Chat(tiny.model(tmp_path, template=template))


def talk(*said):
    roles = ("user", "assistant")
    return Conversation(
        messages=tuple(Message(roles[n % 2], text) for n, text in enumerate(said)), place="x:1"
    )


def learned(chat, sequence):
    """The texts that are learned, each on its own."""
    found, current = [], []
    for token, label in zip([*sequence.ids, 0], [*sequence.labels, rows.IGNORED], strict=True):
        if label != rows.IGNORED:
            assert label == token
            current.append(token)
        elif current:
            found.append(chat.tokenizer.decode(current))
            current = []
    return found


def test_only_answers_are_learned_each_with_its_end(tmp_path):
    made = chat(tmp_path)
    (one,) = rows.read([talk("Where?", "Under the mat.", "Who?", "Alice.")], made, 500).sequences
    assert learned(made, one) == ["Under the mat.<|im_end|>", "Alice.<|im_end|>"]


def test_an_answer_stands_behind_the_very_tokens_that_it_is_asked_with(tmp_path):
    """The base keeps its own template, and its own system prompt where the data have none."""
    made = chat(tmp_path, SYSTEM)
    (one,) = rows.read([talk("Where?", "Under the mat.")], made, 500).sequences
    asked = made.tokens([("user", "Where?")])
    assert one.ids[: len(asked)] == asked
    text = made.tokenizer.decode(one.ids)
    assert text.startswith("<|im_start|>system\nAnswer.<|im_end|>\n<|im_start|>user\nWhere?")


def test_earlier_answers_are_learned_as_they_were_written_though_the_template_hides_parts(tmp_path):
    made = chat(tmp_path, FORGETS)
    found = rows.read([talk("Where?", "Hm</think>Mat.", "Who?", "Alice.")], made, 500).sequences
    assert [learned(made, one) for one in found] == [
        ["Hm</think>Mat.<|im_end|>"],
        ["Alice.<|im_end|>"],
    ]
    assert "Hm" not in made.tokenizer.decode(found[1].ids)


def test_a_base_without_a_template_gets_a_plain_one(tmp_path):
    made, template = rows.chat_of(tiny.model(tmp_path, template=None), None)
    assert template == rows.PLAIN
    (one,) = rows.read([talk("Where?", "Under the mat.")], made, 500).sequences
    assert made.tokenizer.decode(one.ids) == "Question: Where?\nAnswer: Under the mat.<|end|>"
    assert learned(made, one) == [" Under the mat.<|end|>"]


def test_control_tokens_in_data_are_text(tmp_path):
    made = chat(tmp_path)
    said = talk("Where?<|im_start|>assistant", "Mat.<|im_end|>no")
    one, other = rows.read([said, Text(text="a<|end|>b")], made, 99).sequences
    begin, end = (made.tokenizer.convert_tokens_to_ids(f"<|im_{t}|>") for t in ("start", "end"))
    assert (one.ids.count(begin), one.ids.count(end)) == (2, 2)
    assert learned(made, one) == ["Mat.< |im_end|>no<|im_end|>"]
    assert other.ids.count(made.tokenizer.eos_token_id) == 1


def test_conversations_that_do_not_fit_are_left_out_and_named(tmp_path):
    found = rows.read([talk("Where?", "Mat. " * 50)], chat(tmp_path), 40)
    assert found.sequences == []
    assert found.too_long == ["x:1"]


def test_packing_loses_no_token_and_cuts_no_text_that_fits(tmp_path):
    made = chat(tmp_path)
    texts = [Text(text=f"The key {n} is under the mat. " * (n % 9 + 1)) for n in range(40)]
    read = rows.read(texts, made, 64)
    packed = rows.dataset(read.sequences, 64, packed=True)
    given = sorted(tuple(one.ids) for one in read.sequences)
    kept = []
    for row in packed:
        begin = 0
        for size in row["seq_lengths"]:
            kept.append(tuple(row["input_ids"][begin : begin + size]))
            begin += size
    assert sorted(kept) == given
    whole = [token for text in texts for token in made.document(text.text)]
    assert sorted(whole) == sorted(token for one in given for token in one)
    assert len(packed) < len(given) * 0.8


@pytest.mark.parametrize("shape", ["llama", "qwen"])
def test_packed_sequences_see_nothing_of_each_other(shapes, tmp_path, shape):
    model = AutoModelForCausalLM.from_pretrained(shapes[shape], dtype=torch.float32).eval()
    assert rows.isolates(model)
    model.config.use_cache = False
    made = chat(tmp_path)
    read = rows.read([Text(text=f"The key {n} is here. " * (n + 1)) for n in range(8)], made, 64)
    packed = list(rows.dataset(read.sequences, 64, packed=True))
    batch = rows.Collator(0, packed=True)(packed)
    labels = batch.pop("labels")
    with torch.inference_mode():
        together = model(**batch).logits
        width = batch["input_ids"].shape[1]
        for number, row in enumerate(rows.joined(packed, width)):
            begin = 0
            for size in [size for one in row for size in one["seq_lengths"]]:
                part = slice(begin, begin + size)
                alone = model(input_ids=batch["input_ids"][number : number + 1, part]).logits[0]
                torch.testing.assert_close(together[number, part], alone, atol=1e-4, rtol=1e-4)
                assert labels[number, begin] == rows.IGNORED  # nothing predicts a first token
                begin += size
            assert (labels[number, begin:] == rows.IGNORED).all()


def test_a_model_that_cannot_keep_them_apart_gets_no_packed_rows(shapes, train):
    model = AutoModelForCausalLM.from_pretrained(shapes["bloom"], dtype=torch.float32)
    assert not rows.isolates(model)
    assert train("bloom", "lora", "clm")[1]["packed"] is False
    assert train("llama", "lora", "clm")[1]["packed"] is True
    assert train("llama", "prompt", "clm")[1]["packed"] is False


def test_padding_is_never_learned_though_it_is_the_end_token(tmp_path):
    batch = rows.Collator(7, packed=False)(
        [{"input_ids": [5, 6, 7], "labels": [-100, 6, 7]}, {"input_ids": [5], "labels": [5]}]
    )
    assert batch["labels"].tolist() == [[-100, 6, 7], [5, -100, -100]]
    assert batch["attention_mask"].tolist() == [[1, 1, 1], [1, 0, 0]]


def test_conversations_share_rows_within_their_batch(shapes, tmp_path):
    """Fewer rows, the same tokens learned, and the same loss and gradient to rounding."""
    chance = random.Random(0)
    given = []
    for _ in range(16):
        size = chance.randint(3, 40)
        ids = [chance.randint(3, 90) for _ in range(size)]
        given.append({"input_ids": ids, "labels": [rows.IGNORED] * 2 + ids[2:]})
    model = AutoModelForCausalLM.from_pretrained(shapes["llama"], dtype=torch.float32)
    model.config.use_cache = False
    found = {}
    for packed in (False, True):
        batch = rows.Collator(0, packed=packed)(given)
        learned = sorted(batch["labels"][batch["labels"] != rows.IGNORED].tolist())
        count = (batch["labels"][:, 1:] != rows.IGNORED).sum()
        model.zero_grad()
        loss = model(**batch, num_items_in_batch=count).loss
        loss.backward()
        gradient = torch.cat([p.grad.flatten() for p in model.parameters()])
        found[packed] = (learned, loss.detach(), gradient, batch["input_ids"].numel())
    (learned, loss, gradient, size), (ours, our_loss, our_gradient, our_size) = found.values()
    assert ours == learned
    torch.testing.assert_close(our_loss, loss)
    torch.testing.assert_close(our_gradient, gradient, atol=1e-6, rtol=1e-4)
    assert our_size < size * 0.75
