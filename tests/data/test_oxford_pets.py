import io

import numpy as np
import pytest
from PIL import Image

from maskwright.data.index import index
from maskwright.data.layouts import recognise
from maskwright.errors import DataError
from maskwright.files import read_image

LIST = "#Image CLASS-ID SPECIES BREED ID\n#ID: 1:37 Class ids\n"


def encoded(picture, kind):
    memory = io.BytesIO()
    Image.fromarray(picture).save(memory, kind)
    return memory.getvalue()


@pytest.fixture
def pets(paint):
    """The archive in small, with what is odd about it."""
    names = [f"Abyssinian_{i}" for i in range(8)] + ["Egyptian_Mau_14", "Egyptian_Mau_139", "beagle_1", "pug_2"]
    for name in names:
        paint.write(f"images/{name}.jpg", paint.image(8, 10, 3))
        paint.write(f"annotations/trimaps/{name}.png", paint.mask(1, 2, 3))
        paint.write(f"annotations/trimaps/._{name}.png", b"\0\5\x16\7 a resource fork")
        paint.write(f"annotations/xmls/{name}.xml", "<annotation/>")
    paint.write("images/Egyptian_Mau_14.jpg", encoded(paint.image(8, 10, 3), "GIF"))
    paint.write("images/Egyptian_Mau_139.jpg", encoded(paint.image(8, 10, 3), "PNG"))
    paint.write("images/Abyssinian_100.mat", b"MATLAB 5.0 MAT-file")
    lines = [f"{name} 1 1 1\n" for name in names]
    paint.write("annotations/trainval.txt", "".join(lines[:9]))
    paint.write("annotations/test.txt", "".join(lines[9:11]))
    paint.write("annotations/list.txt", LIST + "".join(lines[:11]))
    paint.write("annotations/README", "about these data")
    return paint


def test_the_archive_is_read_as_it_is(pets):
    samples = index(pets.root)

    assert samples.layout == "oxford_pets"
    assert samples.labels.names == ["pet", "background", "outline"]
    assert [c.values for c in samples.labels.classes] == [(1,), (2,), (3,)]
    assert [s.name for s in samples.part("test")] == ["Egyptian_Mau_139", "beagle_1"]
    assert len(samples.part("train")) + len(samples.part("val")) == 9
    assert samples.part("val")
    for sample in samples.samples:
        assert samples.image(sample).shape == (8, 10, 3)
        assert samples.labels_of(sample)[0].tolist() == [0] * 4 + [1] * 3 + [2] * 3
    assert samples.objects_of(samples.samples[0]) is None


def test_the_notes_say_what_was_recognised_and_what_was_left_out(pets):
    (pets.root / "annotations/trimaps/pug_2.png").unlink()
    (pets.root / "annotations/trimaps/beagle_1.png").unlink()
    samples = index(pets.root)

    assert "Oxford-IIIT Pet" in samples.notes[0]
    assert "1 images on no list are left out; 1 images have no trimap" in samples.notes[0]
    assert samples.notes[1] == "classes as published: 1 pet, 2 background, 3 outline"
    bare = next(s for s in samples.samples if s.name == "beagle_1")
    assert (bare.mask, bare.split) == (None, "test")


def test_a_file_that_is_called_jpg_is_read_as_what_it_is(pets):
    mau = pets.root / "images/Egyptian_Mau_139.jpg"
    assert mau.read_bytes()[1:4] == b"PNG"
    with Image.open(mau) as picture:
        np.testing.assert_array_equal(read_image(mau), np.array(picture))


def test_what_a_person_states_wins_over_what_is_published(pets):
    pets.write("dataset.yaml", "classes: {other: [2, 3], animal: 1}\n")
    assert index(pets.root).labels.names == ["other", "animal"]
    pets.write("dataset.yaml", "ignore: [3]\n")
    labels = index(pets.root).labels
    assert (labels.names, labels.ignored) == (["pet", "background"], (3,))


def test_without_lists_or_with_one_list_of_all_every_image_is_taken(pets):
    for name in ("trainval.txt", "test.txt"):
        (pets.root / "annotations" / name).unlink()
    assert {e.split for e in recognise(pets.root)[1].entries} == {None}
    assert len(recognise(pets.root)[1].entries) == 11
    (pets.root / "annotations/list.txt").unlink()
    assert len(recognise(pets.root)[1].entries) == 12


@pytest.mark.parametrize(
    ("line", "says"),
    [("lost_1 1 1 1", "test.txt, line 4: there is no picture lost_1"), ("pug_2 1 1 1\npug_2 1 1 1", "line 5: pug_2")],
)
def test_a_line_that_does_not_hold_is_told_by_number(line, says, pets):
    pets.write("annotations/test.txt", f"beagle_1 1 1 1\n\n# comment\n{line}\n")
    with pytest.raises(DataError, match=says):
        recognise(pets.root)


def test_a_trimap_of_other_values_is_told(pets):
    pets.write("annotations/trimaps/beagle_1.png", pets.mask(0, 1, 2))
    with pytest.raises(DataError, match=r"value 0, which is no class .*1 = pet, 2 = background, 3 = outline"):
        index(pets.root)
