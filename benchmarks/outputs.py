"""Outputs of a large plane: how long each takes and at which peak of memory; outlines beside GDAL and scikit-image.

    python benchmarks/outputs.py --side 20000

The plane is painted blobs in a file (`FilePlane`), read by bands. Each output is written in a process of its own, whose
peak of resident memory is given above what it had once everything was imported. Outlines are timed on a plane in
memory, in interleaved rounds, processor seconds, medians. A line is appended to `benchmarks/results/outputs.jsonl`.
"""

import argparse
import json
import multiprocessing
import resource
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from scipy import ndimage

sys.path.insert(0, str(Path(__file__).parent))
from maskwright.data.labels import ClassLabel, Labels
from maskwright.files import FilePlane, Georeference, Header, MemoryPlane, Origin
from maskwright.inference.outputs import outputs, wanted
from maskwright.inference.result import Result
from maskwright.regions.outlines import outlines
from throughput import circumstances

RESULTS = Path(__file__).parent / "results" / "outputs.jsonl"
BLOCK = 2_000
WRITTEN = ("mask", "colour", "overlay", "probabilities=uint8", "geojson", "coco", "runs")
PLACE = Georeference((0.5, 0, 500_000, 0, -0.5, 6_000_000), "EPSG:32633")
CLASSES = Labels(
    classes=tuple(
        ClassLabel(name=name, values=(value,), colour=(value, 99, 20))
        for value, name in enumerate(("background", "field", "water"))
    )
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--outputs", nargs="*", default=WRITTEN)
    options = parser.parse_args()
    block = blobs(BLOCK)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        plane = FilePlane.create(place / "labels", (options.side, options.side), "uint8")
        for top in range(0, options.side, BLOCK):
            rows = slice(top, min(options.side, top + BLOCK))
            band = np.tile(block, (1, -(-options.side // BLOCK)))[: rows.stop - top, : options.side]
            plane.write(rows, slice(0, options.side), band)
        plane.close()
        written = {name: measured(name, place, options.side) for name in options.outputs}
    times = beside(block, options.rounds)
    ours = statistics.median(times["maskwright"])
    line = {
        **circumstances(), "side": options.side, "outputs": written,
        "outlines_seconds": times,
        "ratio": {name: statistics.median(them) / ours for name, them in times.items()},
    }  # fmt: skip
    RESULTS.parent.mkdir(exist_ok=True)
    with RESULTS.open("a") as file:
        file.write(json.dumps(line) + "\n")
    print(json.dumps(line, indent=1))


def blobs(side: int) -> np.ndarray[Any, Any]:
    """Labels in blobs about 30 pixels wide."""
    field = ndimage.gaussian_filter(np.random.default_rng(0).normal(size=(side, side)), 8, mode="wrap")
    return np.digitize(field, np.quantile(field, [0.5, 0.8])).astype(np.uint8)


def measured(name: str, folder: Path, side: int) -> dict[str, float]:
    """Seconds, MiB above the start, and MB of the file."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(write, (name, folder, side))


def write(name: str, folder: Path, side: int) -> dict[str, float]:
    """Write one output."""
    import imagecodecs  # noqa: F401
    import rasterio.warp  # noqa: F401
    import tifffile  # noqa: F401

    plane = FilePlane.open(folder / "labels", (side, side), "uint8")

    class Chances:
        shape, dtype = (side, side), np.dtype(np.float32)

        def __init__(self, label: int):
            self.label = label

        def read(self, rows: slice, columns: slice) -> np.ndarray[Any, Any]:
            return np.where(plane.read(rows, columns) == self.label, np.float32(0.9), np.float32(0.05))

    class Photograph:
        header, georeference = Header(side, side, 3, "uint8"), PLACE

        def read(self, rows: slice, columns: slice) -> np.ndarray[Any, Any]:
            return np.repeat(plane.read(rows, columns)[:, :, None] * np.uint8(90), 3, axis=2)

    scratch = iter(range(1_000))
    result = Result(
        "plane", Photograph(), Origin(Photograph.header, PLACE), CLASSES, plane, tuple(map(Chances, range(3))), None,  # type: ignore[arg-type]  # painted: reads as a scene does
        lambda shape, dtype: FilePlane.create(folder / f"scratch-{name}-{next(scratch)}", shape, dtype),
    )  # fmt: skip
    (output,) = wanted([name]).values()
    before, start = peak(), time.perf_counter()
    path = output.write(result, folder / name.partition("=")[0])
    found = {"seconds": round(time.perf_counter() - start, 2), "mib_above_start": round(peak() - before, 1)}
    found["file_mb"] = round(path.stat().st_size / 1e6, 1)
    path.unlink()
    for left in folder.glob("scratch-*"):
        left.unlink()
    return found


def peak() -> float:
    """MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def beside(labels_HW: np.ndarray[Any, Any], rounds: int) -> dict[str, list[float]]:
    """Processor seconds of the outlines of all labels, ours and others', round by round."""
    import rasterio.features
    from skimage.measure import find_contours

    runs = {
        "maskwright": lambda: outlines(MemoryPlane(labels_HW)),
        "rasterio.features.shapes": lambda: list(rasterio.features.shapes(labels_HW)),
        "skimage.find_contours": lambda: [find_contours(labels_HW == label, 0.5) for label in range(3)],
    }
    times: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            start = time.process_time()
            run()
            times[name].append(round(time.process_time() - start, 3))
    return times


if __name__ == "__main__":
    assert set(WRITTEN) <= {*outputs, "probabilities=uint8"}
    main()
