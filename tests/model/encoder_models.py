"""Models of timm with weights, files of them, and whether an encoder of ours has the same."""

import pytest
import torch
from safetensors.torch import save_file

from maskwright.model.encoders.timm import TimmEncoder
from maskwright.model.record import EncoderRecord, UNetRecord

timm = pytest.importorskip("timm")

NAME = "regnetx_002"  # small, and quick to build
SWIN = "swin_tiny_patch4_window7_224"


def encoder(name=NAME, depth=3, in_channels=3):
    return TimmEncoder(UNetRecord(depth=depth, in_channels=in_channels, encoder=EncoderRecord(name=name)))


def whole(name=NAME, seed=11, **settings):
    """A model with its classifier and weights that no encoder is drawn with, norm statistics included."""
    torch.manual_seed(seed)
    model = timm.create_model(name, **settings)
    with torch.no_grad():
        for tensor in model.state_dict().values():
            if tensor.is_floating_point():
                tensor.add_(0.01 * torch.rand(tensor.shape))
    return model.eval()


def saved(path, tensors, metadata=None):
    if path.suffix == ".safetensors":
        save_file({name: tensor.clone() for name, tensor in tensors.items()}, path, metadata=metadata)
    else:
        torch.save(tensors, path)
    return path


def without(weights, start):
    return {name: tensor for name, tensor in weights.items() if not name.startswith(start)}


def pictures(in_channels=3):
    return torch.rand(1, in_channels, 64, 64, generator=torch.Generator().manual_seed(0))


def same(ours, model, images=None, depth=3):
    """Whether the encoder's maps are those of the whole model."""
    images = pictures() if images is None else images
    theirs = model.forward_intermediates(images, indices=list(range(5)), intermediates_only=True)
    stages = {64 // features.shape[-1]: features for features in theirs}
    return all(
        features is None or torch.allclose(features, stages[2**place], atol=1e-5)
        for place, features in enumerate(ours.eval()(images))
    )
