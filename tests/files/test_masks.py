import numpy as np
import pytest
import tifffile
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image
from pydantic import ValidationError

from maskwright.errors import ReadError, SettingError
from maskwright.files import MaskStyle, pages_in, read_mask, write_mask, write_mask_stack

GREY = MaskStyle()
PETS = ((0, 0, 0), (128, 0, 0), (0, 128, 0))

shapes = st.tuples(st.integers(1, 12), st.integers(1, 12))
colours = st.tuples(*[st.integers(0, 255)] * 3)
styles = st.one_of(
    st.just(GREY),
    st.just(MaskStyle(dtype="uint16")),
    st.just(MaskStyle(mode="colour")),
    st.lists(colours, min_size=1, max_size=256).map(lambda palette: MaskStyle(mode="palette", palette=palette)),
)


def limit(style):
    if style.palette is not None:
        return len(style.palette) - 1
    return 2**24 - 1 if style.mode == "colour" else np.iinfo(style.dtype).max


@given(style=styles, suffix=st.sampled_from([".png", ".tif", ".TIFF"]), data=st.data())
def test_read_mask_gives_back_what_write_mask_wrote(style, suffix, data, tmp_path_factory):
    elements = st.integers(0, limit(style))
    values = data.draw(hnp.arrays(data.draw(st.sampled_from(["int64", "uint32"])), shapes, elements=elements))
    grey_ramp = style.palette is not None and all((n, n, n) == colour for n, colour in enumerate(style.palette))
    grey_colours = style.mode == "colour" and (values % 2**16 == values // 2**16 * 257).all()
    assume(not grey_ramp and not grey_colours)

    mask = read_mask(write_mask(tmp_path_factory.mktemp("masks") / f"mask{suffix}", values, style))

    np.testing.assert_array_equal(mask.values, values)
    assert mask.values.dtype == ("uint32" if style.mode == "colour" else style.dtype)
    assert mask.style == style


@given(values=hnp.arrays("int64", shapes, elements=st.sampled_from([0, 0x808080, 0xFFFFFF, 0x800000])))
def test_colours_that_are_all_grey_come_back_when_colours_are_asked_for(values, tmp_path_factory):
    path = write_mask(tmp_path_factory.mktemp("masks") / "mask.png", values, MaskStyle(mode="colour"))

    mask = read_mask(path, colour=True)

    np.testing.assert_array_equal(mask.values, values)
    assert mask.style.mode == "colour"


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_other_programs_see_the_colours_of_a_palette(suffix, tmp_path):
    path = write_mask(tmp_path / f"mask{suffix}", np.array([[0, 1, 2]]), MaskStyle(mode="palette", palette=PETS))

    with Image.open(path) as picture:
        assert picture.mode == "P"
        assert [tuple(colour) for colour in np.array(picture.convert("RGB"))[0].tolist()] == list(PETS)
    if suffix == ".tif":
        with tifffile.TiffFile(path) as file:
            assert file.pages[0].colormap[:, 1].tolist() == [128 * 257, 0, 0]


@pytest.mark.parametrize("kind", ["PNG", "GIF", "TIFF", "BMP"])
def test_a_palette_gives_the_index(kind, tmp_path):
    picture = Image.fromarray(np.array([[0, 1], [2, 1]], np.uint8)).convert("P")
    picture.putpalette([value for colour in PETS for value in colour])
    picture.save(tmp_path / "mask", kind)

    mask = read_mask(tmp_path / "mask")

    assert mask.values.tolist() == [[0, 1], [2, 1]]
    assert mask.style.mode == "palette"
    assert mask.style.palette is not None
    assert mask.style.palette[:3] == PETS
    assert read_mask(tmp_path / "mask", colour=True).values.tolist() == [[0, 0x800000], [0x008000, 0x800000]]


@pytest.mark.parametrize("kind", ["PNG", "GIF", "TIFF", "BMP"])
def test_a_palette_of_every_grey_in_order_is_grey(kind, tmp_path):
    picture = Image.fromarray(np.array([[0, 255], [7, 1]], np.uint8)).convert("P")
    picture.putpalette([grey for grey in range(256) for _ in range(3)])
    picture.save(tmp_path / "mask", kind)

    mask = read_mask(tmp_path / "mask")

    assert mask.values.tolist() == [[0, 255], [7, 1]]
    assert mask.style == GREY


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "BMP", "WEBP"])
@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_equal_channels_are_grey(kind, mode, tmp_path):
    grey = np.array([[0, 255, 3]], np.uint8)
    Image.fromarray(grey).convert(mode).save(tmp_path / "mask", kind, lossless=True)

    mask = read_mask(tmp_path / "mask")

    np.testing.assert_array_equal(mask.values, grey, strict=True)
    assert mask.style == GREY


def test_one_coloured_pixel_makes_a_mask_coloured(tmp_path):
    picture = np.full((2, 2, 3), 9, np.uint8)
    picture[1, 1] = (1, 2, 3)
    Image.fromarray(picture).save(tmp_path / "mask.png")

    mask = read_mask(tmp_path / "mask.png")

    assert mask.values.tolist() == [[0x090909, 0x090909], [0x090909, 0x010203]]
    assert mask.style == MaskStyle(mode="colour")


@pytest.mark.parametrize(("bits", "values"), [(1, [0, 1, 1]), (2, [0, 3, 2]), (4, [0, 15, 7])])
def test_few_bits_give_the_stored_values(bits, values, tmp_path, png_bytes):
    (tmp_path / "mask.png").write_bytes(png_bytes(np.array(values).reshape(1, 3, 1), bits, 0))

    mask = read_mask(tmp_path / "mask.png")

    assert mask.values.tolist() == [values]
    assert (mask.values.dtype, mask.style) == ("uint8", GREY)


@pytest.mark.parametrize("compression", [None, "group4"])
def test_one_bit_tiff_gives_zero_and_one(compression, tmp_path):
    Image.fromarray(np.array([[False, True, True]])).save(tmp_path / "mask.tif", compression=compression)

    assert read_mask(tmp_path / "mask.tif").values.tolist() == [[0, 1, 1]]


def test_zero_is_white_changes_no_value_of_a_mask(tmp_path):
    tifffile.imwrite(tmp_path / "mask.tif", np.array([[0, 255, 3]], np.uint8), photometric="miniswhite")

    assert read_mask(tmp_path / "mask.tif").values.tolist() == [[0, 255, 3]]


@pytest.mark.parametrize(
    ("dtype", "values", "given"),
    [
        ("int16", [0, 300], "uint16"),
        ("int32", [0, 3], "uint16"),
        ("float32", [0.0, 255.0], "uint16"),
        ("float64", [0.0, 65536.0], "uint32"),
        ("uint32", [0, 2**32 - 1], "uint32"),
        ("int32", [-1, 5], "int32"),
        ("int64", [-(2**31), 0], "int32"),
    ],
)
def test_whole_numbers_of_any_type_are_read(dtype, values, given, tmp_path):
    tifffile.imwrite(tmp_path / "mask.tif", np.array([values], dtype), photometric="minisblack")

    mask = read_mask(tmp_path / "mask.tif")

    assert mask.values.tolist() == [values]
    assert mask.values.dtype == given
    assert mask.style == MaskStyle(dtype="uint16")


@pytest.mark.parametrize(
    ("array", "says"),
    [
        (np.array([[0.0, 0.5]], np.float32), "fractions"),
        (np.array([[0.0, np.nan]], np.float32), "fractions"),
        (np.array([[0.0, np.inf]]), "fractions"),
        (np.array([[0, 2**40]]), "32 bits"),
        (np.array([[-1, 2**31]]), "32 bits"),
        (np.array([[[1, 2, 3]]], np.uint16), "8 bits a channel"),
        (np.zeros((1, 2, 5), np.uint8), "5 channels"),
    ],
)
def test_what_is_no_mask_is_told(array, says, tmp_path):
    colours = array.ndim == 3 and array.shape[2] == 3
    tifffile.imwrite(
        tmp_path / "mask.tif", array, photometric="rgb" if colours else "minisblack",
        planarconfig="contig" if array.ndim == 3 else None,
    )  # fmt: skip

    with pytest.raises(ReadError, match=r"mask\.tif") as caught:
        read_mask(tmp_path / "mask.tif")

    assert says in str(caught.value)


def test_16_bit_equal_channels_are_16_bit_grey(tmp_path, png_bytes):
    grey = np.array([[0, 65535, 300]], np.uint16)
    (tmp_path / "mask.png").write_bytes(png_bytes(np.stack([grey] * 3, axis=2), 16, 2))

    mask = read_mask(tmp_path / "mask.png")

    np.testing.assert_array_equal(mask.values, grey, strict=True)
    assert mask.style == MaskStyle(dtype="uint16")


def test_a_jpeg_mask_gives_its_greys(tmp_path):
    Image.fromarray(np.full((8, 8), 255, np.uint8)).save(tmp_path / "mask.jpg")

    assert np.unique(read_mask(tmp_path / "mask.jpg").values).tolist() == [255]


@pytest.mark.parametrize(
    ("values", "style", "says"),
    [
        ([[256]], GREY, "The value 256"),
        ([[-1]], GREY, "The value -1"),
        ([[65536]], MaskStyle(dtype="uint16"), "uint16 holds 0 to 65535"),
        ([[3]], MaskStyle(mode="palette", palette=PETS), "palette of 3 colours holds 0 to 2"),
        ([[2**24]], MaskStyle(mode="colour"), "24 bits"),
        ([[0.5]], GREY, "float64"),
        ([0, 1], GREY, "(2,)"),
        ([[]], GREY, "(1, 0)"),
    ],
)
def test_a_value_that_does_not_fit_is_told_before_anything_is_written(values, style, says, tmp_path):
    with pytest.raises(SettingError) as caught:
        write_mask(tmp_path / "mask.png", np.array(values), style)

    assert says in str(caught.value)
    assert "mask.png" in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["mask.jpg", "mask.gif", "mask"])
def test_a_mask_is_written_only_where_every_value_is_kept(name, tmp_path):
    with pytest.raises(SettingError, match=r"\.png or \.tif"):
        write_mask(tmp_path / name, np.zeros((2, 2), np.uint8), GREY)


def test_truth_values_are_written_as_zero_and_one(tmp_path):
    path = write_mask(tmp_path / "mask.png", np.array([[True, False]]), GREY)

    assert read_mask(path).values.tolist() == [[1, 0]]


@pytest.mark.parametrize(
    "settings",
    [
        {"mode": "palette"},
        {"mode": "grey", "palette": PETS},
        {"mode": "colour", "dtype": "uint16"},
        {"mode": "palette", "palette": []},
        {"mode": "palette", "palette": [(0, 0, 256)]},
        {"mode": "palette", "palette": [(0, 0, 0)] * 257},
        {"dtype": "int32"},
    ],
)
def test_a_style_that_no_file_can_have_is_refused(settings):
    with pytest.raises(ValidationError):
        MaskStyle(**settings)
    with pytest.raises(SettingError):
        MaskStyle.read(settings)


def test_a_style_saves_and_loads(tmp_path):
    style = MaskStyle(mode="palette", palette=PETS)

    assert MaskStyle.load(style.save(tmp_path / "style.yaml")) == style


@pytest.mark.parametrize(
    "style", [MaskStyle(), MaskStyle(dtype="uint16"), MaskStyle(mode="colour"), MaskStyle(mode="palette", palette=PETS)]
)
def test_a_stack_gives_back_every_page_and_its_style(style, tmp_path):
    rng = np.random.default_rng(0)
    pages = [rng.integers(0, 3, (4 + i, 6)).astype(np.uint8) for i in range(3)]
    if style.mode == "colour":
        pages = [page.astype(np.uint32) * 0x10203 + 0x40 for page in pages]

    path = write_mask_stack(tmp_path / "stack.tif", iter(pages), style)

    assert pages_in(path) == 3
    for i, page in enumerate(pages):
        mask = read_mask(path, i)
        np.testing.assert_array_equal(mask.values, page)
        assert mask.style == style


def test_a_stack_that_cannot_be_written_leaves_nothing_behind(tmp_path):
    with pytest.raises(SettingError, match="300 cannot be written"):
        write_mask_stack(tmp_path / "stack.tif", [np.zeros((2, 2), int), np.full((2, 2), 300)], MaskStyle())
    with pytest.raises(SettingError, match=r"should end in .tif"):
        write_mask_stack(tmp_path / "stack.png", [np.zeros((2, 2), int)], MaskStyle())

    assert list(tmp_path.iterdir()) == []
