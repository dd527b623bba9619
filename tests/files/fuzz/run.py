"""Reads damaged files in child processes and tells which of them do harm. By hand:

    python tests/files/fuzz/run.py --count 10000            the whole, some minutes on two cores
    python tests/files/fuzz/run.py --kept                   those that once did harm
    python tests/files/fuzz/run.py --seed "png-rgb8 lie 7"  one; --save writes the file down
    python tests/files/fuzz/run.py --count 2000 --only npz  what has that in the name of flavour or damage

Each file gives an image or a `ReadError`. A fault is: any other exception, a warning, a crash, more than 20 s of
processor time or 2 GiB of memory for one read, an image that is not what the header said, or pixels that differ
when the file is read again (memory nobody has written to). The exit code is 1 if there is one, and its seed and one
line about it belong into `seeds.txt`.
"""

import argparse
import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from damage import damaged, seeds  # noqa: E402 - a script finds its neighbours only now
from flavours import load  # noqa: E402

Seed = tuple[str, str, int]
CHILD = HERE / "reading.py"
ASLEEP = 300
"""Seconds after which a child that answers nothing is ended although it uses no processor time."""


def kept() -> list[Seed]:
    """The seeds of everything that ever failed."""
    lines = (line.split("#")[0].split() for line in (HERE / "seeds.txt").read_text().splitlines())
    return [(line[0], line[1], int(line[2])) for line in lines if line]


class Child:
    """A process that reads files, and is started anew when one of them has killed it."""

    def __init__(self) -> None:
        self.seed: Seed | None = None
        self._start()

    def _start(self) -> None:
        # Two arenas: each thread's own would count as address space.
        environment = {**os.environ, "MALLOC_ARENA_MAX": "2", "OMP_NUM_THREADS": "1"}
        self.process = subprocess.Popen(
            [sys.executable, str(CHILD)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            stderr=subprocess.DEVNULL, env=environment,
        )  # fmt: skip
        assert self.process.stdout is not None
        assert "ready" in self.process.stdout.readline(), "the child cannot read healthy files"

    def ask(self, seed: Seed) -> None:
        assert self.process.stdin is not None
        self.seed, self.since = seed, time.monotonic()
        self.process.stdin.write(" ".join(map(str, seed)) + "\n")
        self.process.stdin.flush()

    def answer(self) -> dict:
        """What came of the seed; a dead child's is a fault."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if line:
            return json.loads(line)
        self.process.communicate()  # closes what is left of it
        code = self.process.returncode
        name = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        self._start()
        return {"faults": [f"the process was ended: {name}"], "images": 0, "errors": [], "seconds": 0, "memory": 0}

    def end_if_asleep(self) -> None:
        if time.monotonic() - self.since > ASLEEP:
            self.process.kill()

    def close(self) -> None:
        self.process.communicate()


def read_all(todo: list[Seed], children: int = 2, say: bool = False) -> dict[Seed, dict]:
    """What came of each seed."""
    queue, found = list(reversed(todo)), {}
    waiting = selectors.DefaultSelector()

    def give(child: Child) -> None:
        if queue:
            child.ask(queue.pop())
            waiting.register(child.process.stdout, selectors.EVENT_READ, child)

    pool = [Child() for _ in range(min(children, len(todo)))]
    for child in pool:
        give(child)
    while waiting.get_map():
        for key, _ in waiting.select(timeout=10):
            child = key.data
            waiting.unregister(key.fileobj)
            found[child.seed] = answer = child.answer()
            if say and answer["faults"]:
                print(*child.seed, "#", "; ".join(answer["faults"]), flush=True)
            if say and len(found) % 1000 == 0:
                print(f"{len(found):,} of {len(todo):,}", file=sys.stderr, flush=True)
            give(child)
        for key in list(waiting.get_map().values()):
            key.data.end_if_asleep()
    for child in pool:
        child.close()
    return found


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=0)
    parser.add_argument("--skip", type=int, default=0, help="so many seeds of the list are passed over")
    parser.add_argument("--only", default="")
    parser.add_argument("--kept", action="store_true")
    parser.add_argument("--seed", action="append", default=[])
    parser.add_argument("--save", type=Path)
    parser.add_argument("--children", type=int, default=2)
    options = parser.parse_args()
    todo = [(one.split()[0], one.split()[1], int(one.split()[2])) for one in options.seed]
    todo += kept() if options.kept else []
    if options.count:
        scale = 40 if options.only else 1
        fits = [
            seed for seed in seeds((options.count + options.skip) * scale) if options.only in f"{seed[0]} {seed[1]}"
        ]
        todo += fits[options.skip : options.skip + options.count]
    if options.save:
        for seed in todo:
            data = damaged(*seed)
            assert isinstance(data, bytes), "a folder is not saved"
            options.save.with_suffix(load()[seed[0]].suffix).write_bytes(data)
    found = read_all(todo, options.children, say=True)
    _sum_up(found, verbose=bool(options.seed))
    return int(any(answer["faults"] for answer in found.values()))


def _sum_up(found: dict[Seed, dict], verbose: bool) -> None:
    if verbose:
        for seed, answer in found.items():
            print(*seed, json.dumps(answer, indent=1))
    faults = sum(bool(answer["faults"]) for answer in found.values())
    images = sum(bool(answer["images"]) for answer in found.values())
    slow = max(found, key=lambda seed: found[seed]["seconds"])
    large = max(found, key=lambda seed: found[seed]["memory"])
    print(f"{len(found):,} files: {faults} with faults, {images:,} read in some way, the others refused in all.")
    print(f"slowest read: {found[slow]['seconds']:.1f} s ({' '.join(map(str, slow))});", end=" ")
    print(f"largest: {found[large]['memory'] / 2**20:.0f} MiB ({' '.join(map(str, large))})")
    print("by family, faults:", dict(Counter(load()[seed[0]].family for seed in found if found[seed]["faults"])))


if __name__ == "__main__":
    raise SystemExit(main())
