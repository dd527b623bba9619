"""Classes: which value in the user's masks means what, and which pixels count nowhere.

Shapes: H W the picture, U values.
"""

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from maskwright.data.learned_objects import LearnedObjects
from maskwright.errors import DataError, SettingError, nearest
from maskwright.files import MaskStyle
from maskwright.records import IGNORED, Record

IGNORED_NAMES = {"void", "ignore", "ignored", "unlabeled", "unlabelled", "unknown", "dont care", "don't care"}

# Colours that stay apart for people who see few of them (Okabe and Ito 2008), then a wheel.
COLOURS = (
    (0, 0, 0), (230, 159, 0), (86, 180, 233), (0, 158, 115), (240, 228, 66), (0, 114, 178), (213, 94, 0),
    (204, 121, 167), (153, 153, 153), (166, 86, 40), (247, 129, 191), (77, 175, 74), (152, 78, 163), (255, 255, 255),
)  # fmt: skip

STRANGE: Final = "masks-strange-values"
"""The code of the fault that a mask holds a value which is no class."""
_CLASS_KEYS: Final = {"value", "colour"}


class ClassLabel(Record):
    """One class: its name, the values that mean it in the masks, and the colour it is shown in."""

    name: str
    values: tuple[int, ...] = Field(min_length=1)
    """The first is the one that predictions are written with."""
    colour: tuple[int, int, int]


class Labels(Record):
    """The classes of a data set. A class's place in the list is its label in the network: 0, 1, 2 …"""

    classes: tuple[ClassLabel, ...]
    ignored: tuple[int, ...] = ()
    """Values of pixels that count nowhere."""
    style: MaskStyle = MaskStyle()
    """How mask files hold their values; predictions are written likewise."""
    threshold: int | None = None
    """Of two classes: every other value below it means the one of the lowest value, from it on that of the highest."""
    tolerance: int | None = None
    """Colours: every other one means the nearest class, if no channel differs from its colour by more than this."""
    others: Literal["refuse", "ignore"] = "refuse"
    """What is done with a pixel of any value that is still no class."""
    objects: LearnedObjects | None = None
    """What a network learns besides, so that objects that touch come apart. Its label comes after those of the classes;
    it is none of them: files, scores and reports know its pixels as those of the classes that they are a part of."""

    @property
    def count(self) -> int:
        """The number of classes, K: what masks and scores tell apart."""
        return len(self.classes)

    @property
    def learned(self) -> int | None:
        """The label of what is learned of objects; None if nothing is."""
        return self.count if self.objects else None

    @property
    def marks(self) -> dict[int, int]:
        """Of a plane that keeps where a network sees what it learned of objects: the label of such a pixel → the class
        that it is a part of. The first is `learned`; there are as many as `things`.
        """
        return {} if self.objects is None else dict(enumerate(self.things, start=self.count))

    @property
    def outputs(self) -> list[str]:
        """The names of all that a network tells apart, in order of label."""
        return [*self.names, self.objects.name] if self.objects else self.names

    @property
    def names(self) -> list[str]:
        """The names, in order of label."""
        return [c.name for c in self.classes]

    @property  # not cached: a copy with other classes would keep the old answer
    def label_of(self) -> dict[int, int]:
        """Mask value → label, ignored values included."""
        known = {value: label for label, c in enumerate(self.classes) for value in c.values}
        return known | dict.fromkeys(self.ignored, IGNORED)

    @property
    def background(self) -> int | None:
        """The label of the class called background; of two classes else the one of value 0; None if all are shown
        for their own sake.
        """
        named = [label for label, c in enumerate(self.classes) if is_background(c.name)]
        zeros = [label for label, c in enumerate(self.classes) if 0 in c.values and self.count == 2]
        return next(iter(named + zeros), None)

    @property
    def foreground(self) -> tuple[int, ...]:
        """The labels that are no background, in their order."""
        background = self.background
        return tuple(label for label in range(self.count) if label != background)

    @property
    def things(self) -> tuple[int, ...]:
        """The labels of the classes that have objects, of which a network learns something."""
        of = self.objects.of if self.objects else ()
        return tuple(label for label in self.foreground if not of or self.names[label] in of)

    def learning(self, objects: LearnedObjects | None, of: Sequence[str] = ()) -> Self:
        """The same classes for a network that learns this of objects.

        of: the classes that have objects, if that is known.

        Raises:
            SettingError: objects are to be learned, and there are more classes than a plane of bytes can mark.
        """
        if objects is not None and self.count + len(self.foreground) > IGNORED:
            raise SettingError(
                f"{objects.name.capitalize()}s are to be learned (objects={objects.kind}) of objects of "
                f"{len(self.foreground)} classes; {IGNORED // 2} are the most. Merge some in dataset.yaml, or set "
                "objects=distance."
            )
        if objects is not None and of and not {self.names[label] for label in self.foreground} <= set(of):
            objects = objects.model_copy(update={"of": tuple(of)})
        return self.model_copy(update={"objects": objects})

    def taught(self, labels_HW: NDArray[np.uint8], objects_HW: NDArray[np.integer[Any]]) -> NDArray[np.uint8]:
        """The labels that a network is taught: true ones, with what it learns of these objects."""
        if self.objects is None:
            return labels_HW
        marked_HW = self.objects.marked(objects_HW) & np.isin(labels_HW, self.foreground)
        return np.where(marked_HW, np.uint8(self.count), labels_HW)

    def marked(self, labels_HW: NDArray[np.uint8], learned_HW: NDArray[np.bool_]) -> NDArray[np.uint8]:
        """Labels of the classes, with one of `marks` where a network sees what it learned of objects. On what is no
        foreground nothing is marked.
        """
        mark_of = np.arange(IGNORED + 1, dtype=np.uint8)
        mark_of[list(self.marks.values())] = list(self.marks)
        return np.where(learned_HW, mark_of[labels_HW], labels_HW)

    def of_classes(self, marked_HW: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Labels of the classes, of labels with `marks`."""
        if self.objects is None:
            return marked_HW
        class_of = np.arange(IGNORED + 1, dtype=np.uint8)
        class_of[list(self.marks)] = list(self.marks.values())
        return class_of[marked_HW]

    def encode(self, values_HW: NDArray[Any], file: object = "the mask") -> NDArray[np.uint8]:
        """Labels, H W uint8, of a mask's values.

        Raises:
            DataError: a value is no class and not ignored.
        """
        top = int(values_HW.max(initial=0))
        if top < 1 << 16 and int(values_HW.min(initial=0)) >= 0:
            labels_HW = self.meanings(np.arange(top + 1))[values_HW]
        else:  # colours, as 24-bit numbers
            present_U, places = np.unique(values_HW, return_inverse=True)
            labels_HW = self.meanings(present_U)[places.reshape(values_HW.shape)]
        if (labels_HW < 0).any():
            strange = np.unique(values_HW[labels_HW < 0])
            raise DataError(self.complaint(strange.tolist(), int((labels_HW < 0).sum()), file), code=STRANGE)
        return labels_HW.astype(np.uint8)

    def meanings(self, values_U: NDArray[Any]) -> NDArray[np.int16]:
        """The label of each value; -1 where it is no class and not ignored."""
        values_U = values_U.astype(np.int64)
        keys, known = (np.array(part) for part in zip(*sorted(self.label_of.items()), strict=True))
        at = np.searchsorted(keys, values_U).clip(max=len(keys) - 1)
        labels_U = np.where(keys[at] == values_U, known[at], -1)
        strange = labels_U < 0
        if self.threshold is not None:
            ends = sorted((value, label) for label, c in enumerate(self.classes) for value in c.values)
            labels_U[strange] = np.where(values_U[strange] < self.threshold, ends[0][1], ends[-1][1])
        elif self.tolerance is not None and strange.any():
            labels_U[strange] = _nearest_colour(values_U[strange], keys, known, self.tolerance)
        if self.others == "ignore":
            labels_U[labels_U < 0] = IGNORED
        return labels_U.astype(np.int16)

    def tallied(self, counts: Mapping[int, int]) -> dict[int, int]:
        """Pixels by the classes' own values, of pixels by any value: what is near a class counts as it.

        What is no class is left as it is, but for what is left out as one of `others`.
        """
        if not counts or (self.threshold is None and self.tolerance is None and self.others == "refuse"):
            return dict(counts)
        exact, out = self.label_of, dict[int, int]()
        for value, label in zip(counts, self.meanings(np.array(list(counts))).tolist(), strict=True):
            own = (
                value if value in exact or label < 0 else self.classes[label].values[0] if label < self.count else None
            )
            if own is not None:
                out[own] = out.get(own, 0) + counts[value]
        return dict(sorted(out.items()))

    def strange(self, counts: Mapping[int, int]) -> dict[int, int]:
        """Value → pixels of what is no class and not ignored."""
        known = self.label_of
        if not (others := [value for value in counts if value not in known]):
            return {}
        labels = self.meanings(np.array(others)).tolist()
        return {value: counts[value] for value, label in zip(others, labels, strict=True) if label < 0}

    def decode(self, labels_HW: NDArray[np.integer[Any]]) -> NDArray[Any]:
        """Mask values, H W, of labels; `ignored_value` where one is `IGNORED`."""
        dtype = np.uint32 if self.style.mode == "colour" else np.dtype(self.style.dtype)
        values = np.full(IGNORED + 1, self.ignored_value, dtype)
        values[: self.count] = [c.values[0] for c in self.classes]
        for mark, label in self.marks.items():
            values[mark] = values[label]
        return values[labels_HW]

    @property
    def ignored_value(self) -> int:
        """The mask value of a pixel that counts nowhere: one that masks have for it, else 255, else the highest up to
        255 that is no class; 0 if all are.
        """
        taken = {value for c in self.classes for value in c.values}
        return next(iter(self.ignored), next((value for value in range(255, -1, -1) if value not in taken), 0))

    def complaint(self, strange: Iterable[int], pixels: int, file: object) -> str:
        """What to tell a user whose mask has values that are no class."""
        shown = ", ".join(self.shown(value) for value in list(strange)[:6])
        known = ", ".join(f"{self.shown(v)} = {c.name}" for c in self.classes for v in c.values)
        text = (
            f"{file} has {pixels} pixels of value {shown}, which is no class (known: {known}). Redraw those pixels, "
            "or name the value in dataset.yaml, under classes: or under ignore:."
        )
        if self.style.mode == "colour":
            return f"{text} Colours that are nearly right are taken for the nearest with tolerance: 32 there."
        if self.count == 2 and self.threshold is None:
            middle = sum(c.values[0] for c in self.classes) // 2 + 1
            return f"{text} Masks with smooth edges are parted in the middle with threshold: {middle} there."
        return text

    def shown(self, value: int) -> str:
        """A value as a person writes it."""
        return f"#{value:06x}" if self.style.mode == "colour" else str(value)


def is_background(name: str) -> bool:
    """Whether a class of this name is what surrounds the others; labelme writes `_background_`."""
    return name.strip(" _").lower() == "background"


def is_ignored(name: str) -> bool:
    """Whether a class of this name says that nothing is said of its pixels."""
    return name.strip(" _").lower() in IGNORED_NAMES


def declared(
    classes: Mapping[str, Any],
    ignored: Iterable[int | str],
    style: MaskStyle,
    named: Mapping[str, Sequence[int]] | None = None,
) -> Labels:
    """The classes as a dataset.yaml states them: name → value, values, or '#rrggbb', or {value: …, colour: '#rrggbb'}.

    named: values by name, where the annotations name what is drawn; those names then stand for values.

    Raises:
        DataError: a value is not a number, a colour or a name, or stands twice.
    """
    parts = [(name, values_of(value, named)) for name, value in classes.items()]
    if empty := [name for name, values in parts if not values]:
        raise DataError(f"dataset.yaml gives the class {empty[0]!r} no value; expected NAME: VALUE.")
    left_out = tuple(dict.fromkeys(v for value in ignored for v in values_of(value, named)))
    flat = [v for _, values in parts for v in values] + list(left_out)
    if twice := {v for v in flat if flat.count(v) > 1}:
        raise DataError(
            f"dataset.yaml gives the value {sorted(twice)} to more than one class; a value means one class."
        )
    colours = {
        name: rgb(value_of(value["colour"]))
        for name, value in classes.items()
        if isinstance(value, Mapping) and value.get("colour") is not None
    }
    return assembled(parts, left_out, style, colours)


def assembled(
    parts: Sequence[tuple[str, tuple[int, ...]]],
    ignored: tuple[int, ...],
    style: MaskStyle,
    colours: Mapping[str, tuple[int, int, int]] | None = None,
) -> Labels:
    """Labels of names and values, shown in these colours, else in those of the masks, else in ours.

    Raises:
        DataError: there are too many classes, or a value is none that a mask of this style can hold.
    """
    if len(parts) > IGNORED:
        raise DataError(f"{len(parts)} classes are more than the {IGNORED} that fit; merge some in dataset.yaml.")
    if style.palette and max((values[0] for _, values in parts), default=0) >= len(style.palette):
        style = MaskStyle()  # the palette has no colour for a class; written as greys the values are the same
    limit = 0xFFFFFF if style.mode == "colour" else np.iinfo(style.dtype).max
    classes = []
    for label, (name, values) in enumerate(parts):
        if not 0 <= values[0] <= limit:
            raise DataError(
                f"The class {name!r} has the mask value {values[0]}, but predictions are written like your masks, "
                f"which hold 0 to {limit}. Renumber it, or name the value in dataset.yaml under ignore:."
            )
        colour = COLOURS[label % len(COLOURS)]
        if style.mode == "colour":
            colour = rgb(values[0])
        elif style.palette and values[0] < len(style.palette):
            colour = style.palette[values[0]]
        classes.append(ClassLabel(name=name, values=values, colour=(colours or {}).get(name, colour)))
    return Labels(classes=tuple(classes), ignored=ignored, style=style)


def value_of(value: Any, named: Mapping[str, Sequence[int]] | None = None) -> int:
    """The mask value that a dataset.yaml means by a number, by a colour such as '#ff8000', or by a name."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and named and value in named:
        return named[value][0]
    if isinstance(value, str) and value.startswith("#") and len(value) == 7:
        with contextlib.suppress(ValueError):
            return int(value[1:], 16)
    hint = f" or a name in the annotations. {nearest(value, named)}" if named and isinstance(value, str) else ""
    raise DataError(
        f"dataset.yaml: {value!r} is not a mask value; expected a number or a colour such as '#ff8000'{hint or '.'}"
    )


def rgb(value: int) -> tuple[int, int, int]:
    """Red, green and blue of a colour as one number."""
    return value >> 16 & 255, value >> 8 & 255, value & 255


def values_of(value: Any, named: Mapping[str, Sequence[int]] | None) -> tuple[int, ...]:
    """All the values that a dataset.yaml gives a class."""
    if isinstance(value, Mapping):
        if unknown := set(value) - _CLASS_KEYS:
            raise DataError(f"dataset.yaml: a class has no {min(unknown, key=str)!r}. Known: colour, value.")
        return values_of(value.get("value", ()), named)
    if isinstance(value, list | tuple):
        return tuple(v for one in value for v in values_of(one, named))
    if isinstance(value, str) and named and value in named:
        return tuple(named[value])
    return (value_of(value, named),)


def _nearest_colour(
    values_U: NDArray[np.int64], keys: NDArray[Any], labels: NDArray[Any], tolerance: int
) -> NDArray[np.int64]:
    """The label of the nearest of these colours, by the channel that differs most; -1 where it is too far."""
    shifts = np.array([16, 8, 0])
    colours_U3 = (values_U[:, None] >> shifts & 255).astype(np.int16)
    best_U = np.full(len(values_U), tolerance + 1, np.int16)
    found_U = np.full(len(values_U), -1, np.int64)
    for key, label in zip(keys.tolist(), labels.tolist(), strict=True):
        away_U = np.abs(colours_U3 - np.array(rgb(key), np.int16)).max(axis=1)
        found_U[away_U < best_U] = label
        best_U = np.minimum(best_U, away_U)
    return found_U
