"""Contours as labelme JSON, to be corrected by hand."""

import base64
import io
import json
import os
from pathlib import Path
from typing import Any, ClassVar, Final

import numpy as np
from pydantic import Field

from maskwright.errors import SettingError
from maskwright.files import LARGEST_PNG, Origin
from maskwright.inference.outputs.registry import THINGS, beside, outputs
from maskwright.inference.result import Result
from maskwright.inference.things import Thing, things
from maskwright.records import Record, replacing
from maskwright.regions.outlines import Outline, column_runs, simplified

VERSION: Final = "5.5.0"
"""Of labelme: the first whose files are read alike by all since."""
_OFF_THE_BORDER: Final = 1e-3


@outputs.register("labelme")
class Labelme(Record):
    """labelme JSON beside the image's name: polygons to be corrected by hand; what has holes is a small mask.

    Shapes of one object have its number as their group.
    """

    about: ClassVar[str] = "STEM.json: polygons to correct by hand; labelme, X-AnyLabeling"
    needs: ClassVar[frozenset[str]] = frozenset({THINGS})

    simplify: float | None = Field(None, gt=0, lt=1000)
    """How far a contour may move, in pixels, to have fewer corners; neighbours may then overlap. None: exact."""

    def path(self, origin: Origin, target: Path) -> Path:
        """STEM.json."""
        return beside(target, ".json")

    def write(self, result: Result, target: Path) -> Path:
        """Write the shapes, which name the image by its way from here.

        Raises:
            SettingError: the image is larger than labelme can open.
        """
        height, width = result.labels.shape
        if height * width > LARGEST_PNG:
            raise SettingError(
                f"{result.name} has {height}×{width} pixels; labelme opens none of more than {LARGEST_PNG:,}. "
                "Ask for geojson, which QGIS and QuPath show."
            )
        path = self.path(result.origin, target)
        shapes = [shape for thing in things(result) for shape in self._shapes(thing, result)]
        whole: dict[str, Any] = {
            "version": VERSION, "flags": {}, "shapes": shapes, "imagePath": _way(result, path), "imageData": None,
            "imageHeight": height, "imageWidth": width,
        }  # fmt: skip
        with replacing(path) as temporary:
            temporary.write_text(json.dumps(whole, ensure_ascii=False, indent=1), "utf-8")
        return path

    def _shapes(self, thing: Thing, result: Result) -> list[dict[str, Any]]:
        size = result.labels.shape
        group = None if result.objects is None else thing.number
        common: dict[str, Any] = {
            "label": result.classes.names[thing.label],
            "group_id": group,
            "description": "",
            "flags": {},
        }
        return [
            common | (_mask(outline) if len(outline.rings) > 1 else self._polygon(outline, size))
            for outline in thing.outlines
        ]

    def _polygon(self, outline: Outline, size: tuple[int, int]) -> dict[str, Any]:
        ring = outline.rings[0] if self.simplify is None else simplified(outline, self.simplify)[0]
        # labelme cannot place a point beyond the middle of the last pixel, so readers take one there for the border.
        last = np.array([size[1], size[0]]) - 1.0
        points = np.where(ring == last, last - _OFF_THE_BORDER, ring)
        return {"points": points.tolist(), "shape_type": "polygon", "mask": None}


def _mask(outline: Outline) -> dict[str, Any]:
    """The shape as a PNG of its box, whose first and last pixel are its points."""
    import imagecodecs

    top, left, bottom, right = outline.box
    height, width = bottom - top, right - left
    starts, lengths = column_runs([ring - np.array([left, top], np.int32) for ring in outline.rings], height)
    change = np.zeros(height * width + 1, np.int8)
    np.add.at(change, starts, 1)
    np.add.at(change, starts + lengths, -1)
    inside = np.cumsum(change[:-1], dtype=np.int8).astype(np.uint8).reshape(width, height).T
    png = io.BytesIO(imagecodecs.png_encode(np.ascontiguousarray(inside * np.uint8(255))))
    corners = [[left, top], [right - 1, bottom - 1]]
    return {"points": corners, "shape_type": "mask", "mask": base64.b64encode(png.getvalue()).decode("ascii")}


def _way(result: Result, path: Path) -> str:
    """How the image is reached from the file; its name where no way leads there, as between drives."""
    file = result.origin.file
    if file is None:
        return result.name
    try:
        return Path(os.path.relpath(file, path.parent)).as_posix()
    except ValueError:
        return file.name
