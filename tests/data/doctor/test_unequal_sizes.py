import numpy as np
import pytest
from PIL import Image

ODD = {
    "off-by-one": lambda mask: mask[:-1, :],
    "transposed": lambda mask: mask.T,
    "scaled": lambda mask: mask[::2, ::2],
    "unequal-sizes": lambda mask: mask[:40, :],
}


def spoil(clinic, name, change):
    path = clinic.root / f"masks/{name}.png"
    mask = np.asarray(Image.open(path))
    clinic.write(f"masks/{name}.png", np.ascontiguousarray(change(mask)))


@pytest.mark.parametrize("code", ODD)
def test_each_way_to_miss_a_size_has_its_name(clinic, code):
    clinic.healthy(6)
    spoil(clinic, "img_002", ODD[code])

    found = {code: finding for code, finding in clinic.findings().items() if finding.severity == "error"}

    assert list(found) == [code]
    assert found[code].files == ("images/img_002.png",)
    assert "img_002" in found[code].details[0]
    assert found[code].title.startswith("1 mask ")


def test_the_factor_and_the_sizes_are_said(clinic):
    clinic.healthy(6)
    spoil(clinic, "img_001", ODD["scaled"])
    spoil(clinic, "img_004", lambda mask: np.kron(mask, np.ones((3, 3), np.uint8)))

    finding = clinic.findings("unequal_sizes")["scaled"]

    assert finding.title == "2 masks are their image at another scale"
    assert "48×60, its image 96×120 (height × width), 0.5 times" in finding.details[0]
    assert "3 times" in finding.details[1]


def test_a_photograph_that_exif_lays_on_its_side_is_named_as_such(clinic, paint_scene):
    exif = Image.Exif()
    exif[274] = 6
    for seed in range(4):
        image, objects = paint_scene(seed)
        mask = (objects > 0).astype(np.uint8) * 255
        clinic.write(f"images/img_{seed}.jpg", image.astype(np.uint8), exif=exif)
        clinic.write(f"masks/img_{seed}.png", mask if seed < 2 else np.ascontiguousarray(np.rot90(mask, -1)))

    found = clinic.findings("unequal_sizes")

    assert list(found) == ["image-turned-mask-not"]
    assert found["image-turned-mask-not"].files == ("images/img_0.jpg", "images/img_1.jpg")
    assert "EXIF orientation 6" in found["image-turned-mask-not"].details[0]
    (note,) = clinic.findings("exif").values()
    assert note.severity == "note"
    assert note.files == ("images/img_2.jpg", "images/img_3.jpg")


def test_equal_sizes_are_no_matter(clinic):
    clinic.healthy(4)

    assert clinic.findings("unequal_sizes") == {}
    assert clinic.findings("exif") == {}
