"""How fast each runtime computes a U-Net, beside plain PyTorch; interleaved, so that what else runs meets all alike.

    python benchmarks/runtimes.py --base 16 32 64 --size 512 --seconds 30

Plain PyTorch is the network as it stands, channel by channel. Then channels_last; folded, the batch norms too; the
runtimes as `maskwright.runtimes` prepares them; both ONNX readers with the network in 8 bit (random weights: its speed,
not its scores). What is not installed is left out, and said.

Prints a table and appends a line a network to `benchmarks/results/runtimes.jsonl`: medians in milliseconds, ratios to
plain PyTorch (the median of the rounds' ratios), seconds to start with the first computation (the first of those that
read ONNX converts, for the others too), and by how many MB its process had grown at the peak. Each way has a process of
its own and they compute in turns. --processor-time counts the time of the processor in place of the clock's, for a
machine that others use; it takes one thread.
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
    parser.add_argument("--worker", metavar="WAY", help="(used by this script) compute one way whenever asked")
    parser.add_argument("--threads", type=int, default=cores())
    parser.add_argument("--processor-time", action="store_true", help="in place of the clock's, on one thread")
    options = parser.parse_args()
    if options.processor_time and options.threads > 1:
        parser.error("--processor-time counts one thread: --threads 1")
    torch.set_num_threads(options.threads)
    if options.worker:
        work(options)
        return
    with tempfile.TemporaryDirectory() as cache:  # so that nothing remembered is used
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
    workers = {way: Worker(way, base, options) for way in ["plain", *options.ways]}
    rounds: list[dict[str, float]] = []
    begun = time.perf_counter()
    while len(rounds) < 3 or time.perf_counter() - begun < options.seconds:
        rounds.append({way: worker.ask() for way, worker in workers.items()})
    ends = {way: worker.end() for way, worker in workers.items()}
    return {
        "base": base,
        "size": [options.batch, 3, options.size, options.size],
        "threads": options.threads,
        "time": "processor" if options.processor_time else "clock",
        "rounds": len(rounds),
        "milliseconds": {way: round(1000 * statistics.median(r[way] for r in rounds), 1) for way in workers},
        "ratios": {way: round(statistics.median(r["plain"] / r[way] for r in rounds), 2) for way in workers},
        "start_seconds": {way: round(worker.start, 1) for way, worker in workers.items()},
        "megabytes": ends,
    }


class Worker:
    """A process that computes one way, each time it is asked to; the allocator's settings are a process's own."""

    def __init__(self, way: str, base: int, options: argparse.Namespace):
        given = {"base": base, "size": options.size, "batch": options.batch, "threads": options.threads}
        command = [sys.executable, __file__, "--worker", way]
        command += [word for name, value in given.items() for word in (f"--{name}", str(value))]
        command += ["--processor-time"] * options.processor_time
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.start = self._answer()

    def ask(self) -> float:
        """Seconds for one computation."""
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return self._answer()

    def end(self) -> float:
        """MB by which it had grown at its peak."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        grown = self._answer()
        self.process.wait()
        return grown

    def _answer(self) -> float:
        assert self.process.stdout is not None
        return next(float(line.split()[1]) for line in self.process.stdout if line.startswith("ANSWER"))


def work(options: argparse.Namespace) -> None:
    """What a worker does: prepare, then compute whenever a line comes."""
    network = network_of(options.base[0])
    device = choose("cpu").model_copy(update={"threads": options.threads})
    computing_as_it_is(network)(torch.randn(1, 3, 64, 64))  # torch itself is ready
    images = torch.randn(options.batch, 3, options.size, options.size)
    grown, before = resident("VmRSS"), time.perf_counter()
    compute = ready(options.worker, network, device)
    compute(images)
    print("ANSWER", time.perf_counter() - before, flush=True)
    clock = time.process_time if options.processor_time else time.perf_counter
    for _ in sys.stdin:
        print("ANSWER", timed(compute, images, clock), flush=True)
    print("ANSWER", round(resident("VmHWM") - grown), flush=True)


def timed(compute: Callable[[Tensor], Tensor], images: Tensor, clock: Clock = time.perf_counter) -> float:
    before = clock()
    compute(images)
    return clock() - before


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
        f"{row['megabytes'][way]:6.0f} MB"
        for way, ms in row["milliseconds"].items()
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
