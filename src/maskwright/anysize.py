"""A network over an image of any size: padded to what fits, in tiles if it is large, cut back to the image.

Training validates with it and inference predicts with it, so both see the same.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from maskwright.data.labels import Labels
from maskwright.model.record import UNetRecord
from maskwright.model.sizes import fitting_input, geometry
from maskwright.model.unet import UNet, mirror_to_multiple
from maskwright.tiling import Tiles, logits_of, mirrored


@torch.inference_mode()
def image_logits(network: UNet, image_CHW: Tensor, tiles: Tiles) -> Tensor:
    """Logits, K H W float32, of a normalised image C H W, in the image's own size.

    A same-padded network sees the image mirrored up to a multiple of its stride; a valid one sees it mirrored all
    around, as wide as its margin.
    """
    height, width = image_CHW.shape[-2:]
    reach = geometry(network.record)
    return logits_of(network.logits, fitted(network.record, image_CHW), reach, tiles)[:, :height, :width]


def fitted(record: UNetRecord, image_CHW: Tensor) -> Tensor:
    """The image padded by mirroring until it fits the network; its logits then begin where the image began."""
    if record.padding == "same":
        return mirror_to_multiple(image_CHW[None], record.stride)[0]
    margin = geometry(record).margin
    after = [fitting_input(record, n) - n - margin for n in image_CHW.shape[-2:]]
    return mirrored(image_CHW, (margin, margin), (after[0], after[1]))


def as_probabilities(logits_KHW: Tensor) -> Tensor:
    """Probabilities over all classes, K H W; a single logit gives two."""
    if logits_KHW.shape[0] == 1:
        foreground = logits_KHW.sigmoid()
        return torch.cat([1 - foreground, foreground])
    return logits_KHW.softmax(0)


def of_classes(shares_KHW: Tensor, labels: Labels) -> tuple[Tensor, Tensor | None]:
    """Probabilities over the classes, of those over all that a network tells apart, in their room; and where what it
    learned of objects is likelier than the rest of the foreground, H W bool, None if it learned nothing of them.

    What is learned of objects is a part of the foreground, so it counts as that before anything is decided: a pixel of
    0.4 background, 0.35 foreground and 0.25 border is foreground.
    """
    if labels.learned is None or labels.foreground is None:
        return shares_KHW, None
    learned_HW, rest_HW = shares_KHW[labels.learned], shares_KHW[labels.foreground]
    marked_HW = learned_HW >= rest_HW
    rest_HW += learned_HW
    return shares_KHW[: labels.count], marked_HW


def enlarged_rows(logits_Khw: Tensor, size: tuple[int, int], first: int, stop: int) -> Tensor:
    """Rows first … stop-1 of the logits enlarged bilinearly to `size`, K rows W; the same as enlarging them all."""
    h, w = logits_Khw.shape[1:]
    if (h, w) == tuple(size):
        return logits_Khw[:, first:stop]
    where = ((torch.arange(first, stop, device=logits_Khw.device) + 0.5) * (h / size[0]) - 0.5).clamp(0, h - 1)
    low = where.floor().long()
    high = (low + 1).clamp(max=h - 1)
    share = (where - low)[None, :, None]
    rows = torch.lerp(logits_Khw[:, low], logits_Khw[:, high], share)
    if w == size[1]:
        return rows
    return F.interpolate(rows, size=size[1], mode="linear", align_corners=False)
