import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from maskwright.data.preprocess import Preprocess
from maskwright.errors import DataError

sides = st.integers(1, 40)


def made(channels=1, dtype="uint8", **settings):
    return Preprocess(channels=channels, dtype=dtype, mean=(0.0,) * channels, std=(1.0,) * channels, **settings)


def test_grey_is_repeated_for_a_network_of_colours(paint):
    image = paint.image(8, 10, 1)
    given_three = made(3).to_channels(image)
    np.testing.assert_array_equal(given_three, np.concatenate([image] * 3, axis=2), strict=True)


def test_colour_becomes_the_luminance_that_pillow_computes(paint):
    image = paint.image(20, 30, 3)
    grey = made(1).to_channels(image)
    assert (grey.shape, grey.dtype) == ((20, 30, 1), np.uint8)
    pillow = np.array(Image.fromarray(image).convert("L"), int)
    assert np.abs(grey[:, :, 0] - pillow).max() <= 1
    assert np.abs(grey[:, :, 0] - image @ [0.299, 0.587, 0.114]).max() <= 0.5 + 1e-4


@pytest.mark.parametrize(("dtype", "top"), [("uint8", 255), ("uint16", 65535), ("float32", 1.0)])
def test_white_stays_white_and_black_black(dtype, top):
    image = np.zeros((1, 2, 3), dtype)
    image[0, 1] = top
    np.testing.assert_allclose(made(1, dtype).to_channels(image)[0, :, 0], [0, top], rtol=1e-6)
    assert made(1, dtype).to_channels(image).dtype == dtype


def test_channels_that_fit_are_left_as_they_are(paint):
    image = paint.image(8, 10, 3)
    assert made(3).to_channels(image) is image


@pytest.mark.parametrize(("network", "image"), [(1, 2), (3, 4), (5, 3), (5, 1), (3, 2)])
def test_channels_that_do_not_fit_are_told(network, image):
    with pytest.raises(DataError, match=f"img_07.png has {image} channels, the model was made for {network}"):
        made(network).to_channels(np.zeros((2, 2, image), np.uint8), "img_07.png")


@pytest.mark.parametrize("dtype", ["uint16", "float32"])
def test_another_kind_of_value_is_told(dtype):
    with pytest.raises(DataError, match=f"img_07.png holds {dtype} values, the model was made for uint8.*Convert"):
        made()(np.zeros((2, 2, 1), dtype), "img_07.png")


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_an_image_of_working_size_is_as_stored(dtype, paint):
    image = paint.image(8, 10, 3, dtype=dtype)
    resized = made(3, dtype).resize(image)
    assert (resized.dtype, resized.shape) == (torch.float32, (3, 8, 10))
    np.testing.assert_array_equal(resized.numpy(), np.moveaxis(image, 2, 0).astype(np.float32))


@given(h=sides, w=sides, scale=st.floats(0.1, 3), value=st.sampled_from([0, 7, 255, 65535]))
def test_a_flat_image_stays_flat_at_any_size(h, w, scale, value):
    preprocess = made(2, "uint16", scale=scale)
    resized = preprocess.resize(np.full((h, w, 2), value, np.uint16))
    assert tuple(resized.shape) == (2, *preprocess.working_size(h, w))
    torch.testing.assert_close(resized, torch.full_like(resized, value), rtol=1e-5, atol=0)


def test_resizing_stays_within_the_values_and_keeps_the_mean(paint):
    image = paint.image(40, 60, 1)
    small = made(scale=0.2).resize(image)
    assert image.min() <= small.min() <= small.max() <= image.max()
    assert small.mean() == pytest.approx(image.mean(), rel=0.02)
    assert small.std() < 0.3 * image.std()  # anti-aliased: noise averages out; four neighbours alone would leave half


@given(h=sides, w=sides, scale=st.floats(0.05, 4))
def test_the_working_size_is_the_nearest_and_never_none(h, w, scale):
    height, width = made(scale=scale).working_size(h, w)
    assert height == max(1, round(h * scale))
    assert width == max(1, round(w * scale))
    assert made(scale=1.0).working_size(h, w) == (h, w)
    assert made(scale=scale, size=(5, 6)).working_size(h, w) == (5, 6)


@given(
    labels=hnp.arrays(np.uint8, st.tuples(sides, sides), elements=st.sampled_from([0, 3, 255])),
    scale=st.floats(0.1, 4),
)
def test_resized_labels_have_the_images_size_and_no_label_is_made_up(labels, scale):
    preprocess = made(scale=scale)
    resized = preprocess.resize_labels(labels)
    assert resized.dtype == np.uint8
    assert resized.shape == preprocess.working_size(*labels.shape)
    assert set(np.unique(resized)) <= set(np.unique(labels))


@given(h=sides, w=sides, size=st.tuples(sides, sides))
def test_each_resized_label_is_the_one_at_its_middle(h, w, size):
    labels = np.arange(h * w).reshape(h, w) % 251
    resized = made(size=size).resize_labels(labels.astype(np.uint8))
    for y in range(size[0]):
        for x in range(size[1]):
            assert resized[y, x] == labels[(2 * y + 1) * h // (2 * size[0]), (2 * x + 1) * w // (2 * size[1])]


@pytest.mark.parametrize("scale", [0.5, 2.0, 0.75])
def test_labels_and_image_stay_in_step(scale):
    """An edge in the image is where the labels change."""
    labels = np.zeros((48, 64), np.uint8)
    labels[17:, 30:] = 1
    preprocess = made(scale=scale)
    image = preprocess.resize(labels[:, :, None] * 200)[0].numpy()
    resized = preprocess.resize_labels(labels)
    assert ((image > 100) == (resized == 1)).mean() > 0.97
    assert abs((image / 200).mean() - resized.mean()) < 0.02


def test_labels_of_working_size_are_as_they_are(paint):
    labels = paint.mask(0, 1, 255)
    np.testing.assert_array_equal(made().resize_labels(labels), labels, strict=True)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int32, torch.float32])
def test_normalising_subtracts_the_mean_and_divides_by_the_deviation(dtype):
    preprocess = Preprocess(channels=2, dtype="uint8", mean=(10.0, 20.0), std=(2.0, 5.0))
    image = torch.tensor([[[10, 14]], [[15, 30]]], dtype=dtype)
    expected = torch.tensor([[[0.0, 2.0]], [[-1.0, 2.0]]])
    torch.testing.assert_close(preprocess.normalise(image), expected)
    torch.testing.assert_close(preprocess.normalise(image.repeat(3, 1, 1, 1)), expected.repeat(3, 1, 1, 1))


def test_a_call_is_channels_then_size_then_values(paint):
    preprocess = Preprocess(channels=3, dtype="uint16", size=(4, 5), mean=(1e4, 2e4, 3e4), std=(1e3, 2e3, 3e3))
    image = paint.image(8, 10, 1, dtype="uint16")
    seen = preprocess(image)
    by_hand = preprocess.normalise(preprocess.resize(np.repeat(image, 3, axis=2)))
    torch.testing.assert_close(seen, by_hand, rtol=0, atol=0)
    assert (seen.shape, seen.dtype) == ((3, 4, 5), torch.float32)


def test_an_array_that_may_not_be_written_is_read(paint):
    image = paint.image(8, 10, 1)
    image.flags.writeable = False
    assert made()(image).shape == (1, 8, 10)


def test_preprocessing_saves_and_loads(tmp_path):
    preprocess = Preprocess(channels=3, dtype="uint16", scale=0.5, mean=(0.1, 1 / 3, 2.0), std=(1e-9, 1.0, 65535.0))
    for suffix in ("json", "yaml"):
        assert Preprocess.load(preprocess.save(tmp_path / f"preprocess.{suffix}")) == preprocess


def test_nearest_takes_the_pixel_at_each_middle_and_makes_no_value_up():
    image = np.random.default_rng(0).integers(0, 2, (37, 53, 3)).astype(np.uint8) * 200
    nearest = Preprocess(
        channels=3, dtype="uint8", size=(10, 14), interpolation="nearest", mean=(0.0,) * 3, std=(1.0,) * 3
    )

    small = nearest.resize(image)

    assert small.shape == (3, 10, 14)
    assert set(small.unique().tolist()) <= {0.0, 200.0}
    np.testing.assert_array_equal(small[1].numpy(), nearest.resize_labels(image[:, :, 1]))


def test_an_image_one_pixel_wide_is_resized_as_one_lying_down():
    """torch 2.15 alone gives every row of such a result the values of the first."""
    p = Preprocess(channels=1, dtype="uint8", scale=0.5, mean=(0,), std=(1,))
    column = np.arange(0, 200, 10, dtype=np.uint8)[:, None, None]

    np.testing.assert_allclose(p.resize(column)[0, :, 0], p.resize(column.transpose(1, 0, 2))[0, 0], rtol=1e-6)
    assert p.resize(column).shape == (1, 10, 1)


def test_an_image_resized_as_labels_are_has_its_working_size_and_no_new_values():
    p = Preprocess(channels=1, dtype="uint8", scale=0.5, interpolation="nearest", mean=(0,), std=(1,))
    image = np.random.default_rng(0).integers(0, 2, (20, 30, 1)).astype(np.uint8) * 255

    found = p.resize(image)

    assert found.shape == (1, 10, 15)
    assert set(found.unique().tolist()) == {0, 255}


@pytest.mark.parametrize("kind", ["bilinear", "nearest"])
@pytest.mark.parametrize("scale", [0.3, 1.0, 1.7])
def test_image_and_labels_have_one_size_however_they_are_resized(kind, scale):
    preprocess = made(scale=scale, interpolation=kind)
    image = np.zeros((40, 30, 1), np.uint8)
    assert preprocess.resize(image).shape[1:] == preprocess.resize_labels(image[:, :, 0]).shape


@pytest.mark.parametrize("size", [(7, 1), (5, 3), (1, 1)])
def test_a_picture_that_becomes_one_pixel_wide_keeps_its_rows_apart(size):
    """torch's own interpolation gives them all the first one's value."""
    image = np.arange(size[0] * size[1], dtype=np.float32).reshape(*size, 1)
    small = made(dtype="float32", size=(2, 1)).resize(image)
    assert small.shape == (1, 2, 1)
    assert (small[0, 0, 0] < small[0, 1, 0]) == (size[0] > 1)
    assert float(small.mean()) == pytest.approx(image.mean(), rel=0.2)


def test_images_normalised_by_their_own_have_mean_0_and_deviation_1(paint):
    preprocess = Preprocess(channels=3, dtype="uint8", mean=(1.0,) * 3, std=(9.0,) * 3, statistics="image", scale=0.5)
    image = paint.image(30, 40, 3)
    seen = preprocess(image)
    torch.testing.assert_close(seen.mean((1, 2)), torch.zeros(3), atol=1e-5, rtol=0)
    torch.testing.assert_close(seen.std((1, 2), correction=0), torch.ones(3), atol=1e-5, rtol=0)
    darker = preprocess((image // 4 * 2).astype(np.uint8)), preprocess((image // 4).astype(np.uint8))
    torch.testing.assert_close(*darker, atol=1e-4, rtol=1e-4)
    flat = preprocess(np.full((9, 9, 3), 7, np.uint8))
    torch.testing.assert_close(flat, torch.zeros(3, 4, 4), atol=1e-5, rtol=0)


def test_records_that_were_saved_before_there_were_statistics_still_load():
    saved = made(3).plain()
    del saved["statistics"]
    assert Preprocess.read(saved) == made(3)
