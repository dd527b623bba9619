"""How near training and prediction come to what the machine can do, in multiply-adds a second.

    python benchmarks/roofline.py --networks isbi camvid --threads 1 --processor-time

Three bounds, each the best of several rounds:
- product: a large square matrix product;
- convolution: 3×3, stride 1, forward, the best of 16 … 256 channels and both formats of memory;
- layers: this network's own layers one by one, forward and backward, each in the format that suits it best. Nothing
  that keeps the layers' shapes and torch's routines is faster.

Achieved: multiply-adds of `model.cost`, three times those of one pass for a step of training, over the median time.
Prints a table, appends a row for each network, format and precision to `benchmarks/results/roofline.jsonl`.
--processor-time counts the time of the processor in place of the clock's, for a machine that others use; it takes one
thread. On CUDA, everything is done in float32 and in bfloat16.
"""

import argparse
import contextlib
import copy
import datetime
import json
import os
import platform
import statistics
import subprocess
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from maskwright.devices import DeviceSettings, choose
from maskwright.losses import LossSettings, build
from maskwright.model import UNet
from maskwright.model.cost import cost
from maskwright.settings import OptimizerSettings
from maskwright.training import optimisers
from maskwright.training.average import Average
from maskwright.training.machine import arrange, formatted

RESULTS = Path(__file__).parent / "results" / "roofline.jsonl"
BATCH = 4
LIGHT = {"base": 24, "max_width": 160, "stem": 2, "decoder_convolutions": 1}
NETWORKS: dict[str, tuple[dict[str, Any], tuple[int, int]]] = {
    # What the planner chooses for four minutes on two cores.
    "isbi": ({"in_channels": 1, "classes": 2, "depth": 4, **LIGHT}, (256, 256)),
    "camvid": ({"in_channels": 3, "classes": 11, "depth": 3, **LIGHT}, (176, 240)),
    "base16": ({"in_channels": 3, "classes": 2, "base": 16}, (256, 256)),
    "base32": ({"in_channels": 3, "classes": 2, "base": 32}, (256, 256)),
    "plain31": ({"in_channels": 3, "classes": 2, "base": 64}, (256, 256)),
}
PARTS = ("forward", "loss", "backward", "optimiser", "average")


@dataclass(frozen=True)
class Way:
    """How a network is run."""

    device: DeviceSettings
    name: str

    def autocast(self) -> contextlib.AbstractContextManager[object]:
        """16 bits where they are asked for."""
        if self.device.precision == "32-true":
            return contextlib.nullcontext()
        return torch.autocast(self.device.accelerator, dtype=torch.bfloat16)


class Watch:
    """Seconds of the clock or of the processor, the device's work included."""

    def __init__(self, device: str, processor: bool):
        self.device, self.read = device, time.process_time if processor else time.perf_counter

    def now(self) -> float:
        """Seconds, once all that was asked for is done."""
        if self.device.startswith("cuda"):
            torch.cuda.synchronize()
        return self.read()

    def best(self, work: Callable[[], object], rounds: int) -> float:
        """The shortest of several rounds, after one that does not count."""
        work()
        return min(self.timed(work) for _ in range(rounds))

    def timed(self, work: Callable[[], object]) -> float:
        """Seconds of one round."""
        before = self.now()
        work()
        return self.now() - before


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument("--threads", type=int)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--compile", action="store_true", help="compiled as well; takes a minute a network and format")
    parser.add_argument("--processor-time", action="store_true")
    parser.add_argument("--results", type=Path, default=RESULTS)
    options = parser.parse_args()
    device = choose(options.device)
    if options.threads or device.threads:
        torch.set_num_threads(options.threads or device.threads)
    if options.processor_time and (torch.get_num_threads() > 1 or device.accelerator != "cpu"):
        parser.error("--processor-time counts one thread of a CPU: add --threads 1 --device cpu")
    watch = Watch(device.name, options.processor_time)
    for precision in ("32-true", "bf16-mixed") if device.accelerator == "cuda" else ("32-true",):
        here = device.model_copy(update={"precision": precision})
        bounds = machine(here, watch, options.rounds)
        print(
            f"{device.name}, {precision}: " + ", ".join(f"{k} {v:.1f}" for k, v in bounds.items()) + " · 10⁹ a second"
        )
        for name in options.networks:
            for row in rows(name, here, watch, bounds, options):
                show(row)
                with options.results.open("a", encoding="utf-8") as file:
                    file.write(json.dumps({**about(options), **row}) + "\n")


def ways(device: DeviceSettings, compiled: bool) -> list[Way]:
    """The formats and routines to compare."""
    plain = device.model_copy(update={"channels_last": False})
    last = device.model_copy(update={"channels_last": True})
    found = [Way(plain, "channel by channel"), Way(last, "pixel by pixel")]
    if compiled:
        found += [Way(w.device.model_copy(update={"compile": True}), f"{w.name}, compiled") for w in found[:2]]
    return found


def machine(device: DeviceSettings, watch: Watch, rounds: int) -> dict[str, float]:
    """The machine's own bounds, 10⁹ multiply-adds a second."""
    dtype = torch.float32 if device.precision == "32-true" else torch.bfloat16
    large = device.accelerator == "cuda"
    product = 0.0
    for side in (4096, 8192) if large else (512, 1024):
        matrix = torch.randn(side, side, device=device.name, dtype=dtype)
        product = max(product, side**3 / watch.best(lambda m=matrix: m @ m, rounds) / 1e9)
    convolution = 0.0
    for channels in (16, 32, 64, 128, 256):
        side = (1024 if large else 256) * 16 // channels
        for format_ in (torch.contiguous_format, torch.channels_last):
            layer = nn.Conv2d(channels, channels, 3, padding=1, bias=False, device=device.name, dtype=dtype)
            layer = layer.to(memory_format=format_)
            maps = torch.randn(BATCH, channels, side, side, device=device.name, dtype=dtype)
            maps = maps.contiguous(memory_format=format_)
            with torch.no_grad():
                seconds = watch.best(lambda one=layer, m=maps: one(m), rounds)
            convolution = max(convolution, BATCH * side**2 * 9 * channels**2 / seconds / 1e9)
    return {"product": product, "convolution": convolution}


def layers(network: nn.Module, images: Tensor, way: Way, watch: Watch, rounds: int) -> tuple[float, float]:
    """Seconds of all convolutions, forward alone and with backward, each in its better format of memory."""
    met: list[tuple[nn.Module, Tensor, bool]] = []
    hooks = [
        layer.register_forward_hook(lambda one, given, _: met.append((one, given[0].detach(), given[0].requires_grad)))
        for layer in network.modules()
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d)
    ]
    with way.autocast():
        network(images)
    for hook in hooks:
        hook.remove()
    sums = [0.0, 0.0]
    for layer, maps, learns in met:
        times = [
            _layer(layer, maps, learns, f, way, watch, rounds) for f in (torch.contiguous_format, torch.channels_last)
        ]
        sums[0] += min(forward for forward, _ in times)
        sums[1] += min(sum(both) for both in times)
    return sums[0], sums[1]


def _layer(
    layer: nn.Module, maps: Tensor, learns: bool, format_: Any, way: Way, watch: Watch, rounds: int
) -> tuple[float, float]:
    layer = copy.deepcopy(layer).to(memory_format=format_)
    maps = maps.contiguous(memory_format=format_).requires_grad_(learns)
    wanted = [*layer.parameters(), *([maps] if learns else [])]
    with way.autocast():
        out = layer(maps)
        change = torch.randn_like(out)
        forward = watch.best(lambda: layer(maps), rounds)
    back = watch.best(lambda: torch.autograd.grad(out, wanted, change, retain_graph=True), rounds)
    return forward, back


def rows(
    name: str, device: DeviceSettings, watch: Watch, bounds: dict[str, float], options: argparse.Namespace
) -> Iterable[dict[str, Any]]:
    """A row for each way; their rounds take turns, so that other work on the machine slows all of them alike."""
    settings, size = NETWORKS[name]
    adds = BATCH * cost(UNet(**settings).record, size).multiply_adds
    every = ways(device, options.compile)
    torch.manual_seed(0)
    images = torch.randn(BATCH, settings["in_channels"], *size, device=device.name)
    first = UNet(**settings).to(device.name)
    forward, both = layers(first, images, every[0], watch, options.rounds)
    runs = [(way, *_ready(copy.deepcopy(first), way, images, settings["classes"], watch)) for way in every]
    times: list[list[dict[str, float]]] = [[] for _ in every]
    for turn in range(options.rounds + 1):
        for index, (_, step, predict, _) in enumerate(runs):
            parts = step(turn + 1)
            parts["step"], parts["predict"] = sum(parts.values()), predict()
            if turn:
                times[index].append(parts)
    for (way, _, _, start), found in zip(runs, times, strict=True):
        seconds = {part: statistics.median(row[part] for row in found) for part in found[0]}
        rates = {"training": 3 * adds / seconds["step"] / 1e9, "prediction": adds / seconds["predict"] / 1e9}
        limits = {"training": 3 * adds / both / 1e9, "prediction": adds / forward / 1e9}
        yield {
            "network": name,
            "size": [BATCH, settings["in_channels"], *size],
            "device": device.name if device.accelerator == "cpu" else torch.cuda.get_device_name(device.name),
            "precision": device.precision,
            "way": way.name,
            "start_seconds": round(start, 1),
            "multiply_adds": adds,
            "milliseconds": {part: round(1e3 * value, 1) for part, value in seconds.items()},
            "rates": _rounded(rates),
            "bounds": _rounded({**bounds, **{f"layers, {k}": v for k, v in limits.items()}}),
            "of_convolution": {k: round(v / bounds["convolution"], 3) for k, v in rates.items()},
            "of_product": {k: round(v / bounds["product"], 3) for k, v in rates.items()},
            "of_layers": {k: round(v / limits[k], 3) for k, v in rates.items()},
        }


def _ready(
    network: UNet, way: Way, images: Tensor, classes: int, watch: Watch
) -> tuple[Callable[[int], dict[str, float]], Callable[[], float], float]:
    """A step that says how long its parts took, a prediction that says how long it took, and the seconds to start."""
    arrange(network, way.device)
    images = formatted(images, way.device)
    labels = torch.randint(0, classes, (len(images), *images.shape[2:]), device=images.device, dtype=torch.uint8)
    optimizer = optimisers.build(network, OptimizerSettings(name="muon", lr=6e-3, momentum=0.95))
    average, loss = Average(network, 0.99), build(LossSettings())

    def step(number: int) -> dict[str, float]:
        network.train()
        marks = [watch.now()]
        with way.autocast():
            logits = network(images)
        marks.append(watch.now())
        value = loss(logits, labels)
        marks.append(watch.now())
        value.backward()
        marks.append(watch.now())
        optimizer.step()
        optimizer.zero_grad()
        marks.append(watch.now())
        average.update(network, number)
        marks.append(watch.now())
        return {part: b - a for part, a, b in zip(PARTS, marks[:-1], marks[1:], strict=True)}

    def predict() -> float:
        def work() -> None:
            with torch.inference_mode(), way.autocast():
                average.network(images)

        return watch.timed(work)

    before = time.perf_counter()
    step(0)
    return step, predict, time.perf_counter() - before


def _rounded(values: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 2) for name, value in values.items()}


def show(row: dict[str, Any]) -> None:
    """One line of the table."""
    parts = " ".join(f"{part} {ms:g}" for part, ms in row["milliseconds"].items())
    print(f"{row['network']:8} {row['way']:28} {parts} ms")
    for what, rate in row["rates"].items():
        shares = ", ".join(f"{row['of_' + b][what]:.2f} of {b}" for b in ("product", "convolution", "layers"))
        print(f"{'':8} {what:12} {rate:8.1f} · 10⁹ a second: {shares}", flush=True)


def about(options: argparse.Namespace) -> dict[str, Any]:
    """When, where and how."""
    described = ["git", "describe", "--always", "--dirty"]
    return {
        "date": datetime.date.today().isoformat(),
        "commit": subprocess.run(described, capture_output=True, text=True, check=False).stdout.strip(),
        "machine": f"{len(os.sched_getaffinity(0))} cores, {platform.machine()}",
        "threads": torch.get_num_threads(),
        "time": "processor" if options.processor_time else "clock",
        "torch": torch.__version__,
    }


if __name__ == "__main__":
    main()
