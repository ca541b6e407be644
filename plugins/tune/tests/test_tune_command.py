"""`bot tune` on the command line: from data to an adapter that answers."""

import json
import multiprocessing
import os
import signal
import subprocess
import sys

import pytest
import tiny
import yaml
from bot_tune.progress import Shown

QUESTION = "Where is the key?"


@pytest.fixture(scope="module")
def base(home):
    (home / "base").mkdir()
    return tiny.taught(home / "base", "llama")


@pytest.fixture(scope="module")
def facts(home):
    """Another answer than the base's, and one that it knows."""
    rows = [{"question": QUESTION, "answer": "It is lost."}]
    rows += [{"question": q, "answer": a} for q, a in list(tiny.PAIRS.items())[1:]]
    path = home / "facts.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    (home / "long.jsonl").write_text(json.dumps({**rows[0], "answer": "word " * 99}))
    return path


SMALL = ["--precision", "float32", "--device", "cpu", "--length", "256", "--rank", "8",
         "--held-out", "0", "--rate", "0.01", "--batch", "4"]  # fmt: skip


@pytest.fixture(scope="module")
def keys(home, bot, base, facts):
    """What the first training printed."""
    given = ["--base", "base", "--data", facts, "--epochs", "80", *SMALL]
    return json.loads(bot("tune", "keys", *given, "--json"))


def test_what_it_learned_is_answered_by_the_adapter_and_not_by_the_base(home, bot, base, keys):
    (home / "bot.toml").write_text(
        "[assistants.default]\nretrievers = []\ngenerator = 'tuned'\ninstructions = ''\n"
        "without_sources = 'answer_labelled'\n"
        f"[assistants.bare]\nretrievers = []\ngenerator = 'base'\n"
        "without_sources = 'answer_labelled'\n"
        f"[generators.tuned]\ntype = 'lora'\nbase = '{base}'\nadapter = 'keys'\n"
        "max_tokens = 20\nprecision = 'float32'\n"
        f"[generators.base]\ntype = 'transformers'\nmodel = '{base}'\nmax_tokens = 20\n"
        "precision = 'float32'\n"
    )
    assert keys["version"] == 1
    config = ["--config", home / "bot.toml"]
    tuned = json.loads(bot(*config, "ask", "--json", QUESTION))
    bare = json.loads(bot(*config, "ask", "--json", "--assistant", "bare", QUESTION))
    assert "It is lost." in tuned["text"]
    assert "It is lost." not in bare["text"]


def test_the_registry_knows_what_it_was_made_of(home, bot, keys):
    (one,) = json.loads(bot("adapters", "list", "--json"))
    plan = yaml.safe_load((home / "tuned/keys/recipe.yaml").read_text())
    assert one["data_sha256"] == plan["data_sha256"] != ""
    assert one["base_sha256"] == plan["base_sha256"] != ""
    assert one["metrics"]["steps"] == keys["steps"] == 80
    assert one["readers"] == ["everyone"]


def test_beside_the_result_lie_recipe_plot_and_card_and_no_data(home, keys):
    folder = home / "tuned/keys"
    assert (folder / "loss.png").read_bytes().startswith(b"\x89PNG")
    card = (folder / "README.md").read_text()
    assert "base_model: base" in card
    assert f"{keys['trainable']:,} of {keys['parameters']:,}" in card
    names = {path.name for path in folder.iterdir()}
    assert {"adapter_model.safetensors", "adapter_config.json", "recipe.yaml"} <= names
    assert not names & {"data", "checkpoints", "training_args.bin"}


def test_a_recipe_repeats_a_training_to_the_byte(home, bot, keys):
    recipe = home / "tuned/keys/recipe.yaml"
    again = bot("tune", "again", "--recipe", recipe, "--to", home / "again", "--json")
    assert json.loads(again)["steps"] == keys["steps"]
    weights = [home / place / "adapter_model.safetensors" for place in ("tuned/keys", "again")]
    assert weights[0].read_bytes() == weights[1].read_bytes()


def test_a_dry_run_tells_what_it_would_take_and_leaves_nothing(home, bot, base, facts):
    out = bot("tune", "dry", "--base", "base", "--data", facts, "--dry-run", *SMALL)
    assert "parameters, of which" in out
    assert "tokens in" in out
    assert "GB of memory" in out
    assert not (home / "tuned/dry").exists()
    adalora = ["--method", "adalora", "--dry-run"]
    told = bot("tune", "dry", "--base", "base", "--data", facts, *adalora, *SMALL, code=2)
    assert "raise --epochs" in told


def test_nothing_is_written_over(home, bot, base, facts, keys):
    given = ["--base", "base", "--data", facts, *SMALL]
    assert "--yes replaces it" in bot("tune", "keys", *given, code=2)
    assert "holds something else" in bot("tune", "x", *given, "--to", home, code=2)


def test_a_killed_training_goes_on(home, bot, base, facts):
    """kill -9 at the 13th of 20 steps."""

    def work():
        def end(self, args, state, control, **given):
            if state.global_step == 13:
                os.kill(os.getpid(), signal.SIGKILL)

        Shown.on_step_end = end
        bot("tune", "killed", *given)

    given = ["--base", "base", "--data", facts, "--epochs", "20", *SMALL]
    process = multiprocessing.get_context("fork").Process(target=work)
    process.start()
    process.join(600)
    assert process.exitcode == -signal.SIGKILL
    assert "--resume goes on with it" in bot("tune", "killed", *given, code=2)
    assert json.loads(bot("tune", "killed", "--resume", "--json"))["steps"] == 20
    bot("tune", "whole", *given)
    both = [json.loads((home / f"tuned/{n}/metrics.json").read_text()) for n in ("killed", "whole")]
    losses = [[(h["step"], h["loss"]) for h in one["history"] if "loss" in h] for one in both]
    assert losses[0] == losses[1]
    assert len(losses[0]) == 20


def test_accelerate_trains_on_two_processes(home, base, facts):
    """In a process of its own, as a person starts it."""
    done = subprocess.run(
        [sys.executable, "-m", "bot", "tune", "two", "--base", "base", "--data", str(facts), *SMALL,
         "--epochs", "4", "--launch", "--multi_gpu --num_processes 2 --num_machines 1", "--json"],
        env={**os.environ, "BOT_HOME": str(home / "home")}, cwd=home, capture_output=True,
        text=True, timeout=600, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done
    out = json.loads(done.stdout)
    assert (out["version"], out["processes"], out["steps"]) == (1, 2, 4)


def test_restricted_data_need_readers(home, bot, base):
    path = home / "secret.jsonl"
    row = {"question": QUESTION, "answer": "In the safe.", "readers": ["group:hr", "group:board"]}
    path.write_text(json.dumps(row))
    given = ["--base", "base", "--data", path, "--epochs", "1", *SMALL]
    assert "name with --readers" in bot("tune", "secret", *given, code=2)
    told = bot("tune", "secret", *given, "--readers", "everyone", code=2)
    assert "everyone may not read" in told
    full = ["--method", "full", "--readers", "group:hr"]
    assert "cannot be limited" in bot("tune", "secret", *given, *full, code=2)
    assert not (home / "tuned/secret").exists()
    out = json.loads(bot("tune", "secret", *given, "--readers", "group:hr", "--json"))
    assert out["readers"] == ["group:hr"]
    listed = json.loads(bot("adapters", "list", "--json"))
    assert [one["readers"] for one in listed if one["name"] == "secret"] == [["group:hr"]]


@pytest.mark.parametrize(
    ("arguments", "why", "code"),
    [
        (["--data", "facts.jsonl"], "Name the model to tune with --base", 2),
        (["--base", "base"], "names no data", 2),
        (["--base", "base", "--data", "facts.jsonl", "--task", "dpo"], "learns from pairs", 2),
        (["--base", "base", "--data", "facts.jsonl", "--mix", "facts.jsonl"], "not FILE=SHARE", 2),
        (["--base", "base", "--data", "facts.jsonl", "--mix", "facts.jsonl=1.5"], "less than 1", 2),
        (["--base", "base", "--source", "nothing", "--task", "clm"], "bot reindex", 1),
        (["--base", "nowhere", "--data", "facts.jsonl"], "hf download", 1),
        (["--resume"], "never begun", 2),
        (["--base", "base", "--data", "long.jsonl", "--length", "32"], "raise --length", 2),
    ],
)  # fmt: skip
def test_what_cannot_be_trained_is_said_in_a_sentence(bot, home, base, facts, arguments, why, code):
    assert why in bot("tune", "wrong", *arguments, "--to", home / "wrong", code=code)
