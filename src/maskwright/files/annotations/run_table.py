"""Tables of run lengths, as contests hand them out: a row an image, an object or a class; an empty cell is nothing.

Pixels are numbered from 1, mostly down the columns; `Reading.run_order` says if it is along the rows. Later rows lie
over earlier ones, which contests forbid to overlap anyway. In a column `ImageId_ClassId` image and class stand
together, with an underscore between.
"""

import csv
import io
import re
from typing import ClassVar, Final

from maskwright.errors import ReadError
from maskwright.files.annotations.content import Content
from maskwright.files.annotations.filling import Size
from maskwright.files.annotations.geometry import StartedRuns
from maskwright.files.annotations.record import FOREGROUND, AnnotatedImage, Annotations, Shape, class_names
from maskwright.files.annotations.registry import Reading, formats
from maskwright.files.annotations.values import size_of, text_of
from maskwright.files.runlengths import LONGEST

IMAGE: Final = ("imageid", "image", "img", "id", "imgid", "imagename", "filename", "file", "idcode", "name")
RUNS: Final = ("encodedpixels", "rlemask", "rle", "runs", "runlengths", "mask", "segmentation", "annotation", "pixels", "encoding")  # fmt: skip # noqa: E501
CLASS: Final = ("classid", "class", "label", "classname", "category", "categoryid", "labelid", "type")
FUSED: Final = ("imageidclassid", "imagelabel", "imageclass", "imageidclass", "imageidlabel", "idclass")
HEIGHT, WIDTH = ("height", "imgheight", "imageheight"), ("width", "imgwidth", "imagewidth")
"""Headings, in small letters without what is no letter or digit."""
ROWS_LINE: Final = "If they go along the rows: annotations: {run_order: rows} in dataset.yaml."
_RUNS = re.compile(r"[0-9\s]*")


@formats.register("run-table")
class RunTable:
    """CSV of run lengths with a heading."""

    suffixes: ClassVar[tuple[str, ...]] = (".csv", ".tsv")

    @staticmethod
    def recognises(content: Content) -> bool:
        """Whether the first line names a column of images and one of run lengths."""
        return content.text is not None and _columns(content.text) is not None

    @staticmethod
    def read(content: Content, reading: Reading) -> Annotations:
        """An image for each name; without a column of classes all is of one class."""
        path, text = str(content.path), content.text or ""
        found = _columns(text)
        assert found is not None  # it was recognised
        columns, separator = found
        shapes: dict[str, list[Shape]] = {}
        sizes: dict[str, Size | None] = {}
        usual = csv.field_size_limit(LONGEST)
        try:
            rows = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
            width = len(next(rows))
            for number, row in enumerate(rows, start=2):
                if row:
                    _read_row(row, width, columns, reading, f"{path}, row {number}", shapes, sizes)
        except csv.Error as error:
            raise ReadError(f"{path} is a broken table ({error}). Copy or export it again.") from None
        finally:
            csv.field_size_limit(usual)
        images = tuple(AnnotatedImage(name, sizes[name], tuple(found)) for name, found in shapes.items())
        names = class_names(images)
        if all(name.isdigit() for name in names):
            names = tuple(sorted(names, key=lambda name: (int(name[:15]), name)))  # 10 comes after 9
        order = () if reading.run_order else (f"The runs of {path} are taken to go down the columns. {ROWS_LINE}",)
        return Annotations("run-table", images, names, path, order)


def _read_row(
    row: list[str],
    width: int,
    columns: dict[str, int],
    reading: Reading,
    source: str,
    shapes: dict[str, list[Shape]],
    sizes: dict[str, Size | None],
) -> None:
    if len(row) != width:
        raise ReadError(f"{source}: {len(row)} cells where the heading has {width}. Export the table again.")
    image, name = _image_and_class(row, columns, source)
    runs = row[columns["runs"]].strip()
    found = shapes.setdefault(image, [])
    size = size_of(row[columns["height"]], row[columns["width"]], source) if "height" in columns else None
    if sizes.setdefault(image, size) != size:
        raise ReadError(f"{source}: the size {size} differs from that in an earlier row. An image has one size.")
    if runs in ("", "-1"):  # both are written for nothing
        return
    if not _RUNS.fullmatch(runs) or not runs.isascii():
        raise ReadError(f"{source}: {runs[:30]!r} are no run lengths; `start length start length …` was expected.")
    geometry = StartedRuns(runs, by_columns=reading.run_order != "rows")
    found.append(Shape(name or FOREGROUND, "runs", geometry, source))


def _image_and_class(row: list[str], columns: dict[str, int], source: str) -> tuple[str, str]:
    if "fused" in columns:
        image, _, name = row[columns["fused"]].rpartition("_")
    else:
        image, name = row[columns["image"]], row[columns["class"]].strip() if "class" in columns else ""
    return text_of(image.strip(), "the image", source), name


def _columns(text: str) -> tuple[dict[str, int], str] | None:
    """Which column is which, and what stands between columns; None if this is no such table."""
    heading = text[:10_000].lstrip("\r\n").split("\n", 1)[0].strip("\r")
    for separator in (",", ";", "\t"):
        keys = [re.sub(r"[^a-z0-9]", "", cell.lower()) for cell in heading.split(separator)]
        columns = {"image": IMAGE, "runs": RUNS, "class": CLASS, "fused": FUSED, "height": HEIGHT, "width": WIDTH}
        # Of several that fit, the better known heading counts: `image` before `id`.
        found = {
            part: keys.index(next(known for known in names if known in keys))
            for part, names in columns.items()
            if any(known in keys for known in names)
        }
        if "runs" in found and ("image" in found or "fused" in found):
            if "width" not in found or "height" not in found:
                found = {part: column for part, column in found.items() if part not in ("width", "height")}
            return found, separator
    return None
