"""Images of any size: peak memory on a picture of 2.7 GB, and speed beside what people use on one of 6,000×6,000.

    pip install -r benchmarks/peers/requirements.txt
    python benchmarks/any_size.py memory --side 30000 --rows 2000
    python benchmarks/any_size.py speed --side 6000 --peers ours ours-onnxruntime monai plain plain-channels-last
    python benchmarks/any_size.py speed --peers nnunet --python OTHER/bin/python    # where it is installed

The same network for all: a U-Net of four halvings, base 16, three channels and three classes, random weights. Windows
are 512×512 and overlap by half under a Gaussian; the plain loop keeps the middle of each window, and only labels. Each
run is a process of its own. Its peak is told above what it held when the image and the network were there, with what
it answers (labels, or logits where a tool gives no less). Agreement is with the logits of the whole image at once, on
a picture of `--check` pixels a side. On a busy machine use `--threads 1` and look at processor seconds. A line a run
is appended to `benchmarks/results/any_size.jsonl`.
"""

import argparse
import datetime
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch

RESULTS = Path(__file__).parent / "results" / "any_size.jsonl"
WINDOW = 512
PEERS = (
    "ours", "ours-onnxruntime", "ours-openvino", "ours-720", "ours-onnxruntime-720", "ours-openvino-720",
    "ours-1024", "ours-onnxruntime-1024", "ours-openvino-1024",
    "monai", "nnunet", "plain", "plain-channels-last",
)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=["memory", "speed"])
    parser.add_argument("--side", type=int, default=None, help="pixels; 30000 and 6000 if not said")
    parser.add_argument("--rows", type=int, default=None, help="memory: stop after so many; all if not said")
    parser.add_argument("--window", type=int, default=720, help="memory: as the planner says for this network")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()))
    parser.add_argument("--peers", nargs="+", choices=PEERS, default=list(PEERS))
    parser.add_argument("--check", type=int, default=2000)
    parser.add_argument("--python", default=sys.executable, help="the interpreter of the runs")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--run", help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.side = options.side or {"memory": 30_000, "speed": 6000}[options.part]
    torch.set_num_threads(options.threads)
    if options.run:
        run = streamed if options.part == "memory" else timed
        print(json.dumps(run(options, options.run)))
        return
    runs = [str(painted(options.folder, options.side))] if options.part == "memory" else options.peers
    for what in runs:
        command = [options.python, *sys.argv, "--run", what]
        environment = {**os.environ, "OMP_NUM_THREADS": str(options.threads)}
        done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=False)
        if done.returncode:
            print(f"{what}: left out, as it did not run")
            continue
        row = {"part": options.part, "side": options.side, **json.loads(done.stdout.splitlines()[-1])}
        print(row)
        keep(row, options.threads)


def painted(folder: Path, side: int) -> Path:
    """A tiled BigTIFF with discs on noise, written by rows of tiles; one that is there is taken."""
    import shutil

    import tifffile

    path = folder / f"maskwright-any-size-{side}.tif"
    if path.exists():
        return path
    if shutil.disk_usage(folder).free < 2 * 3 * side**2:
        raise SystemExit(f"{folder} has not enough room for {3 * side**2 / 1e9:.1f} GB; name another --folder.")

    def tiles() -> Iterator[np.ndarray]:
        for top in range(0, side, WINDOW):
            for left in range(0, side, WINDOW):
                yield picture(WINDOW, WINDOW, top, left)

    tifffile.imwrite(
        path, tiles(), shape=(side, side, 3), dtype=np.uint8, tile=(WINDOW, WINDOW), bigtiff=True, photometric="rgb"
    )
    return path


def picture(height: int, width: int, top: int = 0, left: int = 0) -> np.ndarray:
    """Discs on noise, H W 3."""
    y, x = np.mgrid[top : top + height, left : left + width].astype(np.float32)
    discs = (np.sin(y / 37) * np.sin(x / 41) > 0.5)[:, :, None] * np.array([90, 40, 10], np.float32)
    noise = np.random.default_rng(top * 1_000_003 + left).integers(0, 120, (height, width, 3))
    return np.clip(discs + noise, 0, 255).astype(np.uint8)


def model():
    """A model with random weights whose logits differ."""
    from maskwright.data.fingerprint import Fingerprint
    from maskwright.data.labels import ClassLabel, Labels
    from maskwright.data.preprocess import Preprocess
    from maskwright.model import UNet
    from maskwright.modelfile import Description, Model
    from maskwright.plan import decide
    from maskwright.tiling import Tiles

    mean, std = (75.0,) * 3, (40.0,) * 3
    fingerprint = Fingerprint(
        train=1, val=0, test=0, channels=3, dtype="uint8", smallest=(WINDOW,) * 2, median=(WINDOW,) * 2,
        largest=(WINDOW,) * 2, low=0, high=255, mean=mean, std=std, classes=("a", "b", "c"),
        pixel_share=(0.5, 0.3, 0.2), image_share=(1, 1, 1), ignored_share=0,
    )  # fmt: skip
    torch.manual_seed(0)
    network = UNet(3, 3, depth=4, base=16, init="he_normal")
    with torch.no_grad():
        network.train()(torch.randn(2, 3, 256, 256))  # so that the norms have seen something
        network.head.weight.mul_(100)
    network.eval().requires_grad_(False)
    labels = Labels(classes=tuple(ClassLabel(name=n, values=(i,), colour=(i,) * 3) for i, n in enumerate("abc")))
    plan = decide(fingerprint).model_copy(update={"tiles": Tiles(window=(WINDOW, WINDOW))})
    preprocess = Preprocess(channels=3, dtype="uint8", mean=mean, std=std)
    return Model(network, Description(
        maskwright="0", network=network.record, preprocess=preprocess, labels=labels, plan=plan, fingerprint=fingerprint
    ))  # fmt: skip


def streamed(options: argparse.Namespace, path: str) -> dict:
    """Labels of a large file, band by band into a file."""
    from maskwright.files import FilePlane, open_scene
    from maskwright.inference import Predictor

    predictor = Predictor(model(), device="cpu", window=options.window)
    start, began, rows = memory("VmRSS"), time.perf_counter(), 0
    with (
        tempfile.TemporaryDirectory(dir=options.folder) as folder,
        FilePlane.create(Path(folder) / "labels.raw", (options.side,) * 2, "uint8") as plane,
        open_scene(path) as scene,
    ):
        for band in predictor.stream(scene):
            plane.write(band.rows, band.columns, band.labels)
            rows = band.rows.stop
            if band.columns.stop == options.side and options.rows and rows >= options.rows:
                break
    seconds = time.perf_counter() - began
    cost = predictor.cost(options.side, options.side)
    return {
        "rows": rows, "window": options.window, "seconds": seconds,
        "seconds_per_megapixel": seconds / (rows * options.side / 1e6),
        "start_gib": start / 2**30, "peak_gib": memory("VmHWM") / 2**30, "overhead": cost.overhead, "tiles": str(cost),
    }  # fmt: skip


def timed(options: argparse.Namespace, peer: str) -> dict:
    """Seconds and memory of one peer on one image, and how far it is from the whole image at once."""
    about = model()
    image = picture(options.side, options.side)  # first: what a runtime keeps of freed memory is then its own
    answer = PEER[peer](about)
    answer(image[:2200, :2200])  # what is set up once: three windows of any size here, so one within
    Path("/proc/self/clear_refs").write_text("5")  # the peak is counted from here
    start, began, worked = memory("VmRSS"), time.perf_counter(), time.process_time()
    answer(image)
    seconds, work, peak = time.perf_counter() - began, time.process_time() - worked, memory("VmHWM")
    # On a machine that others use, the processor's seconds of all threads say more than the clock's.
    row = {
        "peer": peer,
        "seconds": seconds,
        "processor_seconds": work,
        "above_start_gb": (peak - start) / 1e9,
        "peak_gb": peak / 1e9,
    }
    return row | agreement(about, answer, picture(options.check, options.check))


def agreement(about, answer, image: np.ndarray) -> dict:
    """Against the logits of the whole image: the share of pixels of another class."""
    from maskwright.anysize import fitted

    with torch.inference_mode():
        whole = about.network.logits(fitted(about.network.record, about.description.preprocess(image))[None])[0]
    labels = whole[:, : image.shape[0], : image.shape[1]].argmax(0).numpy()
    found = answer(image)
    found = found if found.ndim == 2 else found.argmax(0)
    return {"check": len(image), "labels_that_differ": float((found != labels).mean())}


def ours(about, runtime: str = "torch", window: int = WINDOW):
    from maskwright.inference import Predictor

    predictor = Predictor(about, device="cpu", runtime=runtime, window=window)
    return lambda image: predictor(image).labels


def monai(about):
    from monai.inferers import sliding_window_inference

    def answer(image):
        seen = about.description.preprocess(image)[None]
        with torch.inference_mode():
            return sliding_window_inference(
                seen, (WINDOW, WINDOW), 1, about.network.logits, overlap=0.5, mode="gaussian"
            )[0].numpy()  # fmt: skip

    return answer


def nnunet(about):
    from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor

    predictor = nnUNetPredictor(
        tile_step_size=0.5, use_gaussian=True, use_mirroring=False, device=torch.device("cpu"),
        perform_everything_on_device=False, allow_tqdm=False,
    )  # fmt: skip
    predictor.network = about.network
    predictor.configuration_manager = SimpleNamespace(patch_size=(WINDOW, WINDOW))
    predictor.label_manager = SimpleNamespace(num_segmentation_heads=3)
    predictor.list_of_parameters = [about.network.state_dict()]
    return lambda image: predictor.predict_sliding_window_return_logits(
        about.description.preprocess(image)[:, None]
    )[:, 0].numpy()  # fmt: skip


def plain(about, *, channels_last: bool = False):
    """Every window with its neighbourhood; the middle of it is kept."""
    layout = torch.channels_last if channels_last else torch.contiguous_format
    network = about.network.to(memory_format=layout)
    quarter = WINDOW // 4

    def answer(image):
        height, width = image.shape[:2]
        labels = np.empty((height, width), np.uint8)
        with torch.inference_mode():
            for top in [*range(0, height - WINDOW, WINDOW // 2), height - WINDOW]:
                for left in [*range(0, width - WINDOW, WINDOW // 2), width - WINDOW]:
                    part = about.description.preprocess(image[top : top + WINDOW, left : left + WINDOW])
                    said = network.logits(part[None].contiguous(memory_format=layout))[0].argmax(0).numpy()
                    a, b = (quarter if at else 0 for at in (top, left))
                    labels[top + a : top + WINDOW, left + b : left + WINDOW] = said[a:, b:]
        return labels

    return answer


PEER = {
    "ours": ours, "monai": monai, "nnunet": nnunet, "plain": plain,
    "plain-channels-last": lambda about: plain(about, channels_last=True),
}  # fmt: skip
for side in (WINDOW, 720, 1024):
    for runtime in ("torch", "onnxruntime", "openvino"):
        PEER["-".join(["ours", *[runtime] * (runtime != "torch"), *[str(side)] * (side != WINDOW)])] = partial(
            ours, runtime=runtime, window=side
        )


def memory(line: str) -> int:
    """Bytes of this process: VmRSS now, VmHWM at most."""
    text = Path("/proc/self/status").read_text()
    return next(int(row.split()[1]) * 1024 for row in text.splitlines() if row.startswith(line))


def keep(row: dict, threads: int) -> None:
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    said = {
        "date": datetime.date.today().isoformat(), "commit": commit.stdout.strip(), "machine": platform.machine(),
        "threads": threads, "torch": torch.__version__, **row,
    }  # fmt: skip
    with RESULTS.open("a") as file:
        file.write(json.dumps(said) + "\n")


if __name__ == "__main__":
    main()
