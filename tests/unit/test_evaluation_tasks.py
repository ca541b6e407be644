"""Tasks of likelihood: lm-eval's YAML with local data, and general text in windows."""

import json

import pytest

from bot.errors import UsageError
from bot.evaluation import likelihoods

TASK = """
task: offices
dataset_path: json
dataset_kwargs:
  data_files:
    test: offices.jsonl
test_split: test
output_type: multiple_choice
doc_to_text: "Question: {{question.strip()}}\\nAnswer:"
doc_to_choice: options
doc_to_target: right
metric_list:
  - metric: acc
"""
ROWS = [
    {"question": " Where? ", "options": ["here", "there"], "right": 1},
    {"question": "When?", "options": ["now", "then"], "right": "now"},
]


@pytest.fixture
def write(tmp_path):
    def made(task=TASK, rows=ROWS):
        (tmp_path / "offices.jsonl").write_text("\n".join(map(json.dumps, rows)))
        path = tmp_path / "offices.yaml"
        path.write_text(task)
        return path

    return made


def test_a_task_becomes_pairs_of_question_and_choice(write):
    task = likelihoods.choices(write())
    assert (task.name, task.kind) == ("accuracy offices", "choice")
    assert task.items[0] == (
        [("Question: Where?\nAnswer:", " here"), ("Question: Where?\nAnswer:", " there")], 1,
    )  # fmt: skip
    assert task.items[1][1] == 0


def test_choices_and_targets_may_be_templates(write, tmp_path):
    changed = TASK.replace("doc_to_choice: options", 'doc_to_choice: ["A", "B"]')
    changed = changed.replace("doc_to_target: right", 'doc_to_target: "{{ options.index(said) }}"')
    rows = [{"question": "q", "options": ["x", "y"], "said": "y"}]
    task = likelihoods.choices(write(changed, rows))
    assert [pair[1] for pair in task.items[0][0]] == [" A", " B"]
    assert task.items[0][1] == 1


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("dataset_path: json", "dataset_path: allenai/ai2_arc", "ai2_arc"),
        ("output_type: multiple_choice", "output_type: generate_until", "output_type"),
        ("doc_to_target: right", "doc_to_target: '{{ wrong }}'", "wrong"),
        ("doc_to_choice: options", "", "doc_to_choice"),
        ("test: offices.jsonl", "test: https://x.example/a.json", "no file of this machine"),
        ("test: offices.jsonl", "test: missing.jsonl", "missing.jsonl"),
        ("task: offices", "task: [", "offices.yaml"),
        ("doc_to_text: ", "doc_to_text: '{{ ().__class__.__mro__ }}' #", "cannot be filled in"),
        ("doc_to_target: right", "doc_to_target: question", "none of the choices"),
    ],
)
def test_what_cannot_be_used_is_told(write, old, new, said):
    assert old in TASK
    with pytest.raises(UsageError) as caught:
        likelihoods.choices(write(TASK.replace(old, new)))
    assert said in str(caught.value)


@pytest.mark.parametrize("text", ["Lorem ipsum dolor sit amet. " * 300, "天地玄黄" * 900, "x"])
def test_general_text_is_read_once_each_window_after_the_one_before(tmp_path, text):
    path = tmp_path / "news.txt"
    path.write_text(text)
    task = likelihoods.general(path)
    pairs = [pairs[0] for pairs, right in task.items]
    assert "".join(window for _, window in pairs).strip() == text.strip()
    assert [before for before, _ in pairs] == ["", *(window for _, window in pairs[:-1])]
    assert max(len(window) for _, window in pairs) <= likelihoods.WINDOW
    assert task.name == "loss news"


def test_an_empty_or_missing_text_is_refused(tmp_path):
    (tmp_path / "empty.txt").write_text(" \n")
    for name in ("empty.txt", "missing.txt"):
        with pytest.raises(UsageError, match=name):
            likelihoods.general(tmp_path / name)
