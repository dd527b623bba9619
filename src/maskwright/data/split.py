"""The split: which samples are trained on, validated on, and kept for the test."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from numpy.typing import NDArray

from maskwright.data.dataset_file import DatasetFile, checked_share
from maskwright.data.drawing import VALIDATION_SHARE, exactly, held_out, place, stratified
from maskwright.data.folds import fold_of
from maskwright.data.folds import shown as shown_fold
from maskwright.data.grouping import Grouping, grouping
from maskwright.data.groups import Stated, Unit, crossing, together
from maskwright.data.labels import Labels
from maskwright.data.names import matches
from maskwright.data.sample import Sample
from maskwright.data.strata import marks, spread, stratum
from maskwright.errors import DataError, SettingError

__all__ = ["VALIDATION_SHARE", "Draw", "assign", "held_out", "stratified"]


@dataclass(frozen=True)
class Draw:
    """How images are drawn for a part that nobody named.

    Each image's place in the order of drawing is a hash of its name and the seed, so the order of the files means
    nothing. A share draws what lies below it: about as many, and adding an image never moves another. A number of
    images draws the first so many: exact, and adding one may move the one at the border. Images of a group are drawn
    together or not at all, by the hash of the group's name: adding an image to a group moves nothing, adding a group
    moves no other.

    Stratified, of two classes, images are parted by how much foreground they show (none; up to 1/10; up to 2/10 …), and
    each stratum gives its share, rounded such that all together are exact. Adding an image may move the one at the
    border of its stratum, and that of one other stratum, which takes or leaves the place that rounding gives. Of more
    classes, and of groups, each part shows as much of every class as the others; see `strata.spread`. There adding an
    image may move others.
    """

    val: float | None = None
    test: float | None = None
    """Below 1 a share, from 1 a number of images; of the labelled ones that are in no part yet. None for val: the
    usual share, if there are no validation images."""
    stratify: bool = False
    seed: int = 0
    groups: Stated | None = None
    """Which images stay together; see `groups.read_groups`."""
    propose: bool = True
    """Whether those that names show plainly do, where nothing is stated and no split is published."""
    folds: int | None = None
    """Instead of one validation part, so many that validate in turn."""
    fold: int = 0
    """Which of them does, from 0."""

    def __post_init__(self) -> None:
        for name in ("val", "test"):
            if (value := getattr(self, name)) is not None:
                try:
                    checked_share(value)
                except ValueError as error:
                    raise SettingError(f"{name}: {value} of the images cannot be drawn; {error}.") from None
        if max(shares := [share for share in (self.val, self.test) if share], default=1) < 1 <= sum(shares):
            raise SettingError(f"val: {self.val} and test: {self.test} leave nothing to train on.")
        if self.folds is None and self.fold:
            raise SettingError(f"fold {self.fold} validates, but of how many? Say also --folds 5.")
        if self.folds is not None and not (self.folds >= 2 and 0 <= self.fold < self.folds):
            raise SettingError(
                f"There is no fold {self.fold} of {self.folds}; there are two or more, counted from 0 to folds - 1."
            )
        if self.folds is not None and self.val is not None:
            raise SettingError(f"val: {self.val} and folds: {self.folds} both say what validates. Leave out one.")

    @classmethod
    def stated(
        cls,
        stated: DatasetFile,
        share: float | None,
        test_share: float | None,
        stratify: bool,
        seed: int,
        *,
        groups: Stated | None = None,
        propose: bool = True,
        folds: int | None = None,
        fold: int | None = None,
    ) -> "Draw":
        """What is asked for, else what the data set's file says."""
        # Folds that are asked for stand in for a share in the file.
        val = (None if folds else stated.split.share("val")) if share is None else share
        return cls(
            val,
            stated.split.share("test") if test_share is None else test_share,
            stratify or stated.split.stratify,
            seed or stated.split.seed,
            stated.split.groups if groups is None else groups,
            propose,
            stated.split.folds if folds is None else folds,
            (0 if folds else stated.split.fold) if fold is None else fold,
        )


def assign(
    samples: list[Sample],
    shown: Sequence[Path],
    root: Path,
    stated: DatasetFile,
    test: Sequence[str],
    val: Sequence[str],
    draw: Draw,
    labels: Labels,
    thumbnails: Mapping[str, NDArray[Any]] | None = None,
) -> tuple[list[Sample], tuple[str, ...]]:
    """Every sample with its part, as asked for, else as published, else by its name or group; and what is to be said.

    shown: the images' paths, as patterns mean them. thumbnails: small grey pictures of equal size by
    `groups.paths_of`, which bear out or refute the groups that names show.

    Raises:
        DataError: a pattern matches nothing, a share is asked for a part that has images, groups are too few or not
            found, or nothing is left.
        SettingError: a pattern of groups is none, or folds are asked for beside validation images.
    """
    if draw.folds and (val or stated.split.patterns("val")):
        raise SettingError(
            "Validation images are named and folds are asked for: each says what validates. Leave out one."
        )
    parts = _as_said(samples, shown, root, stated, test, val)
    here = grouping(samples, root, draw.groups, propose=draw.propose, thumbnails=thumbnails)
    pool = [i for i, s in enumerate(samples) if parts[i] == "train" and s.mask]
    chance = _Chance(samples, parts, here, draw, labels, root)
    if draw.folds:
        reasons = [chance.drawn("test", pool), chance.folded()]
    else:
        reasons = [chance.drawn(part, pool) for part in _DRAWN]
    if draw.stratify and not any(reasons):
        reasons = ["nothing to stratify: the parts are as published or named"]
    if not any(part == "train" and s.mask for s, part in zip(samples, parts, strict=True)):
        raise DataError(f"No image of {root} is left to train on: all are set aside for validation or test.")
    out = [
        s.model_copy(update={"split": part, "group": group, "fold": chance.folds.get(i)})
        for i, (s, part, group) in enumerate(zip(samples, parts, here.groups, strict=True))
    ]
    said = "; ".join(filter(None, reasons))
    return out, tuple(filter(None, (said, *here.notes(crossing(out), chance.happened))))


def _as_said(
    samples: list[Sample],
    shown: Sequence[Path],
    root: Path,
    stated: DatasetFile,
    test: Sequence[str],
    val: Sequence[str],
) -> list[str]:
    # The last one wins: what is to be kept for the test is never trained on.
    asked = {
        "train": stated.split.patterns("train"),
        "val": (*val, *stated.split.patterns("val")),
        "test": (*test, *stated.split.patterns("test")),
    }
    parts: list[str | None] = [sample.split for sample in samples]
    for split, patterns in asked.items():
        for pattern in patterns:
            hits = [i for i, path in enumerate(shown) if matches(path, root, [pattern])]
            if not hits:
                raise DataError(f"The {split} pattern {pattern!r} matches no image in {root}.")
            for i in hits:
                parts[i] = split
    return [part or "train" for part in parts]


class _Chance:
    """Draws the parts that nobody named, one after the other; `parts` has them then, and `folds` the fold of each."""

    def __init__(self, samples: list[Sample], parts: list[str], here: Grouping, draw: Draw, labels: Labels, root: Path):
        self.samples, self.parts, self.here, self.draw = samples, parts, here, draw
        self.labels, self.root = labels, root
        self.folds: dict[int, int] = {}
        self.happened = False

    def drawn(self, part: Literal["test", "val"], pool: list[int]) -> str | None:
        """What was drawn for a part, in words, if there is something to say. pool: places to draw from."""
        asked = self.draw.val if part == "val" else self.draw.test
        there = sum(now == part and bool(s.mask) for s, now in zip(self.samples, self.parts, strict=True))
        if there and asked is not None:
            raise DataError(
                f"{there} images of {self.root} are in the {part} part already, by name or as published, so that no "
                f"share of them can be drawn. Leave out the share for {part}, or the patterns."
            )
        if there or (part == "test" and asked is None):
            return None
        share = VALIDATION_SHARE if asked is None else asked
        names = [self.samples[i].name if self.parts[i] == "train" else None for i in pool]
        if share >= max(1, free := sum(name is not None for name in names)):
            raise DataError(
                f"{share:.0f} {part} images were asked for, but only {free} of {self.root} can be drawn from."
            )
        groups = [self.here.groups[i] for i in pool]
        units = together(names, groups)
        self._demand_units(part, units)
        places = self._places(part, pool, names, share)
        for n in places:
            self.parts[pool[n]] = part
        self.happened = True
        grouped = any(unit.grouped for unit in units)
        if asked is None and not self.draw.stratify and not grouped:
            return None
        return f"{part}: {len(places)} of {len(pool)} images, {self._how(places, names, groups, share)}"

    def folded(self) -> str:
        """Which fold validates, in words. All that is not kept for the test takes part."""
        assert self.draw.folds is not None, "asked by the caller"
        pool = [i for i, s in enumerate(self.samples) if s.mask and self.parts[i] != "test"]
        published = any(self.parts[i] == "val" for i in pool)
        fold = fold_of(
            [self.samples[i] for i in pool],
            self.draw.folds,
            self.draw.seed,
            [self.here.groups[i] for i in pool],
            self.labels if self.draw.stratify else None,
        )
        for i, of in zip(pool, fold, strict=True):
            self.parts[i] = "val" if of == self.draw.fold else "train"
            self.folds[i] = of
        self.happened = True
        more = "; the published validation images take part in the folds" if published else ""
        return f"{shown_fold(fold, self.draw.fold)}{self._strata}{more}"

    def _places(self, part: str, pool: list[int], names: list[str | None], share: float) -> list[int]:
        """Places in the pool that are drawn."""
        first, seed = part == "val", self.draw.seed
        groups = [self.here.groups[i] for i in pool]
        if not self.draw.stratify:
            return held_out(names, share, seed, first=first, groups=groups)
        samples = [self.samples[i] for i in pool]
        if self.labels.count <= 2 and not self.here.any:
            return stratified(names, [stratum(s, self.labels) for s in samples], share, seed, first=first)
        units = sorted(together(names, groups), key=lambda unit: place(unit.name, seed, first))
        if len(units) < 2:
            return []
        free = sum(unit.size for unit in units)
        wanted = exactly(share, len(names), free)
        of = spread(units, marks(samples, self.labels), [wanted, free - wanted])
        return sorted(i for unit, n in zip(units, of, strict=True) if n == 0 for i in unit.members)

    def _demand_units(self, part: str, units: list[Unit]) -> None:
        if len(units) == 1 and units[0].size > 1:
            raise DataError(
                f"All {units[0].size} images of {self.root} that the {part} part could be drawn from are of one group, "
                f"{units[0].name!r}, and a group is never parted. Name others, or write groups: none."
            )

    def _how(self, places: list[int], names: list[str | None], groups: list[str | None], share: float) -> str:
        """In which way these places were drawn."""
        if not any(group is not None for group in groups):
            return f"drawn by name{self._strata}"
        of = len(together(names, groups))
        drawn = len(together([names[i] for i in places], [groups[i] for i in places]))
        wanted = share * len(names) if share < 1 else share
        # By chance alone few groups give a share that may be far from the one that is meant.
        far = not wanted / 1.5 <= len(places) <= wanted * 1.5 and not self.draw.stratify
        advice = "; stratify: true in dataset.yaml comes nearer to the share" if far else ""
        return f"{drawn} of {of} groups, drawn by the group's name{self._strata}{advice}"

    @property
    def _strata(self) -> str:
        if not self.draw.stratify:
            return ""
        if self.labels.count <= 2:
            return "; each stratum of foreground gives its share"
        return "; each class gives its share"


# The test is drawn from the end of the order, so a test part does not change who validates; it goes first, as what
# is kept for the test is never anything else.
_DRAWN: Final[tuple[Literal["test", "val"], ...]] = ("test", "val")
