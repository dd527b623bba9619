"""Training throughput, images a second, end to end with reading and augmentation: ours beside what people use.

    pip install -r benchmarks/peers/requirements.txt
    python benchmarks/throughput.py --sets isbi2012 camvid --rounds 5 --seconds 8

The same network (a plain U-Net of four halvings, base 16; `--base 64` is the one of 31 million parameters), crop and
batch for all; nnU-Net has its own network of the same widths. Every peer is built once; then rounds are interleaved,
each peer training for some seconds a round, and medians and ratios of the same rounds are told. Peers with a
DataLoader are run with each number of `--workers`. What is not installed is left out, and said. A line a run is
appended to `benchmarks/results/throughput.jsonl`.
"""

import argparse
import copy
import dataclasses
import datetime
import gc
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parent))
from maskwright.model import UNet, UNetRecord
from peers import PEERS, peer
from peers.sets import SETS, inspected, task
from peers.task import cores

RESULTS = Path(__file__).parent / "results" / "throughput.jsonl"
NO_LOADER = {"nnunet"}
NOT_HERE = {"narrow-albumentations"}  # is smp-albumentations, once all have the same network


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("MASKWRIGHT_DATA", "../shared/data")))
    parser.add_argument("--sets", nargs="+", choices=SETS, default=["isbi2012", "camvid"])
    parser.add_argument("--peers", nargs="+", choices=PEERS, default=[name for name in PEERS if name not in NOT_HERE])
    parser.add_argument("--base", type=int, default=16)
    parser.add_argument("--crop", type=int, nargs=2, default=[256, 256])
    parser.add_argument("--whole", action="store_true", help="each set's own size and crop instead")
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--workers", type=int, nargs="+", default=[0, 2])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=6)
    parser.add_argument("--threads", type=int, default=cores())
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(options.threads)
    for name in options.sets:
        row = compared(options, name)
        show(row)
        RESULTS.parent.mkdir(exist_ok=True)
        with RESULTS.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")


def compared(options: argparse.Namespace, name: str) -> dict[str, object]:
    """Images a second of each peer and round."""
    seen, missing, iterators, kept = inspected(options.data, name), {}, {}, []
    with tempfile.TemporaryDirectory() as folder:
        todo = task(seen, name, Path(folder), options.device)
        if not options.whole:
            todo = dataclasses.replace(todo, size=None, crop=tuple(options.crop), batch=options.batch)
        record = UNetRecord(in_channels=todo.channels, classes=todo.classes, base=options.base, decoder_convolutions=2)
        torch.manual_seed(0)
        network = UNet.from_record(record)
        for label in options.peers:
            made = peer(label)
            if isinstance(made, str):
                missing[label] = made
                continue
            # Ours works in the same process on a CPU; who has a DataLoader is run with and without.
            own = label.startswith("maskwright")
            for workers in options.workers[:1] if label in NO_LOADER or own else options.workers:
                made = peer(label)
                kept.append(made)
                with_what = {"seen": seen} if own else {}
                if own and options.device != "cpu":
                    workers = max(options.workers)
                text = label if own or label in NO_LOADER else f"{label} w{workers}"
                iterators[text] = iter(made.steps(todo, copy.deepcopy(network), workers, **with_what))
        rates: dict[str, list[float]] = {text: [] for text in iterators}
        for text, steps in iterators.items():  # decoding, caches, first steps
            started = time.perf_counter()
            for _ in range(3):
                next(steps)
            print(f"{name}: {text} is ready after {time.perf_counter() - started:.1f} s", file=sys.stderr, flush=True)
        for turn in range(options.rounds):
            order = list(iterators.items())
            for text, steps in order if turn % 2 == 0 else reversed(order):
                rates[text].append(timed(steps, todo.batch, options))
        iterators.clear()
        kept.clear()
        gc.collect()
    return {
        **circumstances(),
        "set": name,
        "device": options.device,
        "threads": options.threads,
        "base": options.base,
        "parameters": sum(p.numel() for p in network.parameters()),
        "crop": todo.crop,
        "batch": todo.batch,
        "seconds": options.seconds,
        "missing": missing,
        "images_per_second": {text: [round(rate, 3) for rate in found] for text, found in rates.items()},
    }


def timed(steps, batch: int, options: argparse.Namespace) -> float:
    """Images a second over some seconds; what loaders have read ahead meanwhile is used up first."""
    for _ in range(2):
        next(steps)
    started, count = time.perf_counter(), 0
    while (elapsed := time.perf_counter() - started) < options.seconds or not count:
        next(steps)
        count += 1
        if options.device != "cpu":
            torch.cuda.synchronize()
    return count * batch / elapsed


def circumstances() -> dict[str, object]:
    """When, which commit, which machine."""
    commit = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False)
    return {
        "date": datetime.date.today().isoformat(),
        "commit": commit.stdout.strip(),
        "machine": f"{cores()} cores, {platform.machine()}",
        "torch": torch.__version__,
        "command": " ".join(["python", "benchmarks/" + Path(sys.argv[0]).name, *without_places(sys.argv[1:])]),
    }


def without_places(words: list[str]) -> list[str]:
    """The words of a command without --data and its folder: where data lie is a matter of the machine."""
    kept: list[str] = []
    for before, word in zip(["", *words], words, strict=False):
        if word != "--data" and before != "--data" and not word.startswith("--data="):
            kept.append(word)
    return kept


def show(row: dict) -> None:
    """The table."""
    rates = row["images_per_second"]
    ours = rates.get("maskwright")
    print(f"\n{row['set']}: {row['parameters'] / 1e6:.1f} M parameters, crop {row['crop']}, batch {row['batch']}, "
          f"{row['threads']} threads, {row['device']}\n")  # fmt: skip
    print(
        f"| {'':24} | images/s | {'least … most':15} | ours over it (median of the rounds' ratios) |\n|---|---|---|---|"
    )
    for text, found in sorted(rates.items(), key=lambda item: -statistics.median(item[1])):
        ratio = f"{statistics.median(a / b for a, b in zip(ours, found, strict=True)):.2f}" if ours else ""
        print(f"| {text:24} | {statistics.median(found):8.2f} | {min(found):6.2f} … {max(found):6.2f} | {ratio} |")
    for text, package in row["missing"].items():
        print(f"left out: {text} ({package} is not installed)")


if __name__ == "__main__":
    main()
