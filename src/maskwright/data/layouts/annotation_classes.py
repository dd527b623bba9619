"""The classes of drawn labels: background, then the names in the file's own order."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from maskwright.data.class_tables import FILES
from maskwright.data.layouts.annotation_finding import natural
from maskwright.data.sources.drawn import is_background, is_ignored
from maskwright.files.annotations import AnnotatedImage, Annotations

Classes = dict[str, tuple[int, ...]]


def classes_of(read: Sequence[Annotations], folders: Iterable[Path]) -> tuple[Classes, list[str]]:
    """Name → value, and what is to be said of it.

    folders: where a list of classes may lie, the nearest first.
    """
    names = list(dict.fromkeys(name for one in read for name in one.names))
    notes: list[str] = []
    if read and read[0].format in ("labelme", "geojson"):
        names, notes = _in_listed_order(names, folders)
    elif all(name.isdecimal() for name in names):
        names.sort(key=lambda name: natural(Path(name)))
    if groups := _groups(names, read):
        notes.append(f"{', '.join(groups)} only groups other classes and is drawn nowhere, so it is no class")
    kept = [name for name in names if name not in groups and not is_ignored(name)]
    if left_out := [name for name in names if is_ignored(name)]:
        notes.append(f"pixels of {', '.join(left_out)} count nowhere, by the name")
    background = next((name for name in kept if name.strip().lower() == "background"), "background")
    foreground = [name for name in kept if not is_background(name)]
    classes: Classes = {background: (0,)}
    return classes | {name: (value,) for value, name in enumerate(foreground, start=1)}, notes


def leaves_out(images: Iterable[AnnotatedImage]) -> bool:
    """Whether some pixels count nowhere."""
    return any(shape.ignored or shape.crowd or is_ignored(shape.name) for image in images for shape in image.found)


def _groups(names: Sequence[str], read: Sequence[Annotations]) -> list[str]:
    """Roboflow lists the supercategory of all classes as a class, too, which is drawn nowhere."""
    parents = {parent for one in read for parent in one.parents.values()}
    suspects = [name for name in names if name in parents]
    if not suspects:
        return []
    drawn = {shape.name for one in read for image in one.images for shape in image.found}
    return [name for name in suspects if name not in drawn]


def _in_listed_order(names: Sequence[str], folders: Iterable[Path]) -> tuple[list[str], list[str]]:
    """A list that lies beside the files names classes in order; else they are in that of the alphabet, which another
    image does not change.
    """
    for path in (folder / name for folder in folders for name in FILES):
        if not path.is_file():
            continue
        lines = (line.strip() for line in path.read_text("utf-8-sig", errors="replace").splitlines())
        listed = list(dict.fromkeys(line for line in lines if line))
        if not set(listed) & set(names):
            continue
        notes = [f"classes in the order of {path.name}"]
        if others := sorted(set(names) - set(listed)):
            notes.append(f"{path.name} does not list {', '.join(others)}, drawn all the same: a slip of the pen?")
        return [*listed, *others], notes
    return sorted(names), []
