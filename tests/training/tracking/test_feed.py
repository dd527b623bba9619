import threading
import time

import pytest

from maskwright.training.tracking import Tracker
from maskwright.training.tracking.feed import BATCH, Feed

LONG = 30.0


class Keeps(Tracker):
    """Keeps what it is told; may fail at some of its calls."""

    def __init__(self, known=0, fails=()):
        self.known, self.fails, self.calls, self.steps, self.sizes = known, list(fails), [], [], []

    def _called(self, what):
        self.calls.append(what)
        if what in self.fails:
            self.fails.remove(what)
            raise ConnectionError(f"no server to {what}")

    def open(self, run):
        self._called("open")
        return max([self.known, *self.steps])

    def log(self, rows):
        self._called("log")
        self.sizes.append(len(rows))
        self.steps += [row.step for row in rows]

    def finish(self, results):
        self._called("finish")


def fed(tracker, run, rows, later=(), retry=0.0):
    told = list(rows)
    feed = Feed("keeps", tracker, run, told, retry=retry)
    for row in later:
        told.append(row)
        feed.wake()
    feed.end(lambda t: t.finish(None))
    assert feed.wait(LONG)
    return feed


def test_every_row_is_told_once_and_in_order_then_the_end(run_of, rows):
    steps = list(range(1, 3 * BATCH))
    tracker = Keeps()
    feed = fed(tracker, run_of(), rows(*steps[:10]), rows(*steps[10:]))

    assert tracker.steps == steps
    assert max(tracker.sizes) <= BATCH
    assert (tracker.calls[0], tracker.calls[-1]) == ("open", "finish")
    assert tracker.calls.count("open") == tracker.calls.count("finish") == 1
    assert feed.complaints() == []


def test_rows_that_the_tool_holds_already_are_not_told_again(run_of, rows):
    tracker = Keeps(known=20)
    fed(tracker, run_of(), rows(10, 20, 30))

    assert tracker.steps == [30]


def test_nor_those_that_come_once_more_after_a_restart(run_of, rows):
    tracker, told = Keeps(known=30), rows(10)
    feed = Feed("keeps", tracker, run_of(), told)
    until = time.monotonic() + LONG
    while not tracker.calls and time.monotonic() < until:
        time.sleep(0.01)
    told += rows(20, 30, 40)
    feed.end(lambda t: t.finish(None))
    assert feed.wait(LONG)

    assert tracker.steps == [40]


@pytest.mark.parametrize("fails", [["open"], ["log"], ["open", "open", "log"]])
def test_a_tracker_that_fails_is_opened_again_and_misses_nothing(run_of, rows, fails):
    tracker = Keeps(fails=fails)
    told = rows(1, 2, 3)
    feed = Feed("keeps", tracker, run_of(), told, retry=0.0)
    until = time.monotonic() + LONG
    while len(tracker.steps) < 3 and time.monotonic() < until:
        time.sleep(0.01)
    feed.end(lambda t: t.finish(None))
    assert feed.wait(LONG)

    assert tracker.steps == [1, 2, 3]
    (complaint,) = feed.complaints()
    assert complaint.startswith(f"The tracker keeps fails (ConnectionError: no server to {fails[0]}). Training goes on")
    assert feed.complaints() == []


def test_one_that_still_fails_in_the_end_is_tried_once_more_and_given_up(run_of, rows):
    tracker = Keeps(fails=["open"] * 100)
    feed = fed(tracker, run_of(), rows(1), retry=LONG)

    assert len(tracker.calls) <= 3
    assert "has not been told everything" in feed.complaints()[-1]


def test_one_that_hangs_is_not_waited_for(run_of, rows):
    free = threading.Event()

    class Hangs(Tracker):
        def log(self, rows):
            free.wait(LONG)

    feed = Feed("hangs", Hangs(), run_of(), rows(1))
    feed.end(lambda t: None)

    assert not feed.wait(0.05)
    free.set()
    assert feed.wait(LONG)
