"""Batch norms folded into the convolutions before them: the same logits with fewer passes over the maps.

In prediction a batch norm multiplies each channel by a number and adds another. Right behind a convolution both go
into its weights. Which norm stands behind which convolution is seen by running the network once on the meta device,
so it holds for any encoder, not by the names or the order of modules.
"""

import copy
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves

from maskwright.model import UNet
from maskwright.model.sizes import fitting_input

CONVOLUTIONS = (nn.Conv2d, nn.Conv3d, nn.ConvTranspose2d, nn.ConvTranspose3d)
NORMS = (nn.BatchNorm2d, nn.BatchNorm3d)


def folded(network: UNet) -> UNet:
    """A copy for prediction, in evaluation mode, whose batch norms are folded wherever a convolution stands before.

    The network itself stays as it is. Norms behind an activation, an enlargement or a sum are kept, and those of
    convolutions whose map is used elsewhere too. Folded in double precision; a second folding finds nothing to do.
    """
    pairs = foldable(network)
    out = copy.deepcopy(network).eval().requires_grad_(False)
    for before, norm in pairs:
        fold(out.get_submodule(before), out.get_submodule(norm))
        out.set_submodule(norm, _without_norm(out.get_submodule(norm)))
    return out


def foldable(network: UNet) -> list[tuple[str, str]]:
    """Names of each convolution and of the batch norm right behind it that alone reads its map."""
    twin = copy.deepcopy(network).to("meta").eval()
    seen = _Seen()
    with torch.inference_mode(), seen:
        twin.logits(torch.empty(example_shape(network, 1), device="meta"))
    convolutions = {id(m.weight): name for name, m in twin.named_modules() if isinstance(m, CONVOLUTIONS)}
    norms = {id(m.running_mean): name for name, m in twin.named_modules() if _is_foldable_norm(m)}
    made = {id(call.made): call for call in seen.calls if id(call.weight) in convolutions}
    pairs = []
    for call in seen.calls:
        before = made.get(id(call.read))
        if id(call.mean) not in norms or before is None or seen.reads[id(call.read)] > 1:
            continue
        # A convolution or norm that is used twice has one set of weights for two places.
        if seen.weights[id(before.weight)] == seen.weights[id(call.mean)] == 1:
            pairs.append((convolutions[id(before.weight)], norms[id(call.mean)]))
    return pairs


def example_shape(network: UNet, batch: int, *more: int) -> tuple[int, ...]:
    """The shape of a small batch that fits the network: two strides a side and so many more, the last side's last."""
    record = network.record
    strides = (*[0] * record.dims, *more)[-record.dims :]
    wanted = [(2 + many) * record.stride + 2 * network.trimmed for many in strides]
    return (batch, record.in_channels, *(fitting_input(record, n) for n in wanted))


def fold(convolution: nn.Module, norm: nn.Module) -> None:
    """Put into a convolution what the batch norm behind it does, in place."""
    assert isinstance(convolution, CONVOLUTIONS)
    assert isinstance(norm, NORMS)
    mean, variance = norm.running_mean, norm.running_var
    assert mean is not None
    assert variance is not None
    scale = (variance.double() + norm.eps).rsqrt()
    if norm.weight is not None:
        scale = scale * norm.weight.double()
    shift = -mean.double() * scale
    if norm.bias is not None:
        shift = shift + norm.bias.double()
    if convolution.bias is not None:
        shift = shift + convolution.bias.double() * scale
    weight = convolution.weight
    # Channels that come out: the first dimension of a convolution, of a transposed one the second, a group at a time.
    if isinstance(convolution, nn.ConvTranspose2d | nn.ConvTranspose3d):
        grouped = weight.double().unflatten(0, (convolution.groups, -1))
        new = grouped * scale.reshape(convolution.groups, 1, -1, *[1] * (weight.ndim - 2))
        new = new.flatten(0, 1)
    else:
        new = weight.double() * scale.reshape(-1, *[1] * (weight.ndim - 1))
    convolution.weight = nn.Parameter(new.to(weight.dtype), requires_grad=False)
    convolution.bias = nn.Parameter(shift.to(weight.dtype), requires_grad=False)


class _Call:
    """A convolution or a batch norm that was computed: the map it read, the one it made, and whose weights it used."""

    def __init__(self, arguments: list[Any], made: Tensor):
        tensors = [one for one in arguments if isinstance(one, Tensor)]
        self.read, self.made = tensors[0], made
        # Both functions take their own tensor second: a convolution its weight, a norm its running mean.
        self.weight = self.mean = tensors[1] if len(tensors) > 1 else None


class _Seen(TorchFunctionMode):
    """What was computed in a block: convolutions and norms, and how often each tensor was read by anything."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[_Call] = []
        self.reads: Counter[int] = Counter()
        self.weights: Counter[int] = Counter()
        self._alive: list[Any] = []  # an id is a tensor's own only as long as the tensor lives

    def __torch_function__(
        self, function: Callable[..., Any], types: Iterable[type], args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        out = function(*args, **(kwargs or {}))
        arguments = tree_leaves((args, kwargs or {}))
        if not any(isinstance(one, Tensor) for one in tree_leaves(out)):  # a question for a shape
            return out
        self._alive += [arguments, out]
        self.reads.update({id(one) for one in arguments if isinstance(one, Tensor)})
        name = getattr(function, "__name__", "")
        if name.startswith("conv") or name == "batch_norm":
            call = _Call(arguments, out)
            self.calls.append(call)
            self.weights[id(call.weight)] += 1
        return out


def _is_foldable_norm(module: nn.Module) -> bool:
    if not isinstance(module, NORMS) or module.running_mean is None:
        return False
    return type(module) in NORMS or _has_activation(module)


def _has_activation(module: nn.Module) -> bool:
    """Whether it is timm's norm with dropout and activation in one."""
    return type(module).__name__ == "BatchNormAct2d" and hasattr(module, "drop") and hasattr(module, "act")


def _without_norm(module: nn.Module) -> nn.Module:
    if not _has_activation(module):
        return nn.Identity()
    return nn.Sequential(module.get_submodule("drop"), module.get_submodule("act"))
