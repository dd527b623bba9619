"""Convolutions of a folded network computed with their activation in one pass, on CPUs: oneDNN's fused operators.

These are the operators that `torch.compile` puts in on CPUs; called by themselves they need no compiler and no wait.
They are not among torch's documented ones, so a torch without them, or in which they refuse, is served without.
"""

import copy
from typing import Any, Final

import torch
from torch import Tensor, nn

from maskwright.model import UNet
from maskwright.runtimes.folding import example_shape

FUSED: Final[dict[type[nn.Module], str]] = {
    nn.ReLU: "relu",
    nn.LeakyReLU: "leaky_relu",
    nn.SiLU: "swish",
    nn.GELU: "gelu",
    nn.Identity: "none",
}
"""What oneDNN calls our activations."""
LAST: Final = torch.channels_last


def fused(network: UNet) -> UNet:
    """A folded network, in channels_last on the CPU, whose convolutions bring their activations along.

    Tried on a small image: where this torch has no such operators, or they say something else, the network comes back
    as it was. timm's encoders stay as they are: how their modules follow each other is not told by their order.
    """
    if network.record.dims != 2 or not can_fuse():
        return network
    images = torch.randn(example_shape(network, 1, 1), generator=torch.Generator().manual_seed(1))
    images = images.contiguous(memory_format=LAST)
    try:
        out = copy.deepcopy(network)
        with torch.inference_mode():
            fuse(out)
            found, expected = out.logits(images), network.logits(images)
    except RuntimeError:  # what torch's operators raise
        return network
    return out if torch.allclose(found, expected, rtol=1e-3, atol=1e-4 * float(expected.abs().max())) else network


def can_fuse() -> bool:
    """Whether this torch has the operators."""
    operators = torch.ops.mkldnn
    return torch.backends.mkldnn.is_available() and all(
        hasattr(operators, name) for name in ("_convolution_pointwise", "_reorder_convolution_weight")
    )


def fuse(network: UNet) -> None:
    """Replace the convolutions of a folded network, in place."""
    own = [network.decoder, network.closing, *([network.encoder] if network.record.encoder.is_own else [])]
    for part in own:
        assert isinstance(part, nn.Module)
        for module in list(part.modules()):
            if isinstance(module, nn.Sequential):
                _fuse_in(module)


class FusedConvolution(nn.Module):
    """A convolution and an activation in one."""

    def __init__(self, convolution: nn.Conv2d, activation: nn.Module):
        super().__init__()
        self.bias = None if convolution.bias is None else convolution.bias.detach()
        self.places: list[Any] = [convolution.padding, convolution.stride, convolution.dilation, convolution.groups]
        slope = [activation.negative_slope] if isinstance(activation, nn.LeakyReLU) else []
        curve = activation.approximate if isinstance(activation, nn.GELU) else ""
        self.after: list[Any] = [FUSED[type(activation)], slope, curve]
        weight = convolution.weight.detach().contiguous(memory_format=LAST)
        self.weight = torch.ops.mkldnn._reorder_convolution_weight(weight, *self.places)

    def forward(self, features: Tensor) -> Tensor:
        """B C H W → B C' H' W', in channels_last."""
        features = features.contiguous(memory_format=LAST)
        out: Tensor = torch.ops.mkldnn._convolution_pointwise(
            features, self.weight, self.bias, *self.places, *self.after
        )
        return out


def _fuse_in(line: nn.Sequential) -> None:
    """Fuse each convolution with the activation behind it, past norms that were folded; both stand in one line."""
    modules = list(line)
    for at, module in enumerate(modules):
        if type(module) is not nn.Conv2d or module.padding_mode != "zeros":
            continue
        after = at + 1
        while after < len(modules) and isinstance(modules[after], nn.Identity):
            after += 1
        activation = modules[after] if after < len(modules) else nn.Identity()
        if type(activation) in FUSED:
            if after < len(modules):
                line[after] = nn.Identity()
        else:
            activation = nn.Identity()
        line[at] = FusedConvolution(module, activation)
