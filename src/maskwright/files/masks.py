"""Masks: files whose pixels name something. Here they are values as stored; what they mean is the labels'
business.

Shapes: H W the picture.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Final, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from maskwright.errors import ReadError, SettingError
from maskwright.files.encoding import encode, encode_pages
from maskwright.files.limits import bands
from maskwright.files.opening import check_size, opened
from maskwright.files.orientation import upright
from maskwright.files.stored import Array, Stored, image_of, is_grey
from maskwright.records import Record, replacing

Colour = tuple[Annotated[int, Field(ge=0, le=255)], Annotated[int, Field(ge=0, le=255)], Annotated[int, Field(ge=0, le=255)]]  # fmt: skip # noqa: E501

MASK_SUFFIXES: Final = (".png", ".tif", ".tiff")
"""Formats that keep every value."""


class MaskStyle(Record):
    """How a mask file stores its values: written so again, a prediction looks like the user's own masks."""

    mode: Literal["grey", "palette", "colour"] = "grey"
    dtype: Literal["uint8", "uint16"] = "uint8"
    palette: Annotated[tuple[Colour, ...], Field(min_length=1, max_length=256)] | None = None

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if (self.palette is not None) != (self.mode == "palette"):
            raise ValueError(f"mode {self.mode!r} {'needs a' if self.palette is None else 'has no'} palette")
        if self.dtype == "uint16" and self.mode != "grey":
            raise ValueError(f"mode {self.mode!r} is stored in uint8; only grey masks have 16 bits")
        return self


_GREY: Final = {True: MaskStyle(), False: MaskStyle(dtype="uint16")}
"""By whether values have 8 bits: checking such a record takes as long as unpacking a small mask."""


@dataclass(frozen=True, eq=False)
class Mask:
    """The values (H, W) of a mask file and the style they are stored in."""

    values: Array
    style: MaskStyle
    orientation: int = 1
    """EXIF, 1 to 8: how the values were turned to be upright."""


def read_mask(path: str | Path, page: int | None = None, *, colour: bool = False, axes: str | None = None) -> Mask:
    """The values of a mask file as an array (H, W) of integers, upright, with the style they are stored in.

    - Grey gives the stored value: 0–255 in uint8, 0–65535 in uint16; 1-bit gives 0 and 1, 4-bit 0 to 15.
      "Zero is white" changes how a mask is shown, not its values.
    - A palette gives the index, and is kept in the style; one that maps every index to the same grey is grey.
      GIF and BMP have no other way to store grey, and number it as they like: there a palette of greys gives
      the grey.
    - Colours give red·65536 + green·256 + blue in uint32. A file whose three channels are equal everywhere is
      grey: that is how many programs save grey. In a set of coloured masks this would turn an all-white file
      into 255; `colour=True` reads any 8-bit file as the colours it shows.
    - Whole numbers in a signed, 32-bit or float TIFF are read as uint16, or as uint32 or int32 where they
      need it; the style then says uint16, as no mask of more bits is written.
    - Alpha is dropped, an EXIF orientation applied, a page of a stack chosen and axes told apart, as in `read_image`.

    Raises:
        ReadError: as for `read_image`; or the values are no whole numbers, or the channels no colour.
    """
    with opened(path, page, axes) as stored:
        check_size(stored, _bytes(stored, colour))
        mask = _colours(image_of(stored)) if colour else _as_stored(stored)
        return mask if stored.orientation == mask.orientation else replace(mask, orientation=stored.orientation)


def write_mask(path: str | Path, values: Array, style: MaskStyle) -> Path:
    """Write values (H, W) to a `.png` or `.tif` file, atomically, so that `read_mask` gives both back.
    Returns the path.

    A file does not tell grey from colours that happen to be all grey, nor from a palette in which index i is
    grey i: such a mask comes back as grey. With `colour=True` the colours come back.

    Raises:
        SettingError: a value does not fit the style, or the suffix is another; says what would.
    """
    path = Path(path)
    if path.suffix.lower() not in MASK_SUFFIXES:
        raise SettingError(f"{path} should end in .png or .tif: other formats do not keep every value of a mask.")
    with replacing(path) as temporary:
        encode(temporary, _to_store(np.asarray(values), style, path), _palette(style))
    return path


def write_mask_stack(path: str | Path, pages: Iterable[Array], style: MaskStyle) -> Path:
    """Write the values of several masks, each (H, W), as the pages of one `.tif` file, atomically. Returns the path.

    Raises:
        SettingError: a value does not fit the style, or the suffix is another; says what would.
    """
    path = Path(path)
    if path.suffix.lower() not in (".tif", ".tiff"):
        raise SettingError(f"{path} should end in .tif: no other format holds a mask a page.")
    with replacing(path) as temporary:
        encode_pages(temporary, (_to_store(np.asarray(page), style, path) for page in pages), _palette(style))
    return path


def _to_store(values: Array, style: MaskStyle, path: Path) -> Array:
    _check(values, style, path)
    if style.mode != "colour":
        return values.astype(style.dtype)
    shifts = np.array([16, 8, 0], np.uint32)
    return (values.astype(np.uint32)[:, :, None] >> shifts & 255).astype(np.uint8)


def _palette(style: MaskStyle) -> Array | None:
    return None if style.palette is None else np.array(style.palette, np.uint8)


def _bytes(stored: Stored, colour: bool) -> int:
    """What reading the mask takes at its peak."""
    samples, pixels = stored.samples_bytes, stored.height * stored.width
    if colour:
        return max(stored.image_bytes(), pixels * (stored.header.channels + 4))
    whole = 0 if stored.channels == 1 and stored.dtype in ("uint8", "uint16") else 4 * pixels
    turned = samples if stored.orientation != 1 else 0
    return max(stored.decoding_bytes, samples + whole, samples + turned)


def _as_stored(stored: Stored) -> Mask:
    values_HWC = upright(stored.decode(), stored.orientation)
    if values_HWC.shape[2] == 3:
        if is_grey(values_HWC):
            values_HWC = values_HWC[:, :, :1]
        else:
            return _colours(values_HWC)
    if values_HWC.shape[2] != 1:
        raise ReadError(
            f"has {values_HWC.shape[2]} channels (axes {stored.axes}: {stored.reason}); a mask has one value or one "
            "colour a pixel. If they are pages, state `axes: ZHW` in dataset.yaml."
        )
    values = _whole(np.ascontiguousarray(values_HWC[:, :, 0]))
    # "Index i is grey i" is what a palette says that says nothing.
    if stored.palette is not None and (stored.palette != np.arange(len(stored.palette))[:, None]).any():
        colours = tuple((red, green, blue) for red, green, blue in stored.palette.tolist())
        return Mask(values, MaskStyle(mode="palette", palette=colours))
    return Mask(values, _GREY[values.dtype == np.uint8])


def _colours(values_HWC: Array) -> Mask:
    if values_HWC.dtype != np.uint8 or values_HWC.shape[2] not in (1, 3):
        raise ReadError(
            f"holds {values_HWC.shape[2]} channels of {values_HWC.dtype.name}; a mask's colours are three of "
            "uint8. Export it with 8 bits a channel, or as grey."
        )
    colours = np.empty(values_HWC.shape[:2], np.uint32)
    for band in bands(values_HWC):
        part = values_HWC[band].astype(np.uint32)
        red, green, blue = part[..., 0], part[..., -2 if part.shape[2] == 3 else 0], part[..., -1]
        colours[band] = red << 16 | green << 8 | blue
    return Mask(colours, MaskStyle(mode="colour"))


def _whole(values: Array) -> Array:
    """The same whole numbers in the smallest of uint16, uint32 and int32, or as they are if they are small
    already.
    """
    if values.dtype in (np.uint8, np.uint16):
        return values
    if values.dtype == np.bool_:
        return values.astype(np.uint8)
    if values.dtype.kind == "f" and not all(_is_whole(values[band]) for band in bands(values)):
        raise ReadError(
            "holds fractions; the values of a mask are whole numbers. Is it an image or a map of "
            "probabilities? Threshold it, or round it and save it as uint8 or uint16."
        )
    low, high = int(values.min()), int(values.max())
    for dtype in (np.uint16, np.uint32, np.int32):
        if np.iinfo(dtype).min <= low and high <= np.iinfo(dtype).max:
            return values.astype(dtype)
    raise ReadError(f"holds values from {low} to {high}; those of a mask fit in 32 bits. Number its objects anew.")


def _is_whole(values: Array) -> bool:
    with np.errstate(invalid="ignore"):  # a NaN that signals is no whole number either
        return bool((np.isfinite(values) & (values == np.rint(values))).all())


def _check(values: Array, style: MaskStyle, path: Path) -> None:
    if values.ndim != 2 or values.size == 0 or values.dtype.kind not in "iub":
        raise SettingError(
            f"Values of shape {values.shape} and type {values.dtype.name} cannot be written to {path}; "
            "whole numbers of shape (H, W) were expected."
        )
    limit, what = 2**24 - 1, "a colour of 24 bits"
    if style.palette is not None:
        limit, what = len(style.palette) - 1, f"a palette of {len(style.palette)} colours"
    elif style.mode == "grey":
        limit, what = np.iinfo(style.dtype).max, f"grey of type {style.dtype}"
    low, high = int(values.min()), int(values.max())
    if low < 0 or high > limit:
        wrong = low if low < 0 else high
        raise SettingError(
            f"The value {wrong} cannot be written to {path}: {what} holds 0 to {limit}. "
            "Write the mask in another style, or map its values first."
        )
