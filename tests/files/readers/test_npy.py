import io
import pickle
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maskwright.errors import ReadError
from maskwright.files import Header, axes_in, pages_in, read_header, read_image, read_mask, read_window


def saved(path, array):
    np.save(path, array)
    return path


@pytest.mark.parametrize("dtype", ["uint8", "uint16", ">u2", "int16", "float32", ">f8", "float16"])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("form", ["HW", "HWC", "CHW"])
@pytest.mark.parametrize("kind", ["npy", "npz", "npz-packed"])
def test_an_array_is_read_as_it_was_saved(dtype, order, form, kind, tmp_path, paint):
    shape = {"HW": (20, 30), "HWC": (20, 30, 3), "CHW": (3, 20, 30)}[form]
    array = np.asarray(paint(*shape).astype(dtype), order=order)
    path = tmp_path / f"a.{kind[:3]}"
    save = {"npy": np.save, "npz": np.savez, "npz-packed": np.savez_compressed}[kind]
    save(path, array)

    picture = np.moveaxis(array, 0, -1) if form == "CHW" else array.reshape(20, 30, -1)
    given = {"uint8": "uint8", "uint16": "uint16", ">u2": "uint16"}.get(dtype, "float32")
    image = read_image(path)
    np.testing.assert_array_equal(image, picture.astype(given), strict=True)
    assert image.dtype.isnative
    assert image.flags.c_contiguous
    assert read_header(path) == Header(20, 30, picture.shape[2], given)
    assert axes_in(path)[0] == form
    np.testing.assert_array_equal(read_window(path, slice(2, 9), slice(3, None)), image[2:9, 3:])


def test_a_stack_of_slices_is_read_page_by_page(tmp_path, paint):
    array = paint(5, 20, 30, 2)
    path = saved(tmp_path / "a.npy", array)

    assert pages_in(path, "ZHWC") == 5
    for page in range(5):
        np.testing.assert_array_equal(read_image(path, page, "ZHWC"), array[page])
    np.testing.assert_array_equal(
        read_mask(saved(tmp_path / "m.npy", array[..., 0]), 3, axes="ZHW").values, array[3, ..., 0]
    )
    with pytest.raises(ReadError, match="holds 5 pages"):
        read_image(path, axes="ZHWC")
    with pytest.raises(ReadError, match="page 5, is not there: the file has 5 pages"):
        read_image(path, 5, "ZHWC")


def test_true_and_false_are_black_and_white_in_images_and_0_and_1_in_masks(tmp_path):
    path = saved(tmp_path / "a.npy", np.array([[True, False]]))

    assert read_image(path).tolist() == [[[255], [0]]]
    assert read_mask(path).values.tolist() == [[1, 0]]


def test_one_array_of_an_archive_is_named_like_a_file_in_a_folder(tmp_path, paint):
    image, label = paint(20, 30, 3), paint(20, 30)
    np.savez_compressed(tmp_path / "case.npz", image=image, label=label)

    np.testing.assert_array_equal(read_image(tmp_path / "case.npz" / "image"), image)
    np.testing.assert_array_equal(read_mask(tmp_path / "case.npz" / "label").values, label)
    assert pages_in(tmp_path / "case.npz" / "image") == 1
    with pytest.raises(ReadError, match=r"case\.npz holds 2 arrays \(image, label\).*`\.\.\./image`"):
        read_image(tmp_path / "case.npz")
    with pytest.raises(ReadError, match="is not there: the file holds image, label"):
        read_image(tmp_path / "case.npz" / "lable")
    with pytest.raises(ReadError, match="does not exist"):
        read_image(saved(tmp_path / "a.npy", image) / "image")


class Bomb:
    def __reduce__(self):
        return pytest.fail, ("unpickled",)


@pytest.mark.parametrize(
    "array",
    [
        np.array([[1j]]),
        np.array([["a"]]),
        np.zeros((2, 2), [("a", "u1")]),
        np.array(["2020-01-01"], "M8[D]"),
        np.zeros((0, 5)),
        np.zeros(7),
        np.array(3),
    ],
)
def test_what_is_no_picture_of_numbers_is_refused(array, tmp_path):
    for read in (read_image, read_mask, read_header):
        with pytest.raises(ReadError, match=r"a\.npy"):
            read(saved(tmp_path / "a.npy", array))


def test_objects_are_never_unpickled(tmp_path):
    array = np.empty((2, 2), object)
    array[:] = [[Bomb()] * 2] * 2
    np.save(tmp_path / "a.npy", array, allow_pickle=True)
    assert pickle.dumps(Bomb())

    with pytest.raises(ReadError, match="plain numbers"):
        read_image(tmp_path / "a.npy")


@pytest.mark.parametrize("shape", ["(99999, 99999)", "(4, 4, 4, 99999999999)", "(-1, 5)", "(20, 31)", "('a', 3)", "[]"])
@pytest.mark.parametrize("kind", ["npy", "npz"])
def test_a_header_that_lies_is_an_error_and_takes_no_memory(shape, kind, tmp_path):
    memory = io.BytesIO()
    np.save(memory, np.zeros((20, 30), np.uint8))
    header = memory.getvalue()[:128].replace(b"(20, 30)", shape.encode())
    data = (header.rstrip(b"\n ")[:127].ljust(127) + b"\n") + bytes(600)
    path = tmp_path / f"a.{kind}"
    if kind == "npy":
        path.write_bytes(data)
    else:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("arr_0.npy", data)

    for read in (read_image, read_mask):
        with pytest.raises(ReadError, match=r"a\.np"):
            read(path)


@pytest.mark.parametrize("kind", ["npy", "npz", "npz-packed"])
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_damaged_file_is_an_error_or_an_image(kind, data, tmp_path_factory):
    memory = io.BytesIO()
    array = np.random.default_rng(0).integers(0, 255, (20, 30), np.uint8)
    {"npy": np.save, "npz": np.savez, "npz-packed": np.savez_compressed}[kind](memory, array)
    whole = bytearray(memory.getvalue())
    for place in data.draw(st.lists(st.integers(0, min(len(whole) - 1, 400)), max_size=4)):
        whole[place] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / "damaged"
    path.write_bytes(whole[: data.draw(st.one_of(st.just(len(whole)), st.integers(0, len(whole))))])

    try:
        assert read_image(path).dtype in (np.uint8, np.uint16, np.float32)
    except ReadError as error:
        assert "damaged" in str(error)  # noqa: PT017 - the path, as always


def test_an_archive_of_other_files_is_none_of_ours(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("notes.txt", "no array")

    with pytest.raises(ReadError, match="a ZIP archive; unpack it first"):
        read_image(tmp_path / "a.zip")
