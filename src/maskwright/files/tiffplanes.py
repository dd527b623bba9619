"""The planes of a TIFF and what they are to each other: pages, or the channels of one picture.

Programs write a picture of many channels as a plane a channel, and name the axes in a text: OME-XML, ImageJ's own
lines, or tifffile's JSON. We read OME's sizes ourselves: tifffile makes room for as many planes as the text says.
"""

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final
from xml.etree import ElementTree

from maskwright.errors import ReadError

if TYPE_CHECKING:
    from tifffile import TiffFile

_IMAGEJ: Final = {"T": "frames", "Z": "slices", "C": "channels"}  # slowest first
_MOST_TEXT: Final = 2**24


@dataclass(frozen=True)
class Stack:
    """Where the full pictures of a file are described, and which planes make up which picture."""

    places: tuple[int, ...]
    behind: int = 1  # planes that lie behind the only description, one after the other
    pictures: tuple[tuple[int, ...], ...] = ()  # numbers of planes; more than one are its channels
    letters: str = "Z"  # of the axes of all planes, slowest first
    shape: tuple[int, ...] = ()  # and their lengths
    reason: str = "pages of a TIFF are pictures of their own"
    whole: str = ""  # the letters of all axes, where rows and columns of the planes are not those of the picture

    @property
    def planes(self) -> int:
        """How many planes there are."""
        return len(self.places) * self.behind

    @property
    def count(self) -> int:
        """How many pictures there are."""
        return len(self.pictures)


def pages_of(places: tuple[int, ...], behind: int = 1) -> Stack:
    """Each plane a picture."""
    count = len(places) * behind
    return Stack(places, behind, tuple((plane,) for plane in range(count)), "Z", (count,))


def named(stack: Stack, tiff: "TiffFile") -> Stack:
    """The same planes in the order and with the meaning that the file's text gives them; as they were, if it has none
    or speaks of other planes than there are.
    """
    if tiff.is_ome:
        return _ome(stack, tiff)
    if tiff.is_imagej:
        about: dict[str, Any] = tiff.imagej_metadata or {}
        sizes = {letter: about.get(name, 1) for letter, name in _IMAGEJ.items()}
        if all(isinstance(size, int) and size > 0 for size in sizes.values()):
            return grouped(stack, "".join(sizes), tuple(sizes.values()), "ImageJ names its axes") or stack
    if tiff.is_shaped:
        return _shaped(stack, tiff)
    return stack


def grouped(stack: Stack, letters: str, shape: tuple[int, ...], reason: str) -> Stack | None:
    """The planes as an array of these axes, those along C the channels of one picture; None if the numbers disagree."""
    if math.prod(shape) != stack.planes:
        return None
    pictures = tuple(_pictures(letters, shape))
    return _known(replace(stack, pictures=pictures, letters=letters, shape=shape, reason=reason))


def _known(stack: Stack) -> Stack:
    """The same, without axes of length one: ImageJ and OME name all they have."""
    kept = [axis for axis, size in enumerate(stack.shape) if size > 1]
    letters = "".join(stack.letters[axis] for axis in kept)
    return replace(stack, letters=letters, shape=tuple(stack.shape[axis] for axis in kept))


def _pictures(letters: str, shape: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    """The planes of each picture, of an array of planes."""
    steps = [math.prod(shape[axis + 1 :]) for axis in range(len(shape))]
    channel = letters.find("C")
    channels = range(shape[channel]) if channel >= 0 else range(1)
    step = steps[channel] if channel >= 0 else 0
    firsts = [0]
    for axis, size in enumerate(shape):
        if axis != channel:
            firsts = [first + place * steps[axis] for first in firsts for place in range(size)]
    for first in firsts:
        yield tuple(first + place * step for place in channels)


def _shaped(stack: Stack, tiff: "TiffFile") -> Stack:
    about = json.loads(tiff.pages.first.description) if tiff.pages.first.description.startswith("{") else {}
    axes, shape = str(about.get("axes", "")), about.get("shape", ())
    if len(axes) != len(shape) or not all(isinstance(size, int) and size > 0 for size in shape):
        return stack
    before, _, _ = axes.partition("YX")
    if axes in (f"{before}YX", f"{before}YXS"):
        return grouped(stack, before, tuple(shape[: len(before)]), "its description names the axes") or stack
    if sorted(axes) == ["C", "X", "Y"]:  # a plane is not rows and columns: the array was cut up at its first axis
        letters = axes.replace("Y", "H").replace("X", "W")
        return replace(stack, whole=letters, shape=tuple(shape), reason="its description names the axes")
    return stack


def _ome(stack: Stack, tiff: "TiffFile") -> Stack:
    text = tiff.pages.first.description
    try:
        root = ElementTree.fromstring(text) if len(text) <= _MOST_TEXT else None
        images = [] if root is None else list(_ome_images(root, stack.planes, _samples(tiff)))
    except (ElementTree.ParseError, ValueError, KeyError):  # a text that is no XML or lacks a size says nothing
        return stack
    pictures = tuple(picture for _, _, found in images for picture in found)
    used = {plane for picture in pictures for plane in picture}
    if not images or used != set(range(stack.planes)):
        return stack  # some planes are in other files, as OME allows
    letters, shape, _ = images[0] if len(images) == 1 else (stack.letters, stack.shape, None)
    return _known(replace(stack, pictures=pictures, letters=letters, shape=shape, reason="OME-XML names its axes"))


def _samples(tiff: "TiffFile") -> int:
    return max(1, tiff.pages.first.samplesperpixel)


def _ome_images(
    root: ElementTree.Element, planes: int, samples: int
) -> Iterator[tuple[str, tuple[int, ...], list[tuple[int, ...]]]]:
    """For each image its axes of planes, slowest first, their lengths, and the planes of its pictures.

    Raises:
        ValueError, KeyError: the text contradicts itself or the file.
    """
    own = root.get("UUID")
    for pixels in root.iterfind(".//{*}Image/{*}Pixels"):
        order = pixels.attrib["DimensionOrder"]
        if sorted(order) != sorted("XYZCT") or not order.startswith("XY"):
            raise ValueError(order)
        sizes = {letter: int(pixels.attrib[f"Size{letter}"]) for letter in "ZCT"}
        # The samples of a colour plane count as channels.
        sizes["C"] = max(1, sizes["C"] // samples)
        letters = order[:1:-1]
        shape = tuple(sizes[letter] for letter in letters)
        count = math.prod(shape)
        if min(shape) < 1 or count > planes:
            raise ValueError(shape)
        places = _ome_places(pixels, own, letters, shape, planes)
        found = [tuple(places[plane] for plane in picture) for picture in _pictures(letters, shape)]
        yield letters, shape, found


def _ome_places(
    pixels: ElementTree.Element, own: str | None, letters: str, shape: tuple[int, ...], planes: int
) -> list[int]:
    """The plane of the file for each plane of an image, in the image's own order."""
    count = math.prod(shape)
    steps = {letter: math.prod(shape[axis + 1 :]) for axis, letter in enumerate(letters)}
    found: dict[int, int] = {}
    for data in pixels.iterfind("{*}TiffData"):
        uuid = data.find("{*}UUID")
        if uuid is not None and (uuid.text or "").strip() != (own or ""):
            raise ValueError("in another file")
        first = sum(int(data.get(f"First{letter}", 0)) * steps[letter] for letter in letters)
        ifd = data.get("IFD")
        number = int(data.get("PlaneCount", count if ifd is None else 1))
        at = int(ifd or 0)
        if not 0 <= number <= count or first < 0 or first + number > count or at < 0 or at + number > planes:
            raise ValueError("more planes than there are")
        found.update({first + place: at + place for place in range(number)})
    if len(found) != count:
        raise ValueError("planes are missing")
    return [found[place] for place in range(count)]


def stated(stack: Stack, axes: str, samples: int, size: str) -> Stack:
    """The planes as the user's letters arrange them, which name the axes of all planes together.

    Raises:
        ReadError: there are other axes than the letters name.
    """
    inner = next((end for end in ("HWC", "HW") if axes.endswith(end)), None)
    outer = axes if inner is None else axes.removesuffix(inner)
    if inner is not None:
        if not outer and stack.planes == 1:
            return replace(stack, letters="", reason="stated")
        if len(outer) == 1 and (found := grouped(stack, outer, (stack.planes,), "stated")):
            return found
        if len(outer) == len(stack.shape) and (again := grouped(stack, outer, stack.shape, "stated")):
            return again
    shape = (*(stack.shape if stack.planes > 1 else ()), *([0] * (2 if samples == 1 else 3)))
    if len(axes) != len(shape) and not (stack.whole and len(axes) == 3):
        raise ReadError(
            f"has {stack.planes} planes of {size}; `axes: {axes}` does not fit them. State ZHW for planes that "
            "are pages, CHW for planes that are channels."
        )
    return replace(stack, whole=axes, reason="stated")
