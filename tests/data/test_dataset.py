import pickle
from collections import Counter
from dataclasses import dataclass, fields

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import ValidationError
from torch.utils.data import DataLoader

from maskwright.data import cache
from maskwright.data.augment import OFF, Augment, change_light, warp
from maskwright.data.dataset import Batch, Crops, Finish, Sampling
from maskwright.data.index import index
from maskwright.data.preprocess import Preprocess
from maskwright.mirror import mirror_indices
from maskwright.records import IGNORED

LIVELY = Augment(flip_vertical=True, rotate=180, elastic=2.0, shear=5.0, noise=0.1)


@dataclass(frozen=True)
class Shelf:
    """What a cache is to the crops: images whose every pixel says where it is, and labels of ones."""

    sizes: list[tuple[int, int]]
    dtype: str = "float32"

    def __len__(self):
        return len(self.sizes)

    def image(self, i):
        """Channels: number of the image, row, column."""
        h, w = self.sizes[i]
        return np.stack([np.full((h, w), i), *np.mgrid[:h, :w]]).astype(self.dtype)

    def labels(self, i):
        return np.ones(self.sizes[i], np.uint8)

    def weights(self, i):
        return None

    def scaling(self, i):
        return None


@dataclass(frozen=True)
class WeightedShelf(Shelf):
    """The same, and each pixel weighs as much as its row."""

    def weights(self, i):
        return self.image(i)[1].astype(np.float16)


def crops_of(shelf, crop, batch=1, augment=OFF, seed=0, per_image=1):
    return Crops(shelf, Sampling(crop=crop, batch=batch, crops_per_image=per_image), augment, seed, channels=3)


def seen(crops, step):
    """Crops and labels of a step, moved but not normalised."""
    batch = crops[step]
    return warp(batch.images.to(torch.int32).float(), batch.labels, batch.moves, crops.sampling.crop)[:2]


def tensors(batch):
    parts = [getattr(batch, field.name) for field in fields(Batch)[2:4]]
    return [*parts, *(part for part in vars(batch.moves).values() if part is not None)]


def assert_same(one, other):
    assert (one.step, one.numbers) == (other.step, other.numbers)
    for part, other_part in zip(tensors(one), tensors(other), strict=True):
        np.testing.assert_array_equal(part.numpy(), other_part.numpy(), strict=True)


sizes = st.lists(st.tuples(st.integers(1, 30), st.integers(1, 30)), min_size=1, max_size=6)
crop_sizes = st.tuples(st.integers(1, 20), st.integers(1, 20))


@given(sizes=sizes, crop=crop_sizes, step=st.integers(0, 50), seed=st.integers(0, 9))
def test_a_crop_lies_inside_its_image_where_it_can_and_in_its_middle_where_not(sizes, crop, step, seed):
    images, labels = seen(crops_of(Shelf(sizes), crop, augment=OFF, seed=seed), step)

    number, rows, columns = (channel.numpy() for channel in images[0].round())
    height, width = sizes[int(number[0, 0])]
    assert (number == number[0, 0]).all()
    for found, size, length, counts in (
        (rows[:, 0], height, crop[0], (labels[0] != IGNORED).any(dim=1)),
        (columns[0], width, crop[1], (labels[0] != IGNORED).any(dim=0)),
    ):
        if size >= length:
            assert counts.all()
            np.testing.assert_array_equal(np.diff(found), 1)
            assert 0 <= found[0] <= found[-1] < size
        else:
            assert counts.sum() == size
            assert abs(int(counts.numpy().argmax()) - (length - size) / 2) <= 0.5
            np.testing.assert_array_equal(found[counts.numpy()], np.arange(size))
    assert ((rows == rows[:, :1]) & (columns == columns[:1])).all()


@given(sizes=sizes, crop=crop_sizes, step=st.integers(0, 20))
def test_without_moves_nothing_is_blurred(sizes, crop, step):
    images, _ = seen(crops_of(Shelf(sizes), crop), step)
    torch.testing.assert_close(images, images.round(), rtol=0, atol=1e-4)


def test_beyond_a_small_image_the_source_is_its_mirror_and_ignored():
    crops = crops_of(Shelf([(3, 4)]), (9, 10), augment=LIVELY)
    batch = crops[0]
    height, width = batch.images.shape[-2:]
    assert (height, width) == crops.source == (9, 10)
    rows, columns = mirror_indices(-3, 6, 3), mirror_indices(-3, 7, 4)
    np.testing.assert_array_equal(batch.images[0, 1].numpy(), np.broadcast_to(rows[:, None], (9, 10)))
    np.testing.assert_array_equal(batch.images[0, 2].numpy(), np.broadcast_to(columns, (9, 10)))
    expected = np.full((9, 10), IGNORED)
    expected[3:6, 3:7] = 1
    np.testing.assert_array_equal(batch.labels[0].numpy(), expected)


@given(
    images=st.integers(1, 12), batch=st.integers(1, 7), per_image=st.integers(1, 4), seed=st.integers(0, 3),
    epoch=st.integers(0, 3),
)  # fmt: skip
def test_an_epoch_sees_every_image_as_often_as_asked(images, batch, per_image, seed, epoch):
    crops = crops_of(Shelf([(4, 4)] * images), (4, 4), batch, seed=seed, per_image=per_image)
    of_epoch = images * per_image
    first = epoch * of_epoch
    steps = range(first // batch, -(-(first + of_epoch) // batch))

    numbers = torch.cat([crops[step].images[:, 0, 0, 0] for step in steps]).int().tolist()

    numbers = numbers[first - steps[0] * batch :][:of_epoch]
    assert Counter(numbers) == dict.fromkeys(range(images), per_image)
    for again in range(per_image):
        assert len(set(numbers[again * images : (again + 1) * images])) == images
    assert crops.steps_per_epoch == -(-of_epoch // batch)


def test_epochs_have_orders_and_places_of_their_own():
    crops = crops_of(Shelf([(40, 40)] * 12), (4, 4), 12)
    orders = [crops[epoch].images[:, 0, 0, 0].tolist() for epoch in range(3)]
    assert len({tuple(order) for order in orders}) == 3
    corners = {tuple(seen(crops, step)[0][i, 1:, 0, 0].round().tolist()) for step in range(3) for i in range(12)}
    assert len(corners) > 30


def test_every_place_of_an_image_is_reached():
    crops = crops_of(Shelf([(9, 7)]), (4, 5), 400)
    corners = Counter(tuple(c[1:, 0, 0].round().int().tolist()) for c in seen(crops, 0)[0])
    assert set(corners) == {(y, x) for y in range(6) for x in range(3)}


@given(batch=st.integers(1, 5), other=st.integers(1, 5))
def test_a_crop_is_the_same_in_batches_of_any_size(batch, other):
    shelf = Shelf([(30, 25), (12, 40), (8, 8)])
    found = []
    for size in (batch, other):
        crops = crops_of(shelf, (10, 10), size, augment=LIVELY)
        parts = [tensors(crops[step]) for step in range(-(-20 // size))]
        found.append([torch.cat(part)[:20] for part in zip(*parts, strict=True)])
    for one, another in zip(*found, strict=True):
        torch.testing.assert_close(one, another, rtol=0, atol=0)


@given(step=st.integers(0, 2**40), seed=st.integers(0, 2**40))
def test_a_step_is_a_function_of_seed_and_step(step, seed):
    shelf = Shelf([(30, 25), (12, 40)])
    crops = crops_of(shelf, (10, 10), 2, augment=LIVELY, seed=seed)
    before = crops[step]
    _ = crops[step + 1]
    assert_same(crops_of(shelf, (10, 10), 2, augment=LIVELY, seed=seed)[step], before)


def test_another_seed_gives_other_crops():
    one, other = (crops_of(Shelf([(30, 25)]), (10, 10), 2, LIVELY, seed=seed)[0] for seed in (0, 1))
    assert all((a != b).any() for a, b in zip(tensors(one)[2:], tensors(other)[2:], strict=True))


@pytest.fixture
def painted_crops(paint, tmp_path):
    """Real crops of 16-bit images of many sizes, smaller and larger than a crop."""
    for n, size in enumerate([(40, 50), (9, 70), (64, 20), (12, 12)]):
        paint.write(f"images/{n}.png", paint.image(*size, dtype="uint16"))
        paint.write(f"masks/{n}.png", paint.mask(0, 1, 255, size=size))
    samples = index(paint.root)
    preprocess = Preprocess(channels=1, dtype="uint16", mean=(3e4,), std=(2e4,))
    stored = cache.build(tmp_path / "cache", samples, list(samples.samples), preprocess)
    sampling = Sampling(crop=(24, 20), batch=3)
    return Crops(stored, sampling, LIVELY, 5, 1), Finish(sampling, preprocess), preprocess


# Forking while other threads run draws a warning, as does asking for more workers than there are cores.
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore:This DataLoader will create")
@pytest.mark.parametrize("workers", [0, 1, 2])
def test_any_number_of_loading_processes_reads_the_same(workers, painted_crops):
    crops, _, _ = painted_crops
    loader = DataLoader(crops, batch_size=None, sampler=range(3, 9), num_workers=workers)
    for step, batch in zip(range(3, 9), loader, strict=True):
        assert_same(batch, crops[step])


def test_crops_that_were_sent_to_a_process_are_the_same(painted_crops):
    crops, _, _ = painted_crops
    sent = pickle.dumps(crops)
    assert len(sent) < 4000
    assert_same(pickle.loads(sent)[7], crops[7])


@pytest.mark.parametrize("devices", [1, 2, 3, 6])
def test_a_batch_divided_over_devices_has_the_values_of_the_whole(devices, painted_crops):
    crops, finish, _ = painted_crops
    whole = Crops(crops.cache, Sampling(crop=(24, 20), batch=6), LIVELY, 5, 1)
    batch = whole[3]
    assert batch.numbers == tuple(range(18, 24))

    shares = [whole.some(3, batch.numbers[device::devices]) for device in range(devices)]

    cpu = torch.device("cpu")
    together, labels, _ = finish(batch, cpu)
    for device, share in enumerate(shares):
        images, its_labels, _ = finish(share, cpu)
        torch.testing.assert_close(images, together[device::devices], rtol=0, atol=0)
        torch.testing.assert_close(its_labels, labels[device::devices], rtol=0, atol=0)


def test_finishing_is_warp_then_values_then_light(painted_crops):
    crops, finish, preprocess = painted_crops
    batch = crops[4]
    assert batch.images.dtype == torch.uint16

    images, labels, weights = finish(batch, torch.device("cpu"))

    assert (images.shape, images.dtype, labels.shape) == ((3, 1, 24, 20), torch.float32, (3, 24, 20))
    stored = torch.from_numpy(batch.images.numpy().astype(np.float32))
    warped, expected, _ = warp(stored, batch.labels, batch.moves, (24, 20))
    torch.testing.assert_close(images, change_light(preprocess.normalise(warped), batch.moves), rtol=0, atol=1e-5)
    np.testing.assert_array_equal(labels.numpy(), expected.numpy())
    assert weights is None
    again, *_ = finish(crops[4], torch.device("cpu"))
    torch.testing.assert_close(again, images, rtol=0, atol=0)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_stored_values_reach_the_network_whole(dtype):
    shelf = Shelf([(200, 250)], dtype)
    sampling = Sampling(crop=(200, 250), batch=1)
    crops = Crops(shelf, sampling, OFF, 0, 3)
    finish = Finish(sampling, Preprocess(channels=3, dtype=dtype, mean=(0.0,) * 3, std=(1.0,) * 3))
    images, labels, weights = finish(crops[0], torch.device("cpu"))
    assert weights is None
    np.testing.assert_allclose(images[0].numpy(), shelf.image(0).astype(np.float32), atol=1e-3)
    assert (labels == 1).all()


def test_a_source_is_as_large_as_the_moves_need_and_no_larger_than_the_largest_image():
    assert crops_of(Shelf([(300, 300)]), (64, 64), augment=LIVELY).source == LIVELY.source_size((64, 64))
    assert crops_of(Shelf([(80, 300), (70, 90)]), (64, 64), augment=LIVELY).source[0] == 80
    assert crops_of(Shelf([(30, 40)]), (64, 64), augment=LIVELY).source == (64, 64)


@given(step=st.integers(0, 10_000))
def test_inside_a_large_image_moves_bring_in_nothing_from_outside(step):
    """The crop is far from the image's edges; only then can the source be around it on all sides."""
    crops = crops_of(Shelf([(400, 400)]), (20, 20), augment=LIVELY)
    batch = crops[step]
    assume(batch.moves.affine[0, :, 2].abs().max() < 1)  # in the middle of its source
    assert (seen(crops, step)[1] != IGNORED).float().mean() > 0.99


@pytest.mark.parametrize("settings", [{"batch": 0}, {"crops_per_image": 0}, {"crop": (0, 8)}, {"crop": (8, -1)}])
def test_sampling_nothing_is_refused(settings):
    with pytest.raises(ValidationError):
        Sampling(**({"crop": (8, 8), "batch": 2} | settings))


def test_weights_go_through_the_same_warp_as_the_image():
    crops = crops_of(WeightedShelf([(120, 100)]), (24, 20), batch=3, augment=LIVELY)
    plain = Preprocess(channels=3, dtype="float32", mean=(0.0,) * 3, std=(1.0,) * 3)
    unlit = LIVELY.model_copy(update={"brightness": 0.0, "contrast": 0.0, "noise": 0.0})
    crops.augment = unlit

    images, labels, weights = Finish(crops.sampling, plain)(crops[5], torch.device("cpu"))

    inside = labels == 1
    assert inside.float().mean() > 0.5
    deep = inside & (images[:, 1] > 1) & (images[:, 1] < 118) & (images[:, 2] > 1) & (images[:, 2] < 98)
    torch.testing.assert_close(weights[deep], images[:, 1][deep], rtol=1e-3, atol=0.1)


def test_what_lies_outside_the_image_weighs_nothing():
    crops = crops_of(WeightedShelf([(16, 16)]), (32, 32))
    plain = Preprocess(channels=3, dtype="float32", mean=(0.0,) * 3, std=(1.0,) * 3)

    _, labels, weights = Finish(crops.sampling, plain)(crops[0], torch.device("cpu"))

    assert (weights[labels == IGNORED] == 0).all()
    assert (labels == IGNORED).any()


def test_a_valid_network_learns_from_every_pixel_of_an_image_no_larger_than_its_input():
    """What comes out is smaller than what goes in, so it must reach the image's corners."""
    shelf, margin = Shelf([(30, 28)]), 20
    crops = Crops(shelf, Sampling(crop=(64, 64), batch=1), OFF, 0, channels=3, margin=margin)
    seen_pixels = set()
    for step in range(600):
        images, labels = seen(crops, step)
        inner = (slice(None), slice(None), slice(margin, -margin), slice(margin, -margin))
        assert (labels[:, margin:-margin, margin:-margin] == 1).all()
        rows, columns = images[inner][0, 1].round().long(), images[inner][0, 2].round().long()
        seen_pixels |= set(zip(rows.flatten().tolist(), columns.flatten().tolist(), strict=True))

    assert {(0, 0), (0, 27), (29, 0), (29, 27), (15, 14)} <= seen_pixels


class Speck(Shelf):
    """Images of one class, in which a few pixels are of two others, and many are ignored."""

    def labels(self, i):
        labels = np.zeros(self.sizes[i], np.uint8)
        labels[:40] = IGNORED
        labels[70:72, 90:93] = 1
        labels[50, 5] = 2
        return labels


def seen_classes(rare, steps=60):
    crops = Crops(Speck([(100, 120)] * 3), Sampling(crop=(16, 24), batch=2, rare=rare), OFF, seed=3, channels=3)
    finish = Finish(crops.sampling, Preprocess(channels=3, dtype="float32", mean=(0,) * 3, std=(1,) * 3))
    found = [
        set(np.unique(one)) for step in range(steps) for one in finish(crops[step], torch.device("cpu"))[1].numpy()
    ]
    return Counter(label for labels in found for label in labels), 2 * steps


def test_crops_around_rare_classes_are_as_many_as_asked_and_each_class_is_as_likely():
    anywhere, crops = seen_classes(rare=0.0)
    assert anywhere[1] < crops / 5
    always, crops = seen_classes(rare=1.0)
    assert always[1] + always[2] == crops
    assert crops / 3 < always[1] < 2 * crops / 3, "ignored pixels are no class, and the larger speck is not preferred"
    sometimes, crops = seen_classes(rare=1 / 3)
    assert crops / 5 < sometimes[1] + sometimes[2] < crops * 0.6


def test_a_crop_around_a_pixel_holds_it_also_near_the_border():
    for number in range(40):
        crops = Crops(Speck([(100, 120)]), Sampling(crop=(16, 24), batch=1, rare=1.0), OFF, seed=number, channels=3)
        assert {1, 2} & set(np.unique(crops[0].labels))


def test_an_image_of_one_class_has_crops_anywhere():
    places = set()
    for step in range(20):
        crops = Crops(Shelf([(100, 120)]), Sampling(crop=(16, 24), batch=1, rare=1.0), OFF, seed=0, channels=3)
        places.add(tuple(crops[step].images[0, 1:, 0, 0].tolist()))
    assert len(places) > 15


@dataclass(frozen=True)
class OwnShelf(Shelf):
    """The same, and each image has a mean and a deviation of its own."""

    def scaling(self, i):
        return (float(i), 2.0 * i, 3.0), (1.0 + i, 5.0, 7.0)


def test_crops_are_normalised_by_their_own_image_s_statistics():
    shelf, sampling = OwnShelf([(8, 8)] * 5), Sampling(crop=(8, 8), batch=4)
    crops = Crops(shelf, sampling, OFF, seed=0, channels=3)
    preprocess = Preprocess(channels=3, dtype="float32", mean=(9.0,) * 3, std=(9.0,) * 3, statistics="image")
    batch = crops[1]

    images, *_ = Finish(sampling, preprocess)(batch, torch.device("cpu"))

    for seen, i in zip(images, crops.images_of(1), strict=True):
        expected = preprocess.normalise(torch.from_numpy(shelf.image(i)), shelf.scaling(i))
        torch.testing.assert_close(seen, expected, atol=1e-5, rtol=1e-5)
