"""Arrays whose axes are stated, and pixels where nothing was measured."""

import numpy as np
import pytest
import tifffile

from maskwright.data.fingerprint import fingerprint
from maskwright.data.index import index
from maskwright.errors import DataError, MaskwrightError
from maskwright.records import IGNORED

GDAL_NODATA = 42113


def arrays(paint, axes, *, stated, count=3):
    """Images of 20 × 24 in 18 channels as bare arrays, which could as well be slices."""
    made = {}
    for n in range(count):
        image_HWC = paint.image(20, 24, 18)
        path = paint.root / "images" / f"{n}.npy"
        path.parent.mkdir(exist_ok=True)
        np.save(path, np.moveaxis(image_HWC, 2, 0) if axes == "CHW" else image_HWC)
        paint.write(f"masks/{n}.png", paint.mask(size=(20, 24)))
        made[str(n)] = image_HWC
    if stated:
        paint.write("dataset.yaml", f"axes: {stated}\n")
    return made


@pytest.mark.parametrize("axes", ["CHW", "HWC"])
def test_axes_that_are_stated_are_believed(axes, paint):
    made = arrays(paint, axes, stated=axes)
    samples = index(paint.root)
    for sample in samples.samples:
        assert sample.channels == 18
        np.testing.assert_array_equal(samples.image(sample), made[sample.name])


def test_axes_that_are_not_clear_are_asked_for(paint):
    arrays(paint, "CHW", stated=None)
    with pytest.raises(MaskwrightError, match="`axes:` CHW or HWC"):
        index(paint.root)


def test_pages_that_are_stated_are_those_of_the_masks_too(paint):
    pages, masks = paint.image(5, 20, 24), np.stack([paint.mask(size=(20, 24))] * 5)
    masks[2] = 255
    for name, array in (("images", pages), ("masks", masks)):
        (paint.root / name).mkdir()
        np.save(paint.root / name / "stack.npy", array)
    paint.write("dataset.yaml", "axes: ZHW\n")

    samples = index(paint.root)

    assert [s.name for s in samples.samples] == [f"stack_{n}" for n in range(5)]
    np.testing.assert_array_equal(samples.image(samples.samples[3])[:, :, 0], pages[3])
    assert samples.labels_of(samples.samples[2]).min() == 1


def tiff(paint, name, image, nodata):
    path = paint.root / "images" / name
    path.parent.mkdir(exist_ok=True)
    text = f"{nodata}\0".encode()
    tifffile.imwrite(path, image, extratags=[(GDAL_NODATA, "s", len(text), text.decode(), True)])


@pytest.mark.parametrize("nodata", [-9999, float("nan")])
def test_pixels_without_data_count_nowhere_and_do_not_disturb_the_rest(nodata, paint):
    rng = np.random.default_rng(3)
    for name in "ab":
        image = rng.normal(5, 1, (20, 24)).astype(np.float32)
        image[:4] = nodata
        tiff(paint, f"{name}.tif", image, nodata)
        paint.write(f"masks/{name}.png", paint.mask(size=(20, 24)))

    samples = index(paint.root)

    sample = samples.samples[0]
    labels_HW = samples.labels_of(sample)
    assert (labels_HW[:4] == IGNORED).all()
    assert not (labels_HW[4:] == IGNORED).any()
    assert sum(sample.values.values()) == 16 * 24
    assert sample.low > 0
    assert abs(sample.mean[0] - 5) < 0.5
    image_HWC = samples.image(sample)
    np.testing.assert_allclose(image_HWC[:4], sample.mean[0], rtol=1e-6)
    assert fingerprint(samples).ignored_share == pytest.approx(0.2)


def test_an_image_without_any_data_is_told(paint):
    tiff(paint, "a.tif", np.full((20, 24), -1, np.float32), -1)
    paint.write("masks/a.png", paint.mask(size=(20, 24)))
    with pytest.raises(DataError, match=r"holds no data.*--skip a\.tif"):
        index(paint.root)


def test_infinite_pixels_are_still_told(paint):
    image = np.ones((20, 24), np.float32)
    image[0, 0], image[1, 1] = -1, np.inf
    tiff(paint, "a.tif", image, -1)
    paint.write("masks/a.png", paint.mask(size=(20, 24)))
    with pytest.raises(DataError, match="not numbers"):
        index(paint.root)
