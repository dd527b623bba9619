"""What it is worth to learn where objects of several classes come apart: scores on painted discs of two classes.

    python benchmarks/object_classes.py --steps 400 --ways none border centre --seeds 0

Discs of many sizes are painted such that most touch; those of one class are smooth, those of the other striped, so a
pixel's class is told by what is around it. Every network has the same widths and takes the same steps. Each is scored
on 16 held-out pictures: by connected pieces of a class, by distance, and by what it learned. Twins of the last:
"class first", in which a marked pixel is of the class that the network gives second, and objects of one class come
apart; "class edges", in which borders part, and any change of class too. "class by …" is the share of marked pixels of
objects with the right class: by the class given second, and by the object they go to. A line each goes to
`benchmarks/results/object_classes.jsonl`.
"""

import argparse
import datetime
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from maskwright import api
from maskwright.data.sample import Samples
from maskwright.inference import Prediction, Predictor
from maskwright.metrics import ImageResult, image_metrics
from maskwright.regions import Separation, separated
from maskwright.regions.parting import by_seeds

RESULTS = Path(__file__).parent / "results" / "object_classes.jsonl"
SIDE, DISCS = 96, 16
SCORES = ("ap50", "ap", "pq")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ways", nargs="+", choices=("none", "border", "centre"), default=["none", "border", "centre"])
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    fixed = {
        "model.base": 16, "model.max_width": 64, "model.depth": 3, "model.stem": 1, "sampling.batch": 4,
        "sampling.crop": [SIDE, SIDE], "device.threads": options.threads, "validation.times": 2,
        "training.budget": {"steps": options.steps},
    }  # fmt: skip
    with tempfile.TemporaryDirectory() as temporary:
        seen = api.inspect(painted(Path(temporary) / "discs", 56), val=["4?.png", "5?.png"])
        print(f"touching another of their class: {seen.fingerprint.objects}", flush=True)
        for way in options.ways:
            for seed in options.seeds:
                run, began = Path(temporary) / f"{way}-{seed}", time.monotonic()
                api.train(seen, out=run, device="cpu", settings={**fixed, "objects": way, "seed": seed})
                predictor = Predictor(run / "model.safetensors", device="cpu")
                report(predictor, seen.samples, {"learned": way, "seed": seed, "steps": options.steps}, began)


def painted(folder: Path, count: int) -> Path:
    """Pictures of discs, and masks in which a disc has the value 1000 · class + number."""
    for kind in ("images", "masks"):
        (folder / kind).mkdir(parents=True)
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:SIDE, :SIDE]
    for i in range(count):
        near, values = np.full((SIDE, SIDE), 1.0), np.zeros((SIDE, SIDE), int)
        second = near.copy()
        light, stripes = np.full((SIDE, SIDE), 60.0), 20 * np.sin(x + y)
        for number in range(1, DISCS + 1):
            centre, radius, kind = rng.uniform(6, SIDE - 6, 2), rng.uniform(5, 13), rng.integers(1, 3)
            away = np.hypot(y - centre[0], x - centre[1]) / radius
            second = np.minimum(second, np.maximum(near, away))
            own = away < near
            values[own] = 1000 * kind + number
            light[own] = (rng.uniform(110, 180) + (kind == 2) * stripes)[own]
            near = np.minimum(near, away)
        light -= 25 * (second - near < 0.12) * (values > 0)
        image = np.clip(light + rng.normal(0, 12, light.shape), 0, 255).astype(np.uint8)
        Image.fromarray(image).save(folder / "images" / f"{i:02}.png")
        Image.fromarray(values.astype(np.uint16)).save(folder / "masks" / f"{i:02}.png")
    (folder / "dataset.yaml").write_text("instances: 1000\nclasses: {background: 0, smooth: 1, striped: 2}\n")
    return folder


def report(predictor: Predictor, samples: Samples, what: dict[str, Any], began: float) -> None:
    learned = predictor.description.labels.objects
    ways = ["none", "distance"]
    if learned:
        ways += [learned.kind, f"{learned.kind}, class first"]
        ways += ["border, class edges"] if learned.kind == "border" else []
    scores: dict[str, list[list[float]]] = {way: [] for way in ways}
    right: dict[str, list[float]] = {"second": [], "object": []}
    accuracy = []
    for sample in samples.part("val"):
        found, true_HW = as_given(predictor, samples.image(sample)), samples.labels_of(sample)
        accuracy.append(float((predictor(samples.image(sample)).labels == true_HW).mean()))
        for way in ways:
            objects_HW = apart(found, way)
            result = ImageResult(by_object(objects_HW, found), true_HW, None, samples.objects_of(sample), objects_HW)
            scores[way].append([image_metrics[name](result) or 0.0 for name in SCORES])
        if learned and found.marked is not None:
            marked_HW = (found.marked >= found.classes.count) & (true_HW > 0)
            second_HW = second(found)
            right["second"] += (second_HW == true_HW)[marked_HW].tolist()
            right["object"] += (by_object(apart(found, learned.kind), found) == true_HW)[marked_HW].tolist()
    for way in ways:
        means = np.mean(scores[way], axis=0)
        row = {
            "date": datetime.date.today().isoformat(), **what, "apart by": way, "accuracy": round(np.mean(accuracy), 4),
            **{name: round(float(mean), 4) for name, mean in zip(SCORES, means, strict=True)},
            **({f"class by {by}": round(float(np.mean(of)), 4) for by, of in right.items()} if learned else {}),
            "seconds": round(time.monotonic() - began),
        }  # fmt: skip
        print(json.dumps(row), flush=True)
        with RESULTS.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")


def as_given(predictor: Predictor, image: NDArray[Any]) -> Prediction:
    """What the networks say, marked pixels being of the class that they give second."""
    (band,) = predictor.stream(image)
    return Prediction(band.labels, None, predictor.description.labels, band.marked)


def apart(found: Prediction, way: str) -> NDArray[np.int32]:
    """The objects, H W."""
    marks, how = found.classes.marks, way.split(",")[0]
    if how in ("none", "distance") or found.marked is None:
        return separated(found.labels, classes=(1, 2), settings=Separation(how=how))
    if way == how:
        return separated(found.marked, classes=(1, 2), settings=Separation(how=how), marks=marks)
    if way.endswith("edges"):
        pieces_HW, _ = ndimage.label(found.marked > 0)
        seeds = np.where(found.marked < found.classes.count, found.marked, 0)
        return by_seeds(pieces_HW.astype(np.int32), seeds.astype(np.uint8))
    out_HW = np.zeros(found.labels.shape, np.int32)
    for mark, label in marks.items():
        own_HW = np.isin(found.marked, (mark, label))
        part_HW = separated(
            np.where(own_HW, found.marked, 0), classes=(label,), settings=Separation(how=how), marks={mark: label}
        )
        out_HW += np.where(part_HW > 0, part_HW + out_HW.max(), 0)
    return out_HW


def second(found: Prediction) -> NDArray[np.uint8]:
    """The labels, marked pixels being of the class that the network gives second."""
    return found.classes.of_classes(found.marked) if found.marked is not None else found.labels


def by_object(objects_HW: NDArray[np.int32], found: Prediction) -> NDArray[np.uint8]:
    """The class of most of an object's pixels that are not marked, H W; of the others if it has none."""
    labels_HW, out_HW = second(found), np.zeros(objects_HW.shape, np.uint8)
    plain_HW = found.labels > 0 if found.marked is None else found.marked < found.classes.count
    for number in range(1, int(objects_HW.max()) + 1):
        own_HW = objects_HW == number
        counted_HW = own_HW & plain_HW if (own_HW & plain_HW).any() else own_HW
        out_HW[own_HW] = np.bincount(labels_HW[counted_HW]).argmax()
    return out_HW


if __name__ == "__main__":
    main()
