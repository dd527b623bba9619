"""Axes: which axis of an array is height, which width, which are channels, which pages.

Axes are letters, one an axis, in the order of the file: `H` height and `W` width (or `Y` and `X`), `C` channels;
`Z`, `T` and `N` (slices, times, just a number) are pages. Several axes of pages count as one, the first letter slowest.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from maskwright.errors import ReadError, SettingError
from maskwright.files.limits import check_memory
from maskwright.files.stored import Array, Stored

if TYPE_CHECKING:
    from maskwright.files.georeference import Georeference

PAGES: Final = "ZTN"
LETTERS: Final = f"HWC{PAGES}"
MOST_CHANNELS: Final = 16
"""An axis without a name is channels only if it is no longer than this and a quarter of the others or less."""

Slices = tuple[slice, ...]


def checked(axes: str) -> str:
    """The same axes in capitals, `Y` and `X` as `H` and `W`.

    Raises:
        SettingError: a letter is unknown or comes twice, or height or width is missing.
    """
    letters = axes.upper().replace("Y", "H").replace("X", "W")
    if set(letters) - set(LETTERS) or len(set(letters)) < len(letters) or not {"H", "W"} <= set(letters):
        raise SettingError(
            f"axes {axes!r} should be letters, one for each axis in the file's order: H and W, C for channels, "
            "Z, T or N for pages. For example `axes: CHW`."
        )
    return letters


def inferred(shape: tuple[int, ...], examples: str = "") -> tuple[str, str]:
    """The axes of an array whose file does not name them, and the reason. `examples` are what they may be.

    Raises:
        ReadError: the shape can be understood in more ways than one.
    """
    size = "×".join(map(str, shape))
    if len(shape) == 2:
        return "HW", "an array of two axes is height and width"
    if len(shape) == 3:
        few = [axis for axis in (0, 2) if _channels_like(shape, axis)]
        if len(few) == 1:
            axes = "CHW" if few == [0] else "HWC"
            return axes, f"of {size}, only {'the first' if few == [0] else 'the last'} is as short as channels are"
    if len(shape) < 2:
        raise ReadError(f"is an array of shape {shape}; a picture has height and width. Save it with both.")
    usual = {3: "CHW or HWC for channels, ZHW for pages", 4: "ZCHW or ZHWC for pages with channels"}
    examples = examples or usual.get(len(shape), "a letter each: C H W, and Z, T or N for pages")
    raise ReadError(
        f"is an array of {size} and does not say which axis is which. State it in dataset.yaml: `axes:` {examples}."
    )


def _channels_like(shape: tuple[int, ...], axis: int) -> bool:
    others = min(size for place, size in enumerate(shape) if place != axis)
    return shape[axis] <= MOST_CHANNELS and 4 * shape[axis] <= others


@dataclass(frozen=True, eq=False)
class Volume:
    """An array in a file, any number of axes: read in parts, its axes named by the file or not.

    `take` gives the part within the slices, one an axis, none with a step. `axes` is what the file says they are;
    letters that are none of ours count as pages.
    """

    shape: tuple[int, ...]
    dtype: "np.dtype[np.generic]"
    take: Callable[[Slices], Array]
    axes: str | None = None
    reason: str = ""
    examples: str = ""  # what its axes may be, to be named where they have to be stated
    # From its axes and the places of a page along those that are pages.
    georeference: "Callable[[str, dict[str, int]], Georeference | None] | None" = None
    besides: int = 0  # bytes that `take` needs whatever the part

    def letters(self, stated: str | None = None) -> tuple[str, str]:
        """What each axis is, and why: stated by the user before named by the file before inferred.

        Raises:
            ReadError: as `inferred`; or other axes are stated than there are.
        """
        if stated is not None:
            if len(stated) != len(self.shape):
                size = "×".join(map(str, self.shape))
                raise ReadError(
                    f"is an array of {size}: {len(self.shape)} axes; `axes: {stated}` names {len(stated)}. "
                    "State one letter for each."
                )
            return stated, "stated"
        if self.axes is not None:
            return self.axes, self.reason
        return inferred(self.shape, self.examples)

    def pages(self, stated: str | None = None) -> int:
        """How many pictures there are."""
        letters, _ = self.letters(stated)
        return math.prod(size for size, letter in zip(self.shape, letters, strict=True) if letter not in "HWC")

    def open(self, page: int | None = None, stated: str | None = None) -> Stored:
        """One of the pictures; without a page, the only one."""
        letters, reason = self.letters(stated)
        sizes = dict(zip(letters, self.shape, strict=True))
        if self.dtype.kind not in "buif" or self.dtype.itemsize > 8:
            raise ReadError(f"holds {self.dtype.name}, not plain numbers. Save it as uint8, uint16 or float32.")
        if 0 in self.shape:
            raise ReadError(f"is an array of shape {self.shape}, which holds nothing. Export it again.")
        fixed = self._place(page, letters)

        def region(rows: slice, columns: slice) -> Array:
            wanted = {"H": rows, "W": columns, "C": slice(0, sizes.get("C", 1)), **fixed}
            self._check(wanted)
            part = self.take(tuple(wanted[letter] for letter in letters))
            order = [letters.index(letter) for letter in letters if letter in fixed]
            order += [letters.index(letter) for letter in "HWC" if letter in letters]
            part = part.transpose(order)
            part = part.reshape(*part.shape[len(fixed) :])
            part = part if "C" in letters else part[:, :, None]
            return part.astype("uint8" if self.dtype == np.bool_ else self.dtype.newbyteorder("="), copy=False)

        size = sizes["H"] * sizes["W"] * sizes.get("C", 1) * self.dtype.itemsize
        place, places = self.georeference, {letter: span.start for letter, span in fixed.items()}
        return Stored(
            sizes["H"], sizes["W"], sizes.get("C", 1), self.dtype.name,
            lambda: region(slice(0, sizes["H"]), slice(0, sizes["W"])),
            bits=1 if self.dtype == np.bool_ else 8, region=region, axes=letters, reason=reason,
            working=2 * size + self.besides,
            georeference=None if place is None else lambda: place(letters, places),
        )  # fmt: skip

    def _check(self, wanted: dict[str, slice]) -> None:
        """Nothing, or an error: a window, too, takes what is read besides it."""
        numbers = math.prod(span.stop - span.start for span in wanted.values())
        what = f"{numbers:,} numbers of {self.dtype.name} for one picture"
        check_memory(2 * numbers * self.dtype.itemsize + self.besides, what)

    def _place(self, page: int | None, letters: str) -> dict[str, slice]:
        """Where a page lies along each axis of pages."""
        along = [(letter, size) for letter, size in zip(letters, self.shape, strict=True) if letter not in "HWC"]
        count = math.prod(size for _, size in along)
        if page is None:
            if count > 1:
                raise ReadError(
                    f"holds {count} pages (its axes {letters}: {'×'.join(map(str, self.shape))}), but one picture "
                    "was expected. Name the page, or state in dataset.yaml which axis is channels, as `axes: CHW`."
                )
            page = 0
        if not 0 <= page < count:
            raise ReadError(f"is not there: the file has {count} pages, the first being 0.")
        places = np.unravel_index(page, [size for _, size in along]) if along else ()
        return {letter: slice(int(at), int(at) + 1) for (letter, _), at in zip(along, places, strict=True)}
