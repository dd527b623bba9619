"""Beyond an image's border: mirrored rows and columns."""

import torch
from torch import Tensor

from maskwright.mirror import mirror_indices


def mirrored(image_CHW: Tensor, before: tuple[int, int], after: tuple[int, int]) -> Tensor:
    """The image with so many mirrored rows and columns around it, however many; one pixel alone is repeated."""
    rows, columns = (
        torch.from_numpy(mirror_indices(-b, n + a, n))
        for n, b, a in zip(image_CHW.shape[-2:], before, after, strict=True)
    )
    return image_CHW.index_select(-2, rows.to(image_CHW.device)).index_select(-1, columns.to(image_CHW.device))
