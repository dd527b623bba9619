"""Folds: the images in K parts, each of which validates once what the others are trained on."""

from collections.abc import Sequence

from maskwright.data.drawing import place
from maskwright.data.groups import Groups, Unit, together
from maskwright.data.labels import Labels
from maskwright.data.sample import Sample
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
            f"{k} folds need {k} {what} or more, and there are {len(units)} ({_shown(units)}). Ask for fewer folds"
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


def _shown(units: Sequence[Unit]) -> str:
    names = [unit.name for unit in units]
    return ", ".join(names[:4]) + (" …" if len(names) > 4 else "")
