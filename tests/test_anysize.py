import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from maskwright.anysize import fitted, image_logits
from maskwright.model import UNet
from maskwright.model.sizes import geometry, output_size
from maskwright.tiling import Tiles, smallest_window

LARGE = Tiles(window=(4096, 4096))


@given(data=st.data(), size=st.tuples(st.integers(1, 40), st.integers(1, 40)))
@settings(max_examples=60)
def test_every_network_takes_every_size_and_gives_it_back(records, data, size):
    network = UNet.from_record(data.draw(records())).eval()

    logits = image_logits(network, torch.randn(1, *size), LARGE)

    assert logits.shape == (network.record.classes, *size)
    assert logits.isfinite().all()
    assert logits.dtype == torch.float32


@given(data=st.data(), size=st.tuples(st.integers(1, 70), st.integers(1, 70)), batch=st.integers(1, 3))
@settings(max_examples=40)
def test_tiles_change_nothing(records, data, size, batch):
    record = data.draw(records(norm="batch", depth=st.integers(1, 2)))
    network, image = UNet.from_record(record).eval(), torch.randn(1, *size)
    small = Tiles(window=[smallest_window(geometry(record))] * 2, mode="exact", batch=batch)

    torch.testing.assert_close(
        image_logits(network, image, small), image_logits(network, image, LARGE), atol=1e-4, rtol=1e-4
    )


@given(data=st.data(), size=st.tuples(st.integers(1, 40), st.integers(1, 40)))
@settings(max_examples=40)
def test_a_same_padded_network_says_what_it_says_when_called(records, data, size):
    network = UNet.from_record(data.draw(records(padding="same"))).eval()
    image = torch.randn(1, *size)

    torch.testing.assert_close(image_logits(network, image, LARGE), network(image[None])[0], rtol=0, atol=0)


@given(data=st.data(), size=st.tuples(st.integers(1, 30), st.integers(1, 30)))
@settings(max_examples=40)
def test_a_valid_network_sees_the_image_mirrored_all_around(records, data, size):
    network = UNet.from_record(data.draw(records(padding="valid", depth=st.integers(1, 2)))).eval()
    image = torch.randn(1, *size)
    margin = geometry(network.record).margin
    sizes = [next(n for n in range(s + 2 * margin, 999) if output_size(network.record, n)) for s in size]
    pads = [(0, 0), *((margin, n - s - margin) for n, s in zip(sizes, size, strict=True))]
    around = torch.from_numpy(np.pad(image.numpy(), pads, mode="reflect"))

    expected = network(around[None])[0, :, : size[0], : size[1]]

    torch.testing.assert_close(image_logits(network, image, LARGE), expected, rtol=1e-5, atol=1e-5)


@given(data=st.data(), size=st.tuples(st.integers(1, 40), st.integers(1, 40)))
def test_what_is_fitted_fits_and_holds_the_image(records, data, size):
    record = data.draw(records())
    image = torch.randn(1, *size)

    found = fitted(record, image)

    margin = geometry(record).margin
    assert all((output_size(record, n) or 0) >= s for n, s in zip(found.shape[1:], size, strict=True))
    torch.testing.assert_close(found[:, margin : margin + size[0], margin : margin + size[1]], image, rtol=0, atol=0)


@pytest.mark.parametrize("norm", ["instance", "group"])
def test_norms_over_the_image_are_blended(norm):
    network = UNet(1, 2, depth=2, base=4, norm=norm, init="torch").eval()

    logits = image_logits(network, torch.randn(1, 90, 70), Tiles(window=(32, 32)))

    assert logits.shape == (2, 90, 70)
    assert logits.isfinite().all()


def test_nothing_is_kept_for_a_gradient():
    network = UNet(1, 2, depth=1, base=2).eval()

    assert not image_logits(network, torch.randn(1, 9, 9), LARGE).requires_grad
