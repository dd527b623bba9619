import numpy as np
import pytest

BLANK = np.zeros((96, 120), np.uint8)


def add(clinic, name, image, mask=None):
    clinic.pair(name, image.astype(np.uint8), BLANK[: image.shape[0], : image.shape[1]] if mask is None else mask)


def test_flat_images_are_told_and_worse_where_something_is_drawn(clinic, paint_scene):
    clinic.healthy(16)
    add(clinic, "black", BLANK)
    add(clinic, "white", BLANK + 255, np.where(paint_scene(0)[1], 255, 0).astype(np.uint8))

    found = clinic.findings("outliers")

    assert {code: (f.severity, f.files) for code, f in found.items()} == {
        "flat": ("note", ("images/black.png",)),
        "flat-but-drawn": ("warning", ("images/white.png",)),
    }
    assert found["flat-but-drawn"].details == ("images/white.png: 255 everywhere",)
    assert clinic.findings("outliers", skip=[*found["flat-but-drawn"].fix["skip"], "black"]) == {}


@pytest.mark.parametrize(
    ("name", "change", "code"),
    [
        ("dark", lambda image: image * 0.02, "outliers-brightness"),
        ("bright", lambda image: 250 + image * 0.02, "outliers-brightness"),
        ("harsh", lambda image: np.where(image > np.median(image), 255, 0), "outliers-contrast"),
    ],
)
def test_what_is_far_from_the_others_is_named(clinic, paint_scene, name, change, code):
    clinic.healthy(30)
    add(clinic, name, change(paint_scene(99)[0]))

    found = clinic.findings("outliers")

    assert list(found) == [code]
    assert found[code].files == (f"images/{name}.png",)
    assert found[code].severity == "note"


def test_two_kinds_of_images_are_no_outliers(clinic, paint_scene):
    """A third is dark: another stain, another hour."""
    clinic.healthy(20)
    for seed in range(10):
        add(clinic, f"night_{seed}", paint_scene(50 + seed)[0] * 0.2)

    assert clinic.findings("outliers") == {}


def levelled(scene, mean):
    image, _ = scene
    return image / 4 - (image / 4).mean() + mean


def test_two_tight_kinds_are_no_outliers_either(clinic, paint_scene):
    for seed in range(30):
        add(clinic, f"img_{seed:02}", levelled(paint_scene(seed), 130 if seed < 20 else 30))

    assert clinic.findings("outliers") == {}


@pytest.mark.parametrize(("others", "codes"), [((40, 58), []), ((5, 10), ["outliers-brightness"])])
def test_the_end_of_a_tail_does_not_stand_apart(clinic, paint_scene, others, codes):
    for seed, mean in enumerate([100] * 24 + [100 + step for step in others] + [166]):
        add(clinic, f"img_{seed:02}", levelled(paint_scene(seed), mean))

    assert list(clinic.findings("outliers")) == codes


def test_a_long_tail_is_no_outlier(clinic, paint_scene):
    for seed in range(40):
        add(clinic, f"img_{seed:02}", paint_scene(seed)[0] * np.exp(-((seed / 18) ** 2)))

    assert clinic.findings("outliers") == {}


def test_the_one_of_another_size_is_named_and_many_sizes_are_none(clinic):
    clinic.healthy(16).healthy(1, 40, size=(96, 119))

    found = clinic.findings("outliers")

    assert list(found) == ["outliers-size"]
    assert found["outliers-size"].files == ("images/img_040.png",)
    assert found["outliers-size"].details[0] == "all others are 96×120"


def test_among_many_sizes_one_far_larger_is_named(clinic):
    for seed in range(16):
        clinic.healthy(1, seed, size=(90 + seed, 120 - seed))
    clinic.healthy(1, 60, size=(500, 600))

    assert clinic.findings("outliers")["outliers-size"].files == ("images/img_060.png",)


def test_tiny_images_are_told(clinic, paint_scene):
    clinic.healthy(6)
    add(clinic, "icon", paint_scene(0)[0][:12, :12])

    assert clinic.findings("outliers")["tiny"].files == ("images/icon.png",)


def test_few_images_have_no_usual(clinic, paint_scene):
    clinic.healthy(5)
    add(clinic, "dark", paint_scene(99)[0] * 0.02)

    assert clinic.findings("outliers") == {}
