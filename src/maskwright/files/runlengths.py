"""Run lengths: a mask as the text that contests take, and the CSV of such texts that is handed in.

Pixels are numbered from 1 down the columns, first the left one. `1 3 10 2` marks the pixels 1, 2, 3, 10 and 11.
"""

import csv
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from maskwright.errors import DataError, ReadError, SettingError
from maskwright.files.stored import Array
from maskwright.records import replacing

HEADER: Final = ("id", "rle_mask")
"""The columns that most contests ask for."""
LONGEST: Final = 2**31 - 1
"""Characters of a cell; the csv module stops at 131,072, which a large ragged mask exceeds."""


def encode_runs(mask_HW: Array) -> str:
    """The runs `start length start length …` of the pixels that are not 0; empty text if none is."""
    mask_HW = np.asarray(mask_HW)
    if mask_HW.ndim != 2:
        raise SettingError(f"Run lengths are of one mask (H, W), not of an array of shape {mask_HW.shape}.")
    marked = np.pad((mask_HW != 0).T.ravel().astype(np.int8), 1)
    starts, ends = (np.flatnonzero(np.diff(marked) == step) for step in (1, -1))
    return " ".join(map(str, np.column_stack([starts + 1, ends - starts]).ravel().tolist()))


def decode_runs(text: str, size: tuple[int, int], source: str = "The run lengths") -> NDArray[np.bool_]:
    """The mask H W that the runs mark. A run of length 0 marks nothing: some files write `1 0` for an empty mask.

    size: height and width. source: what to call the text in errors, e.g. "runs.csv, row 7".

    Raises:
        ReadError: a number is missing or none, runs overlap or are out of order, or lie outside of the mask.
    """
    starts, lengths = _numbers(text, source)
    pixels = size[0] * size[1]
    if len(starts) and (last := int((starts + lengths).max()) - 1) > pixels:
        raise ReadError(
            f"{source}: they reach pixel {last}; a mask of {size[0]}×{size[1]} has {pixels}. Is it of another image?"
        )
    # The sum along the mask of +1 where a run starts and -1 behind its end.
    change = np.zeros(pixels + 2, np.int64)
    np.add.at(change, starts, 1)
    np.add.at(change, starts + lengths, -1)
    return np.ascontiguousarray(np.cumsum(change)[1:-1].astype(bool).reshape(size[::-1]).T)


def write_run_lengths(
    path: str | Path, rows: Iterable[tuple[str, Array | str | list[Any]]], header: tuple[str, str] = HEADER
) -> Path:
    """Write a CSV of run lengths, atomically. Returns the path.

    rows: name and mask (H, W), or a list of masks, one an object: each gets a row of its own with the same name. Runs
    that are text already are written as they are. An empty mask, or an empty list, gives a row with an empty cell.

    Raises:
        DataError: a name comes twice, so that its rows could not be told apart.
    """
    path = Path(path)
    known: set[str] = set()
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        for name, masks in rows:
            if name in known:
                raise DataError(f"{name!r} would be in {path} twice. Give each image a name of its own.")
            known.add(name)
            for mask in (masks if isinstance(masks, list) else [masks]) or [""]:
                writer.writerow((name, mask if isinstance(mask, str) else encode_runs(mask)))
    return path


def read_run_lengths(path: str | Path) -> dict[str, list[str]]:
    """The runs in a CSV: name → a text for each of its rows, empty for an empty cell.

    Raises:
        ReadError: the file is missing or no such CSV, or a text is malformed; names the row.
    """
    path = Path(path)
    found: dict[str, list[str]] = {}
    usual = csv.field_size_limit(LONGEST)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            for number, row in enumerate(csv.reader(file), start=1):
                if not row:
                    continue
                if len(row) != 2:
                    raise ReadError(
                        f"{path}, row {number}: it has {len(row)} cells; a name and its runs were expected."
                    )
                if number > 1:
                    _numbers(row[1], f"{path}, row {number}")
                    found.setdefault(row[0], []).append(row[1])
    except FileNotFoundError:
        raise ReadError(f"{path} does not exist; a CSV of run lengths was expected there.") from None
    except (csv.Error, UnicodeDecodeError) as error:
        raise ReadError(f"{path} is no CSV of run lengths: {error}") from None
    finally:
        csv.field_size_limit(usual)
    return found


def _numbers(text: str, source: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Starts and lengths of the runs, N each, checked as far as they can be without the mask's size."""
    words = text.split()
    if wrong := [word for word in words if not (word.isascii() and word.isdigit() and len(word) < 19)]:
        raise ReadError(
            f"{source}: {wrong[0]!r} is no whole number of pixels; `start length start length …` was expected."
        )
    if len(words) % 2:
        raise ReadError(f"{source}: {len(words)} numbers, but each run has two, a start and a length.")
    starts, lengths = np.array(words, np.int64).reshape(-1, 2).T
    if (starts < 1).any():
        raise ReadError(f"{source}: a run starts at 0; pixels are numbered from 1.")
    for i in np.flatnonzero(starts[1:] < starts[:-1] + lengths[:-1])[:1]:
        raise ReadError(
            f"{source}: the run that starts at {starts[i + 1]} does not come after the one at {starts[i]} with length "
            f"{lengths[i]}. Runs are in order and do not overlap."
        )
    return starts, lengths
