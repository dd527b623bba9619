import io

import numpy as np
import pytest
from PIL import Image

from maskwright.data.doctor import alike
from maskwright.data.doctor.alike import NEIGHBOURS, SAME, agreement, candidates, detail
from maskwright.data.measure import thumbnail


def resaved(image):
    out = io.BytesIO()
    Image.fromarray(image).save(out, "jpeg", quality=60)
    return np.asarray(Image.open(out))


SPOILT = {
    "saved again": resaved,
    "smaller": lambda image: np.asarray(Image.fromarray(image).resize((90, 72))),
    "larger": lambda image: np.asarray(Image.fromarray(image).resize((200, 160))),
    "darker": lambda image: (image * 0.6 + 10).astype(np.uint8),
    "cut a little": lambda image: image[4:-4, 5:-5],
    "cut at one side": lambda image: image[:, 6:],
}


def near_pair(clinic, paint_scene, change, seed=3, parts=("train", "test")):
    """Healthy parts, and one image that is in both, changed."""
    clinic.healthy(20, part="train").healthy(8, 40, "val").healthy(8, 60, "test")
    image = paint_scene(500 + seed)[0].astype(np.uint8)
    clinic.pair("one", image, np.zeros_like(image), parts[0])
    other = np.ascontiguousarray(change(image))
    clinic.pair("two", other, np.zeros_like(other), parts[1])
    return {f"{parts[0]}/images/one.png", f"{parts[1]}/images/two.png"}


@pytest.mark.parametrize("how", SPOILT)
def test_one_picture_in_two_parts_is_found_however_it_was_changed(clinic, paint_scene, how):
    files = near_pair(clinic, paint_scene, SPOILT[how])

    found = clinic.findings("near_copies")

    assert list(found) == ["near-copies-train-test"]
    assert set(found["near-copies-train-test"].files) == files


def test_in_one_part_it_is_a_note(clinic, paint_scene):
    files = near_pair(clinic, paint_scene, resaved, parts=("train", "train"))

    found = clinic.findings("near_copies")

    assert [(f.code, f.severity, set(f.files)) for f in found.values()] == [("near-copies", "note", files)]


def test_a_split_that_was_drawn_is_warned_of_and_a_published_one_noted(clinic, paint_scene):
    near_pair(clinic, paint_scene, resaved)
    assert clinic.findings("near_copies")["near-copies-train-test"].severity == "note"

    drawn = {"images": [], "masks": []}
    for kind, paths in drawn.items():
        paths += sorted(clinic.root.glob(f"*/{kind}/*.png"))
        for path in paths:
            (clinic.root / kind).mkdir(exist_ok=True)
            path.rename(clinic.root / kind / path.name)
    for part in ("train", "val", "test"):
        for path in (clinic.root / part / "images", clinic.root / part / "masks", clinic.root / part):
            path.rmdir()
    found = clinic.findings("near_copies", test=["two", "img_06?"], val=["img_04?"])
    assert found["near-copies-train-test"].severity == "warning"


def film(paint_scene, frames):
    """A wide picture that passes by, three pixels a frame."""
    wide = paint_scene(900, size=(96, 400))[0].astype(np.uint8)
    return [wide[:, 3 * i : 3 * i + 120] for i in range(frames)]


def test_frames_of_a_film_in_two_parts_are_neighbours(clinic, paint_scene):
    clinic.healthy(20)
    for i, frame in enumerate(film(paint_scene, 12)):
        clinic.pair(f"film_{i:04}", np.ascontiguousarray(frame), np.zeros((96, 120), np.uint8))

    found = clinic.findings("near_copies", val=["film_0005", "img_00?"])

    told = [finding for code, finding in found.items() if code.endswith("train-val")]
    assert told
    assert all(finding.severity == "warning" for finding in told)
    assert {"images/film_0004.png", "images/film_0005.png"} <= {file for finding in told for file in finding.files}


@pytest.mark.parametrize(("step", "found"), [(60, True), (120, False)])
def test_tiles_that_overlap_across_parts_are_neighbours(clinic, paint_scene, step, found):
    """By half; tiles that only touch share nothing."""
    clinic.healthy(20)
    wide = paint_scene(901, size=(96, 700))[0].astype(np.uint8)
    for i in range(5):
        tile = np.ascontiguousarray(wide[:, step * i : step * i + 120])
        clinic.pair(f"slide_{i}", tile, np.zeros((96, 120), np.uint8))

    told = clinic.findings("near_copies", val=["slide_1", "img_00?"])

    assert (list(told) == ["neighbours-train-val"]) is found
    if found:
        assert "images/slide_1.png" in told["neighbours-train-val"].files
    else:
        assert told == {}


def test_images_that_share_a_frame_are_not_the_same(clinic):
    """All have the bright rim of a microscope's field, or the sky above and the road below."""
    y, x = np.mgrid[:96, :96]
    field = np.hypot(y - 48, x - 48) < 44
    for seed in range(24):
        rng = np.random.default_rng(seed)
        from scipy import ndimage

        inside = ndimage.gaussian_filter(rng.normal(size=(96, 96)), 2)
        image = np.where(field, 140 - y / 2 + 20 * inside / inside.std(), 5).clip(0, 255).astype(np.uint8)
        clinic.pair(f"eye_{seed:02}", image, np.zeros((96, 96), np.uint8))

    assert clinic.findings("near_copies") == {}


def test_one_strong_edge_that_all_pictures_share_does_not_decide(clinic, paint_scene):
    y, x = np.mgrid[:96, :120]
    field = np.hypot(y - 48, x - 60) < 44
    for seed in range(24):
        image = np.where(field, 150 + paint_scene(seed)[0] / 5, 0).astype(np.uint8)
        clinic.pair(f"eye_{seed:02}", image, np.zeros_like(image))

    assert clinic.findings("near_copies") == {}


def test_candidates_are_those_of_a_slow_comparison_and_come_in_any_block_size(paint_scene, monkeypatch):
    thumbnails = [thumbnail(paint_scene(seed)[0][:, :, None]) for seed in range(30)]
    thumbnails += [thumbnail(paint_scene(seed)[0][3:, 3:, None] * 0.5) for seed in range(6)]
    parts = ["train"] * 30 + ["test"] * 6
    few = np.stack([t.reshape(16, 2, 16, 2).mean((1, 3)).ravel() for t in thumbnails]).astype(float)

    def unit(rows):
        rows = rows - rows.mean(1, keepdims=True)
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)

    few = unit(unit(few) - unit(few).mean(0))
    slow = {(i, j) for i in range(36) for j in range(i + 1, 36) if few[i] @ few[j] > alike.CANDIDATE}

    found = candidates(thumbnails, parts)
    monkeypatch.setattr(alike, "_BLOCK", 7)
    again = candidates(thumbnails, parts)

    assert {(i, j) for i, j, _ in found} == slow
    assert {(i, j + 30) for i in range(6) for j in [i]} <= slow
    assert [pair[:2] for pair in again] == [pair[:2] for pair in found]
    assert found[0][1] >= 30, "those across parts come first"


def test_hundreds_of_like_images_give_few_candidates(paint_scene):
    image = paint_scene(0)[0]
    rng = np.random.default_rng(0)
    thumbnails = [thumbnail((image + rng.normal(0, 2, image.shape))[:, :, None]) for _ in range(300)]

    assert len(candidates(thumbnails, ["train"] * 300)) <= 8 * 300


def test_agreement_tells_one_picture_from_two(paint_scene):
    details = [detail(paint_scene(seed)[0][:, :, None]) for seed in range(5)]
    unlike = [agreement(details[i], details[j]) for i in range(5) for j in range(i)]

    assert max(unlike) < NEIGHBOURS
    for change in SPOILT.values():
        again = detail(change(paint_scene(0)[0].astype(np.uint8))[:, :, None])
        assert agreement(details[0], again) >= SAME


@pytest.mark.parametrize("shape", [(96, 96), (84, 84), (15, 84), (72, 60)])
def test_the_best_place_is_that_of_scikit_image(shape, paint_scene):
    from skimage.feature import match_template

    image, other = (detail(paint_scene(seed)[0][:, :, None]) for seed in (0, 1))
    for template in (image[: shape[0], 96 - shape[1] :], other[: shape[0], : shape[1]]):
        assert alike._best(template, image) == pytest.approx(match_template(image, template).max(), abs=1e-4)


def test_candidates_are_those_of_a_plain_loop_over_all_pairs():
    rng = np.random.default_rng(5)
    base = rng.integers(0, 256, (6, 32, 32))
    thumbnails = [
        np.clip(base[i % 6] + rng.normal(0, 30 + i % 60, (32, 32)), 0, 255).astype(np.uint8) for i in range(90)
    ]
    parts = ["train" if i % 3 else "val" for i in range(90)]
    rows = np.stack([one.reshape(16, 2, 16, 2).mean(axis=(1, 3)).ravel() for one in thumbnails])
    rows = rows - rows.mean(axis=1, keepdims=True)
    rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    rows = rows - rows.mean(axis=0)
    likeness = np.corrcoef(rows)
    wanted = set()
    for i in range(90):
        for own in (True, False):
            near = [j for j in range(i + 1, 90) if likeness[i, j] > alike.CANDIDATE and (parts[i] == parts[j]) == own]
            wanted |= {(i, j) for j in sorted(near, key=lambda j: -likeness[i, j])[: alike._KEPT]}
    found = candidates(thumbnails, parts)
    assert {(i, j) for i, j, _ in found} == wanted
    assert found == sorted(found, key=lambda pair: (parts[pair[0]] == parts[pair[1]], -pair[2], pair[:2]))
