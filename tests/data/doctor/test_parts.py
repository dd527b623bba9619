import numpy as np
import pytest
from scipy.stats import mannwhitneyu

from maskwright.data.doctor.parts import ranked


def paint(clinic, paint_scene, part, count, first, change=lambda image: image, mask=lambda objects: objects > 0):
    for seed in range(first, first + count):
        image, objects = paint_scene(seed)
        clinic.pair(f"img_{seed:03}", change(image).astype(np.uint8), (255 * mask(objects)).astype(np.uint8), part)


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"change": lambda image: image * 0.6}, "brightness"),
        ({"change": lambda image: (image - image.mean()) * 0.4 + image.mean()}, "contrast"),
        ({"mask": lambda objects: objects == 1}, "share of foreground"),
    ],
)
def test_a_part_that_differs_is_told_with_the_numbers(clinic, paint_scene, options, word):
    paint(clinic, paint_scene, "train", 30, 0)
    paint(clinic, paint_scene, "val", 12, 100)
    paint(clinic, paint_scene, "test", 12, 200, **options)

    found = clinic.findings("parts")

    assert list(found) == ["shift-test"]
    (line,) = [line for line in found["shift-test"].details if line.startswith(word)]
    assert "p = " in line
    assert found["shift-test"].severity == "note", "the split is the folder's"


def test_a_split_by_patterns_is_warned_of(clinic, paint_scene):
    paint(clinic, paint_scene, "", 30, 0)
    paint(clinic, paint_scene, "", 12, 100, lambda image: image * 0.6)

    assert clinic.findings("parts", val=["img_1*"])["shift-val"].severity == "warning"


def test_a_few_images_prove_nothing_and_a_slight_shift_is_not_told(clinic, paint_scene):
    paint(clinic, paint_scene, "train", 40, 0)
    paint(clinic, paint_scene, "val", 3, 100, lambda image: image * 0.3)
    paint(clinic, paint_scene, "test", 40, 200, lambda image: image * 0.99)

    assert clinic.findings("parts") == {}


def test_random_splits_of_one_set_are_silent(clinic, paint_scene):
    """One in a thousand may be told; none of these."""
    clinic.healthy(40)

    for seed in range(8):
        assert clinic.findings("parts", share=0.3, split_seed=seed) == {}


def tiny(clinic, part, means, first=0):
    for seed, mean in enumerate(means, start=first):
        rng = np.random.default_rng(seed)
        mask = np.zeros((8, 8), np.uint8)
        mask[:, :4] = 255
        clinic.pair(f"img_{seed:03}", (mean + rng.uniform(0, 9, (8, 8))).astype(np.uint8), mask, part)


def test_a_certain_but_small_difference_is_not_told(clinic):
    means = np.random.default_rng(0).normal(120, 20, 400)
    tiny(clinic, "train", means[:250])
    tiny(clinic, "val", means[250:] + 11, first=500)
    brightness = [np.mean(m.sample.mean) for m in clinic.survey().measured]

    above, chance = ranked(np.array(brightness[250:]), np.array(brightness[:250]))

    assert chance < 1e-4
    assert 0.6 < above < 0.75
    assert clinic.findings("parts") == {}


def test_small_parts_differ_by_chance_and_are_silent(clinic):
    tiny(clinic, "", np.random.default_rng(0).normal(120, 20, 20))

    assert all(clinic.findings("parts", share=6, split_seed=seed) == {} for seed in range(12))


def test_ranks_are_those_of_a_slow_count():
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 6, 9).astype(float), rng.integers(2, 9, 14).astype(float)

    above, chance = ranked(a, b)

    assert above == pytest.approx(np.mean([(x > y) + 0.5 * (x == y) for x in a for y in b]))
    both = np.concatenate([a, b])
    means = [rng.permutation(both)[:9] for _ in range(4000)]
    ranks = np.array([np.mean((m[:, None] > both) + 0.5 * (m[:, None] == both)) for m in means])
    own = np.mean((a[:, None] > both) + 0.5 * (a[:, None] == both))
    assert chance == pytest.approx(np.mean(np.abs(ranks - 0.5) >= abs(own - 0.5) - 1e-9), abs=0.02)
    assert ranked(np.ones(3), np.ones(5)) == (0.5, 1.0)


@pytest.mark.parametrize("digits", [0, 1, 6])
@pytest.mark.parametrize(("n", "m"), [(3, 5), (5, 40), (60, 33)])
def test_ranks_are_compared_as_scipy_does(n, m, digits):
    rng = np.random.default_rng(n)
    a, b = rng.normal(0, 1, n).round(digits), rng.normal(0.7, 1, m).round(digits)
    oracle = mannwhitneyu(a, b, alternative="two-sided")
    assert ranked(a, b) == pytest.approx((oracle.statistic / (n * m), oracle.pvalue), rel=1e-9)
