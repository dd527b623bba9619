"""Pieces found in bands are those of the whole picture."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage
from skimage import measure

from maskwright.errors import DataError
from maskwright.files import FilePlane, MemoryPlane
from maskwright.records import IGNORED
from maskwright.regions import components, fragments


def painted(seed, shape, labels):
    """Blots of labels, and noise."""
    rng = np.random.default_rng(seed)
    coarse = rng.choice(labels, (-(-shape[0] // 3), -(-shape[1] // 3)))
    picture = np.kron(coarse, np.ones((3, 3), int))[: shape[0], : shape[1]]
    return np.where(rng.random(shape) < 0.2, rng.choice(labels, shape), picture).astype(np.uint8)


def by_hand(labels_HW, classes, connectivity):
    """Each class labelled on its own by SciPy, and all numbered by their first pixel."""
    pieces, label_of = np.zeros(labels_HW.shape, int), {}
    for label in classes:
        own, count = ndimage.label(labels_HW == label, ndimage.generate_binary_structure(2, connectivity))
        label_of |= dict.fromkeys(range(len(label_of) + 1, len(label_of) + count + 1), label)
        pieces[own > 0] = own[own > 0] + len(label_of) - count
    order = list(dict.fromkeys(pieces[pieces > 0].tolist()))
    numbers = np.zeros(len(label_of) + 1, int)
    numbers[order] = np.arange(1, len(order) + 1)
    return numbers[pieces], [label_of[piece] for piece in order]


@given(
    seed=st.integers(0, 9999),
    shape=st.tuples(st.integers(1, 17), st.integers(1, 17)),
    band=st.integers(1, 20),
    connectivity=st.sampled_from([1, 2]),
    smallest=st.integers(1, 4),
)
def test_pieces_are_those_of_the_whole_picture(seed, shape, band, connectivity, smallest):
    labels = painted(seed, shape, [0, 0, 1, 2, 7, IGNORED])
    found = components(
        MemoryPlane(labels), classes=(2, 1), connectivity=connectivity, smallest=smallest, band=band
    )
    expected, label_of = by_hand(labels, (2, 1), connectivity)
    regions = [region for region in measure.regionprops(expected) if region.area >= smallest]
    numbers = np.zeros(len(label_of) + 1, int)
    numbers[[region.label for region in regions]] = np.arange(1, len(regions) + 1)

    ids = found.ids.read(slice(0, shape[0]), slice(0, shape[1]))
    assert ids.dtype == np.int32
    assert np.array_equal(ids, numbers[expected])
    assert found.labels.tolist() == [label_of[region.label - 1] for region in regions]
    assert found.areas.tolist() == [region.area for region in regions]
    assert found.boxes.tolist() == [list(region.bbox) for region in regions]


@given(seed=st.integers(0, 9999), band=st.integers(1, 20), connectivity=st.sampled_from([1, 2]))
def test_of_one_class_they_are_scipys_to_the_number(seed, band, connectivity):
    labels = painted(seed, (16, 13), [0, 1])
    found = components(MemoryPlane(labels), classes=(1,), connectivity=connectivity, band=band)

    expected, count = ndimage.label(labels == 1, ndimage.generate_binary_structure(2, connectivity))
    assert np.array_equal(found.ids.read(slice(0, 16), slice(0, 13)), expected)
    assert len(found.areas) == count


def test_a_spiral_that_crosses_every_band_many_times_is_one_piece():
    spiral = np.zeros((21, 21), np.uint8)
    for ring in range(0, 10, 2):  # rings, each joined to the next
        spiral[ring : 21 - ring, [ring, 20 - ring]] = 1
        spiral[[ring, 20 - ring], ring : 21 - ring] = 1
        spiral[ring + 1, ring + 2] = spiral[ring + 1, ring + 1 : ring + 2] = 0
    spiral[10, :10] = 1

    for band in (1, 2, 3, 8, 21):
        found = components(MemoryPlane(spiral), classes=(1,), band=band)
        assert len(found.areas) == ndimage.label(spiral)[1] == 1
        assert found.areas.tolist() == [spiral.sum()]


def test_a_class_may_have_the_label_0():
    found = components(MemoryPlane(np.array([[0, 1, 0]], np.uint8)), classes=(0,))

    assert found.ids.read(slice(0, 1), slice(0, 3)).tolist() == [[1, 0, 2]]
    assert found.labels.tolist() == [0, 0]


def test_a_picture_without_objects_has_none():
    found = components(MemoryPlane(np.full((3, 4), IGNORED, np.uint8)), classes=(1,))

    assert (len(found.labels), found.boxes.shape, len(found.areas)) == (0, (0, 4), 0)
    assert not found.ids.read(slice(0, 3), slice(0, 4)).any()


def test_planes_on_disk_give_the_same(tmp_path):
    labels = painted(3, (40, 30), [0, 1, 2])

    def scratch(shape, dtype):
        return FilePlane.create(tmp_path / "ids.raw", shape, dtype)

    with FilePlane.create(tmp_path / "labels.raw", labels.shape, "uint8") as plane:
        plane.write(slice(0, 40), slice(0, 30), labels)
        found = components(plane, classes=(1, 2), scratch=scratch, band=7)
    assert np.array_equal(found.ids.read(slice(0, 40), slice(0, 30)), by_hand(labels, (1, 2), 1)[0])
    found.ids.close()


def test_specks_of_noise_are_forgotten_as_they_are_met():
    """Else the memory would grow with the picture."""
    noise = np.random.default_rng(0).random((400, 50)) < 0.3
    noted = fragments.Fragments.add
    counts = []

    def add(self, labels, *rest):
        counts.append(len(labels))
        return noted(self, labels, *rest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fragments.Fragments, "add", add)
        components(MemoryPlane(noise.astype(np.uint8)), classes=(1,), smallest=30, band=100)
    assert sum(counts) < ndimage.label(noise)[1] / 10


def test_more_pieces_than_can_be_numbered_are_an_error_of_ours(monkeypatch):
    monkeypatch.setattr(fragments, "_MOST", 3)
    with pytest.raises(DataError, match="more than 3 pieces.*Smooth them first"):
        components(MemoryPlane(np.array([[1, 0, 1, 0, 1, 0, 1]], np.uint8)), classes=(1,))
