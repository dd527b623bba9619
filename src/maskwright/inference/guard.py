"""The guard: an image that does not look like what the model was trained on is told, with the numbers.

What is compared was measured when the model was made (`maskwright.familiar`): channels, kind of value, size, values,
octaves and what the network sees. EXPERIMENTS.md says which strange images it finds, how often it is wrong, and what it
costs: reading five windows of 128 × 128 working pixels, and the encoder on one of them for every 512 × 512.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskwright.data.preprocess import Preprocess
from maskwright.errors import DataError
from maskwright.familiar import Familiar, Measures, measure, octave_names, value_names
from maskwright.files import ArrayScene, Scene, open_scene
from maskwright.files.stored import Header
from maskwright.modelfile import Model

SMALL = 2.0
"""Times that an image may be smaller than the smallest one of the training, in height or width."""
CLIPPED = 0.1
"""Share of values at an end of their type that an image may have beyond those of the training."""


@dataclass(frozen=True)
class Strangeness:
    """One thing in which an image is unlike those of the training."""

    code: str
    """channels, dtype, size, clipped, values, scale or content."""
    text: str
    """A sentence with the numbers."""
    why: str
    """What it does to the prediction."""
    remedy: str
    ratio: float
    """How strange: 1 is the limit. 1 too where there is nothing to measure, as for a kind of value."""
    numbers: dict[str, Any] = field(default_factory=dict)
    """What was measured, and what was expected."""

    def __str__(self) -> str:
        return f"{self.text} {self.why} {self.remedy}"


def look(model: Model, scene: Scene, name: object = "the image") -> list[Strangeness]:
    """In what an image is unlike those that a model was trained on, the strangest first; empty if in nothing.

    A model whose file does not say what its training images looked like is asked for channels and kind of value only.
    An image that the model cannot predict at all is not looked at further.

    Raises:
        ReadError: the file is damaged.
    """
    about = model.description
    header, known = scene.header, about.familiar
    if found := _unfit(header, about.preprocess):
        return found
    if known is None:
        return []
    found = [*_channels(header, known), *_size(header, known)]
    seen = measure(scene, model.network, about.preprocess, name)
    if seen is not None:
        found += [*_clipped(seen, known), *_unlike(seen, known, about.preprocess)]
    return sorted(found, key=lambda one: -one.ratio)


def check(models: Sequence[Model], image: Scene | str | Path | NDArray[Any]) -> tuple[Strangeness, ...]:
    """The same for several models and for a file or an array H W or H W C: what is strange to any of them, each code
    once, as the model says it to which it is strangest.
    """
    if isinstance(image, str | Path):
        with open_scene(image) as scene:
            return check(models, scene)
    scene = ArrayScene(image) if isinstance(image, np.ndarray) else image
    worst: dict[str, Strangeness] = {}
    for found in (one for model in models for one in look(model, scene)):
        if found.code not in worst or worst[found.code].ratio < found.ratio:
            worst[found.code] = found
    return tuple(sorted(worst.values(), key=lambda one: -one.ratio))


def lines(name: object, found: Sequence[Strangeness]) -> list[str]:
    """What to tell of an image, a line for each thing that is strange."""
    return [f"{name} is unlike the training images: {one}" for one in found]


def summary(strange: int, images: int, expected: float) -> str:
    """What to tell of many images, or nothing where none is strange; expected: `Familiar.false_alarms`."""
    if not strange:
        return ""
    told = f"{strange} of {images} images are unlike those that the model was trained on"
    return f"{told}; of images like them, {expected:.1%} are taken for strange by mistake."


def demand_familiar(name: object, found: Sequence[Strangeness]) -> None:
    """Nothing, if nothing is strange; what `--strict` calls.

    Raises:
        DataError: something is.
    """
    if found:
        raise DataError(
            "\n".join(lines(name, found)) + "\nIt is not predicted because of --strict.",
            code="strange-image",
            files=[str(name)],
            **{one.code: one.numbers for one in found},
        )


def _unfit(header: Header, preprocess: Preprocess) -> list[Strangeness]:
    """What keeps the model from predicting an image; `Preprocess.to_channels` refuses it too."""
    if header.dtype != preprocess.dtype:
        return [
            Strangeness(
                "dtype",
                f"It holds {header.dtype} values, the training images held {preprocess.dtype}.",
                "The same number would mean another brightness, so it cannot be predicted.",
                f"Convert it to {preprocess.dtype} as the training images were.",
                1.0,
                {"found": header.dtype, "expected": preprocess.dtype},
            )
        ]
    if header.channels != preprocess.channels and {header.channels, preprocess.channels} != {1, 3}:
        return [
            Strangeness(
                "channels",
                f"It has {header.channels} channels, the training images had {preprocess.channels}.",
                "The network has no place for others, so it cannot be predicted.",
                "Give it the channels of the training images, in their order.",
                1.0,
                {"found": header.channels, "expected": [preprocess.channels]},
            )
        ]
    return []


def _channels(header: Header, known: Familiar) -> list[Strangeness]:
    if header.channels in known.channels:
        return []
    expected = " or ".join(map(str, known.channels))
    return [
        Strangeness(
            "channels",
            f"It has {header.channels} {'channel' if header.channels == 1 else 'channels'}, the training images had "
            f"{expected}.",
            "Grey is repeated for each colour, colours become grey: the network has not learnt from such images.",
            "Predict images of the same kind, or train with images of both kinds.",
            1.0,
            {"found": header.channels, "expected": list(known.channels)},
        )
    ]


def _size(header: Header, known: Familiar) -> list[Strangeness]:
    pairs = zip((header.height, header.width), known.smallest, strict=True)
    ratio = max(smallest / (SMALL * found) for found, smallest in pairs)
    if ratio <= 1:
        return []
    return [
        Strangeness(
            "size",
            f"It is {header.height}×{header.width}, the training images were {known.smallest[0]}×{known.smallest[1]} "
            f"and larger (height × width).",
            "The network sees less around each pixel than it learnt to.",
            "Predict the whole image and cut it afterwards, or train with images of that size.",
            ratio,
            {"found": [header.height, header.width], "smallest": list(known.smallest)},
        )
    ]


def _clipped(seen: Measures, known: Familiar) -> list[Strangeness]:
    ratio = seen.clipped / (known.clipped + CLIPPED)
    if ratio <= 1:
        return []
    return [
        Strangeness(
            "clipped",
            f"{seen.clipped:.0%} of its values are the lowest or the highest there are, of the training images at most "
            f"{known.clipped:.0%}.",
            "What was brighter or darker than that is gone.",
            "Look at how the image was exposed or converted.",
            ratio,
            {"found": seen.clipped, "expected": known.clipped},
        )
    ]


def _unlike(seen: Measures, known: Familiar, preprocess: Preprocess) -> list[Strangeness]:
    """In values, octaves and features: farther from the nearest training image than these are from one another."""
    found = []
    if (ratio := known.values.strangeness(seen.values)) > 1:
        found.append(_strange_values(ratio, seen, known, preprocess.channels))
    if (ratio := known.octaves.strangeness(seen.octaves)) > 1:
        found.append(_strange_scale(ratio, seen, known))
    if (ratio := known.content.strangeness(seen.content)) > 1:
        text = f"What the network sees in it is unlike what it saw in any of {known.images} training images"
        found.append(
            Strangeness(
                "content",
                f"{text}: {ratio:.1f} times the limit.",
                "It may show something else, and masks of such images can be wrong without looking so.",
                "Look at its mask before it is used; label some such images and train with them too.",
                ratio,
                {"images": known.images},
            )
        )
    return found


def _strange_values(ratio: float, seen: Measures, known: Familiar, channels: int) -> Strangeness:
    oddest = value_names(channels)[known.values.oddest(seen.values)]
    return Strangeness(
        "values",
        f"Its values are unlike theirs, {ratio:.1f} times the limit, in {oddest} most of all; mean by channel "
        f"{_compared(seen.mean, known.mean)}, standard deviation {_compared(seen.std, known.std)}.",
        "The network knows brightness, contrast and colour as they were there.",
        "Look for another exposure, an inverted image, another order of channels or another range of values.",
        ratio,
        {"mean": seen.mean, "mean expected": known.mean, "std": seen.std, "std expected": known.std},
    )


def _strange_scale(ratio: float, seen: Measures, known: Familiar) -> Strangeness:
    oddest = known.octaves.oddest(seen.octaves)
    share, low, high = (float(np.exp(x)) for x in (seen.octaves[oddest], *known.octaves.range_of(oddest)))
    name = octave_names()[oddest]
    return Strangeness(
        "scale",
        f"Its structures are of another size or sharpness, {ratio:.1f} times the limit: {name} at working size have "
        f"{share:.2%} of the power, in the training images {low:.2%} … {high:.2%}.",
        "The network knows objects at the size and sharpness that they had there.",
        "Resize the image to the resolution of the training images; look for blur, noise and compression.",
        ratio,
        {"octave": name, "share": share, "share expected": (low, high)},
    )


def _compared(values: tuple[float, ...], ranges: tuple[tuple[float, float], ...]) -> str:
    each = zip(values, ranges, strict=True)
    return ", ".join(f"{value:.4g} (training {low:.4g} … {high:.4g})" for value, (low, high) in each)
