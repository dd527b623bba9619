"""What was made last, kept in memory up to a number of bytes."""

import os
import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from numpy.typing import NDArray

Arrays = list[NDArray[Any]]


class Recent:
    """Arrays by number; those that were not asked for longest go first. Any thread and any process may ask.

    A process that was forked off shares what there was, and then keeps its own; one that is sent this starts empty.
    """

    def __init__(self, limit: int):
        self.limit = limit
        self._lock, self._process = threading.Lock(), os.getpid()
        self._kept: OrderedDict[int, Arrays] = OrderedDict()
        self._bytes = 0

    def __reduce__(self) -> tuple[Any, ...]:
        return Recent, (self.limit,)

    def get(self, number: int, make: Callable[[int], Arrays]) -> Arrays:
        """The arrays of that number, made if they are not there. What was made last stays, however large it is."""
        if self._process != os.getpid():  # a thread of the parent may have held the lock
            self._lock, self._process = threading.Lock(), os.getpid()
        with self._lock:
            if number in self._kept:
                self._kept.move_to_end(number)
                return self._kept[number]
        made = make(number)  # two threads may make the same; that is harmless, and better than waiting
        for array in made:
            array.flags.writeable = False
        with self._lock:
            if number not in self._kept:
                self._bytes += _bytes(made)
            self._kept[number] = made
            while self._bytes > self.limit and len(self._kept) > 1:
                _, gone = self._kept.popitem(last=False)
                self._bytes -= _bytes(gone)
        return made


def _bytes(arrays: Arrays) -> int:
    return sum(array.nbytes for array in arrays)
