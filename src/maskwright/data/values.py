"""What the values in masks mean, where nobody says so: each reading with its reason, or an error that asks.

Counts are file → value → pixels.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from maskwright.data.class_tables import ClassTable, voc_palette
from maskwright.data.fraying import THRESHOLDS, frayed
from maskwright.data.labels import STRANGE, Labels, assembled, is_background, is_ignored, rgb
from maskwright.errors import DataError
from maskwright.files import MaskStyle

Counts = Mapping[str, Mapping[int, int]]
MANY: Final = "masks-many-values"
ALIKE: Final = "masks-all-alike"
UNMATCHED: Final = "classes-match-nothing"
TOLERANCE: Final = 32
"""How far a channel of a colour may be off for the class to be plain; less where two classes' colours are near."""
VOC_BORDER: Final = 0xE0E0C0
"""What Pascal VOC surrounds objects with: the colour of 255 in its palette."""


def infer(
    counts: Counts,
    style: MaskStyle,
    names: Sequence[str] | None = None,
    ignored: Iterable[int] = (),
    on_borders: Callable[[Sequence[str]], bool] | None = None,
) -> tuple[Labels, str]:
    """The classes that a set of masks shows, and the reason for reading them so.

    names: class names, one a value, as a `classes.txt` gives them. ignored: values that are stated to count nowhere.
    on_borders: whether, in these files, values between the lowest and the highest only lie where the two meet.

    Raises:
        DataError: the values do not look like labels, are all alike, or are not in the list.
    """
    stated = tuple(sorted(set(ignored)))
    counts = without(counts, stated)
    labels, reason = named(counts, style, names, stated, on_borders) if names else unnamed(counts, style, on_borders)
    check(labels, counts)
    ignored = tuple(sorted({*labels.ignored, *stated}))
    return labels.model_copy(update={"ignored": ignored}), reason


def without(counts: Counts, ignored: Iterable[int]) -> dict[str, dict[int, int]]:
    """The counts of the other values."""
    left_out = set(ignored)
    return {file: {v: n for v, n in of_file.items() if v not in left_out} for file, of_file in counts.items()}


def check(labels: Labels, counts: Counts, where: str = "") -> None:
    """Nothing, or an error that names the first file with a value that is no class, and carries all of them."""
    strange = {file: odd for file, of_file in counts.items() if (odd := labels.strange(of_file))}
    for file, odd in strange.items():
        text = labels.complaint(odd, sum(odd.values()), f"{where}{file}")
        raise DataError(text, code=STRANGE, files=strange, strange=strange)


def unnamed(
    counts: Counts, style: MaskStyle, on_borders: Callable[[Sequence[str]], bool] | None = None
) -> tuple[Labels, str]:
    """The classes that values show for themselves."""
    values = sorted({value for of_file in counts.values() for value in of_file})
    if style.mode == "colour" and len(values) > 1:
        return _colours(values, counts, style)
    if style.mode == "grey" and (files := frayed(counts, on_borders)):
        return _thresholded(("background", "foreground"), counts, style, files)
    if len(values) > 64 or _smooth(counts):
        raise _pictures(values, counts)
    if found := _two_values(values, counts, style):
        foreground, reason = found
        return assembled([("background", (0,)), ("foreground", foreground)], (), style), reason
    tops = {255, 65535} & set(values)
    if tops and 0 in values and (stray := _stray(counts, {0} | tops)):
        file, value, pixels = stray
        raise DataError(
            f"{file} has {pixels} pixels of value {value}; nearly all masks hold 0 and {max(tops)} only. Redraw those "
            "pixels, or name the value in dataset.yaml, under classes: or under ignore:.",
            code=STRANGE,
            files=[file],
            strange={file: {value: pixels}},
        )
    # 0, 127, 255 are three steps of grey; 0, 1, 2, 255 are two classes and what surrounds them.
    ignored = (255,) if len(values) > 2 and values[-1] == 255 and values[-2] < 127 else ()
    kept = [value for value in values if value not in ignored]
    if len(set(kept) - tops) + bool(tops & set(kept)) < 2:
        raise _alike(kept)
    parts = [("background" if v == 0 and len(kept) <= 3 else f"class_{v}", (v,)) for v in kept]
    if len(kept) == 2 and kept[0] == 0:
        parts[1] = ("foreground", (kept[1],))
    reason = f"masks hold the values {_run(kept)}" + (
        ", and 255, the usual value for ignored pixels" if ignored else ""
    )
    return assembled(parts, ignored, style), reason


def named(
    counts: Counts,
    style: MaskStyle,
    names: Sequence[str],
    stated: Sequence[int] = (),
    on_borders: Callable[[Sequence[str]], bool] | None = None,
) -> tuple[Labels, str]:
    """The classes of a list, a value each by their order; one of two is what masks of two values show."""
    values = sorted({value for of_file in counts.values() for value in of_file})
    title = f"{len(names)} name{'s' * (len(names) > 1)} in the class list"
    pair = ("background", *names) if len(names) == 1 else tuple(names)
    if len(pair) == 2 and style.mode != "colour":
        if style.mode == "grey" and (files := frayed(counts, on_borders)):
            labels, reason = _thresholded((pair[0], pair[1]), counts, style, files)
            return labels, f"{title}, {reason}"
        if found := _two_values(values, counts, style):
            foreground, reason = found
            return assembled([(pair[0], (0,)), (pair[1], foreground)], (), style), f"{title}, {reason}"
    left_out = {i for i, name in enumerate(names) if i in stated or is_ignored(name)}
    if 255 in values and len(names) <= 255:
        left_out.add(255)
    beyond = [value for value in values if value not in left_out]
    if beyond and 0 in values and max(beyond) == len(names) and not is_background(names[0]) and 0 not in left_out:
        shifted = ["background", *names]
        left_out = {i + 1 for i in left_out if i < len(names)} | ({255} & left_out)
        labels, ignored = _in_order(shifted, left_out, style)
        return labels, f"{title}, for the values 1 … {len(names)}; 0 is taken for background{ignored}"
    labels, ignored = _in_order(names, left_out, style)
    return labels, f"{title}, by their order{ignored}"


def from_values(table: ClassTable, values: Mapping[str, int], counts: Counts, style: MaskStyle) -> tuple[Labels, str]:
    """The classes of a table that gives each a value."""
    present = {value for of_file in counts.values() for value in of_file}
    ignored = {value for name, value in values.items() if is_ignored(name)}
    if 255 in present and 255 not in values.values():
        ignored.add(255)
    parts = [(name, (value,)) for name, value in values.items() if value not in ignored]
    if 0 in present and 0 not in values.values():
        parts.insert(0, ("background", (0,)))
    labels = assembled(parts, tuple(sorted(ignored)), style)
    return labels, f"classes and their values as {table.file} gives them{_told(ignored)}"


def from_colours(
    table: ClassTable, colours: Mapping[str, int], counts: Counts, style: MaskStyle, tolerance: int | None
) -> tuple[Labels, str]:
    """The classes of a table that gives each a colour; colours that are nearly right are taken for the nearest.

    Raises:
        DataError: no pixel has a colour of the table, or one's is too far from all.
    """
    ignored = tuple(colour for name, colour in colours.items() if is_ignored(name))
    parts = [(name, (colour,)) for name, colour in colours.items() if colour not in ignored]
    labels = assembled(parts, ignored, style)
    limit = nearness(list(colours.values())) if tolerance is None else tolerance
    near = labels.model_copy(update={"tolerance": limit})
    if counts and not any(near.strange(of_file).keys() != of_file.keys() for of_file in counts.values()):
        commonest = _commonest(counts)[:3]
        raise DataError(
            f"No pixel of any mask has a colour that {table.file} names; the commonest ones are "
            f"{', '.join(map(labels.shown, commonest))}. Correct {table.file} (are red and blue swapped?), or name the "
            "colours in dataset.yaml: classes: {NAME: '#rrggbb'}.",
            code=UNMATCHED,
            files=[table.file],
        )
    reason = f"classes and their colours as {table.file} gives them" + _told(ignored, labels)
    off = {file: odd for file, of_file in counts.items() if (odd := labels.strange(of_file))}
    if not off:
        return labels, reason
    if any(near.strange(odd) for odd in off.values()):
        return labels, reason  # some are too far: whoever checks the values tells which
    pixels = sum(sum(odd.values()) for odd in off.values())
    first = next(iter(off))
    return near, (
        f"{reason}; {pixels} pixels in {len(off)} masks ({first}{' …' if len(off) > 1 else ''}) have colours that are "
        f"nearly right, as JPEG or smooth edges leave them: each is taken for the nearest, at most {limit} off"
    )


def nearness(colours: Sequence[int]) -> int:
    """How far a colour may be off without being between two of these."""
    apart = [
        max(abs(p - q) for p, q in zip(rgb(a), rgb(b), strict=True)) for i, a in enumerate(colours) for b in colours[:i]
    ]
    return min([TOLERANCE, *((distance - 1) // 2 for distance in apart)])


def _thresholded(names: tuple[str, str], counts: Counts, style: MaskStyle, files: Sequence[str]) -> tuple[Labels, str]:
    top = max(value for of_file in counts.values() for value in of_file)
    threshold = THRESHOLDS[255 if top < 256 else 65535]
    labels = assembled([(names[0], (0,)), (names[1], (255 if top < 256 else 65535,))], (), style)
    more = f" and {len(files) - 1} more" if len(files) > 1 else ""
    return labels.model_copy(update={"threshold": threshold}), (
        f"masks hold 0 and {labels.classes[1].values[0]}, but with smooth or noisy edges in {files[0]}{more}: values "
        f"from {threshold} up are taken for {names[1]} (threshold: {threshold})"
    )


def _two_values(values: Sequence[int], counts: Counts, style: MaskStyle) -> tuple[tuple[int, ...], str] | None:
    """The values that mean foreground, first the one it is written with, and why, if masks are empty or full."""
    tops = {255, 65535} & set(values)
    if not tops:
        return None
    if {0} | tops == set(values):
        # 8- and 16-bit files side by side are one kind of mask: each is full where it is foreground.
        written = 65535 if style.dtype == "uint16" and 65535 in tops else 255
        return (written, *sorted(tops - {written})), f"masks hold 0 and {written}"
    if set(values) - {0} == {1} | tops and not any(
        1 in of_file and tops & of_file.keys() for of_file in counts.values()
    ):
        # 0 and 1 in some files, 0 and 255 in others: two programs, one meaning. 0, 1 and 255 in one file are a class
        # and what counts nowhere.
        times = {v: sum(v in of_file for of_file in counts.values()) for v in (1, *sorted(tops))}
        order = sorted(times, key=lambda v: (-times[v], -v))
        told = ", ".join(f"{v} in {times[v]} masks" for v in order)
        return tuple(order), f"masks hold 0 and one other value, {told}: all taken for the same"
    return None


def _in_order(names: Sequence[str], left_out: Iterable[int], style: MaskStyle) -> tuple[Labels, str]:
    ignored = tuple(sorted(left_out))
    labels = assembled([(n, (i,)) for i, n in enumerate(names) if i not in ignored], ignored, style)
    told = ", ".join(names[i] if i < len(names) else str(i) for i in ignored)
    return labels, told and f"; ignored: {told}"


def _colours(values: Sequence[int], counts: Counts, style: MaskStyle) -> tuple[Labels, str]:
    if len(values) > 64 or _nearly_equal(counts):
        raise DataError(
            f"The masks hold {len(values)} different colours, some nearly alike; a mask has one colour a class. They "
            "look like pictures, or like masks saved as JPEG or resized with smooth edges. Name the classes' colours "
            f"in dataset.yaml, and how far a pixel may be off:\n{_proposal(counts)}",
            code=MANY,
            files=_most(counts),
        )
    if {VOC_BORDER, 0} < set(values) <= {VOC_BORDER, *voc_palette()}:
        kept = [v for v in values if v != VOC_BORDER]
        labels = assembled([(f"#{v:06x}", (v,)) for v in kept], (VOC_BORDER,), style)
        reason = (
            f"masks hold {len(kept)} colours of the Pascal VOC palette, each taken as a class; its border is ignored"
        )
        return labels, reason
    parts = [(f"#{v:06x}", (v,)) for v in values]
    return assembled(parts, (), style), f"masks hold {len(values)} colours, each taken as a class"


def _proposal(counts: Counts) -> str:
    """The lines of a dataset.yaml that would say what the commonest colours mean."""
    apart: list[int] = []
    for colour in _commonest(counts)[:200]:
        if len(apart) < 12 and nearness([*apart, colour]) >= min(8, TOLERANCE):
            apart.append(colour)
    named_ = ", ".join(f'class_{i}: "#{colour:06x}"' for i, colour in enumerate(apart))
    return f"classes: {{{named_}}}\ntolerance: {nearness(apart)}"


def _commonest(counts: Counts) -> list[int]:
    total: Counter[int] = Counter()
    for of_file in counts.values():
        total.update(of_file)
    return [value for value, _ in total.most_common()]


def _nearly_equal(counts: Counts) -> bool:
    """Whether some colour looks like a slip of another, that is near and at least a hundred times as common."""
    total: Counter[int] = Counter()
    for of_file in counts.values():
        total.update(of_file)
    common = total.most_common()
    return any(
        times >= 100 * rarer and nearness([colour, other]) < 8
        for i, (other, rarer) in enumerate(common)
        for colour, times in common[:i]
    )


def _smooth(counts: Counts) -> bool:
    """Whether 0 and 255 have frayed: they fill nearly all, yet values a little above one and below the other occur."""
    total: Counter[int] = Counter()
    for of_file in counts.values():
        total.update(of_file)
    near = any(0 < v < 16 for v in total) and any(239 < v < 255 for v in total)
    return near and total[0] + total[255] > 0.8 * total.total()


def _pictures(values: Sequence[int], counts: Counts) -> DataError:
    worst = _most(counts)
    return DataError(
        f"The masks hold {len(values)} different values, {worst[0]} alone {len(counts[worst[0]])}; a mask has one "
        "value a class. They look like pictures, or like masks saved as JPEG or resized with smooth edges. Save masks "
        "as PNG, or name the values in dataset.yaml (classes: NAME: VALUE); if each object has a value of its own, "
        "say instances: true there; if all from a value up are foreground, threshold: VALUE.",
        code=MANY,
        files=worst,
    )


def _alike(kept: Sequence[int]) -> DataError:
    shown = f"has the value {_run(kept)}" if kept else "is ignored"
    return DataError(
        f"Every mask pixel {shown}: there is nothing to tell apart. Check that the masks are the right files, or "
        "name the classes in dataset.yaml.",
        code=ALIKE,
    )


def _most(counts: Counts) -> list[str]:
    """The files that hold more values than a mask does, at least the one that holds most; that one first."""
    order = sorted(counts, key=lambda file: -len(counts[file]))
    return [file for file in order if len(counts[file]) > 64] or order[:1]


def _stray(counts: Counts, usual: set[int]) -> tuple[str, int, int] | None:
    """File, value and pixels of a slip: unusual values in 1/10 of the files at most, and 1e-4 of the pixels; or more of
    them, where 255 would be ignored for their sake though it is all that most masks show.
    """
    total = sum(sum(of_file.values()) for of_file in counts.values())
    odd = {file: set(of_file) - usual for file, of_file in counts.items() if set(of_file) - usual}
    pixels = sum(counts[file][value] for file, values in odd.items() for value in values)
    drawn = sum(len(usual & set(of_file)) > 1 for file, of_file in counts.items() if file not in odd)
    alone = 2 * drawn > len(counts) and max((v for values in odd.values() for v in values), default=255) < 127
    if not odd or len(odd) > max(1, len(counts) // 10) or (pixels >= 1e-4 * total and not alone):
        return None
    file, value = next((file, min(values)) for file, values in odd.items())
    return file, value, counts[file][value]


def _told(ignored: Iterable[int], labels: Labels | None = None) -> str:
    shown = ", ".join(labels.shown(v) if labels else str(v) for v in sorted(ignored))
    return shown and f"; ignored: {shown}"


def _run(values: Sequence[int]) -> str:
    if len(values) > 3 and list(values) == list(range(values[0], values[-1] + 1)):
        return f"{values[0]} … {values[-1]}"
    return ", ".join(map(str, values))
