"""Each recipe's network is the one its author describes: weights counted by hand, shapes, order of layers.

The arithmetic here is of the systems' descriptions alone; nothing of it looks at the records.
"""

import pytest
import torch
from torch import nn

import maskwright
from maskwright.model.sizes import output_size
from maskwright.recipes import recipe


def conv(k, a, b, bias=True):
    """Weights of a k×k convolution from a to b channels, transposed or not."""
    return k * k * a * b + (b if bias else 0)


def two(a, b):
    """Two 3×3 convolutions with biases."""
    return conv(3, a, b) + conv(3, b, b)


def norm(channels):
    """A scale and a shift a channel."""
    return 2 * channels


def pets():
    down = [(3, 32), (32, 64), (64, 128), (128, 256), (256, 512)]
    up = [(512, 256), (256, 128), (128, 64), (64, 32)]
    encoder = sum(two(a, b) + norm(b) for a, b in down)
    decoder = sum(conv(3, a, b) + two(2 * b, b) for a, b in up)
    return encoder + decoder + conv(1, 32, 3)


def camvid():
    def block(a, b):
        return conv(3, a, b, bias=False) + norm(b) + conv(3, b, b, bias=False) + norm(b)

    down = [(3, 32), (32, 64), (64, 128), (128, 256), (256, 512), (512, 1024)]
    up = [(1024, 512), (512, 256), (256, 128), (128, 64), (64, 32)]
    return sum(block(a, b) for a, b in down) + sum(conv(2, a, b) + block(2 * b, b) for a, b in up) + conv(1, 32, 11)


def salt():
    down = [(1, 16), (16, 32), (32, 64), (64, 128), (128, 256)]
    up = [(256, 128), (128, 64), (64, 32), (32, 16)]
    return sum(two(a, b) for a, b in down) + sum(conv(3, a, b) + two(2 * b, b) for a, b in up) + conv(1, 16, 1)


def carvana_simple():
    down = [(3, 64), (64, 64), (64, 128), (128, 128), (128, 256), (256, 256)]
    up = [(256, 256), (256, 256), (256, 128), (128, 128), (128, 64), (64, 64)]
    return sum(conv(3, a, b) for a, b in down + up) + conv(3, 64, 1)


def carvana_unet():
    down = [(3, 64), (64, 128), (128, 256), (256, 512), (512, 1024)]
    up = [(1024, 512), (512, 256), (256, 128), (128, 64)]
    return (
        sum(two(a, b) for a, b in down)
        + sum(conv(3, a, b) + two(2 * b, b) for a, b in up)
        + conv(3, 64, 64)
        + conv(1, 64, 1)
    )


def valid():
    def block(a, b):  # the norm comes after the activation and cannot take over the convolution's bias
        return conv(3, a, b) + norm(b) + conv(3, b, b) + norm(b)

    down = [(1, 64), (64, 128), (128, 256), (256, 512)]
    up = [(512, 256), (256, 128), (128, 64)]
    return sum(block(a, b) for a, b in down) + sum(conv(3, a, b) + block(2 * b, b) for a, b in up) + conv(1, 64, 2)


def isbi():
    down = [(1, 64), (64, 128), (128, 256), (256, 512), (512, 1024)]
    up = [(1024, 512), (512, 256), (256, 128), (128, 64)]
    return sum(two(a, b) for a, b in down) + sum(conv(2, a, b) + two(2 * b, b) for a, b in up) + conv(1, 64, 2)


COUNTS = {
    "pets-unet": pets,
    "camvid-unet": camvid,
    "salt-unet": salt,
    "carvana-simple": carvana_simple,
    "carvana-unet": carvana_unet,
    "valid-unet": valid,
    "isbi-2015": isbi,
}


@pytest.mark.parametrize("name", COUNTS)
def test_as_many_weights_as_its_description_counts(name):
    with torch.device("meta"):
        network = maskwright.build(name)

    assert sum(p.numel() for p in network.parameters()) == COUNTS[name]()


def test_the_2015_network_has_its_23_convolutions_and_31_million_weights():
    with torch.device("meta"):
        network = maskwright.build("isbi-2015")
    kinds = [type(m) for m in network.modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d)]

    assert len(kinds) == 23
    assert kinds.count(nn.ConvTranspose2d) == 4
    assert isbi() == pytest.approx(31.03e6, rel=1e-3)


@pytest.mark.parametrize(
    ("name", "size", "out"),
    [
        ("pets-unet", (128, 128), (3, 128, 128)),
        ("camvid-unet", (256, 384), (11, 256, 384)),
        ("salt-unet", (101, 101), (1, 101, 101)),
        ("carvana-simple", (96, 128), (1, 96, 128)),
        ("carvana-unet", (96, 128), (1, 96, 128)),
        ("valid-unet", (556, 556), (2, 468, 468)),
        ("isbi-2015", (572, 572), (2, 388, 388)),
    ],
)
def test_the_output_is_as_large_as_described(name, size, out):
    network = narrowed(name).eval()

    with torch.no_grad():
        assert network(torch.zeros(1, recipe(name).model.in_channels, *size)).shape == (1, *out)


def test_a_572_tile_gives_388_and_the_recipe_trains_on_it():
    paper = recipe("isbi-2015")

    assert paper.sampling.crop == (572, 572)
    assert output_size(paper.model, 572) == 388


@pytest.mark.parametrize(
    ("name", "size", "maps"),
    [
        # What the first encoder block gives, then every halving.
        ("pets-unet", 128, [(32, 128), (64, 64), (128, 32), (256, 16), (512, 8)]),
        ("salt-unet", 101, [(16, 112), (32, 56), (64, 28), (128, 14), (256, 7)]),
        ("carvana-unet", 128, [(64, 128), (128, 64), (256, 32), (512, 16), (1024, 8)]),
        ("isbi-2015", 572, [(64, 568), (128, 280), (256, 136), (512, 64), (1024, 28)]),
        ("valid-unet", 556, [(64, 552), (128, 272), (256, 132), (512, 62)]),
    ],
)
def test_each_level_is_as_wide_and_as_large_as_described(name, size, maps):
    with torch.device("meta"):
        network = maskwright.build(name).eval()
        images = torch.zeros(1, recipe(name).model.in_channels, size, size)
        seen = outputs(network, images)

    shapes = [tuple(out.shape[1:3]) for _, out in seen]
    places = [shapes.index(shape) for shape in maps]
    assert places == sorted(places)


def order_of(name):
    """Kinds of the layers that compute something, in the order in which an image meets them."""
    short = {nn.Conv2d: "conv", nn.ConvTranspose2d: "up", nn.BatchNorm2d: "norm", nn.ReLU: "relu", nn.MaxPool2d: "pool"}
    short |= {nn.Dropout: "dropout", nn.Dropout2d: "dropout2d"}
    network = narrowed(name).train()
    images = torch.zeros(1, recipe(name).model.in_channels, *([{"isbi-2015": 188, "valid-unet": 92}.get(name, 64)] * 2))
    return [short[type(layer)] for layer, _ in outputs(network, images) if type(layer) in short]


CR = ["conv", "relu"]
CRCR = [*CR, *CR]
CNR = ["conv", "norm", "relu"] * 2
CRN = ["conv", "relu", "norm"] * 2


@pytest.mark.parametrize(
    ("name", "order"),
    [
        (
            "pets-unet",
            [*CRCR, "norm", "dropout", "pool"] * 4 + [*CRCR, "norm", "dropout"] + ["up", *CRCR] * 4 + ["conv"],
        ),
        ("camvid-unet", [*CNR, "pool"] * 5 + CNR + ["up", *CNR] * 5 + ["conv"]),
        ("salt-unet", [*CRCR, "pool", "dropout"] * 4 + CRCR + ["up", "dropout", *CRCR] * 4 + ["conv"]),
        (
            "carvana-unet",
            [*CRCR, "pool"] * 3 + [*CRCR, "dropout", "pool"] + [*CRCR, "dropout"] + ["up", *CRCR] * 4 + [*CR, "conv"],
        ),
        ("carvana-simple", CR * 6 + [*CR, "up", "relu"] * 3 + ["conv"]),
        ("valid-unet", [*CRN, "pool"] * 3 + CRN + ["up", *CRN] * 3 + ["conv"]),
        (
            "isbi-2015",
            [*CRCR, "pool"] * 3 + [*CRCR, "dropout", "pool"] + [*CRCR, "dropout"] + ["up", *CRCR] * 4 + ["conv"],
        ),
    ],
)
def test_layers_stand_in_the_order_described(name, order):
    assert order_of(name) == order


def test_one_setting_turns_one_network_into_another():
    strided = maskwright.build("carvana-unet", down="strided", base=4)

    assert not [m for m in strided.modules() if isinstance(m, nn.MaxPool2d)]
    assert strided(torch.zeros(1, 3, 96, 128)).shape == (1, 1, 96, 128)


def narrowed(name):
    """The recipe's network with few channels, for what does not hang on their number."""
    record = recipe(name).model
    if record.widths:
        few = {"widths": [w // 16 for w in record.widths], "decoder_widths": [w // 16 for w in record.decoder_widths]}
        return maskwright.build(name, **few)
    return maskwright.build(name, base=4)


def outputs(network, images):
    """Every leaf layer with what it gives, in the order of a forward pass."""
    seen = []
    handles = [
        layer.register_forward_hook(lambda layer, _, out: seen.append((layer, out)))
        for layer in network.modules()
        if not list(layer.children())
    ]
    network(images)
    for handle in handles:
        handle.remove()
    return seen
