"""Which classes a data set has: stated, published, listed, or inferred."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from maskwright.data import dataset_file, labels
from maskwright.data.dataset_file import DatasetFile
from maskwright.data.labels import Labels
from maskwright.data.sample import Sample
from maskwright.errors import DataError
from maskwright.files import MaskStyle

CLASS_LISTS = ("classes.txt", "codes.txt", "class_names.txt", "labels.txt")


def choose(
    root: Path,
    stated: DatasetFile,
    measured: list[tuple[Sample, MaskStyle | None]],
    published: Mapping[str, tuple[int, ...]] | None = None,
    ignored: tuple[int, ...] = (),
    base: Path | None = None,
) -> tuple[Labels, str]:
    """The classes of a data set, and why: stated in its dataset.yaml, known of a data set that is published, listed in
    a file, or shown by the masks.

    ignored: mask values that are known of it to count nowhere. base: where a list of classes lies; None: in `root`.

    Raises:
        DataError: a mask has a value that is no class, or palettes differ from mask to mask.
    """
    style = _common_style([style for _, style in measured if style])
    counts = {sample.mask_shown: sample.values for sample, _ in measured if sample.mask}
    if ignored and stated.classes is not None:
        ignored = tuple(v for v in ignored if v not in _stated_values(stated.classes))
    stated = stated.model_copy(update={"ignore": tuple(dict.fromkeys((*stated.ignore, *ignored)))})
    if stated.classes is not None:
        return _checked(stated.classes, stated, style, counts, root), f"classes as {dataset_file.NAME} states them"
    if published is not None:
        left_out = {labels.value_of(value) for value in stated.ignore}
        kept = {name: values for name, values in published.items() if not left_out.intersection(values)}
        drawn = any(sample.source == "drawn" for sample, _ in measured)
        reason = f"classes as {'the annotations name them' if drawn else 'published'}: " + ", ".join(
            f"{values[0]} {name}" for name, values in kept.items()
        )
        return _checked(kept, stated, style, counts, root), reason
    names = _class_list(base or root)
    if names and len(names) != 2 and any(sample.tells_objects for sample, _ in measured):
        names = None  # a list of other things: objects and what is none are two
    if not names:
        _demand_one_palette(measured)
    return labels.infer(counts, style, names, [labels.value_of(value) for value in stated.ignore])


def _stated_values(stated: Mapping[str, Any]) -> set[int]:
    flat = [v for value in stated.values() for v in (value if isinstance(value, list | tuple) else [value])]
    return {labels.value_of(value) for value in flat}


def _checked(
    classes: Mapping[str, Any],
    stated: DatasetFile,
    style: MaskStyle,
    counts: Mapping[str, Mapping[int, int]],
    root: Path,
) -> Labels:
    chosen = labels.declared(classes, stated.ignore, style)
    for file, of_file in counts.items():
        if strange := [value for value in of_file if value not in chosen.label_of]:
            raise DataError(chosen.complaint(strange, sum(of_file[v] for v in strange), root / file))
    return chosen


def _common_style(styles: list[MaskStyle]) -> MaskStyle:
    """The style that can hold every mask's values: the deepest, and the commonest one, its palette the longest."""
    deepest = [style for style in styles if style.dtype == "uint16"] or styles
    mode = Counter(style.mode for style in deepest).most_common(1)[0][0]
    times = Counter(style for style in deepest if style.mode == mode)
    return max(times, key=lambda style: (len(style.palette or ()), times[style]))


def _demand_one_palette(measured: list[tuple[Sample, MaskStyle | None]]) -> None:
    """Nothing, or an error: some programs number the colours of each mask anew."""
    first: dict[int, tuple[tuple[int, int, int], str | None]] = {}
    for sample, style in measured:
        palette = style.palette if style and style.palette else ()
        for value in sample.values:
            if not 0 <= value < len(palette):
                continue
            colour, file = first.setdefault(value, (palette[value], sample.mask))
            if colour != palette[value]:
                raise DataError(
                    f"The value {value} is #{bytes(colour).hex()} in {file} but #{bytes(palette[value]).hex()} in "
                    f"{sample.mask}: their palettes differ. Say in dataset.yaml what counts, the number or the colour: "
                    "classes: {NAME: 1} or classes: {NAME: '#ff8000'}."
                )


def _class_list(root: Path) -> list[str] | None:
    for name in CLASS_LISTS:
        if (path := root / name).is_file():
            try:
                names = [line.strip() for line in path.read_text("utf-8-sig").splitlines() if line.strip()]
            except UnicodeDecodeError:
                raise DataError(f"{path}, the list of classes, is not UTF-8 text. Save it as UTF-8.") from None
            if len(names) >= 2 and len(names) == len(set(names)):
                return names
    return None
