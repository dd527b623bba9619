"""YOLO's segmentation labels: a text file an image, a line an object, `class x y x y …` in shares of width and height.

Shares are measured from the corner of the first pixel, as our pixels. The smaller of two objects lies over the larger,
as Ultralytics draws them. Names of classes are in `data.yaml` (or another YAML with `names`), `classes.txt` or
`obj.names`; the number of a line counts them from 0.
"""

import os
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar, Final

from maskwright.errors import ReadError
from maskwright.files.annotations.content import Content
from maskwright.files.annotations.geometry import Polygons
from maskwright.files.annotations.record import AnnotatedImage, Annotations, Shape, class_names
from maskwright.files.annotations.registry import Reading, formats
from maskwright.files.annotations.values import points_of, text_of

TOLERANCE: Final = 0.01
"""How far outside of 0 to 1 a share may be: tools round."""
LISTS: Final = ("classes.txt", "obj.names")
MOST: Final = 100_000
"""Classes."""


@formats.register("yolo")
class Yolo:
    """YOLO segmentation labels, or the `data.yaml` that names their classes."""

    suffixes: ClassVar[tuple[str, ...]] = (".txt", ".yaml", ".yml")

    @staticmethod
    def recognises(content: Content) -> bool:
        """Whether this is a YAML with names of classes, or lines of a whole number and at least four shares."""
        if content.path.suffix.lower() in {".yaml", ".yml"}:
            value = content.yaml
            # Our own dataset.yaml has `classes`, and no `names`.
            return isinstance(value, dict) and isinstance(value.get("names"), list | dict)
        text = content.text
        if text is None or content.path.suffix.lower() != ".txt":
            return False
        first = next((line for line in text.splitlines() if line.strip()), None)
        if first is None:  # an image without objects
            return "labels" in content.path.parent.parts
        words = first.split()
        return len(words) >= 5 and words[0].isdigit() and all(_is_number(word) for word in words[1:])

    @staticmethod
    def read(content: Content, reading: Reading) -> Annotations:
        """The image of one file, or all those of the folders called `labels` beside a YAML."""
        if content.path.suffix.lower() in {".yaml", ".yml"}:
            return _data_set(content)
        names, notes = _names_near(content.path)
        images = (_image(content, names),)
        return Annotations("yolo", images, names or class_names(images), str(content.path), notes)


def _data_set(content: Content) -> Annotations:
    path, value = content.path, content.yaml
    names = _names(value["names"], str(path))
    if "kpt_shape" in value:
        raise ReadError(
            f"{path} is of a pose data set: its lines are boxes and points. Export outlines (segmentation)."
        )
    root = path.parent
    if isinstance(stated := value.get("path"), str) and "\0" not in stated and (root / stated).is_dir():
        root = root / stated
    files = [file for file in sorted(root.rglob("*.txt")) if "labels" in file.relative_to(root).parts[:-1]]
    contents = [Content.of(file) for file in files]
    images = tuple(_image(text, names) for text in contents)
    if not images:
        raise ReadError(f"{path} names classes, but in {root} is no folder `labels` with text files. Put them there.")
    return Annotations("yolo", images, names, str(path))


def _image(content: Content, names: tuple[str, ...]) -> AnnotatedImage:
    shapes = []
    if content.text is None:
        raise ReadError(f"{content.path} holds no text, but YOLO labels were expected. Copy or export it again.")
    for number, line in enumerate(content.text.splitlines(), start=1):
        if words := line.split():
            shapes.append(_shape(words, names, f"{content.path}, line {number}"))
    parts = content.path.parts
    # The folders behind the last `labels` are those of the image behind `images`.
    inside = parts[len(parts) - parts[::-1].index("labels") :] if "labels" in parts[:-1] else parts[-1:]
    return AnnotatedImage("/".join(inside), None, tuple(shapes), smaller_over_larger=True)


def _shape(words: list[str], names: tuple[str, ...], source: str) -> Shape:
    if not (words[0].isascii() and words[0].isdigit() and len(words[0]) < 10):
        raise ReadError(f"{source}: it starts with {words[0]!r}; the number of a class was expected.")
    if len(words) in (5, 6):
        raise ReadError(
            f"{source}: a box (class, middle, width and height), not an outline. Masks cannot be drawn from boxes; "
            "export the data set for segmentation."
        )
    if len(words) < 7 or len(words) % 2 == 0:
        raise ReadError(f"{source}: {len(words)} numbers; a class and at least three pairs x y were expected.")
    points = points_of(words[1:], source, least=3)
    if points.min() < -TOLERANCE or points.max() > 1 + TOLERANCE:
        raise ReadError(
            f"{source}: {points.max():g} is no share of the width or height, which are from 0 to 1. "
            "Divide x by the image's width and y by its height."
        )
    number = int(words[0])
    if names and number >= len(names):
        raise ReadError(f"{source}: class {number}, but there are names for 0 to {len(names) - 1} only.")
    return Shape(names[number] if names else str(number), "polygon", Polygons(((points,),), shares=True), source)


def _names(value: Any, path: str) -> tuple[str, ...]:
    """Names in the order of their numbers, from a list or from a mapping of number to name."""
    if isinstance(value, dict):
        if not all(isinstance(key, int) and 0 <= key < MOST for key in value):
            raise ReadError(f"{path}: names: maps {list(value)[:3]} …; numbers of classes from 0 were expected.")
        value = [value.get(number, str(number)) for number in range(max(value, default=-1) + 1)]
    names = tuple(text_of(name, f"name {number}", path) for number, name in enumerate(value))
    if len(set(names)) != len(names) or not names:
        raise ReadError(f"{path}: names: holds {len(names)} names, and not each of its own. Name each class once.")
    return names


def _names_near(path: Path) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The names for a file of labels, from its folder or one of the three above, and a note where there are none."""
    for folder in path.absolute().parents[:4]:
        named = {}
        for file in _candidates(folder, folder.stat().st_mtime_ns):
            stat = file.stat()
            if names := _names_in(file, stat.st_size, stat.st_mtime_ns):
                named[file.name] = names
        if len(set(named.values())) > 1:
            raise ReadError(f"{folder}: {', '.join(named)} name classes differently. Keep one.")
        if named:
            return next(iter(named.values())), ()
    return (), ("No data.yaml or classes.txt names the classes of the YOLO labels; they go by their numbers.",)


# Asked for every file of labels, of which there are tens of thousands; what stands behind both changes with their keys.
@lru_cache(maxsize=64)
def _candidates(folder: Path, changed: int) -> tuple[Path, ...]:
    """The files of a folder that may name classes."""
    with os.scandir(folder) as entries:
        names = sorted(e.name for e in entries if e.name in LISTS or e.name.lower().endswith((".yaml", ".yml")))
    return tuple(folder / name for name in names if (folder / name).is_file())


@lru_cache(maxsize=64)
def _names_in(file: Path, size: int, changed: int) -> tuple[str, ...]:
    """The classes that a file names, or none."""
    content = Content.of(file)
    if file.name in LISTS:
        return _names([line.strip() for line in (content.text or "").splitlines() if line.strip()], str(file))
    try:
        listed = Yolo.recognises(content)
    except ReadError:
        return ()  # somebody else's YAML: broken or not, it names no classes
    return _names(content.yaml["names"], str(file)) if listed else ()


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True
