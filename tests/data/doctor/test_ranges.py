import numpy as np
import pytest


def paint(clinic, paint_scene, images, ending="png"):
    """A pair for each function of a scene in 0 to 255."""
    for seed, change in enumerate(images):
        image, objects = paint_scene(seed)
        clinic.pair(f"img_{seed:03}", change(image), np.where(objects, 255, 0).astype(np.uint8), ending=ending)


def bytes_(image):
    return image.astype(np.uint8)


def bits(count, factor=1.0):
    """The scene in 16-bit files, with so many bits."""
    return lambda image: (image / 255 * factor * (2**count - 1)).astype(np.uint16)


def colour(image):
    return np.stack([image, image * 0.8, image * 0.5], axis=2).astype(np.uint8)


def grey_thrice(image):
    return np.repeat(image.astype(np.uint8)[:, :, None], 3, axis=2)


def test_mixed_types_are_one_error(clinic, paint_scene):
    paint(clinic, paint_scene, [bytes_] * 10 + [bits(16)] * 2)

    found = clinic.findings()

    assert [code for code, finding in found.items() if finding.severity == "error"] == ["mixed-dtypes"]
    assert found["mixed-dtypes"].files == ("images/img_010.png", "images/img_011.png")
    assert found["mixed-dtypes"].details[0] == "uint8: 10 images, uint16: 2 images"


@pytest.mark.parametrize("count", [10, 12, 14])
def test_a_camera_of_few_bits_is_told_with_the_real_range(clinic, paint_scene, count):
    paint(clinic, paint_scene, [bits(count)] * 8)

    found = clinic.findings("ranges")

    assert list(found) == ["few-bits"]
    assert found["few-bits"].severity == "note"
    assert f"{count} bits" in found["few-bits"].title


def test_full_sixteen_bits_are_silent_though_some_are_dim(clinic, paint_scene):
    paint(clinic, paint_scene, [bits(16)] * 8 + [bits(16, 0.1)] * 3 + [bits(16, 0.001)] * 3)

    assert clinic.findings("ranges") == {}


@pytest.mark.parametrize(
    ("images", "ending", "end"),
    [
        ([bits(16)] * 8 + [bits(8)] * 3, "png", 255),
        ([bits(16)] * 8 + [bits(12)] * 3, "png", 4095),
        ([lambda i: (i / i.max()).astype(np.float32)] * 3 + [lambda i: i.astype(np.float32)] * 8, "tif", 1),
        ([lambda i: (i / i.max()).astype(np.float32)] + [lambda i: i.astype(np.float32)] * 8, "tif", 1),
    ],
)
def test_two_ranges_in_one_set_are_warned_of(clinic, paint_scene, images, ending, end):
    paint(clinic, paint_scene, images, ending)
    odd = [f"images/img_{i:03}.{ending}" for i, image in enumerate(images) if images.count(image) < 8]

    found = clinic.findings("ranges")

    assert list(found) == ["mixed-ranges"]
    assert found["mixed-ranges"].severity == "warning"
    assert list(found["mixed-ranges"].files) == odd
    assert f"at {end}" in found["mixed-ranges"].title


def test_floats_of_one_range_and_standardised_ones_are_silent(clinic, paint_scene):
    paint(clinic, paint_scene, [lambda i: ((i - i.mean()) / i.std()).astype(np.float32)] * 8, "tif")

    assert clinic.findings("ranges") == {}


def test_grey_among_colour_is_noted_and_other_channels_refused_once(clinic, paint_scene):
    paint(clinic, paint_scene, [colour] * 6 + [bytes_] * 2)
    noted = clinic.findings("ranges")

    assert [(f.code, f.severity) for f in noted.values()] == [("mixed-channels", "note")]
    assert noted["mixed-channels"].files == ("images/img_006.png", "images/img_007.png")


def test_other_channels_are_refused_and_told_once(clinic, paint_scene):
    paint(clinic, paint_scene, [lambda i: np.stack([bytes_(i)] * 2, 2)] * 2 + [bytes_] * 3, "tif")
    found = clinic.findings()

    assert [code for code, finding in found.items() if finding.severity == "error"] == ["mixed-channels"]


def test_colour_that_is_grey_in_truth_is_noted(clinic, paint_scene):
    paint(clinic, paint_scene, [colour] * 5 + [grey_thrice] * 3)

    found = clinic.findings("ranges")

    assert list(found) == ["grey-in-truth"]
    assert found["grey-in-truth"].title == "3 of 8 colour images are grey in truth"
    assert found["grey-in-truth"].severity == "note"
