import os
import signal
import threading

import pytest
import torch

from maskwright.training.loop import fit
from maskwright.training.signals import INTERRUPTED, TERMINATED, AbandonedError, interruptible


@pytest.fixture
def ordinary_ctrl_c():
    """Ctrl-C raises KeyboardInterrupt, whatever a library of another test has made of it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_ctrl_c_is_noted_once_and_the_second_is_an_ordinary_one(ordinary_ctrl_c):
    with interruptible() as signals:
        signal.raise_signal(signal.SIGINT)
        assert signals.stop == INTERRUPTED
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_sigterm_is_noted_and_counts_more_than_ctrl_c(number):
    with interruptible() as signals:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(number)
        signal.raise_signal(number)
        assert signals.stop == TERMINATED


def test_afterwards_signals_do_what_they_did_before():
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)
    before = [signal.getsignal(number) for number in numbers]
    with interruptible():
        assert [signal.getsignal(number) for number in numbers] != before
    assert [signal.getsignal(number) for number in numbers] == before


def test_what_may_be_abandoned_is_cut_short_by_sigterm_alone():
    with interruptible() as signals:
        with signals.abandoning():
            signal.raise_signal(signal.SIGINT)
        with pytest.raises(AbandonedError), signals.abandoning():
            signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGTERM)  # nothing is there to be abandoned


def test_a_thread_beside_the_main_one_trains_without_signals():
    found = []

    def run():
        with interruptible() as signals:
            found.append(signals.stop)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert found == [""]


class TermIn:
    """A validation in which SIGTERM comes at some call; what it scored is counted."""

    def __init__(self, validation, call):
        self.validation, self.call, self.calls, self.scored = validation, call, 0, 0

    def __call__(self, network, device):
        self.calls += 1
        if self.calls == self.call:
            os.kill(os.getpid(), signal.SIGTERM)
        score = self.validation(network, device)
        self.scored += 1
        return score


@pytest.mark.parametrize("call", [1, 2, 3])
def test_a_validation_cut_short_by_sigterm_is_done_again_and_the_run_ends_the_same(call, job_of):
    """Also the last one, after which there is no step."""
    whole = fit(job_of("whole", validation__times=3))

    job = job_of("run", validation__times=3)
    job.validation = TermIn(job.validation, call)
    stopped = fit(job)
    assert (stopped.reason, stopped.finished, stopped.steps) == (TERMINATED, False, 4 * call)
    assert job.validation.scored == call - 1, "it was not waited for"
    again = fit(job_of("run", validation__times=3), resume=True)

    assert (again.reason, again.finished) == (whole.reason, True)
    assert all(torch.equal(again.weights[name], whole.weights[name]) for name in whole.weights)
    rows = [[row.model_dump(exclude={"seconds"}) for row in run.history] for run in (whole, again)]
    assert rows[0] == rows[1]


def test_patience_that_ends_a_training_ends_it_for_whoever_resumes(job_of):
    """Killed while the model is written, the run must not learn on."""
    settings = {"validation__times": 12, "validation__patience": 1, "optimizer__lr": 1e-9, "training__ema": None}
    first = fit(job_of("run", **settings))
    again = fit(job_of("run", **settings), resume=True)

    assert first.steps < 12
    assert (again.steps, again.reason, again.finished) == (first.steps, first.reason, True)
    assert len(again.history) == len(first.history)
