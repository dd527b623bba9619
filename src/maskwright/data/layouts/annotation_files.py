"""Annotation files: one about many images, as COCO's and contests' tables are, or one an image, as labelme's are."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from maskwright.data.layouts.annotation_classes import classes_of, leaves_out
from maskwright.data.layouts.annotation_finding import ONE_EACH, Found, annotation_files, part_of, part_of_file
from maskwright.data.layouts.looking import told, tree
from maskwright.data.layouts.name_lists import by_lists
from maskwright.data.layouts.registry import Entry, Pairs, layouts
from maskwright.data.layouts.words import meaning, stem_of
from maskwright.data.names import relative
from maskwright.data.sources.drawn import ignored_value
from maskwright.errors import DataError, MaskwrightError, ReadError
from maskwright.files import read_georeference
from maskwright.files.annotations import AnnotatedImage, Annotations, Reading, read_annotations
from maskwright.files.annotations.record import parts_of

_ORDER = {"train": 0, "val": 1, "test": 2, None: 3}


@dataclass
class _Drawn:
    """What was found of one format."""

    format: str
    entries: list[Entry] = field(default_factory=list)
    files: list[Path] = field(default_factory=list)
    """Those that belong to images."""
    lonely: list[Path] = field(default_factory=list)
    """Those that belong to none."""
    read: list[Annotations] = field(default_factory=list)
    images: list[AnnotatedImage] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


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
            (_one_each if kind in ONE_EACH else _of_many)(root, kind, files, pictures)
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


def _pairs(root: Path, drawn: _Drawn, pictures: Sequence[Path]) -> Pairs:
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


def _of_many(root: Path, kind: str, files: Sequence[Path], pictures: Sequence[Path]) -> _Drawn:
    """Files each of which is about many images."""
    drawn = _Drawn(kind)
    claims: dict[Path, list[tuple[Path, AnnotatedImage]]] = defaultdict(list)
    missing: dict[Path, int] = {}
    reading = told().reading
    for file in sorted(_settled(root, kind, files, drawn), key=lambda f: _ORDER[part_of_file(f, root)]):
        annotations = _read(file, reading)
        matched = _matched(root, file, annotations, _in_scope(root, file, pictures))
        if not matched:
            drawn.lonely.append(file)
            continue
        for path, image in matched.items():
            claims[path].append((file, image))
        drawn.files.append(file)
        drawn.read.append(annotations)
        missing[file] = len({image.file for image in annotations.images} - {image.file for image in matched.values()})
    for path in pictures:
        if path in claims:
            file, image = _only(root, path, claims[path], drawn)
            split = part_of(path, root) or part_of_file(file, root)
            key = relative(path, root)
            drawn.entries.append(Entry(path, file, split, source="drawn", key=key, reading=reading))
            drawn.images.append(image)
    for file, count in missing.items():
        if count:
            drawn.notes.append(f"{count} images that {relative(file, root)} names are not there")
    return drawn


def _matched(root: Path, file: Path, annotations: Annotations, pictures: Iterable[Path]) -> dict[Path, AnnotatedImage]:
    """Picture → what is said of it. Of several that an entry could mean, the one whose name and folders agree best."""
    wanted: dict[int, list[tuple[tuple[bool, int], Path]]] = defaultdict(list)
    images = {id(image): image for image in annotations.images}
    for path in pictures:
        inside = relative(path, root)
        if (image := annotations.of(inside)) is not None:
            wanted[id(image)].append((_agreement(inside, image.file), path))
    matched = {}
    for key, fitting in wanted.items():
        best = max(agreement for agreement, _ in fitting)
        paths = [path for agreement, path in fitting if agreement == best]
        if len(paths) > 1:
            shown = " and ".join(relative(path, root) for path in paths[:2])
            raise DataError(
                f"{relative(file, root)} says {images[key].file}, which could be {shown}. Give each image a name of "
                "its own, or write its folder into the annotations.",
                code="which-annotations",
                files=[relative(path, root) for path in paths],
            )
        matched[paths[0]] = images[key]
    return matched


def _agreement(path: str, written: str) -> tuple[bool, int]:
    """Whether the names are equal, and in how many folders from the inmost the paths are."""
    ours, theirs = parts_of(path), parts_of(written)
    common = 0
    for one, other in zip(ours[-2::-1], theirs[-2::-1], strict=False):
        if one != other:
            break
        common += 1
    return ours[-1] == theirs[-1], common


def _settled(root: Path, kind: str, files: Sequence[Path], drawn: _Drawn) -> Iterator[Path]:
    """The files but those that COCO publishes for other tasks in the same folder: captions, key points."""
    instances = {path.parent for path in files if path.name.lower().startswith("instances")}
    for path in files:
        if kind == "coco" and path.parent in instances and not path.name.lower().startswith("instances"):
            drawn.notes.append(f"{relative(path, root)} left alone beside instances_*.json")
        else:
            yield path


def _in_scope(root: Path, file: Path, pictures: Sequence[Path]) -> list[Path]:
    """The pictures that a file may be about: those beneath its folder, or the nearest above that has some; not those
    of another part.
    """
    scope = file.parent
    while scope != root and scope.is_relative_to(root) and not any(p.is_relative_to(scope) for p in pictures):
        scope = scope.parent
    part = part_of_file(file, root)
    beneath = [path for path in pictures if not scope.is_relative_to(root) or path.is_relative_to(scope)]
    return [path for path in beneath if part is None or part_of(path, root) in (None, part)]


def _only(
    root: Path, image: Path, claims: Sequence[tuple[Path, AnnotatedImage]], drawn: _Drawn
) -> tuple[Path, AnnotatedImage]:
    """The one file that counts for an image: of a file about all and one about a part, the latter."""
    parted = [claim for claim in claims if part_of_file(claim[0], root)]
    if len(claims) == 1:
        return claims[0]
    shown = [relative(file, root) for file, _ in claims]
    if len(parted) == 1:
        left = [relative(file, root) for file, _ in claims if file != parted[0][0]]
        drawn.notes.append(f"{', '.join(left)} left alone beside the files of parts")
        return parted[0]
    raise DataError(
        f"{' and '.join(shown)} both annotate {relative(image, root)}. Say in dataset.yaml which one counts: "
        f"annotations: {{file: {shown[0]}}}.",
        code="which-annotations",
        files=shown,
    )


def _one_each(root: Path, kind: str, files: Sequence[Path], pictures: Sequence[Path]) -> _Drawn:
    """Files each of which is about the image that is called alike."""
    drawn = _Drawn(kind)
    by_key: dict[tuple[str, ...], list[Path]] = defaultdict(list)
    by_stem: dict[str, list[Path]] = defaultdict(list)
    for path in pictures:
        for stem in {stem_of(path), path.name}:
            by_key[*_bare(path, root), stem].append(path)
            by_stem[stem].append(path)
    of: dict[Path, list[Path]] = defaultdict(list)
    for file in files:
        stem = stem_of(file)
        images = by_key.get((*_bare(file, root), stem)) or by_stem.get(stem) or []
        if len(images) > 1:
            images = _of_name(file, images)
        if len(images) > 1:
            shown = " and ".join(relative(path, root) for path in images[:2])
            raise DataError(
                f"{relative(file, root)} could be of {shown}. Put it beside its image, or rename one.",
                code="which-annotations",
                files=[relative(file, root)],
            )
        if images:
            of[images[0]].append(file)
        else:
            drawn.lonely.append(file)
    for image, own in of.items():
        reading = _with_map(image, kind)
        split = part_of(image, root) or part_of(own[0], root)
        drawn.entries.append(Entry(image, own[0], split, tuple(own[1:]), source="drawn", reading=reading))
        drawn.files += own
        try:
            annotations = read_annotations(own[0], reading)
        except MaskwrightError:
            continue  # told when all files are opened
        drawn.read.append(annotations)
        drawn.images += annotations.images
    return drawn


def _of_name(file: Path, images: list[Path]) -> list[Path]:
    """Of images of one stem those whose name the file says, if it says one."""
    try:
        said = {parts_of(image.file)[-1] for image in read_annotations(file, told().reading).images}
    except MaskwrightError:
        return images  # told when all files are opened
    return [path for path in images if path.name in said] or images


def _bare(path: Path, root: Path) -> tuple[str, ...]:
    """The folders of a path without those that only say that images or labels lie there."""
    inside = path.parent.relative_to(root).parts if path.is_relative_to(root) else ()
    kept = []
    for name in inside:
        said = meaning(name)
        if said.split:
            kept.append(said.split)
        elif not said.role and name.lower() not in {"json", "jsons", "geojson", "labelme", "txt"}:
            kept.append(name)
    return tuple(kept)


def _with_map(image: Path, kind: str) -> Reading:
    reading = told().reading
    if kind != "geojson":
        return reading
    try:
        place = read_georeference(image)
    except ReadError:
        return reading  # told when the image is opened
    return reading if place is None else reading.model_copy(update={"pixel_to_map": place.affine})


def _read(file: Path, reading: Reading) -> Annotations:
    try:
        return read_annotations(file, reading)
    except ReadError as error:
        raise DataError(f"{error}", code="broken-annotations", files=[str(file)]) from error


def _pictures(root: Path) -> list[Path]:
    """All pictures but those in folders of masks, if there are others."""
    pictures = [path for _, files in tree(root) for path in files]
    images = [p for p in pictures if not any(meaning(n).role == "mask" for n in p.parent.relative_to(root).parts)]
    return images or pictures


def _demand_whole(root: Path, drawn: _Drawn, looked: Found) -> None:
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


def _in_one_folder(root: Path, drawn: _Drawn) -> bool:
    """Whether images and annotations lie in one folder whose name says nothing: then that is the data set."""
    paths = [*(entry.image for entry in drawn.entries), *drawn.files]
    inside = [path.relative_to(root).parts for path in paths if path.is_relative_to(root)]
    first = {parts[0] for parts in inside}
    return len(first) == 1 and all(len(parts) > 1 for parts in inside) and not meaning(next(iter(first)))


def _about(root: Path, drawn: _Drawn) -> Iterator[str]:
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
