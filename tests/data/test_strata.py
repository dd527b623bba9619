import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskwright.data.groups import Unit
from maskwright.data.strata import marks, spread
from maskwright.data.values import infer
from maskwright.files import MaskStyle


def alone(count):
    return [Unit(str(i), (i,)) for i in range(count)]


def units_of(sizes):
    ends = np.cumsum([0, *sizes])
    return [
        Unit(str(i), tuple(range(a, b)), size > 1)
        for i, (a, b, size) in enumerate(zip(ends, ends[1:], sizes, strict=False))
    ]


@given(
    marked=st.lists(st.lists(st.booleans(), min_size=4, max_size=4), min_size=4, max_size=60),
    parts=st.integers(2, 4),
)
def test_images_that_are_alone_meet_the_numbers_exactly(marked, parts):
    whole, over = divmod(len(marked), parts)
    wanted = [whole + (n < over) for n in range(parts)]
    found = spread(alone(len(marked)), np.array(marked, int), wanted)
    assert [found.count(n) for n in range(parts)] == wanted


@given(sizes=st.lists(st.integers(1, 12), min_size=4, max_size=30), seed=st.integers(0, 99), share=st.floats(0.05, 0.9))
def test_parts_of_groups_miss_the_numbers_by_less_than_the_largest_group(sizes, seed, share):
    marked = np.random.default_rng(seed).integers(0, 2, (sum(sizes), 5))
    val = min(max(1, round(share * sum(sizes))), sum(sizes) - 1)
    found = spread(units_of(sizes), marked, [val, sum(sizes) - val])
    images = sum(size for size, part in zip(sizes, found, strict=True) if part == 0)
    assert 0 < images < sum(sizes)
    assert abs(images - val) <= max(sizes)


@given(seed=st.integers(0, 999), rare=st.integers(2, 4), share=st.sampled_from([0.1, 0.15, 0.3]))
def test_what_two_images_or_more_show_both_parts_show(seed, rare, share):
    rng = np.random.default_rng(seed)
    marked = np.zeros((60, 6), int)
    marked[:, 0] = 1
    for column in range(1, 6):
        marked[rng.choice(60, rare + column - 1, replace=False), column] = 1
    val = round(60 * share)
    found = np.array(spread(alone(60), marked, [val, 60 - val]))
    assert (marked[found == 0].sum(axis=0) > 0).all()
    assert (marked[found == 1].sum(axis=0) > 0).all()


def test_what_a_single_image_shows_is_trained_on():
    marked = np.zeros((20, 1), int)
    marked[7] = 1
    assert spread(alone(20), marked, [3, 17])[7] == 1


def test_strata_that_exclude_each_other_give_their_exact_shares():
    """The slow twin of one mark an image: each stratum in turn."""
    strata = np.repeat(np.arange(5), [40, 20, 20, 10, 10])
    found = np.array(spread(alone(100), np.eye(5, dtype=int)[strata], [20, 80]))
    assert np.bincount(strata[found == 0]).tolist() == [8, 4, 4, 2, 2]
    folds = np.array(spread(alone(100), np.eye(5, dtype=int)[strata], [20] * 5))
    for fold in range(5):
        assert np.bincount(strata[folds == fold]).tolist() == [8, 4, 4, 2, 2]


@pytest.fixture(scope="module")
def scene(bare_sample):
    """A maker of samples with eight classes as in a street: some everywhere, some rare and in large pieces."""
    return lambda seed, count=300: street(bare_sample, seed, count)


def street(bare_sample, seed, count):
    rng = np.random.default_rng(seed)
    pixels = rng.gamma(0.7, 100, (count, 8)) * (rng.random((count, 8)) < [1, 1, 0.9, 0.6, 0.3, 0.1, 0.05, 0.02])
    return [
        bare_sample(f"{i}.png", values={c: int(n) for c, n in enumerate(row) if n >= 1}) for i, row in enumerate(pixels)
    ]


def unlike(samples, chosen):
    """How far the classes' shares in the chosen images are from those in all, on average."""
    pixels = np.array([[s.values.get(c, 0) for c in range(8)] for s in samples], float)
    shares = pixels / pixels.sum(axis=1, keepdims=True)
    return np.abs(shares[chosen].mean(axis=0) / shares.mean(axis=0) - 1).mean()


def test_parts_show_as_much_of_each_class_as_all_more_than_by_chance(scene):
    ours, chance = [], []
    for seed in range(8):
        samples = scene(seed)
        labels, _ = infer({s.name: s.values for s in samples}, MaskStyle(), names=list("abcdefgh"))
        found = np.array(spread(alone(300), marks(samples, labels), [60, 240]))
        ours.append(unlike(samples, found == 0))
        chance.append(unlike(samples, np.arange(300) < 60))
    assert np.mean(ours) < 0.6 * np.mean(chance)


@pytest.mark.parametrize("values", [{0: 80}, {0: 79, 1: 1}, {0: 40, 1: 40}, {1: 80}])
def test_of_one_foreground_class_an_image_has_the_mark_of_its_stratum(values, bare_sample):
    labels, _ = infer({"a": {0: 1, 1: 1}}, MaskStyle())
    (row,) = marks([bare_sample("a.png", values=values)], labels)
    assert row.sum() == 1
    assert row.argmax() == -(-10 * values.get(1, 0) // 80)


def test_classes_that_no_image_shows_mark_none(scene):
    samples = scene(0, count=5)
    labels, _ = infer({s.name: s.values for s in samples} | {"z": {c: 9 for c in range(9)}}, MaskStyle())
    assert marks(samples, labels)[:, -3:].sum() == 0


def test_of_more_classes_an_image_is_marked_for_each_it_shows_and_for_those_it_shows_much_of(bare_sample):
    labels, _ = infer({"a": {0: 1, 1: 1, 2: 1}}, MaskStyle())
    rows = [{0: 80}, {0: 79, 1: 1}, {0: 70, 1: 10}, {0: 40, 1: 40}]
    found = marks([bare_sample(f"{i}.png", values=values) for i, values in enumerate(rows)], labels)
    assert found[:, 3:6].tolist() == [[0, 0, 0], [1, 0, 0], [1, 0, 0], [1, 1, 1]]
