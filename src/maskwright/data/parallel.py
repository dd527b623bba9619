"""Many small jobs on a few threads, in order, with bounded memory."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def ahead(work: Callable[[Item], Result], items: Iterable[Item], workers: int, each: int = 4) -> Iterator[Result]:
    """The results in the order of the items; no more than `each` a worker are begun before they are asked for.

    The first error of a job is raised in its place; jobs that have not begun are then given up.
    """
    waiting: deque[Future[Result]] = deque()
    left = iter(items)
    with ThreadPoolExecutor(workers) as pool:  # decoders release the interpreter lock
        try:
            waiting.extend(pool.submit(work, item) for item in islice(left, workers * each))
            while waiting:
                result = waiting.popleft().result()
                waiting.extend(pool.submit(work, item) for item in islice(left, 1))
                yield result
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
