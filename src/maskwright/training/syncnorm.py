"""Batch norm over the crops of all processes, so that several of them learn what one with the whole batch would.

torch's SyncBatchNorm takes tensors on a GPU alone; for the CPU, and for timm's norm with an activation in it, there is
one of ours. Names of weights and statistics stay as they are.
"""

from functools import cache
from typing import Any, cast

import torch
from torch import Tensor, distributed, nn
from torch.autograd.function import FunctionCtx
from torch.nn import functional as F
from torch.nn.modules.batchnorm import _BatchNorm

from maskwright.errors import SettingError


def synchronise(network: nn.Module, *, gpu: bool) -> None:
    """Let every batch norm in the network take its statistics over all processes while it learns.

    Raises:
        SettingError: there is a batch norm that computes in a way of its own.
    """
    for parent in list(network.modules()):
        for name, layer in list(parent.named_children()):
            if not isinstance(layer, _BatchNorm) or isinstance(layer, Synchronised | nn.SyncBatchNorm):
                continue
            plain = type(layer).forward is _BatchNorm.forward
            if not plain and not (hasattr(layer, "drop") and hasattr(layer, "act")):
                raise SettingError(
                    f"{type(layer).__name__} is a batch norm that cannot be synchronised over several devices. Train "
                    "on one device, or with model.norm=group."
                )
            if gpu and plain:
                setattr(parent, name, nn.SyncBatchNorm.convert_sync_batchnorm(layer))
            else:
                layer.__class__ = _synchronised(cast("Any", type(layer)))  # the same weights, called anew


class Synchronised(_BatchNorm):
    """The part of a synchronised batch norm that learns; in evaluation it is the layer it was."""

    def forward(self, features: Tensor) -> Tensor:
        """B C … → the same."""
        if not self.training:
            return super().forward(features)
        normed, mean, variance, count = _Normalise.apply(features, self.weight, self.bias, self.eps)
        if self.running_mean is not None and self.running_var is not None and self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)
            momentum = 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
            unbiased = variance * (count / (count - 1).clamp(min=1))
            self.running_mean.lerp_(mean.to(self.running_mean.dtype), momentum)
            self.running_var.lerp_(unbiased.to(self.running_var.dtype), momentum)
        if hasattr(self, "act"):  # timm's
            layer: Any = self
            return cast("Tensor", layer.act(layer.drop(normed)))
        return cast("Tensor", normed)


@cache
def _synchronised(kind: type[_BatchNorm]) -> type[_BatchNorm]:
    """That kind of layer, synchronised; an instance of both."""
    return type(f"Synchronised{kind.__name__}", (Synchronised, kind), {})


class _Normalise(torch.autograd.Function):
    """(x - mean) / deviation · weight + bias, mean and deviation over all processes. Ioffe & Szegedy 2015, 1502.03167.

    Gradients of weight and bias are those of this process: whoever averages gradients adds them up.
    """

    @staticmethod
    def forward(
        ctx: Any, features: Tensor, weight: Tensor | None, bias: Tensor | None, eps: float
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        axes = [0, *range(2, features.ndim)]
        variance, mean = torch.var_mean(features.double(), dim=axes, correction=0)
        count = torch.full((1,), features.numel() / features.shape[1], dtype=torch.float64, device=features.device)
        own = torch.cat([count * mean, count * (variance + mean.square()), count])
        distributed.all_reduce(own)
        sums, squares, count = own.split([len(mean), len(mean), 1])
        mean = sums / count
        variance = (squares / count - mean.square()).clamp(min=0)  # in float64: nothing is lost
        mean32, variance32 = mean.float(), variance.float()
        ctx.save_for_backward(features, weight, mean32, (variance32 + eps).rsqrt(), count)
        ctx.mark_non_differentiable(mean, variance, count)
        return F.batch_norm(features, mean32, variance32, weight, bias, False, 0.0, eps), mean, variance, count

    @staticmethod
    def backward(ctx: FunctionCtx, *gradients: Any) -> tuple[Tensor | None, ...]:
        gradient = gradients[0].float()
        features, weight, mean, scale, count = cast("Any", ctx).saved_tensors
        axes = [0, *range(2, features.ndim)]
        shape = (1, -1, *[1] * (features.ndim - 2))
        normed = (features.float() - mean.view(shape)) * scale.view(shape)
        of_bias, of_weight = gradient.sum(axes), (gradient * normed).sum(axes)
        both = torch.stack([of_bias, of_weight]).double()
        distributed.all_reduce(both)
        shift, tilt = (both / count).float()
        slope = scale if weight is None else scale * weight
        own = slope.view(shape) * (gradient - shift.view(shape) - normed * tilt.view(shape))
        needed = weight is not None
        return own.to(features.dtype), of_weight if needed else None, of_bias if needed else None, None
