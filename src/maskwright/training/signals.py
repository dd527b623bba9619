"""What signals ask of a training: Ctrl-C for a clean end, SIGTERM to save and be gone."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from typing import Final

INTERRUPTED: Final = "interrupted"
"""By Ctrl-C: the best model so far is written and reported."""
TERMINATED: Final = "terminated"
"""By the system, which will soon kill: the checkpoint is written, nothing else."""
_TERMINATE: Final = ("SIGTERM", "SIGUSR1")
"""Kubernetes, spot instances and SLURM send the first; many SLURM scripts ask for the second. Windows has no second."""
WORKER_SECONDS: Final = 30
"""How long a loader's worker outlives a SIGTERM, which clusters send to all processes: a step that is being finished
must not lose it."""


class AbandonedError(Exception):
    """What was being done need not be finished; it will be done again."""


class Signals:
    """What has been asked for so far."""

    def __init__(self) -> None:
        self.stop = ""
        """INTERRUPTED, TERMINATED or nothing."""
        self._abandons = False

    @property
    def terminated(self) -> bool:
        """Whether the process must be gone soon."""
        return self.stop == TERMINATED

    @contextlib.contextmanager
    def abandoning(self) -> Iterator[None]:
        """A block that SIGTERM cuts short; it must change nothing that is saved.

        Raises:
            AbandonedError: it was.
        """
        try:
            self._abandons = True
            yield
        finally:
            self._abandons = False

    def terminate(self, *_: object) -> None:
        """SIGTERM has come."""
        self.stop = TERMINATED
        if self._abandons:
            self._abandons = False
            raise AbandonedError


@contextlib.contextmanager
def interruptible() -> Iterator[Signals]:
    """Signals are noted for a while; a second Ctrl-C is an ordinary one. They reach the main thread alone."""
    signals = Signals()
    if threading.current_thread() is not threading.main_thread():
        yield signals
        return
    wanted = [getattr(signal, name) for name in _TERMINATE if hasattr(signal, name)]
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, *wanted)}

    def note(*_: object) -> None:
        signals.stop = signals.stop or INTERRUPTED
        signal.signal(signal.SIGINT, before[signal.SIGINT])

    signal.signal(signal.SIGINT, note)
    for number in wanted:
        signal.signal(number, signals.terminate)
    try:
        yield signals
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def leave_it_to_the_parent(_worker: int) -> None:
    """In a loader's worker: whether and when to stop is its parent's to say. It ends when that has ended."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, "alarm"):
        for name in _TERMINATE:
            signal.signal(getattr(signal, name), lambda *_: signal.alarm(WORKER_SECONDS))
