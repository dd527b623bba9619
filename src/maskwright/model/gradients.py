"""The weights' gradient of 3×3 convolutions by matrix products, for CPUs whose own routine is slow.

On a CPU with AVX2, oneDNN takes about twice as long a multiply-add for a kernel's gradient as for the convolution
itself where images lie pixel by pixel (EXPERIMENTS.md). A matrix product has no such weakness.
"""

import torch
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx, once_differentiable
from torch.nn import functional as F
from torch.nn.grad import conv2d_input

ROWS = 4096
"""Pixels a product sums over at once: their channels, three times each, still lie in the cache."""
WORTH = 1024
"""Channels in times channels out from which products are faster, and wherever twice as many go in as come out."""


def by_products(network: nn.Module) -> None:
    """Let the network's 3×3 convolutions of stride 1 compute their weights' gradient by products from now on.

    What they give changes in its last bits only; names of weights, and predictions, do not change at all. They do so
    on a CPU, in 32 bits, where images lie pixel by pixel, and where it pays; elsewhere they are what they were.
    """
    for layer in network.modules():
        if type(layer) is nn.Conv2d and _is_suited(layer):
            layer.__class__ = _ConvolutionByProducts


def _is_suited(layer: nn.Conv2d) -> bool:
    plain = layer.stride == layer.dilation == (1, 1) and layer.groups == 1 and layer.padding_mode == "zeros"
    many, few = layer.in_channels, layer.out_channels
    return (
        plain
        and layer.kernel_size == (3, 3)
        and layer.padding in {(0, 0), (1, 1)}
        and (many * few >= WORTH or many >= 2 * few >= 16)
    )


class _ConvolutionByProducts(nn.Conv2d):
    """A convolution with another way to its weights' gradient. Never built: layers become one."""

    def forward(self, features: Tensor) -> Tensor:
        """B C H W → B C' H W."""
        learns = torch.is_grad_enabled() and self.weight.requires_grad and not torch.compiler.is_compiling()
        if not (learns and _lies_pixel_by_pixel(features)):
            return super().forward(features)
        border = int(self.padding[0])
        out: Tensor = _ByProducts.apply(features, self.weight, self.bias, border)
        return out


def _lies_pixel_by_pixel(features: Tensor) -> bool:
    cpu = features.device.type == "cpu" and features.dtype == torch.float32 and not torch.is_autocast_enabled("cpu")
    return cpu and features.ndim == 4 and features.is_contiguous(memory_format=torch.channels_last)


class _ByProducts(torch.autograd.Function):
    @staticmethod
    def forward(ctx: FunctionCtx, features: Tensor, weight: Tensor, bias: Tensor | None, border: int) -> Tensor:
        ctx.save_for_backward(features, weight)
        ctx.border, ctx.has_bias = border, bias is not None  # type: ignore[attr-defined]
        return F.conv2d(features, weight, bias, padding=border)

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, change: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None, None]:
        features, weight = ctx.saved_tensors  # type: ignore[attr-defined]
        border, needs = ctx.border, ctx.needs_input_grad  # type: ignore[attr-defined]
        change = change.contiguous(memory_format=torch.channels_last)
        of_features = of_weight = of_bias = None
        if needs[0]:
            of_features = conv2d_input(features.shape, weight, change, padding=border)
        if needs[1]:
            of_weight = weight_gradient(features, change, border)
        if ctx.has_bias and needs[2]:  # type: ignore[attr-defined]
            of_bias = change.sum((0, 2, 3))
        return of_features, of_weight, of_bias, None


def weight_gradient(features_BIHW: Tensor, change_BOHW: Tensor, border: int) -> Tensor:
    """The gradient of a 3×3 kernel, O I 3 3: for each of its nine places, the sum over pixels of change · feature.

    features lie `border` pixels (0 or 1) beyond the image. Both maps are laid on one grid with zeros around them, and
    read as rows of channels; then every place is a product of two such lists, one of them shifted. Three shifts of each
    side by side make one product of nine.
    """
    into, out = features_BIHW.shape[1], change_BOHW.shape[1]
    seen, change = _rows(features_BIHW, border), _rows(change_BOHW, 1)
    below = features_BIHW.shape[3] + 2 * border  # from a pixel to the one below it
    total = features_BIHW.new_zeros(3 * out, 3 * into)
    # The grid's first and last line are border: zeros in `change`.
    for start in range(below, len(seen) - below, ROWS):
        end = min(start + ROWS, len(seen) - below)
        sideways = torch.cat([change[start - shift : end - shift] for shift in (-1, 0, 1)], dim=1)
        upright = torch.cat([seen[start + shift : end + shift] for shift in (-below, 0, below)], dim=1)
        total.addmm_(sideways.T, upright)
    return total.view(3, out, 3, into).permute(1, 3, 2, 0)


def _rows(maps_BCHW: Tensor, border: int) -> Tensor:
    """Pixels as rows of channels, N C, image after image, each with so much zero border."""
    padded = F.pad(maps_BCHW, (border,) * 4)
    return padded.permute(0, 2, 3, 1).reshape(-1, maps_BCHW.shape[1])
