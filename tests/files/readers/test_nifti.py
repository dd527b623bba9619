import gzip
import sys

import nibabel
import numpy as np
import pytest

from maskwright.errors import ReadError
from maskwright.files import (
    Header,
    axes_in,
    pages_in,
    read_georeference,
    read_header,
    read_image,
    read_mask,
    read_window,
)
from maskwright.files.readers import nifti

AFFINE = np.array([[2.0, 0, 0, 10], [0, 3.0, 0, 20], [0, 0, 4.0, 30], [0, 0, 0, 1]])
ENDINGS = pytest.mark.parametrize("ending", [".nii", ".nii.gz"])


def saved(path, array, affine=AFFINE, kind=nibabel.Nifti1Image, **header):
    image = kind(array, affine)
    for name, value in header.items():
        getattr(image.header, f"set_{name}")(*value)
    image.to_filename(path)
    return path


@ENDINGS
@pytest.mark.parametrize("kind", [nibabel.Nifti1Image, nibabel.Nifti2Image])
@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint16", "float32", ">i2"])
def test_slices_along_the_last_axis_are_pages(ending, kind, dtype, tmp_path, paint):
    volume = (paint(7, 9, 5) % 100).astype(dtype)
    path = saved(tmp_path / f"a{ending}", volume, kind=kind)

    assert pages_in(path) == 5
    assert axes_in(path)[0] == "HWZ"
    for page in range(5):
        image = read_image(path, page)
        np.testing.assert_array_equal(image[:, :, 0], volume[:, :, page])
        assert read_header(path, page) == Header(7, 9, 1, image.dtype.name)
        np.testing.assert_array_equal(read_mask(path, page).values, volume[:, :, page])
        np.testing.assert_array_equal(read_window(path, slice(1, 5), slice(2, 4), page), image[1:5, 2:4])
    with pytest.raises(ReadError, match="holds 5 pages"):
        read_image(path)
    np.testing.assert_array_equal(read_image(path, 3, "ZWH")[:, :, 0], volume[3].T)


@ENDINGS
def test_values_are_scaled_as_nibabel_scales_them(ending, tmp_path, paint):
    path = saved(tmp_path / f"a{ending}", paint(7, 9, 5).astype(np.int16))
    image = nibabel.Nifti1Image(paint(7, 9, 5).astype(np.int16), AFFINE)
    image.header.set_slope_inter(0.5, -3)
    image.to_filename(path)  # nibabel divides the numbers, so as to give them back

    np.testing.assert_array_equal(
        read_image(path, 2)[:, :, 0], nibabel.load(path).get_fdata()[:, :, 2].astype(np.float32)
    )
    assert read_header(path, 2).dtype == "float32"


def test_a_scale_of_one_changes_no_type(tmp_path, paint):
    path = saved(tmp_path / "a.nii", paint(7, 9, 5), slope_inter=(1, 0))

    assert read_image(path, 0).dtype == np.uint8


@ENDINGS
def test_a_fourth_axis_has_to_be_stated(ending, tmp_path, paint):
    volume = paint(7, 9, 5, 3)
    path = saved(tmp_path / f"a{ending}", volume)

    for read in (read_image, read_header, read_mask):
        with pytest.raises(ReadError, match="HWZT for times, HWZC for channels"):
            read(path, 0)
    np.testing.assert_array_equal(read_image(path, 4, "HWZC"), volume[:, :, 4])
    assert pages_in(path, "HWZT") == 15
    np.testing.assert_array_equal(read_image(path, 7, "HWZT")[:, :, 0], volume[:, :, 2, 1])


def test_axes_of_one_at_the_end_do_not_count(tmp_path, paint):
    flat = saved(tmp_path / "flat.nii", paint(7, 9, 1))
    single = saved(tmp_path / "single.nii", paint(7, 9, 5, 1))

    np.testing.assert_array_equal(read_image(flat), paint(7, 9, 1))
    assert pages_in(single) == 5


def test_colours_are_channels(tmp_path, paint):
    colours = np.dtype([("R", "u1"), ("G", "u1"), ("B", "u1")])
    volume = paint(7, 9, 5, 3)
    path = saved(tmp_path / "a.nii", volume.view(colours).reshape(7, 9, 5))

    np.testing.assert_array_equal(read_image(path, 2), volume[:, :, 2])


def test_numbers_of_one_place_are_channels(tmp_path, paint):
    volume = paint(7, 9, 5, 1, 3)
    path = saved(tmp_path / "a.nii", volume)

    np.testing.assert_array_equal(read_image(path, 2), volume[:, :, 2, 0])


def test_a_slice_that_lies_flat_knows_its_place(tmp_path, paint):
    path = saved(tmp_path / "a.nii", paint(7, 9, 5), xyzt_units=("mm",))

    place = read_georeference(path, 2)

    # The middle of the voxel at row 3, column 4 is where nibabel says.
    x, y, _ = nibabel.affines.apply_affine(AFFINE, (3, 4, 2))
    assert place.to_map(np.array([[4.5, 3.5]])).tolist() == [[x, y]]
    assert place.unit == "mm"
    assert read_georeference(path, 2, "ZHW") is None  # x is across the slices
    oblique = AFFINE.copy()
    oblique[2, 0] = 1
    assert read_georeference(saved(tmp_path / "b.nii", paint(7, 9, 5), oblique), 2) is None


def test_a_zipped_volume_is_unzipped_once_for_all_its_pages(tmp_path, paint, monkeypatch):
    path = saved(tmp_path / "a.nii.gz", paint(7, 9, 40))
    nifti._kept.clear()
    started = []
    read = gzip.GzipFile.read
    monkeypatch.setattr(gzip.GzipFile, "read", lambda self, size=-1: started.append(size) or read(self, size))

    for page in range(40):
        read_image(path, page)

    assert sum(size > 1000 for size in started) == 1


def test_what_is_kept_of_unzipped_volumes_has_a_bound(tmp_path, paint, monkeypatch):
    monkeypatch.setattr(nifti, "KEPT_BYTES", 2000)
    nifti._kept.clear()
    for number in range(5):
        path = saved(tmp_path / f"{number}.nii.gz", paint(7, 9, 5))
        np.testing.assert_array_equal(read_image(path, 1)[:, :, 0], paint(7, 9, 5)[:, :, 1])
    large = saved(tmp_path / "large.nii.gz", paint(20, 20, 5))
    np.testing.assert_array_equal(read_image(large, 4)[:, :, 0], paint(20, 20, 5)[:, :, 4])

    assert 0 < sum(map(len, nifti._kept.values())) <= 2000


def test_a_header_without_its_numbers_is_told(tmp_path, paint):
    nibabel.Nifti1Pair(paint(7, 9, 5), AFFINE).to_filename(tmp_path / "a.img")

    with pytest.raises(ReadError, match=r"Save both as one \.nii"):
        read_image(tmp_path / "a.hdr", 0)


@ENDINGS
@pytest.mark.parametrize("part", [0.1, 0.5, 0.97])
def test_a_volume_cut_short_is_told(ending, part, tmp_path, paint):
    path = saved(tmp_path / f"a{ending}", paint(17, 19, 5))
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * part)])

    with pytest.raises(ReadError, match=r"a\.nii"):
        read_image(path, 4)


@ENDINGS
def test_damage_anywhere_in_the_header_is_an_error_or_an_image(ending, tmp_path, paint, capsys):
    path = saved(tmp_path / "a.nii", paint(7, 9, 5))
    whole = path.read_bytes()
    noise = np.random.default_rng(0)
    for _ in range(150):
        data = bytearray(whole)
        for place in noise.integers(0, 348, 3):
            data[place] = noise.integers(256)
        path.write_bytes(gzip.compress(bytes(data)) if ending == ".nii.gz" else data)
        for read in (read_image, read_header, read_georeference):
            try:
                read(path, 0)
            except ReadError as error:
                assert str(path) in str(error)  # noqa: PT017 - it need not be raised
    assert capsys.readouterr() == ("", "")


def test_a_header_that_promises_more_than_gzip_can_hold_is_refused_at_once(tmp_path, paint):
    header = nibabel.Nifti1Image(paint(7, 9, 5), AFFINE).header
    header.set_data_shape((30_000, 30_000, 3000))
    (tmp_path / "a.nii.gz").write_bytes(gzip.compress(bytes(header.binaryblock) + bytes(4000)))

    with pytest.raises(ReadError, match="cut short"):
        read_header(tmp_path / "a.nii.gz", 0)


def test_other_gzip_files_are_strangers(tmp_path):
    (tmp_path / "a.nii.gz").write_bytes(gzip.compress(b"some text"))

    with pytest.raises(ReadError, match="a gzip archive"):
        read_image(tmp_path / "a.nii.gz")


def test_without_nibabel_the_line_that_installs_it_is_told(tmp_path, paint, monkeypatch):
    path = saved(tmp_path / "a.nii", paint(7, 9, 5))
    monkeypatch.setitem(sys.modules, "nibabel", None)

    with pytest.raises(ReadError, match=r"a\.nii, page 0, is a NIfTI file.*pip install maskwright\[nifti\]"):
        read_image(path, 0)
