"""Annotation files: one about many images, as COCO's and contests' tables are, or one an image, as labelme's are."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from maskwright.data.layouts.annotation_classes import classes_of, leaves_out
from maskwright.data.layouts.annotation_finding import ONE_EACH, Found, annotation_files, part_of
from maskwright.data.layouts.annotation_matching import Drawn, of_many, one_each
from maskwright.data.layouts.looking import told, tree
from maskwright.data.layouts.name_lists import by_lists
from maskwright.data.layouts.registry import Entry, Pairs, layouts
from maskwright.data.layouts.words import meaning
from maskwright.data.names import relative
from maskwright.data.sources.drawn import ignored_value
from maskwright.errors import DataError


class AnnotationFiles:
    """Images with outlines or run lengths in COCO, labelme, CVAT, YOLO, Label Studio, GeoJSON or a contest's table."""

    rank = 65
    """Masks that are pictures win where there are both."""

    def __call__(self, root: Path) -> Pairs | None:
        """The images with what is drawn on them, or None if there are no annotation files, or all is in one
        inner folder.

        Raises:
            DataError: a file is damaged, none of its images is there, or several files claim the same images.
        """
        pictures = _pictures(root)
        if not pictures:
            return None
        found = annotation_files(root)
        kinds = [
            (one_each if kind in ONE_EACH else of_many)(root, kind, files, pictures)
            for kind, files in sorted(found.files.items())
        ]
        kinds = sorted((one for one in kinds if one.entries), key=lambda one: -len(one.entries))
        if not kinds:
            _complain(root, found)
            return None
        best, *others = kinds
        _demand_whole(root, best, found)
        if told().annotations is None and _in_one_folder(root, best):
            return None
        for other in others:
            best.notes.append(
                f"{_shown(other.files, root)} of the format {other.format} left alone; if that counts: annotations: "
                f"{{file: {relative(other.files[0], root)}}} in dataset.yaml"
            )
        return _pairs(root, best, pictures)


def _pairs(root: Path, drawn: Drawn, pictures: Sequence[Path]) -> Pairs:
    used = {entry.image for entry in drawn.entries}
    labelled = {entry.split for entry in drawn.entries}
    alone = []
    entries = list(drawn.entries)
    for path in pictures:
        if path in used:
            continue
        split = part_of(path, root)
        if split is not None and split not in labelled:
            entries.append(Entry(path, None, split))  # to predict on
        else:
            alone.append(path)
    near = dict.fromkeys(folder for file in drawn.files for folder in (file.parent, file.parent.parent))
    classes, notes = classes_of(drawn.read, [*(path for path in near if path.is_relative_to(root)), root])
    values = told().values or {name: of[0] for name, of in classes.items()}
    if alone and drawn.format in ("run-table", "yolo", "labelme"):
        how = "an empty text file" if drawn.format == "yolo" else "an empty cell" if drawn.format == "run-table" else ""
        notes.append(
            f"{len(alone)} images have no annotation; "
            + (f"if nothing is on them, give each {how}" if how else "if nothing is on them, save them without shapes")
        )
    return by_lists(
        root,
        Pairs(
            tuple(entries),
            f"labels are drawn from {drawn.format} annotations, {_shown(drawn.files, root)}",
            tuple(alone),
            tuple(drawn.lonely),
            classes=classes,
            ignored=(ignored_value(values.values()),) if leaves_out(drawn.images) else (),
            notes=(*_few(_about(root, drawn)), *notes),
        ),
    )


def _pictures(root: Path) -> list[Path]:
    """All pictures but those in folders of masks, if there are others."""
    pictures = [path for _, files in tree(root) for path in files]
    images = [p for p in pictures if not any(meaning(n).role == "mask" for n in p.parent.relative_to(root).parts)]
    return images or pictures


def _demand_whole(root: Path, drawn: Drawn, looked: Found) -> None:
    """Notes of files that could not be looked into, or an error if they lie beside those that count."""
    folders = {path.parent for path in drawn.files}
    for path, error in looked.broken.items():
        if path.parent in folders:
            raise DataError(f"{error}", code="broken-annotations", files=[relative(path, root)])
        drawn.notes.append(f"{relative(path, root)} left alone, as it is broken")


def _complain(root: Path, looked: Found) -> None:
    """Raises what is wrong with annotation files where none could be used; nothing if there are none."""
    files, broken = looked.files, list(looked.broken.values())
    found = [path for same in files.values() for path in same]
    if broken and not found:
        raise DataError(f"{broken[0]}", code="broken-annotations")
    if told().annotations is not None and not found:
        raise DataError(f"{told().annotations} holds no annotations of a kind we know. Export it as COCO JSON.")
    if found and not any(kind == "yolo" for kind in files):  # any table of numbers looks like YOLO's
        raise DataError(
            f"{_shown(found, root)} holds annotations, but no image in {root} is called as they say. Put the images "
            "there, or restore their names.",
            code="unpaired",
            files=[relative(path, root) for path in found],
        )


def _in_one_folder(root: Path, drawn: Drawn) -> bool:
    """Whether images and annotations lie in one folder whose name says nothing: then that is the data set."""
    paths = [*(entry.image for entry in drawn.entries), *drawn.files]
    inside = [path.relative_to(root).parts for path in paths if path.is_relative_to(root)]
    first = {parts[0] for parts in inside}
    return len(first) == 1 and all(len(parts) > 1 for parts in inside) and not meaning(next(iter(first)))


def _about(root: Path, drawn: Drawn) -> Iterator[str]:
    yield from dict.fromkeys(drawn.notes)
    for one in drawn.read:
        for note in one.notes:
            yield note.replace(f"{root}/", "").rstrip(".")


def _few(notes: Iterable[str]) -> Iterator[str]:
    """Three notes, and how many there are besides: thousands of files may have one each."""
    notes = list(dict.fromkeys(notes))
    yield from notes[:3]
    if len(notes) > 3:
        yield f"{len(notes) - 3} more notes of this kind"


def _shown(files: Sequence[Path], root: Path) -> str:
    names = [relative(path, root) for path in files]
    return ", ".join(names) if len(names) <= 3 else f"{len(names)} files such as {names[0]}"


layouts.register("annotations")(AnnotationFiles())
