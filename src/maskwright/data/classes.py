"""Which classes a data set has: stated, published, listed, or inferred."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from maskwright.data import class_tables, dataset_file, labels, values
from maskwright.data.class_tables import ClassTable
from maskwright.data.dataset_file import DatasetFile
from maskwright.data.fraying import THRESHOLDS, borders_only, frayed
from maskwright.data.labels import Labels
from maskwright.data.sample import Sample
from maskwright.data.sources import sources
from maskwright.errors import DataError
from maskwright.files import MaskStyle

PALETTES: Final = "masks-palettes-differ"
Measured = Sequence[tuple[Sample, MaskStyle | None]]


def choose(
    root: Path,
    stated: DatasetFile,
    measured: Measured,
    published: Mapping[str, tuple[int, ...]] | None = None,
    ignored: tuple[int, ...] = (),
    base: Path | None = None,
) -> tuple[Labels, str]:
    """The classes of a data set, and why: stated in its dataset.yaml, known of a data set that is published, listed in
    a file, or shown by the masks.

    ignored: mask values that are known of it to count nowhere, unless dataset.yaml makes them a class.
    base: where a list of classes lies; None: in `root`.

    Raises:
        DataError: a mask has a value that is no class, or palettes differ from mask to mask.
    """
    chosen, reason = proposed(root, stated, measured, published, ignored, base)
    where = f"{root}/" if stated.classes is not None or published is not None else ""
    values.check(chosen, _counts(measured), where)
    return chosen, reason


def proposed(
    root: Path,
    stated: DatasetFile,
    measured: Measured,
    published: Mapping[str, tuple[int, ...]] | None = None,
    ignored: tuple[int, ...] = (),
    base: Path | None = None,
) -> tuple[Labels, str]:
    """As `choose`, but masks may still hold values that are no class."""
    taken = {v for value in (stated.classes or {}).values() for v in labels.values_of(value, published)}
    out = {v for value in stated.ignore for v in labels.values_of(value, published)}
    more = [value for value in ignored if value not in taken | out]
    stated = stated.model_copy(update={"ignore": (*stated.ignore, *more)})
    style = _common_style([style for _, style in measured if style])
    counts = _counts(measured)
    if stated.classes is not None:
        chosen = labels.declared(stated.classes, stated.ignore, style, published)
        return _lawful(chosen, stated), f"classes as {dataset_file.NAME} states them"
    left_out = {labels.value_of(value, published) for value in stated.ignore}
    if published is not None:
        kept = {name: v for name, v in published.items() if not left_out.intersection(v)}
        drawn = any(sample.source == "drawn" for sample, _ in measured)
        known = "the annotations name them" if drawn else "published"
        reason = f"classes as {known}: " + ", ".join(f"{v[0]} {name}" for name, v in kept.items())
        return _lawful(labels.declared(kept, stated.ignore, style, published), stated), reason
    if stated.threshold is not None:
        return _parted(base or root, stated, counts, style, left_out, measured)
    table = _table(base or root, measured)
    if table is None:
        _demand_one_palette(measured)
    counts = values.without(counts, left_out)
    chosen, reason = (
        _listed(table, counts, style, left_out, stated, measured, root)
        if table
        else values.unnamed(counts, style, _opener(root, measured))
    )
    chosen = chosen.model_copy(update={"ignored": tuple(sorted({*chosen.ignored, *left_out}))})
    return _lawful(chosen, stated), reason


def by_colour(root: Path, stated: DatasetFile, measured: Measured) -> str | None:
    """Why masks that are stored otherwise are to be read as the colours they show; None if they are not.

    Some programs number the colours of each mask anew. Where the same colours come back under other numbers, they are
    what counts; a list of colours says so, too.
    """
    if dataset_file.speaks_of_colours(stated):
        return "masks are read by colour, as dataset.yaml names colours"
    styles = [style for _, style in measured if style]
    if stated.classes is not None or stated.threshold is not None or any(s.dtype == "uint16" for s in styles):
        return None
    if any(style.mode == "colour" for style in styles):
        return "masks hold colours"
    table = _table(root, measured)
    colours = set((table.colours or {}).values()) if table else set()
    if (clash := palette_clash(measured)) and (colours >= set(_shown(measured)) or _colours_come_back(measured)):
        return f"palettes number the same colours differently ({clash}), so the colours count"
    greys = {style.mode for style in styles} == {"grey"}
    present = {value for of_file in _counts(measured).values() for value in of_file}
    if table and greys and table.values is None and not present <= {*range(len(table.rows)), 255}:
        seen = {value << 16 | value << 8 | value for value in present}
        if seen <= colours and any(len(set(labels.rgb(colour))) > 1 for colour in colours):
            return f"masks hold greys that {table.file} names as colours"
    return None


def palette_clash(measured: Measured) -> str | None:
    """What an index is in one mask and what in another, if palettes differ in what is used of them."""
    first: dict[int, tuple[tuple[int, int, int], str | None]] = {}
    for sample, style in measured:
        for value, shown in _used(sample, style).items():
            colour, file = first.setdefault(value, (shown, sample.mask))
            if colour != shown:
                there, here = (f"#{bytes(c).hex()}" for c in (colour, shown))
                return f"the value {value} is {there} in {file} but {here} in {sample.mask}"
    return None


def _lawful(chosen: Labels, stated: DatasetFile) -> Labels:
    """With what the file says of values that are no class.

    Raises:
        DataError: a threshold is to part more than two classes, or colours; a tolerance is for numbers.
    """
    if stated.threshold is not None and (chosen.count != 2 or chosen.style.mode == "colour"):
        raise DataError(
            f"{dataset_file.NAME}: threshold: parts two classes of grey masks; there are {chosen.count}: "
            f"{', '.join(chosen.names)}{' in colour' * (chosen.style.mode == 'colour')}. Take the line out."
        )
    if stated.tolerance is not None and chosen.style.mode != "colour":
        raise DataError(f"{dataset_file.NAME}: tolerance: is for colours; these masks hold numbers. Take the line out.")
    if chosen.count < 2:
        raise DataError(
            f"There is one class only, {', '.join(chosen.names)}: nothing to tell apart. Name another in "
            f"{dataset_file.NAME}, under classes:.",
            code=values.ALIKE,
        )
    said = {"threshold": stated.threshold, "tolerance": stated.tolerance}
    update = {name: value for name, value in said.items() if value is not None}
    return chosen.model_copy(update={**update, "others": stated.others})


def _parted(
    root: Path,
    stated: DatasetFile,
    counts: values.Counts,
    style: MaskStyle,
    left_out: set[int],
    measured: Measured,
) -> tuple[Labels, str]:
    """Two classes, parted where the file says."""
    table = _table(root, measured)
    names = table.names if table and len(table.rows) <= 2 else ["foreground"]
    pair = names if len(names) == 2 else ["background", *names]
    top = max((value for of_file in values.without(counts, left_out).values() for value in of_file), default=255)
    full = next((limit for limit in THRESHOLDS if top <= limit), top) if (stated.threshold or 0) > 1 else 1
    chosen = labels.assembled([(pair[0], (0,)), (pair[1], (full,))], tuple(sorted(left_out)), style)
    reason = f"values from {stated.threshold} up are {pair[1]}, as {dataset_file.NAME} states"
    return _lawful(chosen, stated), reason


def _listed(
    table: ClassTable,
    counts: values.Counts,
    style: MaskStyle,
    left_out: set[int],
    stated: DatasetFile,
    measured: Measured,
    root: Path,
) -> tuple[Labels, str]:
    """The classes as a table names them, by colour, by value, or by their order."""
    present = sorted({value for of_file in counts.values() for value in of_file})
    colours = table.colours
    if style.mode == "colour":
        voc = dict(zip(table.names, class_tables.voc_palette(), strict=False))
        if colours is None and set(present) <= {*voc.values(), values.VOC_BORDER} and len(voc) == len(table.rows):
            chosen, reason = values.from_colours(table, voc, counts, style, 0)
            ignored = (*chosen.ignored, *({values.VOC_BORDER} & set(present)))
            return chosen.model_copy(update={"ignored": ignored}), f"{reason}, in the order of the Pascal VOC palette"
        if colours is not None:
            return values.from_colours(table, colours, counts, style, stated.tolerance)
        chosen, reason = values.unnamed(counts, style)
        return chosen, f"{reason}; {table.file} names classes, but not their colours"
    if table.values is not None and list(table.values.values()) != list(range(len(table.rows))):
        chosen, reason = values.from_values(table, table.values, counts, style)
    elif colours is not None and (numbers := _numbers(colours, present, style)):
        known = {name: numbers[name] for name in table.names if name in numbers}
        chosen, reason = values.from_values(table, known, counts, style)
        if absent := [name for name in table.names if name not in numbers]:
            reason += f"; the palette has no colour for {', '.join(absent)}"
    else:
        chosen, reason = values.named(counts, style, table.names, tuple(left_out), _opener(root, measured))
    if colours is None:
        return chosen, reason
    shown = [
        c.model_copy(update={"colour": labels.rgb(colours[c.name])}) if c.name in colours else c for c in chosen.classes
    ]
    return chosen.model_copy(update={"classes": tuple(shown)}), reason


def _numbers(colours: Mapping[str, int], present: Sequence[int], style: MaskStyle) -> dict[str, int] | None:
    """The mask value of each class whose colour a palette, or grey, has; None if the order says as much."""
    if set(present) <= {*range(len(colours)), 255} and style.palette is None:
        return None
    shown = [p[0] << 16 | p[1] << 8 | p[2] for p in style.palette or ()] or [v << 16 | v << 8 | v for v in range(256)]
    used = [v for v in present if v != 255 or style.palette is None]
    if not used or any(not 0 <= v < len(shown) or shown[v] not in colours.values() for v in used):
        return None
    # Of equal colours in a palette, the used one is meant.
    number = {colour: v for v, colour in reversed(list(enumerate(shown)))} | {shown[v]: v for v in used}
    return {name: number[colour] for name, colour in colours.items() if colour in number}


def _table(root: Path, measured: Measured) -> ClassTable | None:
    """The class table of the folder, if it may be about these masks."""
    table = class_tables.find(root)
    if table is None:
        return None
    if len(table.rows) > 2 and any(sample.tells_objects for sample, _ in measured):
        return None  # a list of other things: objects and what is none are two
    if len(table.rows) == 1:  # the name of what is drawn, if only one thing is
        counts = _counts(measured)
        present = {value for of_file in counts.values() for value in of_file}
        if len(present) < 2 or table.colours or not (present <= {0, 1, 255, 65535} or frayed(counts)):
            return None
    return table


def _opener(root: Path, measured: Measured) -> Callable[[Sequence[str]], bool]:
    """Whether in mask files, opened again, values between the lowest and the highest only lie on borders."""
    by_name = {sample.mask_shown: sample for sample, _ in measured if sample.mask}

    def on_borders(files: Sequence[str]) -> bool:
        looked = [sources[by_name[f].source].read(by_name[f].place(root, {})).values for f in files]
        top = 255 if max(int(v.max(initial=0)) for v in looked) < 256 else 65535
        return all(borders_only(v, top) for v in looked)

    return on_borders


def _counts(measured: Measured) -> dict[str, dict[int, int]]:
    return {sample.mask_shown: sample.values for sample, _ in measured if sample.mask}


def _common_style(styles: list[MaskStyle]) -> MaskStyle:
    """The style that can hold every mask's values: the deepest, and the commonest one, its palette the longest."""
    deepest = [style for style in styles if style.dtype == "uint16"] or styles
    mode = Counter(style.mode for style in deepest).most_common(1)[0][0]
    times = Counter(style for style in deepest if style.mode == mode)
    return max(times, key=lambda style: (len(style.palette or ()), times[style]))


def _used(sample: Sample, style: MaskStyle | None) -> dict[int, tuple[int, int, int]]:
    """The colour of each index that a mask with a palette uses."""
    palette = style.palette if style and style.palette else ()
    return {value: palette[value] for value in sample.values if 0 <= value < len(palette)}


def _shown(measured: Measured) -> list[int]:
    """The colours that masks with palettes use, as numbers."""
    found = {colour for sample, style in measured for colour in _used(sample, style).values()}
    return [red << 16 | green << 8 | blue for red, green, blue in found]


def _colours_come_back(measured: Measured) -> bool:
    """Whether nearly all colours in use occur in several masks, and some under another index each time.

    Two programs with a palette each show other colours, too, but each of them always under its one index.
    """
    uses: Counter[tuple[int, int, int]] = Counter()
    indices: dict[tuple[int, int, int], set[int]] = {}
    for sample, style in measured:
        used = _used(sample, style)
        uses.update(set(used.values()))
        for value, colour in used.items():
            indices.setdefault(colour, set()).add(value)
    again = sum(times for times in uses.values() if times > 1)
    return again >= 0.9 * uses.total() and len(uses) <= 64 and any(len(found) > 1 for found in indices.values())


def _demand_one_palette(measured: Measured) -> None:
    """Nothing, or an error: some programs number the colours of each mask anew."""
    if clash := palette_clash(measured):
        raise DataError(
            f"T{clash[1:]}: their palettes differ. Say in dataset.yaml what counts, the number or the colour: "
            "classes: {NAME: 1} or classes: {NAME: '#ff8000'}.",
            code=PALETTES,
            files=[sample.mask for sample, style in measured if sample.mask and style and style.palette],
        )
