"""What annotation files say of images: shapes with names, image by image. H W the picture."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Literal

from maskwright.errors import DataError
from maskwright.files.annotations.filling import Size
from maskwright.files.annotations.geometry import Geometry

Kind = Literal["polygon", "rectangle", "ellipse", "line", "point", "runs", "bitmap"]

FOREGROUND = "foreground"
"""The name of the one class where a file gives shapes none."""


@dataclass(frozen=True, eq=False, slots=True)
class Shape:
    """One thing that was outlined. x and y are in pixels from the picture's upper left corner, which is 0, 0."""

    name: str
    """The class, as written."""
    kind: Kind
    geometry: Geometry
    source: str
    """File and place, for errors."""
    object: str | None = None
    """Shapes of one class and with the same text here are parts of one object; None: an object of its own."""
    layer: int = 0
    """Higher layers lie over lower ones."""
    crowd: bool = False
    """Many objects outlined as one, which nobody took apart."""
    ignored: bool = False
    """Whether its pixels count nowhere; so it is with a crowd."""
    background: bool = False
    """Whether it is drawn to say that nothing is there."""


@dataclass(frozen=True, eq=False)
class AnnotatedImage:
    """What a file says of one image; no shapes means that someone looked and there is nothing."""

    file: str
    """The image's name as written; where the annotation has a file of its own and does not say, that one's."""
    size: Size | None
    found: tuple[Shape, ...]
    """The shapes in the order of the file."""
    smaller_over_larger: bool = False
    """Whether, within a layer, the smaller of two shapes lies over the larger; else the later over the earlier."""
    aliases: tuple[str, ...] = ()
    """Other names by which the image may be known, such as the one it had before it was uploaded."""
    annotator: str | None = None
    """Who drew it, where a file keeps the work of several people apart."""

    @cached_property
    def shapes(self) -> tuple[Shape, ...]:
        """The shapes in the order they are drawn, each over those before it."""
        if self.smaller_over_larger:
            return tuple(sorted(self.found, key=lambda shape: (shape.layer, -shape.geometry.area())))
        return tuple(sorted(self.found, key=lambda shape: shape.layer))


@dataclass(frozen=True, eq=False)
class Annotations:
    """What one annotation file, or a folder of them, says."""

    format: str
    images: tuple[AnnotatedImage, ...]
    names: tuple[str, ...]
    """The classes in the file's own order where it has one, else in that of their first appearance."""
    source: str
    notes: tuple[str, ...] = ()
    """What was inferred or left out, a sentence each."""
    parents: Mapping[str, str] = field(default_factory=dict)
    """Class → the group it belongs to, as COCO's supercategories."""
    crs: str = ""
    """The map coordinates that a GeoJSON names."""

    def of(self, image: str | Path, annotator: str | None = None) -> AnnotatedImage | None:
        """What is said of an image, or None: by its name, else by its name without suffix; among namesakes the one
        whose folders agree the furthest.

        Raises:
            DataError: several entries could be meant; names them.
        """
        *folders, name = parts_of(str(image))
        for entries in (self._by_name.get(name), self._by_stem.get(stem_of(name))):
            fitting = [e for e in entries or () if annotator is None or e.annotator == annotator]
            if fitting:
                return self._only(fitting, folders, str(image))
        return None

    def _only(self, entries: Sequence[AnnotatedImage], folders: list[str], image: str) -> AnnotatedImage:
        shared = [_common_end(parts_of(entry.file)[:-1], folders) for entry in entries]
        best = [entry for entry, common in zip(entries, shared, strict=True) if common == max(shared)]
        if len(best) == 1:
            return best[0]
        people = sorted({str(entry.annotator) for entry in best})
        if len(people) == len(best):
            raise DataError(
                f"{image} was annotated by {len(people)} people in {self.source}: {', '.join(people)}. "
                f"Say in dataset.yaml whose work counts: annotations: {{annotator: {people[0]}}}."
            )
        shown = ", ".join(dict.fromkeys(entry.file for entry in best[:4]))
        raise DataError(
            f"{len(best)} entries of {self.source} could be meant by {image}: {shown}. "
            "Give each image a name of its own, or write its folder into the annotations."
        )

    @cached_property
    def _by_name(self) -> dict[str, list[AnnotatedImage]]:
        return self._index(lambda name: name)

    @cached_property
    def _by_stem(self) -> dict[str, list[AnnotatedImage]]:
        return self._index(stem_of)

    def _index(self, key: Callable[[str], str]) -> dict[str, list[AnnotatedImage]]:
        index: dict[str, list[AnnotatedImage]] = {}
        for image in self.images:
            # A name that was stripped of something is as good as one that was not; one entry is found once.
            for name in {key(parts_of(name)[-1]) for name in (image.file, *image.aliases)}:
                index.setdefault(name, []).append(image)
        return index


def first_seen(names: Iterable[str]) -> tuple[str, ...]:
    """Each name once, in the order of first appearance."""
    return tuple(dict.fromkeys(names))


def class_names(images: Iterable[AnnotatedImage], known: Iterable[str] = ()) -> tuple[str, ...]:
    """The known classes, then others that shapes have, in order of appearance; ignored and background are none."""
    found = (s.name for image in images for s in image.found if s.crowd or not (s.ignored or s.background))
    return first_seen([*known, *found])


def parts_of(path: str) -> list[str]:
    """The folders and the name in a path, whichever slash it was written with."""
    return [part for part in path.replace("\\", "/").split("/") if part not in ("", ".")] or [""]


def stem_of(name: str) -> str:
    """The name without its last suffix."""
    stem, dot, _ = name.rpartition(".")
    return stem if dot and stem else name


def _common_end(one: list[str], other: list[str]) -> int:
    common = 0
    for a, b in zip(reversed(one), reversed(other), strict=False):
        if a != b:
            break
        common += 1
    return common
