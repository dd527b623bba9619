"""Classes: which value in the user's masks means what, and which pixels count nowhere."""

import contextlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from maskwright.errors import DataError
from maskwright.files import MaskStyle
from maskwright.records import IGNORED, Record

IGNORED_NAMES = {"void", "ignore", "ignored", "unlabeled", "unlabelled", "unknown", "dont care", "don't care"}

# Colours that stay apart for people who see few of them (Okabe and Ito 2008), then a wheel.
COLOURS = (
    (0, 0, 0), (230, 159, 0), (86, 180, 233), (0, 158, 115), (240, 228, 66), (0, 114, 178), (213, 94, 0),
    (204, 121, 167), (153, 153, 153), (166, 86, 40), (247, 129, 191), (77, 175, 74), (152, 78, 163), (255, 255, 255),
)  # fmt: skip


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

    @property
    def count(self) -> int:
        """K, the number of classes."""
        return len(self.classes)

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
        named = [label for label, c in enumerate(self.classes) if c.name.strip().lower() == "background"]
        zeros = [label for label, c in enumerate(self.classes) if 0 in c.values and self.count == 2]
        return next(iter(named + zeros), None)

    def encode(self, values_HW: NDArray[Any], file: object = "the mask") -> NDArray[np.uint8]:
        """Labels, H W uint8, of a mask's values.

        Raises:
            DataError: a value is no class and not ignored.
        """
        known = self.label_of
        top = int(values_HW.max(initial=0))
        if top < 1 << 16 and int(values_HW.min(initial=0)) >= 0:
            table = np.full(top + 1, -1, np.int16)
            for value, label in known.items():
                if 0 <= value <= top:
                    table[value] = label
            labels = table[values_HW]
        else:  # colours, as 24-bit numbers
            present, places = np.unique(values_HW, return_inverse=True)
            labels = np.array([known.get(int(v), -1) for v in present], np.int16)[places.reshape(values_HW.shape)]
        if (labels < 0).any():
            strange = np.unique(values_HW[labels < 0])
            raise DataError(self.complaint(strange.tolist(), int((labels < 0).sum()), file))
        return labels.astype(np.uint8)

    def decode(self, labels_HW: NDArray[np.integer[Any]]) -> NDArray[Any]:
        """Mask values, H W, of labels."""
        dtype = np.uint32 if self.style.mode == "colour" else np.dtype(self.style.dtype)
        return np.array([c.values[0] for c in self.classes], dtype)[labels_HW]

    def complaint(self, strange: Iterable[int], pixels: int, file: object) -> str:
        """What to tell a user whose mask has values that are no class."""
        shown = ", ".join(self._show(value) for value in list(strange)[:6])
        known = ", ".join(f"{self._show(v)} = {c.name}" for c in self.classes for v in c.values)
        return (
            f"{file} has {pixels} pixels of value {shown}, which is no class (known: {known}). Redraw those pixels, "
            "or name the value in dataset.yaml, under classes: or under ignore:."
        )

    def _show(self, value: int) -> str:
        return f"#{value:06x}" if self.style.mode == "colour" else str(value)


def infer(
    counts: Mapping[str, Mapping[int, int]],
    style: MaskStyle,
    names: list[str] | None = None,
    ignored: Iterable[int] = (),
) -> tuple[Labels, str]:
    """The classes that a set of masks shows, and the reason for reading them so.

    counts: file → value → pixels. names: class names, one a value, as a `classes.txt` gives them. ignored: values that
    are stated to count nowhere.

    Raises:
        DataError: the values do not look like labels, or are all alike.
    """
    stated = tuple(sorted(set(ignored)))
    counts = {file: {v: n for v, n in of_file.items() if v not in stated} for file, of_file in counts.items()}
    values = sorted({value for of_file in counts.values() for value in of_file})
    found, reason = _named(values, names, counts, style, stated) if names else _unnamed(values, counts, style)
    return _labels([(c.name, c.values) for c in found.classes], tuple(sorted({*found.ignored, *stated})), style), reason


def _unnamed(values: list[int], counts: Mapping[str, Mapping[int, int]], style: MaskStyle) -> tuple[Labels, str]:
    tops = {255, 65535} & set(values)
    if len(values) > 64 or (style.mode != "colour" and _blurred(counts)):
        worst = max(counts, key=lambda file: len(counts[file]))
        raise DataError(
            f"The masks hold {len(values)} different values, {worst} alone {len(counts[worst])}; a mask has one value "
            "a class. They look like pictures, or like masks saved as JPEG or resized with smooth edges. Save masks as "
            "PNG, or name the values in dataset.yaml (classes: NAME: VALUE); if each object has a value of its own, "
            "say instances: true there."
        )
    if style.mode == "colour" and len(values) > 1:
        return _colours(values, style)
    if {0} | tops == set(values) and tops:
        # 8- and 16-bit files side by side are one kind of mask: each is full where it is foreground.
        foreground = _full(tops, style)
        labels = _labels([("background", (0,)), ("foreground", foreground)], (), style)
        return labels, f"masks hold 0 and {foreground[0]}"
    if tops and 0 in values and (stray := _stray(counts, {0} | tops)):
        file, value, pixels = stray
        raise DataError(
            f"{file} has {pixels} pixels of value {value}; nearly all masks hold 0 and {max(tops)} only. Redraw those "
            "pixels, or name the value in dataset.yaml, under classes: or under ignore:."
        )
    # 0, 127, 255 are three steps of grey; 0, 1, 2, 255 are two classes and what surrounds them.
    ignored = (255,) if len(values) > 2 and values[-1] == 255 and values[-2] < 127 else ()
    kept = [value for value in values if value not in ignored]
    if len(set(kept) - tops) + bool(tops & set(kept)) < 2:
        shown = f"has the value {_run(kept)}" if kept else "is ignored"
        raise DataError(
            f"Every mask pixel {shown}: there is nothing to tell apart. Check that the masks are the right files, or "
            "name the classes in dataset.yaml."
        )
    parts = [("background" if v == 0 and len(kept) <= 3 else f"class_{v}", (v,)) for v in kept]
    if len(kept) == 2 and kept[0] == 0:
        parts[1] = ("foreground", (kept[1],))
    reason = f"masks hold the values {_run(kept)}" + (
        ", and 255, the usual value for ignored pixels" if ignored else ""
    )
    return _labels(parts, ignored, style), reason


def declared(classes: Mapping[str, Any], ignored: Iterable[int | str], style: MaskStyle) -> Labels:
    """The classes as a dataset.yaml states them: name → value, values, or '#rrggbb'.

    Raises:
        DataError: a value is not a number or a colour, or stands twice.
    """
    parts = [(name, tuple(value_of(v) for v in (value if isinstance(value, list | tuple) else [value])))
             for name, value in classes.items()]  # fmt: skip
    if empty := [name for name, values in parts if not values]:
        raise DataError(f"dataset.yaml gives the class {empty[0]!r} no value; expected NAME: VALUE.")
    left_out = tuple(dict.fromkeys(value_of(v) for v in ignored))
    flat = [v for _, values in parts for v in values] + list(left_out)
    if twice := {v for v in flat if flat.count(v) > 1}:
        raise DataError(
            f"dataset.yaml gives the value {sorted(twice)} to more than one class; a value means one class."
        )
    return _labels(parts, left_out, style)


def _named(
    values: list[int],
    names: list[str],
    counts: Mapping[str, Mapping[int, int]],
    style: MaskStyle,
    stated: tuple[int, ...],
) -> tuple[Labels, str]:
    tops = {255, 65535} & set(values)
    if len(names) == 2 and tops and set(values) <= {0} | tops:
        foreground = _full(tops, style)
        reason = f"2 names in the class list, masks hold 0 and {foreground[0]}"
        return _labels([(names[0], (0,)), (names[1], foreground)], (), style), reason
    left_out = {i for i, name in enumerate(names) if i in stated or name.strip().lower() in IGNORED_NAMES}
    if 255 in values and len(names) <= 255:
        left_out.add(255)
    labels = _labels([(n, (i,)) for i, n in enumerate(names) if i not in left_out], tuple(sorted(left_out)), style)
    for file, of_file in counts.items():
        if strange := [value for value in of_file if value not in labels.label_of]:
            raise DataError(labels.complaint(strange, sum(of_file[v] for v in strange), file))
    ignored = ", ".join(names[i] if i < len(names) else str(i) for i in sorted(left_out))
    return labels, f"{len(names)} names in the class list, by their order" + (ignored and f"; ignored: {ignored}")


def _colours(values: list[int], style: MaskStyle) -> tuple[Labels, str]:
    parts = [(f"#{v:06x}", (v,)) for v in values]
    return _labels(parts, (), style), f"masks hold {len(values)} colours, each taken as a class"


def _labels(parts: Sequence[tuple[str, tuple[int, ...]]], ignored: tuple[int, ...], style: MaskStyle) -> Labels:
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
            colour = (values[0] >> 16, values[0] >> 8 & 255, values[0] & 255)
        elif style.palette and values[0] < len(style.palette):
            colour = style.palette[values[0]]
        classes.append(ClassLabel(name=name, values=values, colour=colour))
    return Labels(classes=tuple(classes), ignored=ignored, style=style)


def _stray(counts: Mapping[str, Mapping[int, int]], usual: set[int]) -> tuple[str, int, int] | None:
    """File, value and pixels of a slip: unusual values in 1/10 of the files and 1e-4 of the pixels at most."""
    total = sum(sum(of_file.values()) for of_file in counts.values())
    odd = {file: set(of_file) - usual for file, of_file in counts.items() if set(of_file) - usual}
    pixels = sum(counts[file][value] for file, values in odd.items() for value in values)
    if not odd or len(odd) > max(1, len(counts) // 10) or pixels >= 1e-4 * total:
        return None
    file, value = next((file, min(values)) for file, values in odd.items())
    return file, value, counts[file][value]


def _blurred(counts: Mapping[str, Mapping[int, int]]) -> bool:
    """Whether 0 and 255 have frayed: they fill nearly all, yet values a little above one and below the other occur."""
    total: Counter[int] = Counter()
    for of_file in counts.values():
        total.update(of_file)
    near = any(0 < v < 16 for v in total) and any(239 < v < 255 for v in total)
    return near and total[0] + total[255] > 0.8 * total.total()


def _full(tops: set[int], style: MaskStyle) -> tuple[int, ...]:
    """The values that mean foreground, first the one it is written with."""
    written = 65535 if style.dtype == "uint16" and 65535 in tops else 255
    return (written, *sorted(tops - {written}))


def value_of(value: Any) -> int:
    """The mask value that a dataset.yaml means by a number or by a colour such as '#ff8000'."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and value.startswith("#") and len(value) == 7:
        with contextlib.suppress(ValueError):
            return int(value[1:], 16)
    raise DataError(f"dataset.yaml: {value!r} is not a mask value; expected a number or a colour such as '#ff8000'.")


def _run(values: list[int]) -> str:
    if len(values) > 3 and values == list(range(values[0], values[-1] + 1)):
        return f"{values[0]} … {values[-1]}"
    return ", ".join(map(str, values))
