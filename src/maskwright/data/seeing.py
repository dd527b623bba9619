"""Seeing: every entry of a folder is opened once and measured, by several threads; what was measured before is
remembered.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from maskwright.data.entries import Faults
from maskwright.data.layouts import Entry
from maskwright.data.measure import Measured, count, measure
from maskwright.data.names import unique_names
from maskwright.data.parallel import ahead
from maskwright.data.remembered import Key, Remembered, key_of
from maskwright.errors import MaskwrightError
from maskwright.files import read_mask

Progress = Callable[[int, int], None]

_VALUES = {"mask_file", "classes_and_objects"}
"""Sources whose mask files may be read as the colours they show."""
CHUNK = 16
"""Entries measured by a thread before it asks for more: asking costs as much as a tenth of a small file."""


@dataclass(frozen=True)
class Seen:
    """An entry of a folder: as it was measured, or why it could not be."""

    entry: Entry
    measured: Measured | None = None
    error: MaskwrightError | None = None


def look_at(
    root: Path, entries: list[Entry], table: dict[str, int], workers: int, progress: Progress | None, faults: Faults
) -> list[Seen]:
    """The entries, each opened and measured, or remembered from before.

    progress: told how many of how many have been read.
    """
    names = unique_names([entry.shown[0] for entry in entries], root)
    seen: list[Seen] = []
    jobs = list(zip(entries, names, strict=True))
    with Remembered(root) as remembered:
        chunks = (jobs[first : first + CHUNK] for first in range(0, len(jobs), CHUNK))
        for ones, fresh in ahead(lambda chunk: _looked_at(root, chunk, table, remembered), chunks, workers):
            remembered.put(fresh)
            for one in ones:
                if one.error is not None:
                    faults.add(one.error)
                seen.append(one)
                if progress:
                    progress(len(seen), len(jobs))
    return seen


def _looked_at(
    root: Path, chunk: list[tuple[Entry, str]], table: dict[str, int], remembered: Remembered
) -> tuple[list[Seen], dict[Key, Measured]]:
    """The entries, measured or remembered, and what is new of them."""
    seen: list[Seen] = []
    fresh: dict[Key, Measured] = {}
    for entry, name in chunk:
        try:
            key = key_of(root, entry, table)
            if key is None or (measured := remembered.get(key, entry, name)) is None:
                measured = measure(root, entry, name, table)
                if key is not None:
                    fresh[key] = measured
            seen.append(Seen(entry, measured))
        except MaskwrightError as error:
            seen.append(Seen(entry, error=error))
    return seen, fresh


def in_colour(root: Path, seen: list[Seen]) -> list[Seen]:
    """All masks read as the colours they show; also those that happen to be all grey."""
    return [replace(one, measured=_recounted(root, one.measured)) if one.measured else one for one in seen]


def _recounted(root: Path, measured: Measured) -> Measured:
    sample, style = measured.sample, measured.style
    if style is None or style.mode == "colour" or sample.mask is None or sample.source not in _VALUES:
        return measured
    mask = read_mask(root / sample.mask, sample.page, colour=True)
    values = count(mask.values, sample.invalid_in(root))
    sample = sample.model_copy(update={"values": values})
    return replace(measured, sample=sample, style=mask.style, before=measured.stored)
