"""Command lines that really run in processes of their own, and are really killed with SIGKILL at a chosen moment.

`python killing.py` loads everything once, then forks a process for each line it is given: starting Python anew would
take longer than the trainings. A moment is counted in calls of functions, so it can be told by a seed, on any machine.
"""

import importlib
import json
import os
import resource
import signal
import subprocess
import sys
import threading
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Moment:
    """So many calls after the n-th call of a function; without a function, after the start."""

    calls: int
    file: str = ""
    function: str = ""
    nth: int = 1
    signal: int = signal.SIGKILL
    """What happens then."""


@dataclass(frozen=True)
class Ended:
    """How a process ended, what it said, and how many calls it took in all."""

    code: int
    said: str
    calls: int

    @property
    def killed(self):
        return self.code == -signal.SIGKILL


class Zygote:
    """Runs command lines."""

    def __init__(self, folder):
        self.said = folder / "said.txt"
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        self.process = subprocess.Popen(
            [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()

    def __call__(self, *words, until=None, limit=None, patched=None):
        """Run `maskwright WORDS`, killed at a moment if one is given and comes.

        limit: bytes that no file may exceed, as on a disk that is full.
        patched: `module:NAME` → value, for what is large or slow otherwise.
        """
        order = {"words": [str(word) for word in words], "said": str(self.said), "limit": limit, "patched": patched}
        order["until"] = until and asdict(until)
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        code, calls = json.loads(self.process.stdout.readline())
        return Ended(code, self.said.read_text("utf-8"), calls)


def killer(moment, counted):
    """A profile function that kills at that moment and counts the calls."""
    seen, left = 0, None if moment and moment.function else moment and moment.calls
    own = os.getpid()  # a loader's worker inherits the function, and is not meant

    def look(frame, event, _):
        nonlocal seen, left, moment
        if event not in {"call", "c_call"} or os.getpid() != own:
            return
        counted[0] += 1
        if left is not None:
            left -= 1
            if left < 0:
                number, moment, left = moment.signal, None, None
                os.kill(os.getpid(), number)
        elif moment and event == "call" and frame.f_code.co_qualname == moment.function:
            seen += frame.f_code.co_filename.endswith(moment.file)
            left = moment.calls if seen == moment.nth else None

    return look


def child(order, report):
    """Be the command line."""
    from maskwright.cli import main

    said = os.open(order["said"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(said, 1)
    os.dup2(said, 2)
    if order["limit"]:
        resource.setrlimit(resource.RLIMIT_FSIZE, (order["limit"], order["limit"]))
    for name, value in (order["patched"] or {}).items():
        module, _, attribute = name.partition(":")
        setattr(importlib.import_module(module), attribute, value)
    sys.argv = ["maskwright", *order["words"]]
    counted = [0]
    look = killer(order["until"] and Moment(**order["until"]), counted)
    threading.setprofile(look)
    sys.setprofile(look)
    try:
        main()
    finally:
        sys.setprofile(None)
        os.write(report, str(counted[0]).encode())


def serve():
    """Fork a process for each order, and say how it ended."""
    import torch
    from matplotlib.figure import Figure

    import maskwright.api  # noqa: F401

    torch.set_num_threads(1)
    # Drawing the report's charts would take ten times as long as these trainings.
    Figure.savefig = lambda _, out, **__: out.write('<svg width="1pt" height="1pt"></svg>')
    for line in sys.stdin:
        order = json.loads(line)
        reading, report = os.pipe()
        if (pid := os.fork()) == 0:
            os.close(reading)
            child(order, report)
            sys.exit(0)
        os.close(report)
        _, status = os.waitpid(pid, 0)
        code = os.waitstatus_to_exitcode(status)
        # A loader's workers outlive a killed parent for some seconds, and hold the other end.
        calls = 0 if code == -signal.SIGKILL else int(os.read(reading, 100) or 0)
        os.close(reading)
        print(json.dumps([code, calls]), flush=True)


if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).parents[2] / "src")
    serve()
