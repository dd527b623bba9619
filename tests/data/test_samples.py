import functools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from scipy import ndimage

from maskwright.data.samples import PaintedSample, otsu_mask, paint, write_samples
from maskwright.errors import DataError, SettingError
from maskwright.files import read_image, read_mask

HANDFUL = range(48, 56)  # from the test part
SMALL = {"train": 2, "test": 1, "size": (40, 33)}
painted = functools.cache(paint)


def dice(a: npt.NDArray[np.uint8], b: npt.NDArray[np.uint8]) -> float:
    return float(2 * ((a > 0) & (b > 0)).sum() / ((a > 0).sum() + (b > 0).sum()))


def arrays(sample: PaintedSample) -> Iterator[npt.NDArray[np.generic]]:
    yield from (sample.image, sample.mask, sample.instances)


def written(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Every file with its bytes and the time it was written."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mtime_ns) for path in files}


def check_instances(sample: PaintedSample) -> None:
    np.testing.assert_array_equal(sample.mask, np.where(sample.instances > 0, 255, 0))
    count = int(sample.instances.max())
    assert set(np.unique(sample.instances)) - {0} == set(range(1, count + 1))
    for number in range(1, count + 1):
        assert ndimage.label(sample.instances == number)[1] == 1, f"cell {number} is in pieces"


def test_the_same_index_and_seed_give_the_same_pixels():
    for once, again in zip(arrays(paint(3)), arrays(paint(3)), strict=True):
        np.testing.assert_array_equal(once, again)


def test_another_index_or_seed_gives_another_image():
    assert (paint(3).image != paint(4).image).any()
    assert (paint(3).image != paint(3, seed=1).image).any()


def test_a_sample_painted_alone_equals_the_one_in_the_set(tmp_path):
    write_samples(tmp_path / "cells", seed=5, **SMALL)

    alone = paint(2, seed=5, size=SMALL["size"])

    np.testing.assert_array_equal(read_image(tmp_path / "cells/test/images/cells_02.png").squeeze(), alone.image)
    for kind, values in (("masks", alone.mask), ("instances", alone.instances)):
        np.testing.assert_array_equal(read_mask(tmp_path / f"cells/test/{kind}/cells_02.png").values, values)


# In image 32 a neighbour cuts an outline in two: each part is a cell of its own there.
@pytest.mark.parametrize("index", [*HANDFUL, 32])
def test_instances_are_whole_numbered_without_gaps_and_cover_the_mask(index):
    check_instances(painted(index))


@pytest.mark.parametrize("index", HANDFUL)
def test_some_cells_touch(index):
    ids = painted(index).instances.astype(int)
    pairs = [(ids[1:], ids[:-1]), (ids[:, 1:], ids[:, :-1])]
    assert sum(((a != b) & (a > 0) & (b > 0)).sum() for a, b in pairs) > 10


@pytest.mark.parametrize("index", HANDFUL)
def test_a_sample_is_mostly_background_with_cells_well_exposed(index):
    sample = painted(index)
    assert 0.1 < (sample.mask > 0).mean() < 0.5
    assert (sample.image == 255).mean() < 0.01
    assert sample.image.std() > 8
    assert (sample.image.dtype, sample.mask.dtype, sample.instances.dtype) == (np.uint8, np.uint8, np.uint16)


def test_a_threshold_finds_something_but_does_not_solve_it():
    """Otsu's Dice over the test part was 0.72 when this was painted; a small U-Net reaches 0.97."""
    masks = np.stack([painted(index).mask for index in HANDFUL])
    guesses = np.stack([otsu_mask(painted(index).image) for index in HANDFUL])
    assert 0.6 < dice(masks, guesses) < 0.8


def test_flattening_the_background_first_does_not_solve_it_either():
    masks = np.stack([painted(index).mask for index in HANDFUL])
    flat = [image - ndimage.gaussian_filter(image, 30) for image in (painted(i).image * 1.0 for i in HANDFUL)]
    assert dice(masks, np.stack([otsu_mask(image) for image in flat])) < 0.85


def test_some_background_outshines_some_cells_of_the_same_image():
    """No threshold at all would do: a tenth of the ground is brighter than a cell as a whole."""
    for index in HANDFUL:
        sample = painted(index)
        cells = ndimage.median(sample.image, sample.instances, np.arange(1, sample.instances.max() + 1))
        assert np.quantile(sample.image[sample.mask == 0], 0.9) > np.min(cells)


@pytest.mark.parametrize("size", [(16, 16), (17, 31), (97, 64), (33, 200)])
@pytest.mark.parametrize("index", range(5))
def test_any_size_has_cells(size, index):
    sample = paint(index, size=size)
    assert sample.image.shape == sample.mask.shape == sample.instances.shape == size
    assert sample.instances.max() >= 1
    check_instances(sample)


def test_a_side_too_short_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(SettingError, match=r"15×40.*at least 16"):
        write_samples(tmp_path / "cells", size=(15, 40))
    assert not (tmp_path / "cells").exists()


def test_the_folder_is_one_a_person_could_have(tmp_path):
    folder = write_samples(tmp_path / "cells", **SMALL)

    assert folder == tmp_path / "cells"
    train, test = (["cells_00", "cells_01"], ["cells_02"])
    pictures = [
        f"{part}/{kind}/{name}.png"
        for part, names in (("train", train), ("test", test))
        for kind in ("images", "masks", "instances")
        for name in names
    ]
    assert sorted(written(folder)) == sorted(["README.txt", *pictures])
    readme = (folder / "README.txt").read_text("utf-8")
    assert "seed 0" in readme
    assert "CC0" in readme


def test_writing_again_touches_nothing(tmp_path):
    before = written(write_samples(tmp_path, **SMALL))
    assert written(write_samples(tmp_path, **SMALL)) == before


def test_writing_that_was_cut_off_is_completed(tmp_path):
    before = written(write_samples(tmp_path, **SMALL))
    (tmp_path / "test/masks/cells_02.png").unlink()

    after = written(write_samples(tmp_path, **SMALL))

    assert {name: content for name, (content, _) in after.items()} == {
        name: content for name, (content, _) in before.items()
    }


@pytest.mark.parametrize("name", ["holiday.png", "README.txt", ".hidden"])
def test_a_foreign_folder_is_left_alone(tmp_path, name):
    (tmp_path / name).write_text("mine")
    before = written(tmp_path)

    with pytest.raises(DataError, match="Choose a new or empty folder"):
        write_samples(tmp_path, **SMALL)

    assert written(tmp_path) == before


def test_a_file_in_the_way_is_left_alone(tmp_path):
    (tmp_path / "cells").write_text("mine")
    with pytest.raises(DataError, match="Choose a new or empty folder"):
        write_samples(tmp_path / "cells", **SMALL)
    assert (tmp_path / "cells").read_text() == "mine"


def test_cells_of_other_settings_are_left_alone(tmp_path):
    before = written(write_samples(tmp_path, **SMALL))
    with pytest.raises(DataError, match=r"seed 1.*Choose a new or empty folder"):
        write_samples(tmp_path, seed=1, **SMALL)
    assert written(tmp_path) == before
