"""Augmentation as one warp: flips, turns, scale, shear and elastic displacement add up to one sampling grid.

Image and labels are sampled once, for the whole batch, on the training device; brightness, contrast and noise follow.
What a draw is, is decided on the CPU by counted randomness (`draw_moves`); applying it (`warp`) needs no randomness but
the noise, which is counted too. Shapes: B C H W the source around the crop, h w the crop.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field, field_validator
from torch import Tensor
from torch.nn import functional as F

from maskwright.data.randomness import draw, number
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


@dataclass(frozen=True)
class Moves:
    """What happens to each crop of a batch."""

    affine: Tensor
    """B 2 3: from crop coordinates to source coordinates, both in pixels from the middle (x, y)."""
    elastic: Tensor | None
    """B 2 G G: displacement of the knots, in pixels (x, y)."""
    gain: Tensor
    """B."""
    shift: Tensor
    """B C."""
    noise: Tensor
    """B: standard deviation."""

    def to(self, device: torch.device) -> "Moves":
        """The same on another device."""
        parts = (self.affine, self.elastic, self.gain, self.shift, self.noise)
        # mypy does not see that only the second part, which may be None, ever is.
        return Moves(*(None if part is None else part.to(device, non_blocking=True) for part in parts))  # type: ignore[arg-type]


def draw_moves(settings: Augment, seed: int, numbers: range, channels: int, offsets_B2: NDArray[np.floating]) -> Moves:
    """The moves of the crops with these numbers, each a function of (seed, number) alone.

    offsets_B2: where in its source, (x, y) from the middle, each crop lies.
    """
    rows = [_draw_one(settings, draw(seed, "augment", i), channels) for i in numbers]
    affine, elastic, gain, shift, noise = (np.stack(part).astype(np.float32) for part in zip(*rows, strict=True))
    affine[:, :, 2] = offsets_B2
    tensors = [torch.from_numpy(part) for part in (affine, elastic, gain, shift, noise)]
    return Moves(tensors[0], tensors[1] if settings.elastic else None, *tensors[2:])


def _draw_one(settings: Augment, rng: np.random.Generator, channels: int) -> tuple[NDArray[np.floating], ...]:
    flip_x, flip_y = rng.random(2) < 0.5
    angle, shear = np.deg2rad(rng.uniform(-1, 1, 2) * (settings.rotate, settings.shear))
    zoom = np.exp(rng.uniform(*np.log(settings.scale)))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = turn @ np.array([[1, np.tan(shear)], [0, 1]]) / zoom
    matrix[:, 0] *= -1 if flip_x and settings.flip_horizontal else 1
    matrix[:, 1] *= -1 if flip_y and settings.flip_vertical else 1
    affine = np.concatenate([matrix, np.zeros((2, 1))], axis=1)
    elastic = rng.normal(size=(2, settings.elastic_grid, settings.elastic_grid)) * settings.elastic
    gain = 1 + rng.uniform(-1, 1) * settings.contrast
    shift = rng.uniform(-1, 1) * settings.brightness + rng.uniform(-1, 1, channels) * settings.colour
    return affine, elastic, np.array(gain), shift, np.array(rng.random() * settings.noise)


def sampling_grid(moves: Moves, crop: tuple[int, int], source: tuple[int, int]) -> Tensor:
    """Where each crop pixel lies in the source, B h w 2 as (x, y), -1 and 1 being the source's outer edges."""
    h, w = crop
    device = moves.affine.device
    y, x = (torch.arange(n, device=device) - (n - 1) / 2 for n in crop)
    # Sums of outer products rather than a product of matrices: nothing of size h w 3 is made.
    a = moves.affine[:, :, :, None, None]
    grid_B2hw = a[:, :, 0] * x[None, None, None, :] + a[:, :, 1] * y[None, None, :, None] + a[:, :, 2]
    if moves.elastic is not None:
        grid_B2hw = grid_B2hw + F.interpolate(moves.elastic, size=(h, w), mode="bicubic", align_corners=True)
    half = torch.tensor([source[1] / 2, source[0] / 2], device=device)
    return (grid_B2hw / half[:, None, None]).permute(0, 2, 3, 1)


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
    # Outside, the sampler gives 0; so labels are counted from 1 for a moment, and 0 becomes IGNORED.
    shifted = labels_BHW[:, None].float() + 1
    sampled = F.grid_sample(shifted, grid_Bhw2, mode="nearest", padding_mode="zeros", align_corners=False)[:, 0]
    labels = torch.where(sampled == 0, IGNORED + 1, sampled) - 1
    weights = None
    if weights_BHW is not None:
        weights = F.grid_sample(
            weights_BHW[:, None].float(), grid_Bhw2, mode="bilinear", padding_mode="zeros", align_corners=False
        )[:, 0]
    return images, labels.to(torch.uint8), weights


def change_light(images_BChw: Tensor, moves: Moves, seed: int, step: int) -> Tensor:
    """Normalised images with contrast, brightness and noise changed: gain · x + shift + noise."""
    images = images_BChw * moves.gain[:, None, None, None] + moves.shift[:, :, None, None]
    if not moves.noise.any():
        return images
    generator = torch.Generator(images.device).manual_seed(number(seed, "noise", step))
    noise = torch.randn(images.shape, generator=generator, device=images.device)
    return torch.addcmul(images, noise, moves.noise[:, None, None, None])
