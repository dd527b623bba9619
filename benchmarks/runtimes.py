"""How fast each runtime computes a U-Net, beside plain PyTorch; interleaved, so that what else runs meets all alike.

    python benchmarks/runtimes.py --base 16 32 64 --size 512 --seconds 30

Plain PyTorch is the network as it stands, channel by channel. Then channels_last; folded, the batch norms too; the
runtimes as `maskwright.runtimes` prepares them; both ONNX readers with the network in 8 bit (random weights: its speed,
not its scores). What is not installed is left out, and said.

Prints a table and appends a line a network to `benchmarks/results/runtimes.jsonl`: medians in milliseconds, ratios to
plain PyTorch (the median of the rounds' ratios), seconds to start (conversion included the first time), and by how many
MB the process had grown when the runtime had computed once, each in a process of its own.
"""

import argparse
import copy
import datetime
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from maskwright.devices import DeviceSettings, choose, cores, lay_channels_last
from maskwright.model import UNet
from maskwright.runtimes import ReadsOnnx, runtimes
from maskwright.runtimes.by_torch import arranged, computing
from maskwright.runtimes.int8 import quantised

RESULTS = Path(__file__).parent / "results" / "runtimes.jsonl"
Clock = Callable[[], float]
INT8 = " int8"
CALIBRATION = 256
PACKAGES = ("torch", "onnx", "onnxruntime", "openvino")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", type=int, nargs="+", default=[16, 32, 64])
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=30, help="of rounds, a network; at least three rounds")
    parser.add_argument("--ways", nargs="+", default=ways(), help="which, beside plain")
    parser.add_argument("--grown", metavar="WAY", help="(used by this script) print the MB that one way needs")
    parser.add_argument("--no-memory", action="store_true")
    parser.add_argument("--threads", type=int, default=cores())
    parser.add_argument("--processor-time", action="store_true", help="in place of the clock's, on one thread")
    options = parser.parse_args()
    if options.processor_time and options.threads > 1:
        parser.error("--processor-time counts one thread: --threads 1")
    torch.set_num_threads(options.threads)
    if options.grown:
        print(grown(options))
        return
    with tempfile.TemporaryDirectory() as cache:  # so that conversion is counted, and nothing remembered is used
        os.environ["MASKWRIGHT_CACHE"] = cache
        for base in options.base:
            row = measured(base, options)
            print(shown(row), flush=True)
            with RESULTS.open("a", encoding="utf-8") as file:
                file.write(json.dumps(about() | row) + "\n")


def ways() -> list[str]:
    """Every way that can be taken here."""
    there = [name for name, runtime in runtimes.items() if runtime.is_there()]
    return [
        "channels_last",
        "folded",
        *there,
        *(name + INT8 for name in there if isinstance(runtimes[name], ReadsOnnx)),
    ]


def network_of(base: int) -> UNet:
    torch.manual_seed(0)
    return UNet(3, 2, base=base, depth=4).eval().requires_grad_(False)


def ready(way: str, network: UNet, device: DeviceSettings) -> Callable[[Tensor], Tensor]:
    """The network computed that way."""
    if way == "plain":
        return computing_as_it_is(network)
    if way == "channels_last":
        twin = copy.deepcopy(network)
        lay_channels_last(twin)
        return computing(twin.logits, device, 2)
    if way == "folded":
        return computing(arranged(network, device).logits, device, 2)
    if not way.endswith(INT8):
        return runtimes[way].prepare(network, device)
    runtime = runtimes[way.removesuffix(INT8)]
    assert isinstance(runtime, ReadsOnnx)
    return runtime.prepare_model(quantised(network, [torch.randn(3, CALIBRATION, CALIBRATION)] * 2), device)


def computing_as_it_is(network: UNet) -> Callable[[Tensor], Tensor]:
    def compute(images: Tensor) -> Tensor:
        with torch.inference_mode():
            return network.logits(images)

    return compute


def measured(base: int, options: argparse.Namespace) -> dict[str, Any]:
    """One line of the results."""
    network, device = network_of(base), choose("cpu").model_copy(update={"threads": options.threads})
    images = torch.randn(options.batch, 3, options.size, options.size)
    start: dict[str, float] = {}
    computes = {}
    for way in ["plain", *options.ways]:
        before = time.perf_counter()
        computes[way] = ready(way, network, device)
        computes[way](images)
        start[way] = time.perf_counter() - before
    rounds: list[dict[str, float]] = []
    clock = time.process_time if options.processor_time else time.perf_counter
    begun = time.perf_counter()
    while len(rounds) < 3 or time.perf_counter() - begun < options.seconds:
        rounds.append({way: timed(compute, images, clock) for way, compute in computes.items()})
    expected = computes["plain"](images)
    return {
        "base": base,
        "size": [options.batch, 3, options.size, options.size],
        "threads": options.threads,
        "time": "processor" if options.processor_time else "clock",
        "rounds": len(rounds),
        "milliseconds": {way: round(1000 * statistics.median(r[way] for r in rounds), 1) for way in computes},
        "ratios": {way: round(statistics.median(r["plain"] / r[way] for r in rounds), 2) for way in computes},
        "start_seconds": {way: round(seconds, 2) for way, seconds in start.items()},
        "differences": {
            way: float(f"{(c(images) - expected).abs().max() / expected.abs().max():.1g}")
            for way, c in computes.items()
        },
        "megabytes": {} if options.no_memory else {way: grown_apart(way, base, options) for way in computes},
    }


def timed(compute: Callable[[Tensor], Tensor], images: Tensor, clock: Clock = time.perf_counter) -> float:
    before = clock()
    compute(images)
    return clock() - before


def grown_apart(way: str, base: int, options: argparse.Namespace) -> float:
    """Megabytes that a process of its own grows by, at its peak; what is converted already is read."""
    command = [sys.executable, __file__, "--grown", way, "--base", str(base), "--size", str(options.size)]
    said = subprocess.run([*command, "--batch", str(options.batch)], capture_output=True, text=True, check=True)
    return float(said.stdout.split()[-1])


def grown(options: argparse.Namespace) -> float:
    """Megabytes from before the runtime was prepared to the peak of the third computation."""
    network = network_of(options.base[0])
    small = torch.randn(1, 3, 64, 64)
    computing_as_it_is(network)(small)
    images = torch.randn(options.batch, 3, options.size, options.size)
    before = resident("VmRSS")
    compute = ready(options.grown, network, choose("cpu"))
    for _ in range(3):
        compute(images)
    return round(resident("VmHWM") - before, 0)


def resident(which: str) -> float:
    """Megabytes of memory of this process: VmRSS now, VmHWM at most so far (Linux)."""
    lines = Path("/proc/self/status").read_text("ascii", "replace").splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith(which)) / 1024


def about() -> dict[str, Any]:
    """When, where, with what."""
    described = ["git", "describe", "--always", "--dirty"]
    return {
        "date": datetime.date.today().isoformat(),
        "commit": subprocess.run(described, capture_output=True, text=True, check=False).stdout.strip(),
        "machine": f"{len(os.sched_getaffinity(0))} cores, {platform.machine()}",
        "load": round(os.getloadavg()[0], 1),
        "versions": {package: found for package in PACKAGES if (found := version_of(package))},
    }


def version_of(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def shown(row: dict[str, Any]) -> str:
    """The row as a table."""
    lines = [f"base {row['base']}, {'×'.join(map(str, row['size']))}, {row['rounds']} rounds"]
    lines += [
        f"  {way:18} {ms:8.1f} ms  {row['ratios'][way]:5.2f} × plain  {row['start_seconds'][way]:6.1f} s to start  "
        f"{row['megabytes'].get(way, float('nan')):6.0f} MB  differs {row['differences'][way]:g}"
        for way, ms in row["milliseconds"].items()
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
