"""What index and doctor cost beyond decoding: 20,000 small files, painted, each decoded once in a plain loop; and again
when all of it is remembered.

"Index and doctor" is measured as two things. `look`: the survey and every check, those that open files again among
them, as `maskwright inspect` does; this is what the bound of 1.5 times the decoding is about. `quick`: the survey and
the checks that need nothing else, as every training does before it starts. Each is run on a data set never seen before,
and again with all measurements remembered (`look again`, `quick again`).

python benchmarks/index.py [--pairs 10000] [--rounds 3] [--threads 2]

Every measurement is a process of its own, in turn, so that a busy moment meets all of them; ratios are of the medians,
of wall time and of processor time: on a busy machine the latter tells more. Imports that stand at a module's head are
not counted, what is imported on the way is.
Decoding is Pillow's and imagecodecs', each with as many threads.
"""

import argparse
import datetime
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

RESULTS = Path(__file__).parent / "results" / "index.jsonl"
SIZE = (101, 101)
OURS = ("look", "look again", "quick", "quick again")
WAYS = ("pillow", "imagecodecs", *OURS)


def paint(root: Path, pairs: int) -> None:
    """Smooth light with grain, and discs as masks: PNG files about as large as those of real sets of this size."""
    from PIL import Image

    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    for kind in ("images", "masks"):
        (root / kind).mkdir(parents=True)
    for number in range(pairs):
        rng = np.random.default_rng(number)
        disc = np.hypot(y - rng.uniform(0, SIZE[0]), x - rng.uniform(0, SIZE[1])) < rng.uniform(5, 40)
        image = 110 + 40 * np.sin(x / rng.uniform(6, 30)) + 30 * disc + rng.normal(0, 4, SIZE)
        Image.fromarray(np.clip(image, 0, 255).astype(np.uint8)).save(root / "images" / f"{number:05}.png")
        Image.fromarray((255 * disc).astype(np.uint8)).save(root / "masks" / f"{number:05}.png")


def decode(root: Path, threads: int, how: str) -> None:
    """Every file opened and decoded, as one would who wants nothing else."""
    import imagecodecs
    from PIL import Image

    def pillow(path: Path) -> None:
        with Image.open(path) as image:
            np.asarray(image)

    def codecs(path: Path) -> None:
        imagecodecs.png_decode(path.read_bytes())

    one = {"pillow": pillow, "imagecodecs": codecs}[how]
    paths = sorted(root.glob("*/*.png"))
    with ThreadPoolExecutor(threads) as pool:
        chunks = [paths[first : first + 64] for first in range(0, len(paths), 64)]
        list(pool.map(lambda chunk: [one(path) for path in chunk], chunks))


def look(root: Path, threads: int, deep: bool) -> None:
    """Index and doctor."""
    from maskwright.data.doctor import diagnose
    from maskwright.data.survey import survey

    found = survey(root, workers=threads)
    assert found.samples is not None, found.faults
    diagnose(found, deep=deep)


def timed(what: str, root: Path, threads: int) -> None:
    """Prints seconds of wall and of processor time, and the peak of memory in MiB."""
    ours = what.split()[0] in ("look", "quick")
    if ours:
        import maskwright.data.doctor  # noqa: F401
    else:
        import imagecodecs  # noqa: F401
        from PIL import Image  # noqa: F401
    started, used = time.perf_counter(), time.process_time()
    if ours:
        look(root, threads, deep=what.startswith("look"))
    else:
        decode(root, threads, what)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps([time.perf_counter() - started, time.process_time() - used, peak]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--pairs", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--keep", action="store_true", help="write a line into benchmarks/results")
    parser.add_argument("--data", type=Path, help="painted before and read just now: no round is thrown away then")
    parser.add_argument("--only", nargs=2, metavar=("WHAT", "FOLDER"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.only:
        timed(options.only[0], Path(options.only[1]), options.threads)
        return
    with tempfile.TemporaryDirectory() as place:
        root = options.data or Path(place) / "data"
        if options.data is None:
            paint(root, options.pairs)
            time.sleep(3)  # files younger than two seconds are not remembered
        found: dict[str, list[list[float]]] = {what: [] for what in WAYS}
        for number in range(1 if options.data else 0, options.rounds + 1):
            for what, runs in found.items():
                os.environ["MASKWRIGHT_CACHE"] = f"{place}/cache-{number}-{what.split()[0]}"
                words = [sys.executable, __file__, "--threads", str(options.threads), "--only"]
                done = subprocess.run([*words, what, str(root)], check=True, capture_output=True)
                if number:  # the first round fills the system's file cache
                    runs.append(json.loads(done.stdout.splitlines()[-1]))
    seconds = {what: statistics.median(run[0] for run in runs) for what, runs in found.items()}
    used = {what: statistics.median(run[1] for run in runs) for what, runs in found.items()}
    line = {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "commit": subprocess.run(
            ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True
        ).stdout.strip(),
        "machine": f"{os.cpu_count()} cores, {platform.machine()}",
        "command": f"index.py --pairs {options.pairs} --rounds {options.rounds} --threads {options.threads}",
        "files": 2 * options.pairs,
        "seconds": {what: round(value, 2) for what, value in seconds.items()},
        "processor_seconds": {what: round(value, 2) for what, value in used.items()},
        "to_pillow": {what: round(seconds[what] / seconds["pillow"], 2) for what in OURS},
        "to_pillow_processor": {what: round(used[what] / used["pillow"], 2) for what in OURS},
        "to_imagecodecs": {what: round(seconds[what] / seconds["imagecodecs"], 2) for what in OURS},
        "to_imagecodecs_processor": {what: round(used[what] / used["imagecodecs"], 2) for what in OURS},
        "peak_mib": {what: round(max(run[2] for run in runs)) for what, runs in found.items()},
    }
    print(json.dumps(line))
    if options.keep:
        with RESULTS.open("a") as file:
            file.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    main()
