import numpy as np
import pytest

from maskwright.data.index import index
from maskwright.data.layouts import recognise
from maskwright.errors import DataError


@pytest.fixture
def scenes(paint):
    """Each band is one number all over: its place in the list."""

    def scenes(bands, image="images/{}{}.png", mask="masks/{}.png"):
        for name in ("north", "south", "west"):
            for value, band in enumerate(bands):
                paint.write(image.format(name, band), np.full((8, 10), 10 * value, np.uint8))
            paint.write(mask.format(name), paint.mask())
        return paint

    return scenes


@pytest.mark.parametrize(
    ("bands", "order"),
    [
        (["_c0", "_c1"], [0, 1]), (["_0000", "_0001", "_0002"], [0, 1, 2]), (["_ch00", "_ch01"], [0, 1]),
        (["_B10", "_B02", "_B8A"], [1, 2, 0]), (["_blue", "_green", "_nir", "_red"], [3, 1, 0, 2]),
        (["_w1", "_w2"], [0, 1]),
    ],
)  # fmt: skip
@pytest.mark.parametrize("places", [{}, {"image": "train/images/{}{}.png", "mask": "train/masks/{}_mask.png"},
                                    {"image": "{}{}.png", "mask": "{}_mask.png"}])  # fmt: skip
def test_files_of_a_band_each_are_one_image(bands, order, places, scenes):
    samples = index(scenes(bands, **places).root)

    assert len(samples.samples) == 3
    for sample in samples.samples:
        assert sample.channels == len(bands)
        assert samples.image(sample)[0, 0].tolist() == [10 * place for place in order]
    shown = ", ".join(bands[place] for place in order)
    assert any(f"its channels in the order {shown}; for another: bands: [{shown}]" in note for note in samples.notes)


def test_the_order_can_be_stated_and_bands_left_out(scenes):
    paint = scenes(["_B02", "_B03", "_B04", "_B08"])
    paint.write("dataset.yaml", "bands: [_B04, _B02]\n")
    samples = index(paint.root)
    assert samples.image(samples.samples[0])[0, 0].tolist() == [20, 0]
    assert any("in the order _B04, _B02 as dataset.yaml says" in note for note in samples.notes)
    assert len(samples.notes) == 3


def test_bands_of_any_name_can_be_stated_for_stated_folders_too(scenes):
    paint = scenes(["-dapi", "-gfp"], image="wells/{}{}.png", mask="drawn/{}.png")
    paint.write("dataset.yaml", "images: wells\nmasks: drawn\nbands: [-gfp, -dapi]\n")
    samples = index(paint.root)
    assert samples.image(samples.samples[0])[0, 0].tolist() == [10, 0]


def test_stated_bands_that_are_not_there_are_told(scenes):
    paint = scenes([""])
    paint.write("dataset.yaml", "bands: [_B04, _B03]\n")
    with pytest.raises(DataError, match=r"bands: \[_B04, _B03\], but no image .* has a file for each"):
        index(paint.root)


def test_an_image_that_lacks_a_band_is_alone(scenes):
    paint = scenes(["_c0", "_c1"])
    (paint.root / "images/south_c1.png").unlink()
    pairs = recognise(paint.root)[1]
    assert len(pairs.entries) == 2
    assert [path.name for path in pairs.images_alone] == ["south_c0.png"]
    assert [path.name for path in pairs.masks_alone] == ["south.png"]


def test_images_whose_masks_have_the_same_end_are_images_of_their_own(paint):
    for name in ("a_c0", "a_c1", "b_c0", "b_c1"):
        paint.images(f"images/{name}.png")
        paint.masks(f"masks/{name}.png")
    pairs = recognise(paint.root)[1]
    assert len(pairs.entries) == 4
    assert not any(entry.bands for entry in pairs.entries)


def test_images_to_predict_on_have_their_bands(scenes):
    paint = scenes(["_c0", "_c1"], image="train/images/{}{}.png", mask="train/masks/{}.png")
    paint.images("test/images/x_c0.png", "test/images/x_c1.png")
    (entry,) = [entry for entry in recognise(paint.root)[1].entries if not entry.mask]
    assert [path.name for path in (entry.image, *entry.bands)] == ["x_c0.png", "x_c1.png"]
