import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from maskwright.anysize import fitted, image_logits, of_classes
from maskwright.data.labels import ClassLabel, Labels
from maskwright.data.learned_objects import LearnedObjects
from maskwright.model import UNet
from maskwright.model.sizes import geometry, output_size
from maskwright.tiling import Tiles, smallest_window

CELLS = Labels(
    classes=tuple(ClassLabel(name=n, values=(v,), colour=(0, 0, 0)) for v, n in enumerate(("background", *"abc")))
).learning(LearnedObjects(kind="border"))
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


@given(
    st.lists(st.sampled_from([0.0, 1e-38, 1e-7, 0.1, 0.5, 1.0]), min_size=5, max_size=5).filter(
        lambda raw: max(raw) >= 0.1
    )
)
def test_what_was_learned_of_objects_is_each_classs_part_even_where_the_network_is_all_sure_of_it(raw):
    shares = torch.tensor(raw)[:, None, None] / sum(raw)
    background, *classes, learned = raw

    found, marked = of_classes(shares.clone(), CELLS)

    total = sum(classes)
    parts = [one / total if total > 1e-20 else 1 / 3 for one in classes]
    expected = [background, *(one + part * learned for one, part in zip(classes, parts, strict=True))]
    torch.testing.assert_close(found.flatten(), torch.tensor(expected) / sum(raw))
    assert found.sum() == pytest.approx(1)
    if abs(learned - total) > 1e-5 * sum(raw):
        assert marked.item() == (learned > total)


def test_what_was_learned_of_objects_is_the_same_bit_for_bit_however_blocks_are_cut():
    shares = torch.randn(5, 37, 53, generator=torch.Generator().manual_seed(0)).mul(4).softmax(0)
    whole, marked = of_classes(shares.clone(), CELLS)

    for columns in (slice(0, 1), slice(1, 18), slice(18, 53)):
        part, part_marked = of_classes(shares[:, 5:11, columns].clone(), CELLS)
        assert torch.equal(part, whole[:, 5:11, columns])
        assert torch.equal(part_marked, marked[5:11, columns])
