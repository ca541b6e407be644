"""A training that was killed goes on to the same losses."""

import json
import multiprocessing
import os
import pickle
import shutil
import signal

import pytest
import torch
from bot_tune import folder as folders
from bot_tune import training
from bot_tune.progress import Shown

from bot.errors import UsageError

KILLED = 7  # steps; checkpoints are at 2, 4, 6


def curve(history, key):
    return {one["step"]: one[key] for one in history if key in one}


def killed(place):
    """Train in a process that is killed after some steps, as by `kill -9`."""

    def work():
        def on_step_end(self, args, state, control, **given):
            if state.global_step == KILLED:
                os.kill(os.getpid(), signal.SIGKILL)

        Shown.on_step_end = on_step_end
        training.run(place)

    process = multiprocessing.get_context("fork").Process(target=work)
    process.start()
    process.join(600)
    assert process.exitcode == -signal.SIGKILL


@pytest.mark.parametrize(
    ("method", "task"),
    [("lora", "sft"), ("dora", "sft"), ("prompt", "sft"), ("full", "sft"),
     ("lora", "dpo")],
)  # fmt: skip
def test_it_resumes_to_the_same_losses(begin, method, task):
    more = {"epochs": 3, "evaluations": 5, "method": method, "task": task}
    whole = training.run(begin("llama", **more))
    place = begin("llama", **more)
    killed(place)
    last = training.last(place)
    assert last.name == "checkpoint-6"
    # As if it had been killed while it wrote the next one.
    half = last.with_name("checkpoint-8")
    half.mkdir()
    (half / "trainer_state.json").write_text('{"global_')
    assert folders.resumed(place).method == method
    found = training.run(place, resume=True)
    assert not half.exists()
    for key in ("loss", "eval_held_out_loss"):
        assert curve(found["history"], key) == pytest.approx(curve(whole["history"], key), abs=1e-6)
    assert found["losses"] == {
        name: pytest.approx(loss, abs=1e-6) for name, loss in whole["losses"].items()
    }


def test_one_that_was_killed_before_its_first_checkpoint_begins_anew(begin):
    place = begin("llama", epochs=3, evaluations=1)
    whole = training.run(begin("llama", epochs=3, evaluations=1))
    killed(place)
    assert training.last(place) is None
    found = training.run(place, resume=True)
    assert curve(found["history"], "loss") == pytest.approx(
        curve(whole["history"], "loss"), abs=1e-6
    )


def test_adalora_says_that_it_cannot(begin):
    with pytest.raises(UsageError, match="adalora cannot go on"):
        folders.resumed(begin("llama", "adalora"))


def test_what_has_ended_or_was_never_begun_says_so(train, tmp_path):
    place, _ = train("llama")
    folders.tidy(place)
    with pytest.raises(UsageError, match="has ended"):
        folders.resumed(place)
    with pytest.raises(UsageError, match="never begun"):
        folders.resumed(tmp_path)
    assert json.loads((place / folders.DONE).read_text())["steps"] == 5


class Pickled:
    """Runs a command when it is unpickled as Python would."""

    def __init__(self, trace):
        self.trace = trace

    def __reduce__(self):
        return os.mkdir, (str(self.trace),)


@pytest.fixture(scope="module")
def stopped(begin):
    """A folder of a training that was killed; its last checkpoint is the sixth."""
    place = begin("llama", epochs=3, evaluations=5)
    killed(place)
    return place


@pytest.fixture
def half(stopped, tmp_path):
    """A copy of it."""
    return shutil.copytree(stopped, tmp_path / "x")


@pytest.mark.parametrize(
    "name",
    ["optimizer.pt", "scheduler.pt", "rng_state.pth", "pytorch_model.bin", "adapter_model.bin"],
)
def test_a_checkpoint_that_somebody_has_put_a_program_into_is_refused(half, tmp_path, name):
    file, trace = training.last(half) / name, tmp_path / "ran"
    training.check(file.parent)  # as it was written
    torch.save({"state": Pickled(trace)}, file)
    with pytest.raises(UsageError, match=rf"{name} is damaged .* remove checkpoint-6, and"):
        training.run(half, resume=True)
    assert not trace.exists()
    torch.load(file, weights_only=False)
    assert trace.exists()  # it would have run


def test_what_no_resuming_needs_is_not_read(half, tmp_path):
    torch.save({"state": Pickled(tmp_path / "ran")}, training.last(half) / training.UNREAD)
    assert training.run(half, resume=True)["steps"] == 15
    assert not (tmp_path / "ran").exists()


def test_the_trainer_itself_reads_numbers_alone(half, tmp_path, monkeypatch):
    monkeypatch.setattr(training, "check", lambda checkpoint: None)
    for name in ("optimizer.pt", "rng_state.pth"):
        torch.save({"state": Pickled(tmp_path / "ran")}, training.last(half) / name)
    with pytest.raises(pickle.UnpicklingError):
        training.run(half, resume=True)
    assert not (tmp_path / "ran").exists()


def test_a_checkpoint_that_was_cut_short_says_so(half):
    file = training.last(half) / "optimizer.pt"
    file.write_bytes(file.read_bytes()[:-2000])
    with pytest.raises(UsageError, match="remove checkpoint-6"):
        training.run(half, resume=True)
