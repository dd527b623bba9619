"""Touching objects come apart, each piece as if it were alone in the picture."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from scipy import ndimage
from skimage import draw, measure

from maskwright.errors import SettingError
from maskwright.files import FilePlane, MemoryPlane
from maskwright.records import IGNORED
from maskwright.regions import Separation, separate, separated, separation

DISTANCE = Separation(how="distance")


def discs(shape, *middles, radius=6, label=1):
    labels = np.zeros(shape, np.uint8)
    for middle in middles:
        labels[draw.disk(middle, radius, shape=shape)] = label
    return labels


def crowd(seed, shape=(70, 60), count=14):
    """Discs of two classes that lie over one another, and what is ignored."""
    rng = np.random.default_rng(seed)
    labels = np.zeros(shape, np.uint8)
    for _ in range(count):
        places = draw.disk(rng.integers(0, shape), rng.integers(3, 9), shape=shape)
        labels[places] = rng.choice([1, 2, 1, 3, 4])
    labels[rng.random(shape) < 0.01] = IGNORED
    return labels


def one_by_one(labels, settings, classes, marks):
    """Each connected piece cut out, parted alone and put back; numbered by first pixels."""
    parted = (*marks.values(), *marks)
    groups = [(label,) for label in classes if label not in parted] + ([parted] if parted else [])
    out, count = np.zeros(labels.shape, int), 0
    for group in groups:
        for region in measure.regionprops(ndimage.label(np.isin(labels, group))[0]):
            alone = np.where(region.image, labels[region.slice], 0)
            parts = separated(alone, classes=classes, settings=settings, marks=marks)
            out[region.slice] = np.where(parts > 0, parts + count, out[region.slice])
            count += parts.max()
    order = {number: place for place, number in enumerate(dict.fromkeys(out[out > 0].tolist()), start=1)}
    return np.vectorize(lambda number: order.get(number, 0))(out)


def test_two_discs_that_touch_are_two_objects_cut_at_the_neck():
    labels = discs((20, 40), (9, 11), (9, 22))
    found = separated(labels, classes=(1,), settings=DISTANCE)

    assert ndimage.label(labels)[1] == 1
    assert np.unique(found).tolist() == [0, 1, 2]
    assert np.array_equal(found > 0, labels > 0), "no pixel is lost"
    assert set(np.unique(found[:, :16])) == {0, 1}
    assert set(np.unique(found[:, 18:])) == {0, 2}
    assert separated(labels, classes=(1,)).max() == 1, "unless asked, a piece is an object"


@pytest.mark.parametrize("radius", [1, 2, 3, 5, 12, 25])
def test_a_disc_a_square_and_a_bar_stay_whole_at_any_size(radius):
    side = 4 * radius + 3
    disc = discs((side, side), (side // 2, side // 2), radius=radius)
    square = np.pad(np.ones((2 * radius, 2 * radius), np.uint8), 2)
    bar = np.pad(np.ones((radius, 6 * radius), np.uint8), 2)
    turned = ndimage.rotate(np.pad(bar, 3 * radius), 30, order=0)
    for labels in (disc, square, bar, turned, np.ones((radius, radius), np.uint8)):
        assert separated(labels, classes=(1,), settings=DISTANCE).max() == ndimage.label(labels)[1]


def test_the_neck_says_how_narrow_is_narrow():
    labels = discs((20, 40), (9, 12), (9, 21))  # the neck is about 0.7 of a disc
    counts = [
        separated(labels, classes=(1,), settings=Separation(how="distance", neck=neck)).max() for neck in (0.5, 0.95)
    ]

    assert counts == [1, 2]


def test_a_learned_border_is_given_back_to_its_objects():
    labels = np.zeros((9, 11), np.uint8)
    labels[1:8, 1:10] = 1
    labels[1:8, 5] = 3
    found = separated(labels, classes=(1,), settings=Separation(how="border"), marks={3: 1})

    assert np.unique(found).tolist() == [0, 1, 2]
    assert np.array_equal(found > 0, labels > 0)
    assert set(np.unique(found[:, :5])) == {0, 1}
    assert set(np.unique(found[:, 6:])) == {0, 2}


def test_learned_centres_grow_back_to_their_objects_and_lone_pieces_stay():
    labels = discs((20, 50), (9, 11), (9, 22), (9, 40))
    labels[draw.disk((9, 11), 3)] = labels[draw.disk((9, 22), 2)] = 5
    found = separated(labels, classes=(1,), settings=Separation(how="centre"), marks={5: 1})

    assert np.unique(found).tolist() == [0, 1, 2, 3]
    assert np.array_equal(found > 0, labels > 0)
    assert (found[9, 11], found[9, 22], found[9, 40]) != (0, 0, 0)


@pytest.mark.parametrize("kind", ["border", "centre"])
def test_an_object_has_the_class_of_most_of_its_pixels_of_which_marked_ones_count_last(kind):
    # 3 and 4 are marked pixels that look like 1 and 2.
    rows = {"border": [1, 1, 2, 4, 2, 2, 0, 4, 3, 4, 0, 2, 3, 1], "centre": [1, 1, 4, 2, 3, 2, 0, 4, 3, 4, 0, 4, 2, 3]}
    labels = np.array([rows[kind]], np.uint8)
    found = separate(
        MemoryPlane(labels), classes=(1, 2), settings=Separation(how=kind), marks={3: 1, 4: 2}
    )  # fmt: skip

    ids = found.ids.read(slice(0, 1), slice(0, 14))[0].tolist()
    assert (len(set(ids[:3])), len(set(ids[4:6])), len(set(ids[7:10]))) == (1, 1, 1)
    assert len({0, ids[0], ids[4], ids[8], ids[11], ids[13]}) == 6
    assert found.labels.tolist()[:3] == [1, 2, 2], "all of the third are marked"
    assert found.areas.sum() == 12


CASES = [
    pytest.param(DISTANCE, (1, 2, 3), {}, id="distance"),
    pytest.param(Separation(how="border"), (1, 2), {3: 1}, id="border"),
    pytest.param(Separation(how="border"), (1, 2), {3: 1, 4: 2}, id="border of two classes"),
    pytest.param(Separation(how="centre"), (1, 2), {3: 1, 4: 2}, id="centre of two classes"),
]


@pytest.mark.parametrize(("how", "classes", "marks"), CASES)
@settings(max_examples=15)
@given(seed=st.integers(0, 9999), block=st.sampled_from([8, 16, 30, 1000]))
def test_each_piece_comes_apart_as_if_it_were_alone(how, classes, marks, seed, block):
    labels = crowd(seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(separation, "BLOCK", block)
        objects = separate(MemoryPlane(labels), classes=classes, settings=how, marks=marks)
    found = objects.ids.read(slice(0, 70), slice(0, 60))

    assert np.array_equal(found, one_by_one(labels, how, classes, marks))
    regions = measure.regionprops(found)
    assert objects.areas.tolist() == [region.area for region in regions]
    assert objects.boxes.tolist() == [list(region.bbox) for region in regions]
    assert np.array_equal(found > 0, np.isin(labels, (*classes, *marks)))
    for region, label in zip(regions, objects.labels.tolist(), strict=True):
        counts = np.bincount(labels[found == region.label], minlength=5)
        assert label in classes
        if label not in marks.values():
            assert counts[label] == counts.sum()
        elif any(counts[one] for one in marks.values()):
            assert counts[label] == max(counts[one] for one in marks.values())


def sheet(shape=(270, 210), step=11, radius=6, seed=0):
    """Discs that all hang together."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[5 : shape[0] : step, 5 : shape[1] : step].reshape(2, -1)
    middles = np.stack([rows, columns], axis=1) + rng.integers(0, 2, (len(rows), 2))
    return discs(shape, *middles, radius=radius)


@pytest.mark.parametrize("seed", range(3))
def test_a_sheet_too_large_for_one_window_comes_apart_as_from_the_whole(seed, monkeypatch, tmp_path):
    labels = sheet(seed=seed)
    whole = separated(labels, classes=(1,), settings=DISTANCE)
    assert ndimage.label(labels)[1] < 5 < 100 < whole.max()

    monkeypatch.setattr(separation, "BLOCK", 40)
    monkeypatch.setattr(separation, "LARGEST", 192)
    with FilePlane.create(tmp_path / "labels.raw", labels.shape, "uint8") as plane:
        plane.write(slice(0, 270), slice(0, 210), labels)
        found = separate(plane, classes=(1,), settings=DISTANCE)
    assert np.array_equal(found.ids.read(slice(0, 270), slice(0, 210)), whole)
    assert found.areas.tolist() == np.bincount(whole.ravel())[1:].tolist()
    assert found.boxes.tolist() == [list(region.bbox) for region in measure.regionprops(whole)]


def test_a_sheet_without_necks_stays_one_object(monkeypatch):
    monkeypatch.setattr(separation, "BLOCK", 16)
    monkeypatch.setattr(separation, "LARGEST", 32)
    labels = np.ones((100, 90), np.uint8)

    assert np.array_equal(separated(labels, classes=(1,), settings=DISTANCE), labels)


@pytest.mark.parametrize("kind", ["border", "centre"])
def test_sheets_of_learned_kinds_come_apart_as_from_the_whole(kind, monkeypatch):
    whole = separated(sheet(), classes=(1,), settings=DISTANCE)
    edge = np.zeros(whole.shape, bool)
    for here, there in ((np.s_[1:], np.s_[:-1]), (np.s_[:, 1:], np.s_[:, :-1])):
        edge[here] |= (whole[here] != whole[there]) & (whole[here] > 0) & (whole[there] > 0)
    core = ndimage.distance_transform_edt((whole > 0) & ~edge) > 2
    labels = np.where(whole > 0, np.where(edge if kind == "border" else core, 2, 1), 0).astype(np.uint8)
    options = {"classes": (1,), "settings": Separation(how=kind), "marks": {2: 1}}
    expected = separated(labels, **options)

    monkeypatch.setattr(separation, "BLOCK", 40)
    monkeypatch.setattr(separation, "LARGEST", 192)
    assert expected.max() > 100
    assert np.array_equal(separated(labels, **options), expected)


def test_objects_smaller_than_asked_are_left_out():
    labels = discs((20, 60), (9, 11), (9, 22)) + discs((20, 60), (9, 45), radius=2)

    for how in ("none", "distance"):
        found = separated(labels, classes=(1,), settings=Separation(how=how, smallest=30))
        assert found.max() == (1 if how == "none" else 2)
        assert not found[:, 40:].any()


def test_what_was_not_learned_cannot_part():
    with pytest.raises(SettingError, match=r"must have learned one.*`distance`, which needs no training"):
        separated(np.ones((3, 3), np.uint8), classes=(1,), settings=Separation(how="border"))
    with pytest.raises(ValidationError):
        Separation(neck=0)
