"""What the losses that look at one pixel after the other share: weights a class, weights a pixel, and their mean.

Class weights say how the classes share the loss: the mean is Σ c·loss / Σ c, so that they change the balance and not
the size. A weight map adds urgency where it is high: Σ w·c·loss / Σ c, the divisor as it was without the map. So a map
of ones is no map, the border term of Ronneberger et al. 2015 comes on top of what the other pixels say, and a pixel's
pull does not depend on how many borders its crop happens to show, as it would if we divided by Σ w.
"""

import torch
from torch import Tensor

from maskwright.errors import SettingError
from maskwright.records import IGNORED


def class_weights_of(numbers: tuple[float, ...] | None, logits: Tensor) -> Tensor | None:
    """One number a class as a tensor beside the logits; two numbers where there is one logit.

    Raises:
        SettingError: there are more or fewer numbers than classes.
    """
    if numbers is None:
        return None
    classes = max(2, logits.shape[1])
    if len(numbers) != classes:
        raise SettingError(
            f"class_weights has {len(numbers)} numbers, the logits tell {classes} classes apart: state one a class."
        )
    return torch.tensor(numbers, dtype=torch.float32, device=logits.device)


def counted_weights(weights: Tensor, counted: Tensor) -> Tensor:
    """The weight map in float32, zero where a pixel is ignored, whatever stood there.

    Raises:
        SettingError: the map is not shaped like the labels.
    """
    if weights.shape != counted.shape:
        raise SettingError(
            f"The weights a pixel are {tuple(weights.shape)}, the labels {tuple(counted.shape)}: "
            "give one weight to each label."
        )
    return weights.float().where(counted, 0.0)


def class_share(labels: Tensor, weights_K: Tensor | None) -> Tensor:
    """What each pixel's class weighs, zero where it is ignored; float32, shaped like the labels."""
    counted = labels != IGNORED
    if weights_K is None:
        return counted.float()
    return weights_K[labels.where(counted, 0)].where(counted, 0.0)


def weighted_mean(loss: Tensor, share: Tensor, weights: Tensor | None) -> Tensor:
    """Σ w·c·loss / Σ c, with `share` c; zero where nothing counts. All are shaped alike."""
    total = loss * share if weights is None else loss * share * weights
    return total.sum() / share.sum().clamp(min=torch.finfo(torch.float32).tiny)
