"""What 8 bit cost in mean IoU and gain in speed, on a trained model: each way of rounding in each runtime.

    python benchmarks/int8.py runs/scenes --split val --images 101

The run folder's own split is scored, with the network's logits replaced by the rounded network's; calibrated on its
training images. Prints a table and appends a line for each way to `benchmarks/results/int8.jsonl`: points of mean IoU
lost against the network in 32 bit, and the ratio of its time to that of plain PyTorch in channels_last on one window of
--size (the median of interleaved rounds).
"""

import argparse
import copy
import itertools
import json
import statistics
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from maskwright import api
from maskwright.anysize import fitted
from maskwright.data.preprocess import Preprocess
from maskwright.data.sample import Samples
from maskwright.devices import DeviceSettings, choose, lay_channels_last
from maskwright.inference import Predictor
from maskwright.model import UNet
from maskwright.runtimes import runtimes
from maskwright.runtimes.int8 import Int8Settings, quantised
from runtimes import about, timed

RESULTS = Path(__file__).parent / "results" / "int8.jsonl"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--split", default="val")
    parser.add_argument("--images", type=int, default=10**9, help="of the split, at most")
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--runtimes", nargs="+", default=["onnxruntime", "openvino"])
    parser.add_argument("--ranges", nargs="+", default=["minmax", "percentile", "error"])
    parser.add_argument("--kept", nargs="+", default=["none", "ends"])
    parser.add_argument("--calibration", type=int, nargs="+", default=[16])
    parser.add_argument("--no-transposed", action="store_true")
    parser.add_argument("--eight-bit", action="store_true", help="weights of 8 bit rather than 7")
    options = parser.parse_args()
    run = Run(options.run, options.split, options.images)
    whole = run.mean_iou(run.network.logits)
    print(f"{options.run.name}: mean IoU {whole:.4f} in 32 bit", flush=True)
    for ranges, kept, images in itertools.product(options.ranges, options.kept, options.calibration):
        settings = Int8Settings(
            ranges=ranges,
            kept=kept,
            images=images,
            transposed=not options.no_transposed,
            seven_bit=not options.eight_bit,
        )
        model = quantised(run.network, run.calibration(images), settings)
        for name in options.runtimes:
            compute = runtimes[name].prepare_model(model, run.device)  # type: ignore[attr-defined]  # those named here read ONNX
            row = {
                "run": options.run.name, "runtime": name, **settings.plain(), "mean_iou": round(whole, 4),
                "points_lost": round(100 * (whole - run.mean_iou(compute)), 3),
                "ratio": ratio(run.network, compute, run.device, options), "megabytes": round(len(model) / 1e6, 2),
            }  # fmt: skip
            print(json.dumps(row), flush=True)
            with RESULTS.open("a", encoding="utf-8") as file:
                file.write(json.dumps(about() | row) + "\n")


class Run:
    """A trained model and the images it was trained and scored on."""

    def __init__(self, folder: Path, split: str, most: int):
        self.device: DeviceSettings = choose("cpu")
        self.predictor = Predictor(folder / "model.safetensors", device="cpu")
        self.network: UNet = copy.deepcopy(self.predictor.network)
        samples = Samples.load(folder / "samples.json")
        scored = [sample for sample in samples.samples if sample.split == split and sample.mask][:most]
        self.train = [sample for sample in samples.samples if sample.split == "train"]
        self.samples = samples.model_copy(update={"samples": (*self.train, *scored)})
        self.split = split

    def mean_iou(self, compute: Callable[[Tensor], Tensor]) -> float:
        """Of the split, with these logits in place of the network's."""
        self.predictor.network.logits = compute  # type: ignore[method-assign]  # the quantised one in its place
        return float(api.evaluate(self.predictor, self.samples, split=self.split).mean_iou)

    def calibration(self, count: int) -> Iterator[Tensor]:
        """Training images as the network sees them, of up to 256 pixels a side."""
        preprocess: Preprocess = self.predictor.description.preprocess
        for sample in self.train[:: max(1, len(self.train) // count)][:count]:
            image = preprocess(self.samples.image(sample), sample.name)
            yield fitted(self.network.record, image[:, :256, :256])


def ratio(network: UNet, compute: Callable[[Tensor], Tensor], device: DeviceSettings, options: Any) -> float:
    """By how much the runtime is faster than PyTorch in channels_last."""
    twin = copy.deepcopy(network)
    lay_channels_last(twin)
    images = torch.randn(1, network.record.in_channels, options.size, options.size)
    last = images.contiguous(memory_format=torch.channels_last)

    def plain(_: Tensor) -> Tensor:
        with torch.inference_mode():
            return twin.logits(last)

    plain(images), compute(images)
    rounds = [timed(plain, images) / timed(compute, images) for _ in range(options.rounds)]
    return round(statistics.median(rounds), 2)


if __name__ == "__main__":
    main()
