"""Samples: images with their masks, and where both lie; they open the files."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from maskwright.data.labels import Labels
from maskwright.data.objects import pieces
from maskwright.data.sources import Place, sources
from maskwright.data.sources.classed_objects import OBJECTS
from maskwright.errors import DataError
from maskwright.files import Picture, read_mask, read_picture, valid_pixels
from maskwright.files.annotations import Reading
from maskwright.records import IGNORED, Record

Split = Literal["train", "val", "test"]


class Sample(Record):
    """One image, its mask if it has one, and what was measured when they were opened."""

    name: str
    """Unique in the data set: the path without its ending, as short as it can be."""
    image: str
    mask: str | None
    """Paths relative to the data set's folder; for some sources the mask's is a folder, or a file about many images."""
    page: int | None = None
    """Which page, from 0, of both files, where they are stacks."""
    bands: tuple[str, ...] = ()
    """Further files of the image, whose channels come after its own."""
    source: str = "mask_file"
    """How labels are read from the mask: a name on the open list `data/sources`."""
    parts: dict[str, str] = {}
    """Further mask files by name, where labels are spread over several: of classes, of objects, or of annotators."""
    per_class: int | None = None
    """How many mask values a class has, where a value is a class times this and the number of an object."""
    axes: str | None = None
    """What each axis of the image's files is, where that must be stated."""
    nodata: float | None = None
    """The value in the image that means: nothing was measured here. Such pixels count nowhere."""
    key: str | None = None
    """Which image it is in a mask file that is about many."""
    reading: Reading = Reading()
    """What annotation files leave open, and is stated or known of the image."""
    valid: str | None = None
    """A file that is 0 where pixels count nowhere."""
    split: Split | None
    group: str | None = None
    """What it shares with others that go where it goes: a patient, a scene, a video."""
    fold: int | None = None
    """Which fold it validates in, from 0, where the images validate in turn."""
    content: str
    """A hash of the image file and the page: two of the same content are the same image, whatever they are called."""
    mask_content: str | None = None
    """The same of the mask."""
    height: int
    width: int
    channels: int
    dtype: str
    low: float
    high: float
    mean: tuple[float, ...]
    std: tuple[float, ...]
    """Of the image's values as stored, a number a channel."""
    values: dict[int, int] = {}
    """Mask value → pixels, of those that are valid; where masks tell objects apart, 255 stands for any object."""

    @property
    def mask_shown(self) -> str:
        """The mask as it is spoken of: a page of a stack is said to be one, and an image of many is named."""
        if self.key is not None:
            return f"{self.mask} ({self.key})"
        return f"{self.mask}" if self.page is None else f"{self.mask}, page {self.page},"

    @property
    def tells_objects(self) -> bool:
        """Whether the mask tells nothing but one object from another."""
        return self.mask is not None and sources[self.source].tells_objects

    @property
    def numbers_objects(self) -> bool:
        """Whether a mask file gives each object a number or a file, with or without a class."""
        return self.tells_objects or self.per_class is not None or OBJECTS in self.parts

    def place(self, root: Path, table: Mapping[str, int], *, colour: bool = False) -> Place:
        """Where its labels stand.

        Raises:
            DataError: it has no mask.
        """
        if self.mask is None:
            raise DataError(f"{self.image} has no mask.")
        parts = {name: root / path for name, path in self.parts.items()}
        return Place(
            root / self.mask,
            (self.height, self.width),
            self.page,
            parts,
            self.key,
            mask_axes(self.axes),
            colour,
            table,
            self.reading,
            self.per_class,
        )

    def image_in(self, root: Path) -> NDArray[Any]:
        """The image, H W C, as stored; where nothing was measured, the mean of each channel."""
        image_HWC = read_bands(self._image_files(root), self.page, self.axes).image
        if (missing_HW := self.missing_in(root)) is not None and missing_HW.any():
            mean = np.array(self.mean) if image_HWC.dtype == np.float32 else np.rint(self.mean)
            image_HWC[missing_HW] = mean.astype(image_HWC.dtype)
        return image_HWC

    def invalid_in(self, root: Path) -> NDArray[np.bool_] | None:
        """Where pixels count nowhere, H W, as the image or a file of its own says; None if neither does."""
        found = [] if self.valid is None else [read_invalid(root / self.valid, (self.height, self.width))]
        if (missing_HW := self.missing_in(root)) is not None:
            found.append(missing_HW)
        return np.logical_or.reduce(found) if found else None

    def missing_in(self, root: Path) -> NDArray[np.bool_] | None:
        """Where nothing was measured, H W; None if no value of the image means that."""
        return None if self.nodata is None else read_missing(self._image_files(root), self.page, self.axes)

    def _image_files(self, root: Path) -> list[Path]:
        return [root / path for path in (self.image, *self.bands)]


class Samples(Record):
    """A data set: its samples with their split, and its classes."""

    root: str
    layout: str
    notes: tuple[str, ...]
    """What was recognised, and why."""
    labels: Labels
    table: dict[str, int] = {}
    """Class name → mask value, where labels are drawn by name."""
    samples: tuple[Sample, ...]

    def part(self, split: Split) -> list[Sample]:
        """The labelled samples of one part."""
        return [sample for sample in self.samples if sample.split == split and sample.mask]

    def image(self, sample: Sample) -> NDArray[Any]:
        """The sample's image, H W C, as stored."""
        return sample.image_in(Path(self.root))

    def labels_of(self, sample: Sample) -> NDArray[np.uint8]:
        """The sample's labels, H W uint8."""
        values_HW = sources[sample.source].read(self._place(sample)).values
        labels_HW = self.labels.encode(values_HW, Path(self.root) / sample.mask_shown)
        invalid_HW = sample.invalid_in(Path(self.root))
        return labels_HW if invalid_HW is None else np.where(invalid_HW, np.uint8(IGNORED), labels_HW)

    def told_objects(self, sample: Sample) -> NDArray[np.int32] | None:
        """The sample's objects as its mask tells them apart, H W int32: 0 where there is none, then 1 … N, a number an
        object, of one class or of several; None where it does not.
        """
        return sources[sample.source].objects(self._place(sample))

    def objects_of(self, sample: Sample) -> NDArray[np.int32] | None:
        """The sample's objects, H W int32: 0 where there is none, then 1 … N, a number an object.

        Where masks tell objects apart, those; where they tell foreground from background, its connected pieces, of
        pixels that share a side, ignored ones being of none; None where there are more classes.
        """
        if (objects_HW := self.told_objects(sample)) is not None:
            return objects_HW
        if self.labels.count != 2 or (background := self.labels.background) is None:
            return None
        return pieces(self.labels_of(sample) == 1 - background)

    def _place(self, sample: Sample) -> Place:
        return sample.place(Path(self.root), self.table, colour=self.labels.style.mode == "colour")


def mask_axes(axes: str | None) -> str | None:
    """What the axes of a mask are, where those of its image must be stated: the same without channels. None for one
    picture a file: a mask's height and width are clear.
    """
    alone = (axes or "").replace("C", "")
    return alone if len(alone) > 2 else None


def read_missing(paths: Sequence[Path], page: int | None = None, axes: str | None = None) -> NDArray[np.bool_]:
    """Where in the files of a picture nothing was measured, H W.

    Raises:
        ReadError: a file does not open.
    """
    valid = [found for path in paths if (found := valid_pixels(path, page, axes)) is not None]
    return ~np.logical_and.reduce(valid) if valid else np.zeros((1, 1), bool)


def read_bands(paths: Sequence[Path], page: int | None = None, axes: str | None = None) -> Picture:
    """The picture of several files, the channels of the one after those of the other.

    Raises:
        ReadError: a file does not open.
        DataError: they differ in size or type; names them.
    """
    first, *rest = (read_picture(path, page, axes) for path in paths)
    if not rest:
        return first
    for path, other in zip(paths[1:], rest, strict=True):
        if other.image.shape[:2] != first.image.shape[:2] or other.image.dtype != first.image.dtype:
            said = [f"{'×'.join(map(str, p.image.shape[:2]))} {p.image.dtype}" for p in (first, other)]
            raise DataError(
                f"{paths[0]} is {said[0]}, {path} of the same image is {said[1]}. The channels of an image have one "
                "size and one type; convert them.",
                code="unequal-bands",
            )
    nodata = next((p.nodata for p in (first, *rest) if p.nodata is not None), None)
    return Picture(np.concatenate([p.image for p in (first, *rest)], axis=2), first.orientation, nodata)


def read_invalid(path: Path, size: tuple[int, int]) -> NDArray[np.bool_]:
    """Where a file is 0, H W: pixels that count nowhere.

    Raises:
        ReadError, DataError: it does not open, or is not of the image's size.
    """
    values_HW = read_mask(path).values
    if values_HW.shape != size:
        raise DataError(
            f"{path} is {values_HW.shape[0]}×{values_HW.shape[1]}, its image {size[0]}×{size[1]} (height × width). It "
            "says which pixels count, so it must match.",
            code="unequal-sizes",
            image=size,
            mask=values_HW.shape,
        )
    return np.asarray(values_HW == 0)
