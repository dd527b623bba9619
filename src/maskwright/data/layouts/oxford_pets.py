"""The Oxford-IIIT Pet data set as published: `images/`, `annotations/trimaps/`, `trainval.txt` and `test.txt`.

Parkhi, Vedaldi, Zisserman, Jawahar, "Cats and dogs", CVPR 2012; https://www.robots.ox.ac.uk/~vgg/data/pets/
"""

from collections.abc import Iterator
from pathlib import Path

from maskwright.data.layouts.looking import files_in
from maskwright.data.layouts.registry import Entry, Pairs, layouts
from maskwright.errors import DataError

CLASSES = {"pet": (1,), "background": (2,), "outline": (3,)}
_LISTS = {"trainval.txt": "train", "test.txt": "test"}


class OxfordPets:
    """Images with trimaps of pet, background and outline; the published list of test images is the test part."""

    rank = 5

    def __call__(self, root: Path) -> Pairs | None:
        """The pairs that the lists name, or None if there is no `annotations/trimaps` beside `images`."""
        images, annotations = root / "images", root / "annotations"
        if not images.is_dir() or not (annotations / "trimaps").is_dir():
            return None
        # Of the archive's files, resource forks are hidden ones and .mat files no pictures.
        pictures = {path.stem: path for path in files_in(images)}
        trimaps = {path.stem: path for path in files_in(annotations / "trimaps")}
        if not pictures.keys() & trimaps.keys():
            return None
        listed = list(_listed(annotations, pictures)) or [(stem, None) for stem in pictures]
        entries = tuple(Entry(pictures[stem], trimaps.get(stem), split) for stem, split in listed)
        return Pairs(entries, _reason(entries, len(pictures)), classes=CLASSES, marks=("annotations/trimaps",))


def _listed(annotations: Path, pictures: dict[str, Path]) -> Iterator[tuple[str, str | None]]:
    """Each image that a list names, with its part."""
    lists: dict[str, str | None] = {name: split for name, split in _LISTS.items() if (annotations / name).is_file()}
    before: dict[str, str] = {}
    for name, split in (lists or {"list.txt": None}).items():
        path = annotations / name
        lines = path.read_text("utf-8-sig", errors="replace").splitlines() if path.is_file() else []
        for number, line in enumerate(lines, start=1):
            if not line.strip() or line.startswith("#"):
                continue
            stem = line.split()[0]  # then class, species and breed
            if stem not in pictures:
                raise DataError(
                    f"{path}, line {number}: there is no picture {stem} in images/. Restore it, or take out the line."
                )
            if stem in before:
                raise DataError(f"{path}, line {number}: {stem} stands in {before[stem]} already. Take out one line.")
            before[stem] = name
            yield stem, split


def _reason(entries: tuple[Entry, ...], pictures: int) -> str:
    reason = "the Oxford-IIIT Pet data set: images and annotations/trimaps"
    if any(entry.split for entry in entries):
        reason += ", parts by trainval.txt and test.txt"
    if rest := pictures - len(entries):
        reason += f"; {rest} images on no list are left out"
    if bare := sum(entry.mask is None for entry in entries):
        reason += f"; {bare} images have no trimap"
    return reason


layouts.register("oxford_pets")(OxfordPets())
