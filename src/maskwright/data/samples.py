"""The embedded demo data: microscopy-like images of cells, painted by code, as an ordinary folder.

So a first run needs no download, and tests and tutorials have something that looks like work. Painting goes
from the truth outwards: outlines → instances → light → optics → camera. No mask is a guess about its image.
"""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from maskwright.errors import DataError, SettingError
from maskwright.files import MaskStyle, write_image, write_mask
from maskwright.records import replacing

Box = tuple[slice, slice]
Bytes = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.uint16]
Random = np.random.Generator
Size = tuple[int, int]  # H, W
SIZE: Final[Size] = (256, 256)

_README: Final = """Maskwright demo cells, painting 1: seed {seed}, {train} train, {test} test, {H}x{W} pixels

No microscope was there: maskwright.data.samples painted every pixel. Cells are waved ellipses, many touching,
with grain, rims and nuclei, some no brighter than their ground. Specks, fibres, dust rings and blobs are no
cells. Uneven light, blur and noise follow. Image i depends on the seed, the size and i alone.

images/ are 8-bit grey. masks/ have 255 for cell, 0 for background; touching cells touch. instances/ are
16-bit and give each cell a number of its own, 0 for background.

Terms: generated; public domain (CC0 1.0).
"""  # whoever changes a pixel raises the number after "painting"


@dataclass(frozen=True, eq=False)
class PaintedSample:
    """An image with its truth. `mask` is `instances > 0`: touching cells touch in it, as drawn by hand."""

    image: Bytes  # H W
    mask: Bytes  # H W, 0 or 255
    instances: Labels  # H W, 0 background, cells 1..n, each in one piece


def paint(index: int, seed: int = 0, size: Size = SIZE) -> PaintedSample:
    """Sample `index` of the endless series `seed`: the same pixels whether painted alone or among others.
    A side is 16 pixels or more; a shorter one is a SettingError.
    """
    if min(size) < 16:
        raise SettingError(f"size is {size[0]}×{size[1]}; a cell needs at least 16 pixels a side.")
    rng = np.random.default_rng((seed, index))
    instances = _instances(rng, size)
    # The haze is light from outside the focal plane: its bright side outshines cells on its dark side.
    haze = rng.uniform(0.2, 1.1) * _slow_field(rng, size)
    scene = rng.uniform(0.16, 0.40) * (_bodies(rng, instances) + _debris(rng, size) + haze)
    return PaintedSample(_photograph(rng, scene), np.uint8(255) * (instances > 0), instances)


def otsu_mask(image: Bytes) -> Bytes:
    """What is brighter than Otsu's threshold, 0 or 255: the baseline a trained network has to beat."""
    from skimage.filters import threshold_otsu

    return np.uint8(255) * (image > threshold_otsu(image))


def write_samples(folder: str | Path, seed: int = 0, train: int = 48, test: int = 16, size: Size = SIZE) -> Path:
    """`folder` with README.txt, train/ and test/, in each images/, masks/ and instances/. Returns its path.

    Files bear their number in the series; test goes on where train ends. Only what is missing is written.

    Raises:
        DataError: `folder` holds something else, or demo cells of other settings. Nothing is overwritten.
        SettingError: a side of `size` is shorter than 16 pixels.
    """
    paint(0, seed, size)  # what cannot be painted says so before anything is written
    folder = Path(folder)
    _claim(folder, _README.format(seed=seed, train=train, test=test, H=size[0], W=size[1]))
    for index in range(train + test):
        part = folder / ("train" if index < train else "test")
        paths = [part / kind / f"cells_{index:02}.png" for kind in ("images", "masks", "instances")]
        if not all(path.exists() for path in paths):
            sample = paint(index, seed, size)
            write_image(paths[0], sample.image)
            write_mask(paths[1], sample.mask, MaskStyle(mode="grey", dtype="uint8"))
            write_mask(paths[2], sample.instances, MaskStyle(mode="grey", dtype="uint16"))
    return folder


def _claim(folder: Path, readme: str) -> None:
    """README.txt in a folder that is new, empty, or ours with these settings. It is written first."""
    note = folder / "README.txt"
    found = note.read_text("utf-8", errors="replace") if note.is_file() else ""
    if found == readme:
        return
    if folder.exists() and (found or not folder.is_dir() or any(folder.iterdir())):
        wanted = readme.splitlines()[0]
        raise DataError(f"{folder} holds something other than “{wanted}”. Choose a new or empty folder.")
    with replacing(note) as temporary:
        temporary.write_text(readme, "utf-8")


def _instances(rng: Random, size: Size) -> Labels:
    """Cells 1..n; where two outlines overlap, the one that is deeper inside its own has the pixel."""
    from skimage.measure import label

    deepest, owner = np.zeros(size), np.zeros(size, np.int64)
    for number, (y, x, radius) in enumerate(_places(rng, size), start=1):
        box, rows, columns = _around((y, x), 1.7 * radius, size)
        depth = _depth(rng, rows, columns, radius)
        wins = depth > deepest[box]
        owner[box][wins], deepest[box][wins] = number, depth[wins]
    pieces = label(owner, connectivity=1)
    # A sliver under 40 pixels would be a cell nobody sees.
    kept = (np.bincount(pieces.ravel()) >= 40) & (np.arange(pieces.max() + 1) > 0)
    return (np.cumsum(kept) * kept).astype(np.uint16)[pieces]


def _places(rng: Random, size: Size) -> list[tuple[float, float, float]]:
    """Centres and radii (y, x, r): some cells alone, more of them leaning on another, as after a division."""
    typical, share = rng.uniform(10, 16), rng.uniform(0.16, 0.40)
    wanted = round(share * size[0] * size[1] / (math.pi * typical**2))
    # The first stands well inside, so that even the smallest image has a cell.
    places = [(*rng.uniform(0.35, 0.65, 2) * size, min(typical, min(size) / 3))]
    for _ in range(12 * wanted):
        if len(places) >= wanted:
            break
        radius, leans = typical * rng.uniform(0.7, 1.35), rng.random() < 0.65
        y, x = rng.uniform((0, 0), size)
        if leans:
            v, u, r = places[rng.integers(len(places))]
            angle, reach = rng.uniform(0, 2 * math.pi), (radius + r) * rng.uniform(0.84, 0.95)
            y, x = v + reach * math.sin(angle), u + reach * math.cos(angle)
        gap = min(math.hypot(y - v, x - u) / (radius + r) for v, u, r in places)
        if gap > (0.83 if leans else 1.25) and 0 <= y < size[0] and 0 <= x < size[1]:
            places.append((y, x, radius))
    return places


def _depth(rng: Random, rows: Floats, columns: Floats, radius: float) -> Floats:
    """How far inside its outline each pixel lies: an ellipse whose radius waves smoothly."""
    turn, stretch = rng.uniform(0, math.pi), rng.uniform(1.0, 1.3)
    angle = np.arctan2(rows, columns) - turn
    ellipse = np.hypot(np.cos(angle) / stretch, np.sin(angle) * stretch)
    swing = [rng.normal(0, 0.09 / k**0.7) * np.cos(k * angle + rng.uniform(0, 6.28)) for k in range(1, 6)]
    return radius * np.clip(1 + sum(swing), 0.6, 1.3) / ellipse - np.hypot(rows, columns)


def _bodies(rng: Random, instances: Labels) -> Floats:
    """The light of the cells, a usual interior near 1 on ground 0: each with its own rim and grain."""
    n = int(instances.max()) + 1
    pale = rng.random(n) < rng.choice([0.1, 0.5], p=[0.7, 0.3])  # half pale: looks like phase contrast
    body = np.where(pale, rng.uniform(0.05, 0.35, n), rng.uniform(0.6, 1.3, n))
    rim = np.where(pale, rng.uniform(0.7, 1.1, n), rng.uniform(-0.1, 0.5, n))
    grain = np.where(pale, rng.uniform(0.15, 0.32, n), rng.uniform(0.12, 0.25, n))
    # A border is also where a neighbour begins: touching cells stay apart to the eye.
    interior = ndimage.maximum_filter(instances, 3) == ndimage.minimum_filter(instances, 3)
    inside = ndimage.distance_transform_edt(interior & (instances > 0))
    outside = ndimage.distance_transform_edt(instances == 0)
    fine, broad = (ndimage.gaussian_filter(rng.standard_normal(instances.shape), s) for s in (1.3, 3.0))
    light = body[instances] * (1 - 0.35 * np.exp(-inside / 5)) + _nuclei(rng, instances, inside)
    light += rim[instances] * np.exp(-(((inside - 1.5) / 1.3) ** 2))
    light += grain[instances] * (0.8 * fine / fine.std() + 0.6 * broad / broad.std())
    shadow = -0.35 * rng.random() * np.exp(-(((outside - 2) / 1.6) ** 2))  # a dark line around thick cells
    return np.where(instances > 0, light, shadow)


def _nuclei(rng: Random, instances: Labels, inside: Floats) -> Floats:
    """A soft spot near the middle of most cells; all brighter, or all darker, than the cells."""
    light, sign = np.zeros(instances.shape), rng.choice([-0.5, 0.6], p=[0.4, 0.6])
    for number, box in enumerate(ndimage.find_objects(instances), start=1):
        deep = np.where(instances[box] == number, inside[box], 0)
        middle, radius = np.unravel_index(deep.argmax(), deep.shape), deep.max() * rng.uniform(0.35, 0.6)
        y, x = rng.normal(middle, 0.15 * radius)
        rows, columns = np.ogrid[: deep.shape[0], : deep.shape[1]]
        distance = np.hypot(rows - y, (columns - x) * rng.uniform(0.8, 1.2))
        strength = sign * rng.uniform(0.2, 1.0) * (rng.random() < 0.8)
        light[box] += strength * (deep > 0) / (1 + np.exp((distance - radius) / 0.6))
    return light


def _debris(rng: Random, size: Size) -> Floats:
    """Light that is no cell, on ground 0: specks, blobs far out of focus, dust rings, fibres."""
    light, area = np.zeros(size), size[0] * size[1] / 256**2
    for _ in range(rng.poisson(12 * area)):
        _add_spot(rng, light, rng.uniform(1.0, 2.2), rng.uniform(0.6, 2.2))
    for _ in range(rng.poisson(2.5 * area)):
        _add_spot(rng, light, rng.uniform(14, 26), rng.uniform(0.6, 1.5))
    for _ in range(rng.poisson(1.5 * area)):
        _add_ring(rng, light)
    return light + _fibres(rng, size, rng.poisson(1.5 * area))


def _add_spot(rng: Random, light: Floats, sigma: float, strength: float) -> None:
    box, rows, columns = _around(rng.uniform((0, 0), light.shape), 4 * sigma, light.shape)
    light[box] += strength * np.exp(-(rows**2 + columns**2) / (2 * sigma**2))


def _add_ring(rng: Random, light: Floats) -> None:
    """Dust on a lens: exactly round fringes around nothing, where a pale cell has grain."""
    radius, fringe = rng.uniform(9, 20), rng.uniform(3.5, 5.0)
    box, rows, columns = _around(rng.uniform((0, 0), light.shape), 2 * radius, light.shape)
    off = (np.hypot(rows, columns) - radius) / fringe
    light[box] += rng.uniform(0.3, 0.8) * np.cos(math.pi * off) * np.exp(-(off**2))


def _fibres(rng: Random, size: Size, count: int) -> Floats:
    """Thin bent threads, brighter or darker than their ground."""
    threads, t = np.zeros(size), np.linspace(0, 1, 4 * max(size))[:, None]
    for _ in range(count):
        start, end = rng.uniform((0, 0), size, (2, 2))
        beside = (start + end) / 2 + rng.uniform(-0.7, 0.7) * (end - start)[::-1] * (1, -1)
        path = ((1 - t) ** 2 * start + 2 * t * (1 - t) * beside + t**2 * end).astype(int)
        seen = path[((path >= 0) & (path < size)).all(axis=1)]
        threads[seen[:, 0], seen[:, 1]] = rng.uniform(1.5, 3.6) * rng.choice([-0.5, 1.0])
    return ndimage.gaussian_filter(threads, rng.uniform(0.8, 1.4))


def _around(point: npt.ArrayLike, reach: float, size: tuple[int, ...]) -> tuple[Box, Floats, Floats]:
    """The box of pixels within `reach` of a point, and their rows and columns as seen from there."""
    y, x = np.asarray(point)
    down, across = (slice(max(0, int(p - reach)), int(p + reach) + 2) for p in (y, x))
    return (down, across), np.arange(size[0])[down, None] - y, np.arange(size[1])[None, across] - x


def _slow_field(rng: Random, size: Size) -> Floats:
    """A smooth field from 0 to 1: a few waves about as long as the image."""
    rows, columns = np.mgrid[: size[0], : size[1]] / np.array(size)[:, None, None]
    field = np.zeros(size)
    for _ in range(4):
        angle, cycles, phase = rng.uniform((0, 0.3, 0), (2 * math.pi, 0.9, 2 * math.pi))
        field += np.cos(2 * math.pi * cycles * (rows * math.sin(angle) + columns * math.cos(angle)) + phase)
    return (field - field.min()) / np.ptp(field)


def _photograph(rng: Random, scene: Floats) -> Bytes:
    """What a camera makes of the scene: uneven lamp, focus, exposure, shot noise, read noise, 8 bits."""
    lamp = 1 - rng.uniform(0.1, 0.45) * _slow_field(rng, scene.shape)
    light = np.clip(rng.uniform(0.12, 0.3) + scene, 0.01, None) * lamp
    light = ndimage.gaussian_filter(light, rng.uniform(0.7, 1.6), mode="nearest")
    light *= min(1.0, 0.95 / np.quantile(light, 0.995))  # 0.5 % of the pixels may glare
    photons = rng.uniform(250, 1200)
    light = rng.poisson(light * photons) / photons + rng.normal(0, rng.uniform(0.004, 0.012), scene.shape)
    return np.clip(np.round(light * 255), 0, 255).astype(np.uint8)
