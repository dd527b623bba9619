"""Folds: the images in K parts, each of which validates once what the others are trained on."""

from collections.abc import Sequence

from maskwright.data.drawing import place
from maskwright.data.groups import Groups, Unit, together
from maskwright.data.labels import Labels
from maskwright.data.sample import Sample, Samples
from maskwright.data.strata import marks, spread
from maskwright.errors import DataError


def folds(
    samples: Sequence[Sample], k: int, seed: int = 0, groups: Groups | None = None, stratify: Labels | None = None
) -> list[tuple[list[Sample], list[Sample]]]:
    """The K pairs of training and validation images; every labelled image that is not kept for the test validates once.

    groups: those of the samples, in their order; None: as the samples themselves say. stratify: the classes that each
    fold is to show as much of. What a fold has is its share to within the largest group, and of single images exact.

    Raises:
        DataError: there are fewer images, or groups, than folds.
    """
    grouped = groups if groups is not None else [sample.group for sample in samples]
    pool = [i for i, sample in enumerate(samples) if sample.mask and sample.split != "test"]
    fold = fold_of([samples[i] for i in pool], k, seed, [grouped[i] for i in pool], stratify)
    return [
        (
            [samples[i] for i, f in zip(pool, fold, strict=True) if f != n],
            [samples[i] for i, f in zip(pool, fold, strict=True) if f == n],
        )
        for n in range(k)
    ]


def fold_of(
    samples: Sequence[Sample], k: int, seed: int = 0, groups: Groups | None = None, stratify: Labels | None = None
) -> list[int]:
    """The fold of each sample, 0 … K-1; as for `folds`."""
    units = sorted(together([s.name for s in samples], groups), key=lambda unit: place(unit.name, seed))
    if len(units) < k:
        what = "groups" if any(unit.grouped for unit in units) else "labelled images"
        raise DataError(
            f"{k} folds need {k} {what} or more, and there are {len(units)} ({_names(units)}). Ask for fewer folds"
            + (", or write groups: none if those images need not stay together." if what == "groups" else ".")
        )
    if stratify is not None:
        whole, over = divmod(len(samples), k)
        of_units = spread(units, marks(samples, stratify), [whole + (n < over) for n in range(k)])
    else:
        of_units = _cut(units, k)
    fold = [0] * len(samples)
    for unit, n in zip(units, of_units, strict=True):
        for i in unit.members:
            fold[i] = n
    return fold


def count(samples: Samples) -> int:
    """How many folds there are.

    Raises:
        DataError: the images are in none.
    """
    found = {sample.fold for sample in samples.samples if sample.fold is not None}
    if not found:
        raise DataError(f"The images of {samples.root} are in no folds. Say how many there are to be: folds=5.")
    return max(found) + 1


def turn(samples: Samples, fold: int) -> Samples:
    """The samples as they are when that fold validates: the others are trained on, the test stays the test.

    Raises:
        DataError: there is no such fold.
    """
    of = count(samples)
    if not 0 <= fold < of:
        raise DataError(f"There is no fold {fold}; there are {of}, counted from 0.")
    return _parted(samples, fold)


def whole(samples: Samples) -> Samples:
    """The samples with all that are in a fold in the training part, as a model of all folds together has seen them.

    Raises:
        DataError: there are no folds.
    """
    count(samples)
    return _parted(samples, None)


def _parted(samples: Samples, validating: int | None) -> Samples:
    """Every sample of a fold in the part that it then has, and the note that says so."""
    before = next((s.fold for s in samples.samples if s.fold is not None and s.split == "val"), None)
    of = [s.fold for s in samples.samples if s.fold is not None]
    said, now = shown(of, before), shown(of, validating)
    parted = (
        s if s.fold is None else s.model_copy(update={"split": "val" if s.fold == validating else "train"})
        for s in samples.samples
    )
    notes = tuple(note.replace(said, now) for note in samples.notes)
    return samples.model_copy(update={"samples": tuple(parted), "notes": notes})


def shown(of: Sequence[int], validating: int | None) -> str:
    """Which of the folds validates, in words. of: the fold of each image."""
    k = max(of) + 1
    if validating is None:
        return f"val: each of {k} folds in turn, {len(of)} images in all"
    return f"val: fold {validating} of {k} (from 0), {of.count(validating)} of {len(of)} images"


def _cut(units: Sequence[Unit], k: int) -> list[int]:
    """The fold of each unit: their order cut into K stretches of as many images, so that one image more moves one over
    each border between them at most. A unit goes where its middle lies; none stays empty.
    """
    images, before, fold = sum(unit.size for unit in units), 0, -1
    out = []
    for rank, unit in enumerate(units):
        middle = (2 * before + unit.size) * k // (2 * images)
        # No fold is left out, and there are units enough for those to come.
        fold = max(min(middle, fold + 1), fold, k - (len(units) - rank))
        out.append(fold)
        before += unit.size
    return out


def _names(units: Sequence[Unit]) -> str:
    names = [unit.name for unit in units]
    return ", ".join(names[:4]) + (" …" if len(names) > 4 else "")
