"""Small networks of the family whose norms have something to say, and images that fit them."""

import torch
from torch import nn

from maskwright.model import UNet
from maskwright.model.sizes import fitting_input

RECORDS = {
    "plain": {},
    "one channel, one logit": {"in_channels": 1, "classes": 1},
    "eight channels": {"in_channels": 8, "activation": "leaky_relu"},
    "valid": {"padding": "valid", "norm_at": "block"},
    "valid, nested": {"padding": "valid", "skip": "nested", "block": "residual"},
    "attention, pixel shuffle": {"skip": "attention", "up": "pixel_shuffle", "up_unit": True, "head_kernel": 3},
    "residual, instance": {"block": "residual", "norm": "instance", "up": "bilinear", "down": "strided"},
    "preactivation": {"block": "preactivation", "down": "blur", "skip": "add", "growth": 1, "up": "transposed3"},
    "group, after": {"norm": "group", "norm_order": "after", "activation": "gelu", "up": "nearest", "down": "average"},
    "convnext": {"block": "convnext", "norm": "layer", "activation": "silu", "down": "strided_block"},
    "bottleneck, supervised": {"block": "bottleneck", "deep_supervision": True, "squeeze": 2, "dropout": 0.3},
    "stem, no skips": {"stem": 2, "skip": "none", "norm": "none"},
    "residual encoder": {"encoder": {"name": "residual"}, "blocks": (1, 2, 2)},
    "timm": {"depth": 3, "encoder": {"name": "mobilenetv3_small_050"}},
    "three dimensions": {"dims": 3, "depth": 1, "up": "pixel_shuffle"},
}


def network_of(seed=0, **settings):
    """A network in evaluation mode whose norms have statistics and whose head is not near zero."""
    torch.manual_seed(seed)
    network = UNet(**{"in_channels": 3, "classes": 2, "depth": 2, "base": 4, **settings})
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d | nn.BatchNorm3d):
            module.running_mean.normal_(0, 0.3)
            module.running_var.uniform_(0.5, 2)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, std=0.2)
    nn.init.normal_(network.head.weight, std=0.3)
    return network.eval().requires_grad_(False)


def images_for(network, batch, *strides, seed=1):
    """Noise, B C H W; sides of about so many strides, all that fit the network."""
    record = network.record
    strides = [*strides, *[strides[-1]] * record.dims][: record.dims]
    sides = [fitting_input(record, many * record.stride) for many in strides]
    return torch.randn(batch, record.in_channels, *sides, generator=torch.Generator().manual_seed(seed))


def logits_of(network, images):
    """What torch says without any of what is tested here."""
    with torch.inference_mode():
        return network.logits(images)


def difference(found, expected):
    """The largest difference over the largest value."""
    assert found.shape == expected.shape
    return float((found - expected).abs().max() / expected.abs().max())
