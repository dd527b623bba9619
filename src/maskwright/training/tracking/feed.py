"""Feeds a tracker from a thread of its own: a slow server costs the training nothing, a dead one a warning."""

import threading
from collections.abc import Callable, Sequence

from maskwright.training.tracking.registry import Row, TrackedRun, Tracker

BATCH = 50
"""Rows that are told at once: servers have limits."""


class Feed:
    """Tells a tracker the rows of a growing list, opens it again when it has failed, and closes it in the end.

    retry: seconds between two attempts.
    """

    def __init__(self, name: str, tracker: Tracker, run: TrackedRun, rows: Sequence[Row], retry: float = 30.0):
        self.name, self.tracker, self.run, self.rows, self.retry = name, tracker, run, rows, retry
        self.failing = False
        self._complaints: list[str] = []
        self._sent: int | None = None  # how many rows it has been told, or need not be; None: it is not open
        self._known = 0
        self._last: Callable[[Tracker], None] | None = None
        self._over = False
        self._news, self._ending = threading.Condition(), threading.Event()
        # A daemon: a tracker that hangs must not keep the process from ending.
        self._thread = threading.Thread(target=self._work, name=f"tracker {name}", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """The list has grown."""
        with self._news:
            self._news.notify()

    def end(self, last: Callable[[Tracker], None]) -> None:
        """No more rows will come; `last` is the last thing to do once all have been told."""
        self._last = last
        self._ending.set()
        self.wake()

    def wait(self, seconds: float) -> bool:
        """Whether the end was reached within so many seconds."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def complaints(self) -> list[str]:
        """What has gone wrong since the last call."""
        found = [self._complaints.pop(0) for _ in range(len(self._complaints))]
        return [f"The tracker {self.name} {text}" for text in found]

    def _work(self) -> None:
        while not self._over:
            last = self._last  # looked at before trying: who was told of the end has tried once more after it
            try:
                self._go_on()
            except Exception as error:  # whatever a tracker's library raises, training goes on
                if not self.failing:
                    what = f"{type(error).__name__}: {error}".strip().splitlines()[0][:300]
                    self._complaints.append(
                        f"fails ({what}). Training goes on; what it missed is told later, if it can be."
                    )
                self.failing = True
                self._sent = None
                if last is not None:
                    self._complaints.append("has not been told everything: it still failed when the run was over.")
                    return
                self._ending.wait(self.retry)

    def _go_on(self) -> None:
        """Open it, or tell it some rows, or do the last thing."""
        if self._sent is None:
            self._known = self.tracker.open(self.run)
            self._sent = 0
            return
        with self._news:
            self._news.wait_for(lambda: self._last is not None or len(self.rows) > (self._sent or 0))
        last = self._last
        if rows := self.rows[self._sent : self._sent + BATCH]:
            # Of a killed process it may hold steps that are still to come.
            if missing := [row for row in rows if row.step > self._known]:
                self.tracker.log(missing)
            self._sent += len(rows)
            self.failing = False
        elif last is not None:
            last(self.tracker)
            self._over = True
