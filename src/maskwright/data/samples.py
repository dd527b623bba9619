"""The embedded demo data: microscopy-like images of cells, painted by code, as an ordinary folder of images and masks.

So that a first run needs no download, and tests and tutorials have something that looks like work. The pictures are
painted from the truth outwards: outlines → instances → light → optics → camera. A mask is thus never a guess about its image.

Shapes: H W the image, n cells.
"""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from maskwright.errors import DataError, SettingError

Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.uint16]
Bytes = npt.NDArray[np.uint8]
Size = tuple[int, int]

SMALLEST: Final = 16
"""The shortest side that holds a cell."""

_TITLE: Final = "Maskwright demo cells, painting 1"  # a change of pixels raises this number


@dataclass(frozen=True)
class PaintedSample:
    """An image with its truth. `mask` is `instances > 0` as 0/255; touching cells touch in it, as drawn by hand."""

    image: Bytes  # (H, W)
    mask: Bytes  # (H, W), 0 or 255
    instances: Labels  # (H, W), 0 background, 1..n cells


def paint(index: int, seed: int = 0, size: Size = (256, 256)) -> PaintedSample:
    """Sample `index` of the endless series `seed`, `size` = (height, width) pixels.

    A pure function of its arguments: painted alone or among others, it has the same pixels.

    Raises:
        SettingError: a side is shorter than 16 pixels.
    """
    if min(size) < SMALLEST:
        raise SettingError(f"size is {size[0]}×{size[1]}; a cell needs at least {SMALLEST} pixels a side.")
    rng = np.random.default_rng((seed, index))
    instances = _instances(rng, size)
    contrast = rng.uniform(0.16, 0.40)
    scene = contrast * (_bodies(rng, instances) + _debris(rng, size))
    image = _photograph(rng, scene + contrast * _haze(rng, size))
    return PaintedSample(image, np.where(instances > 0, 255, 0).astype(np.uint8), instances)


def otsu_mask(image: Bytes) -> Bytes:
    """What is brighter than Otsu's threshold, as 0/255 (H, W): the baseline a trained network has to beat."""
    from skimage.filters import threshold_otsu

    return np.where(image > threshold_otsu(image), 255, 0).astype(np.uint8)


# Outlines and instances ------------------------------------------------------------------------------------------


def _instances(rng: np.random.Generator, size: Size) -> Labels:
    """Cells numbered 1..n, each in one piece; where two outlines overlap, the deeper one owns the pixel."""
    deepest, owner = np.zeros(size), np.zeros(size, np.uint16)
    for number, (y, x, radius) in enumerate(_places(rng, size), start=1):
        box = _box(y, x, 1.7 * radius, size)
        depth = _outline_depth(rng, box, y, x, radius)
        wins = depth > deepest[box]
        owner[box][wins], deepest[box][wins] = number, depth[wins]
    return _whole_cells(owner)


def _places(rng: np.random.Generator, size: Size) -> list[tuple[float, float, float]]:
    """Centres and radii (y, x, r) of cells: some alone, more of them leaning on a neighbour, as cells that divided."""
    height, width = size
    typical = rng.uniform(10, 16)
    share = rng.uniform(0.16, 0.40)  # of the area
    wanted = max(1, round(share * height * width / (math.pi * typical**2)))
    # The first stands well inside, so that even the smallest image has a cell.
    places = [(height * rng.uniform(0.35, 0.65), width * rng.uniform(0.35, 0.65), min(typical, min(size) / 3))]
    for _ in range(12 * wanted):
        if len(places) >= wanted:
            break
        radius = typical * rng.uniform(0.7, 1.35)
        y, x, leaning = rng.uniform(0, height), rng.uniform(0, width), rng.random() < 0.65
        if leaning:
            near_y, near_x, near_radius = places[rng.integers(len(places))]
            angle, reach = rng.uniform(0, 2 * math.pi), (radius + near_radius) * rng.uniform(0.84, 0.95)
            y, x = near_y + reach * math.sin(angle), near_x + reach * math.cos(angle)
        gap = np.array([math.hypot(y - v, x - u) / (radius + r) for v, u, r in places]).min()
        if gap > (0.83 if leaning else 1.25) and 0 <= y < height and 0 <= x < width:
            places.append((y, x, radius))
    return places


def _outline_depth(rng: np.random.Generator, box: tuple[slice, slice], y: float, x: float, radius: float) -> Floats:
    """How many pixels inside the outline each pixel of the box lies: an ellipse whose radius waves smoothly."""
    rows, columns = np.mgrid[box] - np.array([y, x])[:, None, None]
    turn, stretch = rng.uniform(0, math.pi), rng.uniform(1.0, 1.3)
    angle = np.arctan2(rows, columns) - turn
    ellipse = np.hypot(np.cos(angle) / stretch, np.sin(angle) * stretch)
    waves = sum(rng.normal(0, 0.09 / k**0.7) * np.cos(k * angle + rng.uniform(0, 6.28)) for k in (1, 2, 3, 4, 5))
    depth: Floats = radius * np.clip(1 + waves, 0.6, 1.3) / ellipse - np.hypot(rows, columns)
    return depth


def _whole_cells(owner: Labels) -> Labels:
    """The same cells, each its largest piece, slivers (under 40 pixels) left out, numbered without a gap."""
    whole = np.zeros_like(owner)
    number = 0
    for old, box in enumerate(ndimage.find_objects(owner), start=1):
        if box is None:
            continue
        pieces, count = ndimage.label(owner[box] == old)
        areas = np.bincount(pieces.ravel(), minlength=count + 1)[1:]
        if areas.max() >= 40:
            number += 1
            whole[box][pieces == 1 + areas.argmax()] = number
    return whole


# Light -----------------------------------------------------------------------------------------------------------


def _bodies(rng: np.random.Generator, instances: Labels) -> Floats:
    """The light of the cells, background 0, a usual interior about 1: each cell with its own brightness, rim and grain."""
    n = int(instances.max()) + 1
    inside, outside = _distances(instances)
    pale = rng.random(n) < rng.choice([0.1, 0.5], p=[0.65, 0.35])  # some images look like phase contrast
    body = np.where(pale, rng.uniform(0.05, 0.35, n), rng.uniform(0.6, 1.3, n))
    rim = np.where(pale, rng.uniform(0.7, 1.1, n), rng.uniform(-0.1, 0.5, n))
    grain = rng.uniform(0.12, 0.25, n) * np.where(pale, 1.3, 1.0)
    edge = np.exp(-(((inside - 1.5) / 1.3) ** 2))
    dome = 1 - 0.35 * np.exp(-inside / 5)
    light = body[instances] * dome + rim[instances] * edge + grain[instances] * _grain(rng, instances.shape)
    shadow = -0.35 * rng.random() * np.exp(-(((outside - 2.0) / 1.6) ** 2))  # the dark line around a thick cell
    return np.where(instances > 0, light + _nuclei(rng, instances, inside), shadow)


def _distances(instances: Labels) -> tuple[Floats, Floats]:
    """Pixels to the cell's own border (a neighbour's border counts), and pixels from the background to any cell."""
    high, low = ndimage.maximum_filter(instances, 3), ndimage.minimum_filter(instances, 3)
    interior = (high == low) & (instances > 0)
    # An image without interior or without background has no distance to measure.
    return ndimage.distance_transform_edt(interior), ndimage.distance_transform_edt(instances == 0)


def _grain(rng: np.random.Generator, size: Size) -> Floats:
    """Granular texture of mean 0 and deviation 1: fine grains on broader patches."""
    fine, broad = (ndimage.gaussian_filter(rng.standard_normal(size), s, mode="wrap") for s in (1.3, 3.0))
    grain: Floats = 0.8 * fine / fine.std() + 0.6 * broad / broad.std()
    return grain


def _nuclei(rng: np.random.Generator, instances: Labels, inside: Floats) -> Floats:
    """A soft spot near the middle of most cells, brighter or darker than the cell."""
    light = np.zeros(instances.shape)
    sign = rng.choice([-0.5, 0.6], p=[0.4, 0.6])
    for number, box in enumerate(ndimage.find_objects(instances), start=1):
        deep = np.where(instances[box] == number, inside[box], 0)
        row, column = np.unravel_index(deep.argmax(), deep.shape)
        radius = deep.max() * rng.uniform(0.35, 0.6)
        y, x = rng.normal((row, column), 0.15 * radius)
        rows, columns = np.ogrid[: deep.shape[0], : deep.shape[1]]
        distance = np.hypot(rows - y, (columns - x) * rng.uniform(0.8, 1.2))
        strength = sign * rng.uniform(0.2, 1.0) * (rng.random() < 0.8)
        light[box] += strength * (deep > 0) / (1 + np.exp((distance - radius) / 0.6))
    return light


# Debris: bright, but no cell -------------------------------------------------------------------------------------


def _debris(rng: np.random.Generator, size: Size) -> Floats:
    """Specks, fibres, dust rings and out-of-focus blobs, on background 0; amounts follow the area."""
    area = size[0] * size[1] / 256**2
    light = np.zeros(size)
    for _ in range(rng.poisson(12 * area)):
        _add_spot(rng, light, rng.uniform(0.8, 1.8), rng.uniform(0.5, 2.0))
    for _ in range(rng.poisson(2.5 * area)):
        _add_spot(rng, light, rng.uniform(14, 26), rng.uniform(0.6, 1.5))
    for _ in range(rng.poisson(1.5 * area)):
        _add_ring(rng, light)
    for _ in range(rng.poisson(1.5 * area)):
        light += _fibre(rng, size)
    return light


def _add_spot(rng: np.random.Generator, light: Floats, sigma: float, strength: float) -> None:
    """A speck if `sigma` is small; if large, a body far out of focus: cell-bright, without an edge."""
    y, x = rng.uniform((0, 0), light.shape)
    box = _box(y, x, 4 * sigma, light.shape)
    rows, columns = np.ogrid[box]
    light[box] += strength * np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / (2 * sigma**2))


def _add_ring(rng: np.random.Generator, light: Floats) -> None:
    """Dust on a lens: thin, exactly round fringes around nothing, where a cell would have grain."""
    y, x = rng.uniform((0, 0), light.shape)
    radius, fringe = rng.uniform(9, 20), rng.uniform(3.5, 5.0)
    box = _box(y, x, 2 * radius, light.shape)
    rows, columns = np.ogrid[box]
    off = np.hypot(rows - y, columns - x) - radius
    light[box] += rng.uniform(0.6, 1.2) * np.cos(2 * math.pi * off / (2 * fringe)) * np.exp(-((off / fringe) ** 2))


def _fibre(rng: np.random.Generator, size: Size) -> Floats:
    """A thin bent thread across part of the image, brighter or darker than its ground."""
    start, middle, end = rng.uniform((0, 0), size, (3, 2))
    t = np.linspace(0, 1, 4 * max(size))[:, None]
    path = ((1 - t) ** 2 * start + 2 * t * (1 - t) * middle + t**2 * end).astype(int)
    line = np.zeros(size)
    line[tuple(path.T)] = 1
    thread: Floats = ndimage.gaussian_filter(line, rng.uniform(0.8, 1.4)) * 3 * rng.choice([-0.5, 1.0])
    return thread * rng.uniform(0.5, 1.2)


def _box(y: float, x: float, reach: float, size: tuple[int, ...]) -> tuple[slice, slice]:
    """The pixels within `reach` of a point, as far as the image goes."""
    rows = slice(max(0, int(y - reach)), min(size[0], int(y + reach) + 2))
    return rows, slice(max(0, int(x - reach)), min(size[1], int(x + reach) + 2))


# Optics and camera -----------------------------------------------------------------------------------------------


def _haze(rng: np.random.Generator, size: Size) -> Floats:
    """Light from outside the focal plane, added smoothly: its bright side outshines cells on its dark side."""
    return rng.uniform(0.5, 1.6) * _slow_field(rng, size)


def _slow_field(rng: np.random.Generator, size: Size) -> Floats:
    """A smooth field over the whole image, from 0 to 1: a few waves about as long as the image."""
    rows, columns = np.mgrid[: size[0], : size[1]] / np.array(size)[:, None, None]
    field = np.zeros(size)
    for _ in range(4):
        angle, cycles = rng.uniform(0, 2 * math.pi), rng.uniform(0.3, 0.9)
        ahead = rows * math.sin(angle) + columns * math.cos(angle)
        field += np.cos(2 * math.pi * cycles * ahead + rng.uniform(0, 6.28))
    return (field - field.min()) / np.ptp(field)


def _photograph(rng: np.random.Generator, scene: Floats) -> Bytes:
    """The 8-bit picture a camera takes of the scene: uneven lamp, focus, shot noise, read noise."""
    lamp = 1 - rng.uniform(0.1, 0.45) * _slow_field(rng, scene.shape)
    light = np.clip(rng.uniform(0.12, 0.3) + scene, 0.01, None) * lamp
    light = ndimage.gaussian_filter(light, rng.uniform(0.7, 1.6), mode="nearest")
    photons = rng.uniform(250, 1200)
    light = rng.poisson(light * photons) / photons + rng.normal(0, rng.uniform(0.004, 0.012), scene.shape)
    return np.clip(np.round(light * 255), 0, 255).astype(np.uint8)
