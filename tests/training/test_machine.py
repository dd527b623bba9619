import multiprocessing
import os
import signal
import time

import pytest
import torch

from maskwright.errors import DataError, TrainingError
from maskwright.training.callbacks import Listener
from maskwright.training.loop import fit

# Later Pythons warn of it; what a worker does is safe: it computes with one thread, as torch tells it to.
pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")


class At(Listener):
    """Does something after a step."""

    def __init__(self, step, act):
        self.step, self.act = step, act

    def stepped(self, news):
        if news.step == self.step:
            self.act()


def fail():
    raise ZeroDivisionError


@pytest.fixture(autouse=True)
def no_worker_is_left():
    yield
    assert multiprocessing.active_children() == []


@pytest.mark.parametrize("workers", [1, 3])
def test_any_number_of_workers_gives_the_same_weights(workers, job_of):
    alone, job = fit(job_of("alone")), job_of("run", device__workers=workers)
    assert job.workers == workers
    outcome = fit(job)

    assert all(torch.equal(outcome.weights[name], alone.weights[name]) for name in alone.weights)


def test_after_an_error_or_an_interrupt_no_worker_is_left_even_while_the_error_is_shown(job_of):
    with pytest.raises(ZeroDivisionError) as caught:
        fit(job_of(device__workers=2), [At(3, fail)])
    assert multiprocessing.active_children() == []
    assert caught.value.__traceback__ is not None
    assert fit(job_of("other", device__workers=2), [At(3, lambda: signal.raise_signal(signal.SIGINT))]).steps == 3


def test_a_worker_that_is_killed_is_told_with_what_to_do_and_the_run_goes_on(job_of):
    whole = fit(job_of("whole", checkpoint_seconds=0))

    def kill():
        for worker in multiprocessing.active_children():
            worker.kill()

    with pytest.raises(TrainingError, match=r"A process that reads crops died after \d+ steps.*--workers, now 2"):
        fit(job_of("run", device__workers=2, checkpoint_seconds=0), [At(5, kill)])
    again = fit(job_of("run", device__workers=0), resume=True)

    assert all(torch.equal(again.weights[name], whole.weights[name]) for name in whole.weights)


def test_a_worker_that_is_killed_while_it_is_shut_down_costs_nothing(job_of, monkeypatch):
    loader = torch.utils.data.dataloader._MultiProcessingDataLoaderIter
    shut_down, killed = loader._shutdown_workers, []

    def kill_first(self):
        living = [worker for worker in self._workers if worker.is_alive()]  # none in a loader of another test
        if living and not killed:
            killed.append(living[0].pid)
            os.kill(killed[0], signal.SIGKILL)
            time.sleep(0.3)  # torch's handler of the signal raises here
        shut_down(self)

    monkeypatch.setattr(loader, "_shutdown_workers", kill_first)
    assert fit(job_of(device__workers=2)).finished
    assert killed


def test_workers_outlive_a_signal_that_is_meant_for_all_processes(job_of):
    """Ctrl-C in a terminal and `scancel` reach them, too; the step that is being finished must not lose them."""

    def signal_all():
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1):
            for worker in multiprocessing.active_children():
                os.kill(worker.pid, number)
        time.sleep(0.2)

    outcome = fit(job_of(device__workers=2), [At(4, signal_all)])
    assert outcome.finished


def test_an_error_of_ours_in_a_worker_arrives_as_it_was(job_of):
    job = job_of(device__workers=1)
    job.crops = Broken(job.crops)
    with pytest.raises(DataError) as caught:
        fit(job)
    assert (str(caught.value), caught.value.files) == ("img_03.png is gone.", ("img_03.png",))


class Broken:
    """Crops whose sixth batch cannot be read."""

    def __init__(self, crops):
        self.crops, self.steps_per_epoch, self.sampling = crops, crops.steps_per_epoch, crops.sampling
        self.cache = crops.cache

    def __getitem__(self, step):
        if step == 5:
            raise DataError("img_03.png is gone.", files=("img_03.png",))
        return self.crops[step]
