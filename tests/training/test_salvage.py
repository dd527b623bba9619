import errno

import pytest
import torch

from maskwright.errors import DataError, TrainingError
from maskwright.training import checkpoint
from maskwright.training.callbacks import Listener
from maskwright.training.loop import fit

CPU = torch.device("cpu")


class BreaksAt(Listener):
    """A callback with a bug: raises after that step."""

    def __init__(self, step, error):
        self.step, self.error = step, error

    def stepped(self, news):
        if news.step == self.step:
            raise self.error


def breaking(job, error, at):
    """The job's loss fails in the step after that one."""
    real, calls = job.loss, []

    class Fails(torch.nn.Module):
        def forward(self, *given):
            calls.append(1)
            if len(calls) > at:
                raise error
            return real(*given)

    job.loss = Fails()
    return job


class Kept(list):
    """Takes what is rescued."""

    def __call__(self, outcome):
        self.append(outcome)
        return "kept"


def same(a, b):
    return all(torch.equal(a[name], b[name]) for name in a)


def test_an_error_in_a_callback_goes_on_and_the_best_model_is_handed_on(job_of):
    whole, rescue = fit(job_of("whole")), Kept()
    with pytest.raises(ZeroDivisionError) as caught:
        fit(job_of(), [BreaksAt(7, ZeroDivisionError("a bug"))], rescue=rescue)

    assert caught.value.__notes__ == ["kept"]
    (outcome,) = rescue
    assert (outcome.steps, outcome.finished, outcome.reason) == (7, False, "it broke off: ZeroDivisionError")
    assert outcome.score == max(row.val_score for row in outcome.history)
    again = fit(job_of(), resume=True)
    assert again.steps == whole.steps
    assert same(again.weights, whole.weights), "what was whole was saved"


def test_an_error_in_a_step_saves_nothing_that_is_half_done(job_of):
    """Here the norms have counted a batch from which nothing was learnt then."""
    settings = {"checkpoint_seconds": 0, "model__norm": "batch", "training__ema": None, "validation__times": 12}
    whole, rescue = fit(job_of("whole", **settings)), Kept()
    with pytest.raises(OSError, match="no idea"):
        fit(breaking(job_of(**settings), OSError("no idea"), 8), rescue=rescue)

    assert rescue[0].score is not None
    before = checkpoint.load(job_of(**settings).folder / checkpoint.NAME, CPU)
    again = fit(job_of(**settings), resume=True)
    assert before["progress"]["pace"]["step"] == 8
    assert same(again.weights, whole.weights)
    last = [checkpoint.load(job_of(run, **settings).folder / checkpoint.NAME, CPU) for run in ("run", "whole")]
    assert same(last[0]["network"], last[1]["network"])


@pytest.mark.parametrize("error", [MemoryError("too much"), torch.OutOfMemoryError("CUDA out of memory")])
def test_memory_that_runs_out_is_said_with_what_to_lower(job_of, error):
    rescue = Kept()
    with pytest.raises(
        TrainingError, match=r"ran out on cpu after 5 steps.*smaller sampling\.batch \(now 2\)"
    ) as caught:
        fit(breaking(job_of(), error, 5), rescue=rescue)
    assert caught.value.__notes__ == ["kept"]
    assert caught.value.__cause__ is error


def test_before_the_first_validation_there_is_no_best_model(job_of):
    rescue = Kept()
    with pytest.raises(ZeroDivisionError):
        fit(job_of(), [BreaksAt(1, ZeroDivisionError())], rescue=rescue)
    assert rescue == []
    assert checkpoint.exists(job_of().folder)


def test_without_validation_images_the_latest_model_is_the_best(job_of):
    job, rescue = job_of(), Kept()
    job.validation = None
    with pytest.raises(DataError):
        fit(job, [BreaksAt(3, DataError("gone"))], rescue=rescue)
    assert rescue[0].steps == 3
    assert rescue[0].reason == "it broke off: gone"


def test_if_the_rescue_fails_the_first_error_is_the_one_that_is_told(job_of):
    def fails(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(ZeroDivisionError) as caught:
        fit(job_of(), [BreaksAt(6, ZeroDivisionError())], rescue=fails)
    assert "could not be written: [Errno 28] No space left" in caught.value.__notes__[0]


def test_a_damaged_checkpoint_costs_some_steps_and_no_more(job_of):
    whole = fit(job_of("whole", checkpoint_seconds=0))
    with pytest.raises(ZeroDivisionError):
        fit(job_of(checkpoint_seconds=0), [BreaksAt(9, ZeroDivisionError())])
    last = job_of().folder / checkpoint.NAME
    last.write_bytes(last.read_bytes()[:-500])
    hears = Hears()
    again = fit(job_of(), [hears], resume=True)

    assert "is damaged" in hears.warnings[0]
    assert "The one before it is whole" in hears.warnings[0]
    assert same(again.weights, whole.weights)
    assert [row.step for row in again.history] == [row.step for row in whole.history]


class Hears(Listener):
    def __init__(self):
        self.warnings = []

    def warned(self, text):
        self.warnings.append(text)


def test_rows_that_a_full_disk_swallowed_are_there_again_after_a_restart(job_of, monkeypatch):
    whole = fit(job_of("whole"))
    job = job_of()
    with monkeypatch.context() as patch:
        patch.setattr("maskwright.training.callbacks.History._write", full_after(2))
        with pytest.raises(ZeroDivisionError):
            fit(job, [BreaksAt(9, ZeroDivisionError())])
    assert (job.folder / "history.jsonl").read_text().count("\n") == 1

    again = fit(job_of(), resume=True)
    assert [row.step for row in again.history] == [row.step for row in whole.history]
    assert (job.folder / "history.jsonl").read_text().count("\n") == len(whole.history)


def full_after(times):
    """Writes the history so often, and then no more."""
    from maskwright.training.callbacks import History

    real, calls = History._write, []

    def write(self):
        calls.append(1)
        if len(calls) > times:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(self)

    return write
