"""Measurements: a table of objects, one row each. Shapes: H W the picture, h rows of it, C channels, N objects."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from maskwright.errors import SettingError
from maskwright.files import Georeference, Scene
from maskwright.regions.hulls import Rims
from maskwright.regions.objects import Objects
from maskwright.regions.perimeters import perimeters
from maskwright.regions.runs import Numbers, Runs, runs_of
from maskwright.regions.scratch import grown

ROWS: Final = 256
"""Rows that are read at once: whole tiles of most files, so that few are decoded twice."""
_PIXELS: Final = 1 << 23  # … but no more than these, while at least 16 rows remain
_SHORT: Final = {
    "m": "m", "metre": "m", "meter": "m", "metres": "m", "meters": "m",
    "mm": "mm", "millimetre": "mm", "millimeter": "mm", "cm": "cm", "centimetre": "cm", "centimeter": "cm",
    "um": "um", "µm": "um", "μm": "um", "micron": "um", "micrometre": "um", "micrometer": "um",
    "nm": "nm", "nanometre": "nm", "nanometer": "nm", "km": "km", "kilometre": "km", "kilometer": "km",
    "ft": "ft", "foot": "ft", "feet": "ft", "us survey foot": "ft", "inch": "in", "in": "in",
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Table:
    """Columns of equal length by name, in the order in which they are to stand."""

    columns: dict[str, NDArray[Any]]

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()), ()))

    def rows(self) -> Iterator[tuple[Any, ...]]:
        """The rows, as plain Python values."""
        yield from zip(*(column.tolist() for column in self.columns.values()), strict=True)


def measured(objects: Objects, scene: Scene, classes: Sequence[str], *, channels: Sequence[str] | None = None) -> Table:
    """A row for each object: what it is, where it lies, how large, of what shape and how bright.

    `number` and `class`; `area`, `perimeter` (Benkrid and Crookes 2000, as skimage has it); `centroid_row` and
    `centroid_column`; `top`, `left`, `bottom`, `right`, the last two the first outside; `major_axis` and
    `minor_axis`, those of the ellipse with the same second moments; `orientation` of the major axis in radians,
    from the rows' axis towards the columns', -π/2 … π/2; `eccentricity` of the ellipse; `solidity`, the area's share
    of its convex hull's; `equivalent_diameter`, of the circle of the same area; `mean_…`, `min_…` and `max_…` of
    each channel. All but the names are those of `skimage.measure.regionprops`, in pixels.

    Where the scene has a georeference, `centroid_x` and `centroid_y` are the map's, and where that names a unit of
    length, areas and lengths follow in it, as `area_um2` and `perimeter_um`; the perimeter only where pixels are
    square.

    The picture is read once in bands of rows: memory grows with the band, the number of objects and the height of
    each, not with the picture.

    classes: names by label.
    channels: names of the scene's channels; None: 0, 1, 2 …, or no name where there is one.

    Raises:
        SettingError: the scene has another size than the objects, or another number of channels than names.
    """
    header, n = scene.header, len(objects.areas)
    _demand_fit(objects, scene, channels)
    sums, rims, outlines = _Moments(objects), Rims(objects.boxes), np.zeros(n)
    light = _Light(n, header.channels)
    height, width = objects.ids.shape
    step = min(ROWS, max(16, _PIXELS // max(1, width)))
    for top in range(0, height, step):
        rows, columns = slice(top, min(top + step, height)), slice(0, width)
        wide, inner = grown(rows, 2, height)  # a pixel's share of the perimeter is told by its neighbours' rims
        ids_hw = objects.ids.read(wide, columns)
        runs = runs_of(ids_hw[inner])
        if not len(runs.rows):
            continue
        runs = runs._replace(rows=runs.rows + top)
        sums.add(runs)
        rims.add(runs, rows.stop)
        perimeters(ids_hw, inner, outlines)
        light.add(runs, scene.read(rows, columns), top)
    shape = sums.shape(outlines, rims.areas())
    named = np.array([classes[label] for label in objects.labels.tolist()], dtype=np.str_)
    table = {"number": np.arange(1, n + 1), "class": named, **shape, **light.columns(channels)}
    if scene.georeference is not None:
        table |= _on_the_map(scene.georeference, table, sums)
    return Table(table)


class _Moments:
    """Area, first and second moments of each object; of runs they are sums in closed form, in whole numbers."""

    def __init__(self, objects: Objects):
        self.boxes, self.areas = objects.boxes, objects.areas
        self.sums = np.zeros((5, len(objects.areas)), np.int64)  # r, c, rr, rc, cc from the box's corner

    def add(self, runs: Runs) -> None:
        """Take these runs in."""
        at = runs.values - 1
        row, start = runs.rows - self.boxes[at, 0], runs.starts - self.boxes[at, 1]
        length = runs.lengths
        # Σ c and Σ c² over c = start … start + length - 1.
        last = start + length - 1
        first = (start + last) * length // 2
        second = last * (last + 1) * (2 * last + 1) // 6 - (start - 1) * start * (2 * start - 1) // 6
        for sums, part in zip(self.sums, (row * length, first, row * row * length, row * first, second), strict=True):
            np.add.at(sums, at, part)

    def centroids(self) -> NDArray[np.float64]:
        """N 2: row and column."""
        return self.boxes[:, :2] + (self.sums[:2] / self.areas).T

    def covariances(self) -> NDArray[np.float64]:
        """N 2 2: of rows and columns."""
        r, c, rr, rc, cc = self.sums / self.areas
        rows, mixed, columns = rr - r * r, rc - r * c, cc - c * c
        return np.stack([rows, mixed, mixed, columns], axis=1).reshape(-1, 2, 2)

    def shape(self, outlines_N: NDArray[np.float64], hulls_N: Numbers) -> dict[str, NDArray[Any]]:
        """The columns on place and shape."""
        covariance, centroids = self.covariances(), self.centroids()
        low, high = axes(covariance)
        rows, mixed, columns = covariance[:, 0, 0], covariance[:, 0, 1], covariance[:, 1, 1]
        turned = 0.5 * np.arctan2(2 * mixed, rows - columns)
        round_ = (rows == columns) & (mixed == 0)
        # Where no direction is longer there is none to tell; skimage says a quarter of a turn.
        orientation = np.where(round_, np.pi / 4, turned)
        with np.errstate(divide="ignore", invalid="ignore"):
            eccentricity = np.where(high > 0, np.sqrt(np.maximum(0, 1 - low / high)), 0.0)
        return {
            "area": self.areas,
            "perimeter": outlines_N,
            "centroid_row": centroids[:, 0],
            "centroid_column": centroids[:, 1],
            **dict(zip(("top", "left", "bottom", "right"), self.boxes.T, strict=True)),
            "major_axis": 4 * np.sqrt(high),
            "minor_axis": 4 * np.sqrt(low),
            "orientation": orientation,
            "eccentricity": eccentricity,
            "solidity": self.areas / hulls_N,
            "equivalent_diameter": np.sqrt(4 * self.areas / np.pi),
        }


def axes(covariances_N22: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The smaller and the larger eigenvalue of each, N, not below 0."""
    a, b, c = covariances_N22[:, 0, 0], covariances_N22[:, 0, 1], covariances_N22[:, 1, 1]
    middle, half = (a + c) / 2, np.hypot((a - c) / 2, b)
    return np.maximum(0, middle - half), np.maximum(0, middle + half)


class _Light:
    """Sum, least and greatest value of each object in each channel."""

    def __init__(self, count: int, channels: int):
        self.pixels = np.zeros(count, np.int64)
        self.sums = np.zeros((channels, count))
        self.least: NDArray[Any] | None = None
        self.most: NDArray[Any] | None = None

    def add(self, runs: Runs, image_hwC: NDArray[Any], top: int) -> None:
        """Take in the pixels under these runs, whose rows count from the picture's top."""
        if self.least is None or self.most is None:
            self.least = np.full(self.sums.shape, _end(image_hwC.dtype, most=True), image_hwC.dtype)
            self.most = np.full(self.sums.shape, _end(image_hwC.dtype, most=False), image_hwC.dtype)
        at, lengths = runs.values - 1, runs.lengths
        np.add.at(self.pixels, at, lengths)
        ends = np.cumsum(lengths)
        starts = ends - lengths
        # The pixels under the runs, one run after the other.
        flat = np.arange(ends[-1]) + np.repeat((runs.rows - top) * image_hwC.shape[1] + runs.starts - starts, lengths)
        for channel in range(image_hwC.shape[2]):
            values = image_hwC[:, :, channel].ravel()[flat]
            wide = values.astype(np.float64)
            np.add.at(self.sums[channel], at, np.add.reduceat(wide, starts))
            np.minimum.at(self.least[channel], at, np.minimum.reduceat(values, starts))
            np.maximum.at(self.most[channel], at, np.maximum.reduceat(values, starts))

    def columns(self, channels: Sequence[str] | None) -> dict[str, NDArray[Any]]:
        """Three columns a channel."""
        count = len(self.sums)
        names = channels if channels is not None else [""] if count == 1 else [f"_{c}" for c in range(count)]
        names = [f"_{name}" if channels is not None else name for name in names]
        out: dict[str, NDArray[Any]] = {}
        for channel, name in enumerate(names):
            least = self.sums[channel] if self.least is None else self.least[channel]
            most = self.sums[channel] if self.most is None else self.most[channel]
            out |= {
                f"mean{name}": self.sums[channel] / np.maximum(1, self.pixels),
                f"min{name}": least,
                f"max{name}": most,
            }
        return out


def _end(dtype: "np.dtype[Any]", *, most: bool) -> Any:
    """The greatest or least value of a type."""
    if dtype.kind == "f":
        return np.inf if most else -np.inf
    if dtype.kind == "b":
        return most
    return np.iinfo(dtype).max if most else np.iinfo(dtype).min


def _on_the_map(place: Georeference, table: dict[str, NDArray[Any]], sums: _Moments) -> dict[str, NDArray[Any]]:
    """The columns in map coordinates and in the map's unit."""
    centres = np.stack([table["centroid_column"], table["centroid_row"]], axis=1) + 0.5  # of a pixel: its middle
    x, y = place.to_map(centres).T
    out = {"centroid_x": x, "centroid_y": y}
    if (unit := _SHORT.get(place.unit.strip().lower())) is None:
        return out
    a, b, _, d, e, _ = place.affine
    pixel = abs(a * e - b * d)
    way = np.array([[b, a], [e, d]])  # of (row, column)
    low, high = axes(way @ sums.covariances() @ way.T)
    out[f"area_{unit}2"] = table["area"] * pixel
    if np.allclose(way.T @ way, pixel * np.eye(2), rtol=1e-6, atol=1e-6 * pixel):
        out[f"perimeter_{unit}"] = table["perimeter"] * np.sqrt(pixel)
    out[f"major_axis_{unit}"], out[f"minor_axis_{unit}"] = 4 * np.sqrt(high), 4 * np.sqrt(low)
    out[f"equivalent_diameter_{unit}"] = table["equivalent_diameter"] * np.sqrt(pixel)
    return out


def _demand_fit(objects: Objects, scene: Scene, channels: Sequence[str] | None) -> None:
    header = scene.header
    if objects.ids.shape != (header.height, header.width):
        raise SettingError(
            f"The objects lie in a picture of {objects.ids.shape[0]}×{objects.ids.shape[1]}, the image has "
            f"{header.height}×{header.width} (height × width). Measure them on the image they were found in."
        )
    if channels is not None and len(channels) != header.channels:
        raise SettingError(f"The image has {header.channels} channels, but {len(channels)} names: {list(channels)}.")
