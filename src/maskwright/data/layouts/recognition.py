"""The choice among layouts: each says what it finds, the one that explains the folder best is taken, and why told."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from maskwright.data.layouts.looking import Told, files_in, folders_in, looking, told, tree
from maskwright.data.layouts.refinement import demand_one_folder_of_masks, field_of_view_taken_for_labels, refined
from maskwright.data.layouts.registry import Entry, Layout, Pairs, layouts
from maskwright.data.layouts.words import meaning, stem_of
from maskwright.data.names import relative
from maskwright.errors import DataError
from maskwright.files import is_archive, is_folder, members

NEAR = 0.05
"""Layouts whose shares of explained files lie so near fit equally well."""

_CHILDREN = 20


@dataclass(frozen=True)
class Candidate:
    """A layout that says something about a folder."""

    name: str
    rank: int
    pairs: Pairs
    explained: float
    """The share of the folder's pictures that it makes use of, 0 to 1."""

    @property
    def score(self) -> float:
        """The share, and one more where something is there that only such data holds."""
        return self.explained + bool(self.pairs.marks)


def recognise(root: Path, given: Told | None = None) -> tuple[str, Pairs]:
    """The name of the layout that fits the folder best, with what it found; or of the one that is given.

    A layout scores the share of the folder's pictures that it explains, and 1 more for a mark of its own; of those that
    score alike the more particular one is taken. A layout that finds other pairs and nearly as many is named in a note.

    Raises:
        DataError: the folder is missing, empty, or laid out in no known way, or not in the given one.
    """
    given = given or Told()
    if not is_folder(root):
        raise DataError(f"{root} is not a folder. Give the folder that holds your images and masks.")
    with looking(given):
        valid, numbers = stated_valid(root), stated_numbers(root)
        with looking(hidden=[*valid, *numbers]):
            name, pairs = _only(root, given.layout) if given.layout else _best(root)
        pairs = refined(root, pairs, valid, numbers)
        if not given.layout and not pairs.marks:
            demand_one_folder_of_masks(root, pairs)
        return name, pairs


def stated_valid(root: Path) -> list[Path]:
    """The folders that are stated to hold masks of valid pixels.

    Raises:
        DataError: one is stated and there is none.
    """
    return _stated_folders(root, "valid", told().valid)


def stated_numbers(root: Path) -> list[Path]:
    """The folders that are stated to hold files that number objects.

    Raises:
        DataError: one is stated and there is none.
    """
    instances = told().instances
    return _stated_folders(root, "instances", instances if isinstance(instances, str) else None)


def _stated_folders(root: Path, key: str, name: str | None) -> list[Path]:
    if not name:
        return []
    found = [path for path, _ in tree(root) if _is_called(path, root, name)]
    if not found:
        raise DataError(f"dataset.yaml says {key}: {name}, but there is no such folder in {root}.")
    return found


def _is_called(path: Path, root: Path, name: str) -> bool:
    inside = relative(path, root)
    return path != root and (inside == name.strip("/") or path.name == name.strip("/"))


def _only(root: Path, name: str) -> tuple[str, Pairs]:
    found = layouts[name](root)
    if found is None:
        fitting = [candidate.name for candidate in _ranked(root)]
        instead = f"It could be read as {', '.join(fitting)}." if fitting else "No other layout fits it either."
        raise DataError(
            f"dataset.yaml says layout: {name}, but {root} is not laid out so: {_expected(layouts[name])} {instead} "
            "Correct or take out the line."
        )
    return name, replace(found, notes=(*found.notes, f"read as {name}, as dataset.yaml says"))


def _expected(layout: Layout) -> str:
    return (layout.__doc__ or "").strip().split("\n")[0]


def _best(root: Path) -> tuple[str, Pairs]:
    ranked = _ranked(root)
    if not ranked:
        return _deeper(root)
    best, *others = ranked
    suspects = field_of_view_taken_for_labels(best.pairs)
    if suspects:
        return _without(root, best, suspects)
    also = [other for other in others if _competes(other, best)]
    return best.name, replace(best.pairs, notes=(*best.pairs.notes, *map(_note, also)))


def _deeper(root: Path) -> tuple[str, Pairs]:
    """The reading of the one child folder that fits, or of the best of several that show the same images.

    Raises:
        DataError: there is none, or several with different images.
    """
    children = folders_in(root)[:_CHILDREN]
    fitting = [(path, ranked[0]) for path in children if (ranked := _fits(path))]
    if not fitting:
        raise DataError(_nothing(root))
    top = max(one.score for _, one in fitting)
    fitting.sort(key=lambda one: (one[1].score < top - NEAR, one[1].rank))
    (folder, _), *others = fitting
    shown = {path: {stem_of(e.image) for e in one.pairs.entries if e.mask} for path, one in fitting}
    if any(not _alike(shown[folder], shown[other]) for other, _ in others):
        names = sorted(relative(path, root) for path, _ in fitting)
        raise DataError(
            f"{root} holds several data sets: {', '.join(names)}. Give one of them, such as {root / names[0]}.",
            code="which-folder",
            files=names,
        )
    name, pairs = _best(folder)
    notes = [f"read is the folder {relative(folder, root)}"]
    notes += [
        f"{relative(other, root)} shows the same images ({one.name}: {one.pairs.reason}); if that is meant, give it"
        for other, one in others
    ]
    return name, replace(pairs, base=folder, notes=(*notes, *pairs.notes))


def _alike(ours: set[str], theirs: set[str]) -> bool:
    """Whether most images of the smaller set are in the other."""
    return 2 * len(ours & theirs) > min(len(ours), len(theirs))


def _without(root: Path, best: Candidate, suspects: list[Path]) -> tuple[str, Pairs]:
    """The reading of a folder in which masks of the field of view are not taken for labels."""
    shown = ", ".join(relative(path, root) for path in suspects)
    with looking(hidden=suspects):
        if _ranked(root):
            return _best(root)
    raise DataError(
        f"{shown} looks like masks of the field of view, not like labels: one big region, the same in every file, and "
        "the image is black around it. If pixels outside of it are to be left out, say valid: "
        f"{suspects[0].name} in dataset.yaml, and where the labels are; if these are the labels, say layout: "
        f"{best.name} there.",
        code="field-of-view",
        files=[relative(path, root) for path in suspects],
    )


def _ranked(root: Path) -> list[Candidate]:
    """All that fit, the best first.

    Raises:
        DataError: what a layout has to complain of, unless a more particular one fits.
    """
    candidates: list[Candidate] = []
    complaint: DataError | None = None
    pictures = None
    packed = is_archive(root)
    for name, layout in sorted(layouts.items(), key=lambda item: item[1].rank):
        if packed and not getattr(layout, "archives", False):
            continue
        try:
            pairs = layout(root)
        except DataError as error:
            if not candidates and complaint is None:
                complaint = error
            continue
        if pairs is None:
            continue
        if pictures is None:
            pictures = {path for _, files in tree(root) for path in files}
        candidates.append(Candidate(name, layout.rank, pairs, _explained(pairs, pictures)))
    if complaint is not None and not any(candidate.pairs.marks for candidate in candidates):
        raise complaint
    if not candidates:
        return []
    best = max(candidate.score for candidate in candidates)
    alike = [candidate for candidate in candidates if candidate.score >= best - NEAR]
    rest = [candidate for candidate in candidates if candidate.score < best - NEAR]
    return [*sorted(alike, key=lambda one: one.rank), *sorted(rest, key=lambda one: -one.score)]


def _explained(pairs: Pairs, pictures: set[Path]) -> float:
    used: set[Path] = set()
    for entry in pairs.entries:
        used.update(_files(entry))
    return len(used & pictures) / len(pictures) if pictures else 1.0


def _files(entry: Entry) -> Iterable[Path]:
    # A rival is not explained: it must be left out.
    yield from (entry.image, *entry.bands, *entry.parts.values())
    if entry.valid:
        yield entry.valid
    if entry.mask:
        yield from files_in(entry.mask) if entry.source == "object_files" else [entry.mask]


def _competes(other: Candidate, best: Candidate) -> bool:
    """Whether it would be another data set and nearly as large a one."""
    if best.pairs.marks and not other.pairs.marks:
        return False
    ours, theirs = _labels(best.pairs), _labels(other.pairs)
    return 2 * len(theirs) >= len(ours) and not theirs <= ours


def _labels(pairs: Pairs) -> set[tuple[Path, Path, str]]:
    return {(entry.image, entry.mask, entry.source) for entry in pairs.entries if entry.mask}


def _note(other: Candidate) -> str:
    pairs = sum(entry.mask is not None for entry in other.pairs.entries)
    return (
        f"it could also be read as {other.name} ({pairs} images with masks; {other.pairs.reason}); if that is meant, "
        f"say layout: {other.name} in dataset.yaml"
    )


def _nothing(root: Path) -> str:
    if is_archive(root):
        return (
            f"No images with masks were found in {root}, {len(members(root))} files. Members of equal key belong "
            "together, as 000017.jpg and 000017.png, or lie in it as images/ and masks/ with equal file names."
        )
    inside = sorted(path.name + ("/" if path.is_dir() else "") for path in root.iterdir() if path.name[0] != ".")
    if not inside:
        return f"{root} is empty. It should hold images and masks, as folders images/ and masks/ with equal file names."
    shown = ", ".join(inside[:8]) + (" …" if len(inside) > 8 else "")
    text = f"No images with masks were found in {root}; it holds: {shown}.\n"
    if files_in(root) and meaning(root.name):
        text += f"By its name this folder is one part of a data set: give the one around it, {root.resolve().parent}.\n"
    return text + (
        "Lay them out as images/ and masks/ with equal file names, or put them side by side as NAME.png and "
        "NAME_mask.png, or name the folders in a dataset.yaml (images: FOLDER, masks: FOLDER)."
    )


def _fits(folder: Path) -> list[Candidate]:
    try:
        return _ranked(folder)
    except DataError:
        return []
