"""Augmentation as one warp: flips, turns, scale, shear and elastic displacement add up to one sampling grid.

Image and labels are sampled once, for the whole batch, on the training device; brightness, contrast and noise follow.
What a draw is, is decided on the CPU by counted randomness (`draw_moves`), crop by crop; applying it (`warp`,
`change_light`) needs no randomness. Shapes: B C H W the source around the crop, h w the crop, G G the elastic knots.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field, field_validator
from torch import Tensor
from torch.nn import functional as F

from maskwright.data.randomness import draw
from maskwright.records import IGNORED, Record


class Augment(Record):
    """How far a training crop may be moved and changed; 0 or false switches a part off."""

    flip_horizontal: bool = True
    flip_vertical: bool = False
    rotate: float = Field(10.0, ge=0, le=180)
    """Degrees, either way."""
    scale: tuple[float, float] = (0.8, 1.25)
    """Smallest and largest enlargement; drawn evenly in its logarithm."""
    shear: float = Field(0.0, ge=0, lt=45)
    """Degrees, either way."""
    elastic: float = Field(0.0, ge=0)
    """Standard deviation of the elastic displacement, in working pixels."""
    elastic_grid: int = Field(4, ge=3)
    """Knots of the displacement, a side; smooth in between (Ronneberger et al. 2015 draw 3 × 3)."""
    brightness: float = Field(0.2, ge=0)
    """In standard deviations of the training images, either way."""
    contrast: float = Field(0.2, ge=0, lt=1)
    """Share, either way."""
    colour: float = Field(0.0, ge=0)
    """Brightness of each channel on its own, in standard deviations, either way."""
    noise: float = Field(0.05, ge=0)
    """Largest standard deviation of added noise, in standard deviations of the training images."""

    @field_validator("scale")
    @classmethod
    def _in_order(cls, scale: tuple[float, float]) -> tuple[float, float]:
        if not 0 < scale[0] <= scale[1]:
            raise ValueError("the smallest enlargement comes first, and both are above 0")
        return scale

    def source_size(self, crop: tuple[int, int]) -> tuple[int, int]:
        """Height and width of a source that holds every crop, however it is turned, shrunken and displaced."""
        h, w = crop
        spare = 6 * self.elastic  # three standard deviations on each side

        def longest(along: int, across: int, sheared: float) -> int:
            angle = min(np.deg2rad(self.rotate), np.arctan2(across, along))
            turned = along * np.cos(angle) + across * np.sin(angle) + sheared
            return int(np.ceil(turned / self.scale[0] + spare)) + 2

        # Shear pushes rows sideways, by their height; a turn makes that a push up or down.
        slant = h * np.tan(np.deg2rad(self.shear))
        return longest(h, w, slant * np.sin(np.deg2rad(min(90, self.rotate)))), longest(w, h, slant)


OFF = Augment(
    flip_horizontal=False, rotate=0, scale=(1.0, 1.0), elastic=0, brightness=0, contrast=0, noise=0
)  # fmt: skip


NOISE: Final = 1 << 20
"""Random numbers that noise is taken from, at least."""


@dataclass(frozen=True)
class Moves:
    """What happens to each crop of a batch."""

    affine: Tensor
    """B 2 3: from crop coordinates to source coordinates, both in pixels from the middle (x, y)."""
    elastic: Tensor | None
    """B 2 G G: displacement of the knots, in pixels (x, y)."""
    gain: Tensor
    """B C."""
    shift: Tensor
    """B C."""
    noise: Tensor | None
    """B: standard deviation."""
    noise_from: Tensor | None
    """B float64, 0 ≤ … < 1: where in the long row of random numbers the crop's noise begins."""

    def to(self, device: torch.device) -> "Moves":
        """The same on another device."""

        def there(part: Tensor) -> Tensor:
            return part.to(device, non_blocking=True)

        elastic, noise = (None if part is None else there(part) for part in (self.elastic, self.noise))
        # Where the noise begins stays on the CPU: it cuts, and is not computed with.
        return Moves(there(self.affine), elastic, there(self.gain), there(self.shift), noise, self.noise_from)

    def of_stored(self, mean: Sequence[float] | Tensor, std: Sequence[float] | Tensor) -> "Moves":
        """The same for values as stored, which are normalised along the way: one pass over the pixels does both.

        gain · (x - mean) / std + shift is (gain / std) · x + (shift - gain · mean / std).
        mean, std: a number a channel, or B C where each crop has its own.
        """
        gain = self.gain.double() / torch.as_tensor(std, dtype=torch.float64)
        shift = self.shift.double() - gain * torch.as_tensor(mean, dtype=torch.float64)
        return replace(self, gain=gain.float(), shift=shift.float())


def draw_moves(
    settings: Augment, seed: int, numbers: Sequence[int], channels: int, offsets_B2: NDArray[np.floating]
) -> Moves:
    """The moves of the crops with these numbers, each a function of (seed, number) alone.

    offsets_B2: where in its source, (x, y) from the middle, each crop lies.
    """
    grid = settings.elastic_grid
    draws = [draw(seed, "augment", i) for i in numbers]
    # Each crop's numbers come in two calls; what follows from them is computed for all crops at once.
    even = np.stack([rng.random(9 + channels) for rng in draws])
    affine = _affine(settings, even[:, :5])
    affine[:, :, 2] = offsets_B2
    signed = 2 * even - 1
    shift = signed[:, 5:6] * settings.brightness + signed[:, 9:] * settings.colour
    gain = np.repeat(1 + signed[:, 6:7] * settings.contrast, channels, axis=1)
    elastic = noise = noise_from = None
    if settings.elastic:
        normal = np.stack([rng.standard_normal((2, grid, grid)) for rng in draws])
        elastic = _tensor(normal * settings.elastic)
    if settings.noise:
        noise, noise_from = _tensor(even[:, 7] * settings.noise), torch.from_numpy(even[:, 8].copy())
    return Moves(_tensor(affine), elastic, _tensor(gain), _tensor(shift), noise, noise_from)


def _tensor(values: NDArray[np.floating]) -> Tensor:
    return torch.from_numpy(values.astype(np.float32))


def _affine(settings: Augment, even_B5: NDArray[np.floating]) -> NDArray[np.floating]:
    """B 2 3 without offsets, of numbers drawn evenly from 0 … 1: flips, turn, shear, enlargement."""
    flip_x, flip_y, turned, sheared, zoomed = even_B5.T
    angle, shear = np.deg2rad((2 * turned - 1) * settings.rotate), np.deg2rad((2 * sheared - 1) * settings.shear)
    low, high = np.log(settings.scale)
    zoom = np.exp(low + zoomed * (high - low))
    cos, sin, slant = np.cos(angle) / zoom, np.sin(angle) / zoom, np.tan(shear)
    affine = np.zeros((len(even_B5), 2, 3))
    affine[:, 0, 0], affine[:, 0, 1] = cos, cos * slant - sin
    affine[:, 1, 0], affine[:, 1, 1] = sin, sin * slant + cos
    affine[:, :, 0] *= np.where(settings.flip_horizontal & (flip_x < 0.5), -1, 1)[:, None]
    affine[:, :, 1] *= np.where(settings.flip_vertical & (flip_y < 0.5), -1, 1)[:, None]
    return affine


def sampling_grid(moves: Moves, crop: tuple[int, int], source: tuple[int, int]) -> Tensor:
    """Where each crop pixel lies in the source, B h w 2 as (x, y), -1 and 1 being the source's outer edges.

    Affine map and displacement are both sums of (function of the row) · (function of the column): the position itself,
    one, and the weights of the knots. So the grid is a product of a tall and a wide matrix, and written once.
    """
    h, w = crop
    device, batch = moves.affine.device, len(moves.affine)
    knots = 0 if moves.elastic is None else moves.elastic.shape[-1]
    rows_hk, columns_kw = _basis(h, knots, device), _basis(w, knots, device).T
    joint_B2kk = torch.zeros(batch, 2, knots + 2, knots + 2, device=device)
    if moves.elastic is not None:
        joint_B2kk[:, :, :knots, :knots] = moves.elastic
    joint_B2kk[:, :, -1, -2:] = moves.affine[:, :, ::2]  # x and the offset
    joint_B2kk[:, :, -2, -1] = moves.affine[:, :, 1]  # y
    joint_B2kk[:, 0] *= 2 / source[1]
    joint_B2kk[:, 1] *= 2 / source[0]
    if device.type == "cpu":
        flat = torch.empty(batch, h, 2 * w)
        # Crop by crop, so that the sums of one are the same in a batch of any size.
        for joint_2kk, out in zip(joint_B2kk, flat, strict=True):
            torch.mm(rows_hk, _interleaved(joint_2kk @ columns_kw), out=out)
    else:
        flat = _product(rows_hk, _interleaved(_product(joint_B2kk, columns_kw)))
    return flat.view(batch, h, w, 2)


def _interleaved(xy_2kw: Tensor) -> Tensor:
    """... 2 k w → ... k w·2: x and y of a column side by side, as the sampler reads them."""
    return xy_2kw.movedim(-3, -1).flatten(-2)


def _product(tall: Tensor, wide: Tensor) -> Tensor:
    """The matrix product ... n k times ... k m in whole float32 precision: where TF32 is allowed, a GPU's own would
    move pixels by a tenth.
    """
    total = tall[..., :1] * wide[..., :1, :]
    for k in range(1, tall.shape[-1]):
        total = torch.addcmul(total, tall[..., k : k + 1], wide[..., k : k + 1, :])
    return total


@lru_cache(maxsize=16)
def _basis(n: int, knots: int, device: torch.device) -> Tensor:
    """For each of n positions the (bicubic) weight of each knot, the position from the middle, and one: n knots+2."""
    position = torch.arange(n, dtype=torch.float32) - (n - 1) / 2
    parts = [position[:, None], torch.ones(n, 1)]
    if knots:
        unit = torch.eye(knots)[None, None]
        parts.insert(0, F.interpolate(unit, size=(n, knots), mode="bicubic", align_corners=True)[0, 0])
    return torch.cat(parts, dim=1).to(device)


def warp(
    images_BCHW: Tensor, labels_BHW: Tensor, moves: Moves, crop: tuple[int, int], weights_BHW: Tensor | None = None
) -> tuple[Tensor, Tensor, Tensor | None]:
    """Crops B C h w float32, their labels B h w uint8 and their pixel weights B h w float32, each sampled once.

    Images are mirrored at the source's edge; labels from outside are ignored, and weigh nothing.
    """
    grid_Bhw2 = sampling_grid(moves, crop, (images_BCHW.shape[-2], images_BCHW.shape[-1]))
    images = F.grid_sample(
        images_BCHW.float(), grid_Bhw2, mode="bilinear", padding_mode="reflection", align_corners=False
    )
    # Outside, the sampler gives 0; so labels are counted from IGNORED for a moment.
    shifted = labels_BHW[:, None].float().sub_(IGNORED)
    sampled = F.grid_sample(shifted, grid_Bhw2, mode="nearest", padding_mode="zeros", align_corners=False)[:, 0]
    labels = sampled.add_(IGNORED).to(torch.uint8)
    weights = None
    if weights_BHW is not None:
        weights = F.grid_sample(
            weights_BHW[:, None].float(), grid_Bhw2, mode="bilinear", padding_mode="zeros", align_corners=False
        )[:, 0]
    return images, labels, weights


def change_light(images_BChw: Tensor, moves: Moves) -> Tensor:
    """The images with contrast, brightness and noise changed: gain · x + shift + noise."""
    images = torch.addcmul(moves.shift[:, :, None, None], images_BChw, moves.gain[:, :, None, None])
    if moves.noise is None or moves.noise_from is None:
        return images
    size = images[0].numel()
    row = _random_row(max(NOISE, 2 * size), images.device)
    starts = (moves.noise_from * (len(row) - size)).long().tolist()
    for image, start, deviation in zip(images, starts, moves.noise, strict=True):
        image.addcmul_(row[start : start + size].view(image.shape), deviation)
    return images


@lru_cache(maxsize=2)
def _random_row(length: int, device: torch.device) -> Tensor:
    """So many normal random numbers, always the same. Each crop's noise is a stretch of them, from a place of its own:
    drawing anew for every pixel took longer than all the rest of the warp.
    """
    return torch.randn(length, generator=torch.Generator().manual_seed(NOISE)).to(device)
