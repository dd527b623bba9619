"""The fused warp: images a second on one thread: flip, turn, enlarge, bend, brightness; ours beside other libraries.

    python benchmarks/warp.py --rounds 7

Whole CamVid frames of 360×480 and their labels, four a batch. *decoded* is each library's usual decoding and warp, from
file to tensor; *warp* is the warp alone, of arrays in memory; *cached* is ours from our cache, as training reads it.
Every pipeline draws for every image a flip, a turn (15°), an enlargement (0.8 … 1.25), an elastic displacement (of
about 4 pixels, smooth over 10 pixels at least) and a brightness. Rounds are interleaved; processor seconds, medians.
A line is appended to `benchmarks/results/warp.jsonl`.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image

sys.path.insert(0, str(Path(__file__).parent))
from maskwright import api
from maskwright.data import cache
from maskwright.data.augment import Augment, change_light, draw_moves, warp
from maskwright.data.dataset import Crops, Finish, Sampling
from maskwright.data.preprocess import Preprocess
from maskwright.files import read_image
from throughput import circumstances

RESULTS = Path(__file__).parent / "results" / "warp.jsonl"
TURN, SMALL, LARGE, BENT, BRIGHT = 15.0, 0.8, 1.25, 4.0, 0.2
SMOOTH = 10.0
"""Deviation in pixels of the Gaussian that smooths the displacement where a library makes it of white noise; ours is
smoother, and theirs would take longer."""
BATCH = 4
MOVES = Augment(
    rotate=TURN, scale=(SMALL, LARGE), elastic=BENT, elastic_grid=4, brightness=BRIGHT, contrast=0, noise=0
)  # fmt: skip
Run = Callable[[int], None]
"""Does the i-th batch of four."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("MASKWRIGHT_DATA", "../shared/data")))
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=1.0)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    runs: dict[str, Run] = {}
    missing = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, made in (
            ("maskwright", ours), ("albumentations", albumentations), ("batchgeneratorsv2", batchgenerators),
            ("monai", monai), ("kornia", kornia), ("torchvision", torchvision),
        ):  # fmt: skip
            try:
                runs |= {f"{name} {kind}": run for kind, run in made(options.data / "camvid", Path(folder)).items()}
            except ModuleNotFoundError as error:
                missing[name] = error.name
        for name, run in runs.items():
            started = time.process_time()
            run(0)
            print(f"{name}: the first batch took {time.process_time() - started:.2f} s", file=sys.stderr, flush=True)
        seconds: dict[str, list[float]] = {name: [] for name in runs}
        for turn in range(options.rounds):
            order = list(runs.items())
            for name, run in order if turn % 2 == 0 else reversed(order):
                seconds[name].append(timed(run, options.seconds))
    rates = {name: [round(BATCH / s, 2) for s in found] for name, found in seconds.items()}
    row = {**circumstances(), "missing": missing, "images_per_second": rates}
    show(row)
    with RESULTS.open("a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")


def timed(run: Run, least: float) -> float:
    """Processor seconds a batch: who else uses the core does not count."""
    started, count = time.process_time(), 0
    while (elapsed := time.process_time() - started) < least:
        run(count)
        count += 1
    return elapsed / count


def show(row: dict) -> None:
    rates = row["images_per_second"]
    print("| | images/s | least … most | ours over it |\n|---|---|---|---|")
    for name, found in sorted(rates.items(), key=lambda item: (item[0].split()[1], -statistics.median(item[1]))):
        ours = rates.get(f"maskwright {name.split()[1]}")
        ratio = f"{statistics.median(a / b for a, b in zip(ours, found, strict=True)):.2f}" if ours else ""
        print(f"| {name} | {statistics.median(found):.1f} | {min(found):.1f} … {max(found):.1f} | {ratio} |")
    for name, package in row["missing"].items():
        print(f"left out: {name} ({package} is not installed)")


def frames(data: Path) -> list[tuple[Path, Path]]:
    """Forty training frames and their masks."""
    return [(path, data / "trainannot" / f"{path.stem}.png") for path in sorted((data / "train").iterdir())[:40]]


def in_memory(data: Path) -> list[tuple[np.ndarray, np.ndarray]]:
    return [(np.asarray(Image.open(image)), np.asarray(Image.open(mask))) for image, mask in frames(data)[:8]]


def four(things: list, i: int) -> list:
    return [things[(BATCH * i + k) % len(things)] for k in range(BATCH)]


def ours(data: Path, folder: Path) -> dict[str, Run]:
    samples = api.inspect(data).samples
    size = (360, 480)
    files, held = frames(data), in_memory(data)
    preprocess = Preprocess(channels=3, dtype="uint8", mean=(100.0,) * 3, std=(60.0,) * 3)
    sampling = Sampling(crop=size, batch=BATCH)
    crops = Crops(
        cache.build(folder / "cache", samples, samples.part("train")[:40], preprocess), sampling, MOVES, 0, channels=3
    )
    finish, cpu = Finish(sampling, preprocess), torch.device("cpu")

    def warped(pairs: list[tuple[np.ndarray, np.ndarray]], i: int) -> None:
        images = torch.from_numpy(np.stack([image.transpose(2, 0, 1) for image, _ in pairs]))
        labels = torch.from_numpy(np.stack([mask for _, mask in pairs]))
        moves = draw_moves(MOVES, 0, range(BATCH * i, BATCH * (i + 1)), 3, np.zeros((BATCH, 2)))
        moved, _, _ = warp(images, labels, moves, size)
        change_light(moved, moves.of_stored(preprocess.mean, preprocess.std))

    def decoded(i: int) -> None:
        warped([(read_image(image), np.asarray(Image.open(mask))) for image, mask in four(files, i)], i)

    return {
        "decoded": decoded,
        "warp": lambda i: warped(four(held, i), i),
        "cached": lambda i: finish(crops[i], cpu) and None,
    }


def albumentations(data: Path, folder: Path) -> dict[str, Run]:
    import albumentations as A
    import cv2
    from albumentations.pytorch import ToTensorV2

    cv2.setNumThreads(1)
    edge = {"border_mode": cv2.BORDER_REFLECT_101}
    files, held = frames(data), in_memory(data)
    pipeline = A.Compose(
        [
            A.HorizontalFlip(p=0.5),
            A.Affine(scale=(SMALL, LARGE), rotate=(-TURN, TURN), p=1.0, fill_mask=255, **edge),
            # alpha · (noise smoothed by sigma) has a deviation of about alpha / (2 √π sigma).
            A.ElasticTransform(alpha=BENT * 2 * np.sqrt(np.pi) * SMOOTH, sigma=SMOOTH, p=1.0, fill_mask=255, **edge),
            A.RandomBrightnessContrast(BRIGHT, 0.0, p=1.0),
            A.Normalize(mean=(0.4,) * 3, std=(0.23,) * 3),
            ToTensorV2(),
        ]
    )

    def warped(pairs: list) -> None:
        seen = [pipeline(image=image, mask=mask) for image, mask in pairs]
        torch.stack([one["image"] for one in seen]), torch.stack([one["mask"] for one in seen])

    def read(files_: list) -> list:
        return [(cv2.imread(str(i), cv2.IMREAD_COLOR_RGB), cv2.imread(str(m), cv2.IMREAD_UNCHANGED)) for i, m in files_]

    return {"decoded": lambda i: warped(read(four(files, i))), "warp": lambda i: warped(four(held, i))}


def _tensors(pairs: list) -> list[tuple[torch.Tensor, torch.Tensor]]:
    return [
        (torch.from_numpy(image.transpose(2, 0, 1).astype(np.float32)), torch.from_numpy(np.array(mask))[None])
        for image, mask in pairs
    ]


def _both(data: Path, warped: Callable[[list], None]) -> dict[str, Run]:
    files, held = frames(data), in_memory(data)

    def read(files_: list) -> list:
        return [(np.asarray(Image.open(i)), np.asarray(Image.open(m))) for i, m in files_]

    return {"decoded": lambda i: warped(read(four(files, i))), "warp": lambda i: warped(four(held, i))}


def batchgenerators(data: Path, folder: Path) -> dict[str, Run]:
    from batchgeneratorsv2.transforms.intensity.brightness import MultiplicativeBrightnessTransform
    from batchgeneratorsv2.transforms.spatial.mirroring import MirrorTransform
    from batchgeneratorsv2.transforms.spatial.spatial import SpatialTransform
    from batchgeneratorsv2.transforms.utils.compose import ComposeTransforms

    turn = np.deg2rad(TURN)
    pipeline = ComposeTransforms(
        [
            SpatialTransform(
                (360, 480), 0, False, p_elastic_deform=1.0, elastic_deform_scale=(0.1, 0.1),
                elastic_deform_magnitude=(BENT, BENT), p_rotation=1.0, rotation=(-turn, turn), p_scaling=1.0,
                scaling=(SMALL, LARGE), p_synchronize_scaling_across_axes=1, padding_mode_image="reflection",
                mode_seg="nearest",
            ),
            MultiplicativeBrightnessTransform((1 - BRIGHT, 1 + BRIGHT), synchronize_channels=True, p_per_channel=1),
            MirrorTransform((1,)),
        ]
    )  # fmt: skip

    def warped(pairs: list) -> None:
        torch.stack([pipeline(image=(x - 100) / 60, segmentation=y.short())["image"] for x, y in _tensors(pairs)])

    return _both(data, warped)


def monai(data: Path, folder: Path) -> dict[str, Run]:
    from monai.transforms import Compose, NormalizeIntensityd, Rand2DElasticd, RandFlipd, RandShiftIntensityd

    both = ("image", "label")
    pipeline = Compose(
        [
            NormalizeIntensityd("image", [100.0] * 3, [60.0] * 3, channel_wise=True),
            RandFlipd(both, 0.5, spatial_axis=1),
            Rand2DElasticd(
                both, spacing=(120, 160), magnitude_range=(BENT, BENT), prob=1.0, rotate_range=float(np.deg2rad(TURN)),
                scale_range=(SMALL - 1, LARGE - 1), mode=("bilinear", "nearest"), padding_mode="reflection",
            ),
            RandShiftIntensityd("image", BRIGHT, prob=1.0),
        ]
    )  # fmt: skip

    def warped(pairs: list) -> None:
        torch.stack([pipeline({"image": x, "label": y})["image"] for x, y in _tensors(pairs)])

    return _both(data, warped)


def kornia(data: Path, folder: Path) -> dict[str, Run]:
    import kornia.augmentation as K

    options = {"data_keys": ["input", "mask"], "same_on_batch": False}
    light = K.RandomBrightness((1 - BRIGHT, 1 + BRIGHT), p=1.0)
    moved = (
        K.RandomHorizontalFlip(p=0.5),
        K.RandomAffine(TURN, scale=(SMALL, LARGE), padding_mode="reflection", p=1.0),
        # Its displacement is in halves of the image.
        K.RandomElasticTransform((61, 61), (SMOOTH, SMOOTH), (0.6, 0.8), padding_mode="reflection", p=1.0),
    )
    pipeline = K.AugmentationSequential(*moved, light, K.Normalize(0.4, 0.23), **options)

    def warped(pairs: list) -> None:
        both = _tensors(pairs)
        pipeline(torch.stack([x for x, _ in both]) / 255, torch.stack([y for _, y in both]).float())

    return _both(data, warped)


def torchvision(data: Path, folder: Path) -> dict[str, Run]:
    from torchvision import tv_tensors
    from torchvision.transforms import v2

    pipeline = v2.Compose(
        [
            v2.RandomHorizontalFlip(),
            v2.RandomAffine(TURN, scale=(SMALL, LARGE), interpolation=v2.InterpolationMode.BILINEAR),
            v2.ElasticTransform(alpha=BENT * 2 * np.sqrt(np.pi) * SMOOTH, sigma=SMOOTH),
            v2.ColorJitter(brightness=BRIGHT),
            v2.ToDtype({tv_tensors.Image: torch.float32, "others": None}, scale=True),
            v2.Normalize((0.4,) * 3, (0.23,) * 3),
        ]
    )

    def warped(pairs: list) -> None:
        for image, mask in pairs:
            picture = tv_tensors.Image(torch.from_numpy(image.transpose(2, 0, 1).copy()))
            pipeline(picture, tv_tensors.Mask(torch.from_numpy(np.array(mask))))

    # A second for an image: the warp alone, too, would only make the run longer.
    return {"decoded": _both(data, warped)["decoded"]}


if __name__ == "__main__":
    main()
