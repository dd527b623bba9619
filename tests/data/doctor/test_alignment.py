import numpy as np
import pytest
from PIL import Image

from maskwright.data.doctor.alignment import REACH, _agreed, scores
from maskwright.files.orientation import upright


def moved(mask, down, right):
    """The mask moved, background where it was not."""
    out = np.zeros_like(mask)
    rows, columns = mask.shape
    out[max(0, down) : rows + min(0, down), max(0, right) : columns + min(0, right)] = mask[
        max(0, -down) : rows + min(0, -down), max(0, -right) : columns + min(0, -right)
    ]
    return out


def spoilt(clinic, paint_scene, change, count=12, only=None, **options):
    """Scenes whose masks (or only those of these numbers) are changed."""
    for seed in range(count):
        image, objects = paint_scene(seed, **options)
        mask = np.where(objects, 255, 0).astype(np.uint8)
        mask = np.ascontiguousarray(change(mask)) if only is None or seed in only else mask
        clinic.pair(f"img_{seed:03}", image.astype(np.uint8), mask)


@pytest.mark.parametrize(
    ("down", "right", "words"), [(5, 3, "5 pixels up and 3 pixels left"), (-4, 0, "4 pixels down")]
)
def test_masks_that_are_all_shifted_are_found_with_the_shift(clinic, paint_scene, down, right, words):
    spoilt(clinic, paint_scene, lambda mask: moved(mask, down, right))

    found = clinic.findings("alignment")

    assert list(found) == ["shifted"]
    assert words in found["shifted"].title
    assert found["shifted"].severity == "warning"
    assert len(found["shifted"].files) == 12


@pytest.mark.parametrize(("down", "right"), [(0, 0), (1, 1), (0, -2)])
def test_what_people_draw_a_pixel_or_two_off_is_not_told(clinic, paint_scene, down, right):
    spoilt(clinic, paint_scene, lambda mask: moved(mask, down, right))

    assert clinic.findings("alignment") == {}


def test_a_shift_of_large_images_is_told_in_their_own_pixels(clinic, paint_scene):
    spoilt(clinic, paint_scene, lambda mask: moved(mask, 12, 0), count=5, size=(700, 1000))

    assert "12 pixels up" in clinic.findings("alignment")["shifted"].title


def test_one_mask_that_is_shifted_among_good_ones_is_found_by_name(clinic, paint_scene):
    spoilt(clinic, paint_scene, lambda mask: moved(mask, 6, -6), only=[5], count=16)

    found = clinic.findings("alignment")

    assert list(found) == ["shifted-alone"]
    assert found["shifted-alone"].files == ("masks/img_005.png",)
    assert "6 pixels up and 6 pixels right" in found["shifted-alone"].details[0]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (np.fliplr, "mirrored left to right"),
        (np.flipud, "mirrored top to bottom"),
        (lambda mask: mask[::-1, ::-1], "turned by 180°"),
        (lambda mask: mask.T, "transposed"),
        (lambda mask: np.rot90(mask, -1), "turned by 90° counter-clockwise"),
        (lambda mask: np.rot90(mask), "turned by 90° clockwise"),
    ],
)
def test_masks_that_are_all_turned_are_found_with_what_turns_them_back(clinic, paint_scene, change, words):
    spoilt(clinic, paint_scene, change, size=(112, 112))

    found = clinic.findings("alignment")

    assert list(found) == ["turned"]
    assert words in found["turned"].title
    assert found["turned"].severity == "error"


def test_masks_of_something_that_cannot_be_seen_are_left_in_peace(clinic, paint_scene):
    for seed in range(12):
        image, _ = paint_scene(seed)
        _, objects = paint_scene(seed + 100)
        clinic.pair(f"img_{seed:03}", image.astype(np.uint8), np.where(objects, 255, 0).astype(np.uint8))

    assert clinic.findings("alignment") == {}


def test_three_images_prove_nothing(clinic, paint_scene):
    spoilt(clinic, paint_scene, lambda mask: moved(mask, 5, 3), count=3)

    assert clinic.findings("alignment") == {}


def test_a_band_of_ignored_pixels_has_its_border_in_the_middle(clinic, paint_scene):
    """As pet masks have; else its two sides would pull apart."""
    from scipy import ndimage

    for down, folder in ((0, "good"), (6, "bad")):
        for seed in range(12):
            image, objects = paint_scene(seed)
            inner, outer = ndimage.binary_erosion(objects > 0, None, 3), ndimage.binary_dilation(objects > 0, None, 3)
            mask = np.where(inner, 1, np.where(outer, 255, 2)).astype(np.uint8)
            clinic.pair(f"img_{seed:03}", image.astype(np.uint8), np.roll(mask, down, 0), folder)
    root = clinic.root
    clinic.root = root / "good"
    assert clinic.findings("alignment") == {}
    clinic.root = root / "bad"
    assert "6 pixels up" in clinic.findings("alignment")["shifted"].title


@pytest.mark.parametrize("orientation", [2, 3, 4, 6])
@pytest.mark.parametrize("follows", [True, False])
def test_masks_that_do_not_follow_exif_are_found_where_the_size_says_nothing(clinic, paint_scene, orientation, follows):
    """Six of sixteen photographs carry a note; stored, they lie such that the note turns them upright."""
    stored_as = {1: 1, 2: 2, 3: 3, 4: 4, 6: 8}[orientation]
    for seed in range(16):
        image, objects = paint_scene(seed, size=(112, 112))
        mask = np.where(objects, 255, 0).astype(np.uint8)
        exif = Image.Exif()
        if seed < 6:
            exif[274] = orientation
            image = np.ascontiguousarray(upright(image, stored_as))
            mask = mask if follows else np.ascontiguousarray(upright(mask, stored_as))
        clinic.write(f"images/img_{seed:03}.jpg", image.astype(np.uint8), exif=exif, quality=95)
        clinic.write(f"masks/img_{seed:03}.png", mask)

    found = clinic.findings("alignment")

    assert list(found) == ([] if follows else ["exif-mask-unturned"])
    if not follows:
        assert found["exif-mask-unturned"].severity == "error"
        assert found["exif-mask-unturned"].files == tuple(f"images/img_{i:03}.jpg" for i in range(6))
    assert "exif" in clinic.findings("exif")


def test_files_agree_where_the_gain_is_large_certain_and_common():
    still = [0.5, 0.6, 0.55, 0.5, 0.6]

    assert _agreed([1.0, 1.1, 1.0, 0.9, 1.2], still)
    assert not _agreed([score * 1.2 for score in still], still), "small"
    assert not _agreed([3.0, 0.61, 0.56, 0.51, 0.61], still), "uncertain"
    assert not _agreed([2.0, 2.1, 2.0, 0.4, 0.5], still), "not common"
    assert not _agreed([0.2, 0.21, 0.2, 0.2, 0.2], [0.01] * 5), "not clear"


def test_scores_are_the_mean_slope_under_the_moved_edges():
    """A slow, obvious twin."""
    rng = np.random.default_rng(0)
    slope = rng.normal(size=(50, 60)).astype(np.float32)
    edges = (rng.random((50, 60)) < 0.05).astype(np.float32)

    (fast,) = scores(slope, [edges])

    padded = np.pad(slope, REACH)
    rows, columns = np.nonzero(edges)
    for down, right in [(0, 0), (3, -5), (-REACH, REACH), (1, 0)]:
        slow = padded[rows + REACH + down, columns + REACH + right].mean()
        assert fast[REACH + down, REACH + right] == pytest.approx(slow, abs=1e-4)


def test_values_that_are_no_classes_yet_are_compared_as_they_stand(clinic, paint_scene):
    """255 is ignored only where that is known."""
    spoilt(clinic, paint_scene, lambda mask: moved(mask, 5, 3), count=8)
    (clinic.root / "dataset.yaml").write_text("classes: {background: 0, disc: 7}\n", "utf-8")

    assert clinic.survey().samples is None
    assert list(clinic.findings("alignment")) == ["shifted"]
