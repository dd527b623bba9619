"""Which annotations belong to which image: in files about many images, and in files of one each."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from maskwright.data.layouts.annotation_finding import part_of, part_of_file
from maskwright.data.layouts.looking import told
from maskwright.data.layouts.registry import Entry
from maskwright.data.layouts.words import meaning, stem_of
from maskwright.data.names import relative
from maskwright.errors import DataError, MaskwrightError, ReadError
from maskwright.files import read_georeference
from maskwright.files.annotations import AnnotatedImage, Annotations, Reading, read_annotations
from maskwright.files.annotations.record import parts_of

_ORDER = {"train": 0, "val": 1, "test": 2, None: 3}


@dataclass
class Drawn:
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


def of_many(root: Path, kind: str, files: Sequence[Path], pictures: Sequence[Path]) -> Drawn:
    """Files each of which is about many images."""
    drawn = Drawn(kind)
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


def _settled(root: Path, kind: str, files: Sequence[Path], drawn: Drawn) -> Iterator[Path]:
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
    root: Path, image: Path, claims: Sequence[tuple[Path, AnnotatedImage]], drawn: Drawn
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


def one_each(root: Path, kind: str, files: Sequence[Path], pictures: Sequence[Path]) -> Drawn:
    """Files each of which is about the image that is called alike."""
    drawn = Drawn(kind)
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
