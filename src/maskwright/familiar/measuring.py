"""What an image is like, in numbers of three kinds: its values, its octaves, and what the network sees in it.

Shapes: C h w a window in stored values at working size. All numbers are float64.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from maskwright.anysize import fitted
from maskwright.data.preprocess import Preprocess
from maskwright.familiar.windows import views
from maskwright.files import Scene
from maskwright.model import UNet

Floats = NDArray[np.float64]

QUANTILES: Final = (0.02, 0.25, 0.5, 0.75, 0.98)
OCTAVES: Final = 5
"""Structures of 1, 2, 4, 8 and 16 working pixels, each up to twice that."""
PIXELS: Final = 512 * 512
"""Working pixels of an image for each window that the network looks at, one at least: about 3 % of a prediction."""
FLAT: Final = 1e-3
"""In standard deviations of the training images: contrast below it is none."""
FAINT: Final = 1e-4
"""Share of the power below which an octave is empty."""


@dataclass(frozen=True, eq=False)
class Measures:
    """What was measured of one image."""

    mean: tuple[float, ...]
    std: tuple[float, ...]
    """Of each channel, in stored values."""
    clipped: float
    """Share of the values that are the lowest or the highest their type holds; 0 for floats."""
    values: Floats
    octaves: Floats
    content: Floats


def measure(scene: Scene, network: UNet, preprocess: Preprocess, name: object = "the image") -> Measures | None:
    """What an image is like, from a few of its windows; those of one value only are passed over if there are others.
    None where no window holds data.

    Raises:
        DataError: the channels or the kind of value are not those the network was made for.
        ReadError: the file is damaged there.
    """
    every = views(scene, preprocess, name=name)
    if not every:
        return None
    lively = [image for image in every if not bool((image == image[:, :1, :1]).all())] or every
    h, w = preprocess.working_size(scene.header.height, scene.header.width)
    looked_at = lively[: max(1, h * w // PIXELS)]
    flat = torch.cat([image.flatten(1) for image in lively], dim=1).double()
    seen = np.mean([features(network, image, preprocess) for image in looked_at], axis=0)
    return Measures(
        mean=tuple(flat.mean(1).tolist()),
        std=tuple(flat.std(1, correction=0).tolist()),
        clipped=_clipped(flat, preprocess.dtype),
        values=np.mean([values(image, preprocess) for image in lively], axis=0),
        octaves=np.mean([octaves(image, preprocess) for image in lively], axis=0),
        # Activations are skewed; the root makes faint channels count too.
        content=np.sign(seen) * np.sqrt(np.abs(seen)),
    )


def _clipped(flat_CN: Tensor, dtype: str) -> float:
    if dtype == "float32":
        return 0.0
    ends = np.iinfo(dtype)
    return float(((flat_CN <= int(ends.min)) | (flat_CN >= int(ends.max))).double().mean())


def octave_names() -> list[str]:
    """What each number of `octaves` is."""
    return [f"structures of {2**n} to {2 ** (n + 1)} pixels" for n in range(OCTAVES)]


def value_names(channels: int) -> list[str]:
    """What each number of `values` is."""
    names = ["brightness", "contrast", *(f"{share:.0%} quantile" for share in QUANTILES)]
    colours = [f"{what} of channel {c}" for c in range(1, channels + 1) for what in ("tint", "spread", "slope")]
    return names + (colours if channels > 1 else [])


def values(image_Chw: Tensor, preprocess: Preprocess) -> Floats:
    """What the values are like, all in standard deviations of the training images.

    Of grey, the mean of the channels: its mean, the log of its standard deviation, and its quantiles as seen from
    there, which tell dark on bright from bright on dark. Of each channel less grey: mean, log of its standard
    deviation, and how it goes with grey, which tell one order of channels from another.
    """
    flat_CN = preprocess.normalise(image_Chw).double().flatten(1)
    grey_N = flat_CN.mean(0)
    mean, std = grey_N.mean(), grey_N.std(correction=0)
    shape = (torch.quantile(grey_N, grey_N.new_tensor(QUANTILES)) - mean) / (std + FLAT)
    numbers = [mean[None], (std + FLAT).log()[None], shape]
    if len(flat_CN) > 1:
        for tint_N in flat_CN - grey_N:
            spread = tint_N.std(correction=0)
            slope = ((tint_N - tint_N.mean()) * (grey_N - mean)).mean() / (std + FLAT) ** 2
            numbers.append(torch.stack([tint_N.mean(), (spread + FLAT).log(), slope]))
    return np.asarray(torch.cat(numbers).numpy())


def octaves(image_Chw: Tensor, preprocess: Preprocess) -> Floats:
    """Log of each octave's share of the window's power, the finest first, whatever the contrast.

    The mean of blocks twice as wide has less variance; what is lost from one to the next is an octave's power.
    """
    grey = preprocess.normalise(image_Chw).double().mean(0)[None, None]
    step = 2**OCTAVES
    size = [n // step * step for n in grey.shape[-2:]]
    if all(size):  # whole blocks, so that the powers add up
        grey = grey[..., : size[0], : size[1]]
    variances = []
    for n in range(OCTAVES + 1):
        fits = min(grey.shape[-2:]) >= 2**n
        variances.append(float(F.avg_pool2d(grey, 2**n).var(correction=0)) if fits else 0.0)
    powers = np.maximum(0, -np.diff(variances))
    return np.asarray(np.log(powers / max(float(powers.sum()), FLAT**2) + FAINT))


@torch.inference_mode()
def features(network: UNet, image_Chw: Tensor, preprocess: Preprocess) -> Floats:
    """The bottleneck's channels, each as its mean over the window."""
    device = next(network.parameters()).device
    image = fitted(network.record, preprocess.normalise(image_Chw.to(device)))
    deepest = network.encoder(image[None])[-1]
    assert deepest is not None, "the bottleneck always has features"
    return np.asarray(deepest[0].mean((-2, -1)).double().cpu().numpy())
