"""What it is worth to learn where objects come apart: scores of objects on `nuclei`, by how they are taken apart.

    python benchmarks/objects.py --steps 1200 --ways none border centre --seeds 0

Every network has the same widths and takes the same steps on the same crops. Each is scored on the validation images
that the planner sets aside, by its pieces, by distance, and by what it learned, if it learned anything. A line a run
and a way to take it apart goes to `benchmarks/results/objects.jsonl`; with --out the models are kept there.
"""

import argparse
import datetime
import json
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskwright import api
from maskwright.data.labels import Labels
from maskwright.evaluation import evaluate
from maskwright.inference import Prediction, Predictor
from maskwright.regions import Separation, separated

RESULTS = Path(__file__).parent / "results" / "objects.jsonl"
SCORES = ("dsb2018", "ap50", "ap", "pq")
WAYS: dict[str, dict[str, Any]] = {
    "none": {"objects": "none"},
    "border": {"objects": "border"},
    "border, 1 wide": {"objects.how": "border", "objects.width": 1},
    "border, 2 wide": {"objects.how": "border", "objects.width": 2},
    "border, not weighed": {"objects": "border", "loss.class_weights": None},
    "centre": {"objects": "centre"},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("MASKWRIGHT_DATA", "../shared/data")))
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    parser.add_argument("--steps", type=int, default=1200)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    seen = api.inspect(options.data / "nuclei" / "stage1_train")
    fixed = {
        "model.base": 16, "model.max_width": 128, "model.stem": 2, "model.decoder_convolutions": 1,
        "sampling.crop": [256, 256], "sampling.batch": 4, "device.threads": options.threads,
        "device.channels_last": True, "training.budget": {"steps": options.steps}, "validation.times": 2,
        "validation.images": 8,
    }  # fmt: skip
    with tempfile.TemporaryDirectory() as temporary:
        for way in options.ways:
            for seed in options.seeds:
                run = (options.out or Path(temporary)) / f"{way.replace(', ', '-').replace(' ', '-')}-{seed}"
                began = time.monotonic()
                if not (run / "model.safetensors").exists():
                    api.train(seen, out=run, device="cpu", settings={**fixed, **WAYS[way], "seed": seed})
                report(seen, run, {"way": way, "seed": seed, "steps": options.steps}, time.monotonic() - began)


def report(seen: api.Inspection, run: Path, what: dict[str, Any], seconds: float) -> None:
    predictor = Predictor(run / "model.safetensors", device="cpu")
    learned = predictor.description.labels.objects
    for how in ("none", "distance", *([learned.kind] if learned else [])):
        scores = evaluate(
            predictor, seen.samples, seen.samples.part("val"), "val", metrics=SCORES,
            separate=separation(predictor.description.labels, how),
        )  # fmt: skip
        row = {
            "date": datetime.date.today().isoformat(), **what, "apart by": how, "images": scores.images,
            "foreground_iou": round(scores.of("foreground", "iou") or 0.0, 4),
            **{name: round(value or 0.0, 4) for name, value in scores.contests.items()},
            "seconds": round(seconds),
        }  # fmt: skip
        print(json.dumps(row), flush=True)
        with RESULTS.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")


def separation(labels: Labels, how: Any) -> Callable[[Prediction], NDArray[np.int32]]:
    """What takes a prediction apart."""
    foreground = labels.foreground
    by_class = how in ("border", "centre")

    def apart(prediction: Prediction) -> NDArray[np.int32]:
        said = prediction.marked if by_class and prediction.marked is not None else prediction.labels
        settings = Separation(how=how)
        if by_class:
            return separated(said, classes=foreground, settings=settings, marks=labels.marks)
        return separated(said, classes=foreground, settings=settings)

    return apart


if __name__ == "__main__":
    main()
