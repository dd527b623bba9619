import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from maskwright.data.labels import IGNORED_NAMES, ClassLabel, Labels, declared
from maskwright.data.learned_objects import LearnedObjects
from maskwright.data.values import infer
from maskwright.errors import DataError, SettingError
from maskwright.files import MaskStyle
from maskwright.records import IGNORED

GREY, DEEP, COLOUR = MaskStyle(), MaskStyle(dtype="uint16"), MaskStyle(mode="colour")
PALETTE = MaskStyle(mode="palette", palette=((0, 0, 0), (128, 0, 0), (0, 128, 0)))


def counted(*files: dict[int, int] | list[int]) -> dict[str, dict[int, int]]:
    """Masks a.png, b.png … with these values, of 100 pixels each unless said."""
    maps = [file if isinstance(file, dict) else dict.fromkeys(file, 100) for file in files]
    return {f"{chr(97 + i)}.png": of_file for i, of_file in enumerate(maps)}


def found(labels: Labels) -> dict[str, tuple[int, ...]]:
    return {c.name: c.values for c in labels.classes}


@pytest.mark.parametrize(
    ("style", "files", "classes", "ignored"),
    [
        (GREY, [[0, 255]], {"background": (0,), "foreground": (255,)}, ()),
        (GREY, [[0, 255], [0], [255]], {"background": (0,), "foreground": (255,)}, ()),
        (GREY, [[0, 1], [0]], {"background": (0,), "foreground": (1,)}, ()),
        (GREY, [[0, 7]], {"background": (0,), "foreground": (7,)}, ()),
        (DEEP, [[0, 65535]], {"background": (0,), "foreground": (65535,)}, ()),
        (DEEP, [[0, 65535], [0, 255]], {"background": (0,), "foreground": (65535, 255)}, ()),
        (DEEP, [[0, 255]], {"background": (0,), "foreground": (255,)}, ()),
        (PALETTE, [[0, 1, 2, 255]], {"background": (0,), "class_1": (1,), "class_2": (2,)}, (255,)),
        (PALETTE, [[0, 1]], {"background": (0,), "foreground": (1,)}, ()),
        (GREY, [[0, 1], [2, 3]], {"class_0": (0,), "class_1": (1,), "class_2": (2,), "class_3": (3,)}, ()),
        (GREY, [[1, 2]], {"class_1": (1,), "class_2": (2,)}, ()),
        (GREY, [[0, 1, 255]], {"background": (0,), "foreground": (1,)}, (255,)),
        (GREY, [[0, 127, 255]], {"background": (0,), "class_127": (127,), "class_255": (255,)}, ()),
        (GREY, [[0, 128, 255]], {"background": (0,), "class_128": (128,), "class_255": (255,)}, ()),
        (COLOUR, [[0, 0xFF0000], [0x808080]], {"#000000": (0,), "#808080": (0x808080,), "#ff0000": (0xFF0000,)}, ()),
    ],
)
def test_classes_are_read_from_the_values(style, files, classes, ignored):
    labels, reason = infer(counted(*files), style)
    assert found(labels) == classes
    assert labels.ignored == ignored
    assert labels.style == style
    assert ("ignored" in reason) == bool(ignored)


def test_values_in_a_row_are_told_as_a_range():
    assert infer(counted([0, 1, 2, 3, 4]), GREY)[1] == "masks hold the values 0 … 4"
    assert infer(counted([0, 2, 4]), GREY)[1] == "masks hold the values 0, 2, 4"
    assert infer(counted([0, 255]), DEEP)[1] == "masks hold 0 and 255"


@pytest.mark.parametrize("void", ["Void", "unlabelled", "ignore"])
def test_a_class_list_names_the_values_by_their_order_and_void_is_ignored(void):
    labels, reason = infer(counted([0, 2, 255]), GREY, ["sky", "road", void])
    assert found(labels) == {"sky": (0,), "road": (1,)}
    assert labels.ignored == (2, 255)
    assert reason == f"3 names in the class list, by their order; ignored: {void}, 255"
    assert void.lower() in IGNORED_NAMES


def test_void_may_stand_first():
    labels, _ = infer(counted([0, 1, 2]), GREY, ["void", "sky", "road"])
    assert found(labels) == {"sky": (1,), "road": (2,)}
    np.testing.assert_array_equal(labels.encode(np.array([[0, 1, 2]])), [[IGNORED, 0, 1]])


def test_without_void_nothing_is_told_of_ignoring():
    assert infer(counted([0, 1]), GREY, ["sky", "road"])[1] == "2 names in the class list, by their order"


@pytest.mark.parametrize(("style", "top"), [(GREY, 255), (DEEP, 65535)])
def test_two_names_are_those_of_masks_that_are_empty_or_full(style, top):
    """Read by their order, 255 would be ignored and the second class never seen."""
    labels, _ = infer(counted([0, top], [0]), style, ["wall", "crack"])
    assert found(labels) == {"wall": (0,), "crack": (top,)}
    assert labels.ignored == ()


def test_a_value_beyond_the_class_list_is_told_with_its_file():
    with pytest.raises(
        DataError, match=r"b\.png has 7 pixels of value 4, which is no class \(known: 0 = sky, 1 = road"
    ):
        infer(counted([0, 1], {0: 5, 4: 7}), GREY, ["sky", "road", "void"])


def test_what_is_stated_to_be_ignored_is_no_class():
    labels, _ = infer(counted([0, 1, 2, 9]), GREY, ignored=[9, 2])
    assert found(labels) == {"background": (0,), "foreground": (1,)}
    assert labels.ignored == (2, 9)
    labels, _ = infer(counted([0, 1, 2, 9]), GREY, ["sky", "road", "car"], ignored=[9, 2])
    assert found(labels) == {"sky": (0,), "road": (1,)}
    assert labels.label_of == {0: 0, 1: 1, 2: IGNORED, 9: IGNORED}


@pytest.mark.parametrize("files", [[[0]], [[255], [255]], [[3]], [[65535], [255]]])
def test_masks_of_one_value_are_refused(files):
    with pytest.raises(DataError, match=r"Every mask pixel has the value .*nothing to tell apart"):
        infer(counted(*files), DEEP)


def test_masks_of_which_all_is_ignored_are_refused():
    with pytest.raises(DataError, match="Every mask pixel is ignored"):
        infer(counted([3]), GREY, ignored=[3])


def test_more_values_than_a_mask_has_name_the_worst_file():
    with pytest.raises(DataError, match=r"71 different values, b\.png alone 69.*JPEG.*dataset\.yaml"):
        infer(counted([0, 200], range(1, 70)), GREY)


def test_a_stray_value_among_full_and_empty_masks_is_told():
    files = [{0: 50_000, 255: 50_000}] * 19
    with pytest.raises(DataError, match=r"t\.png has 3 pixels of value 254; nearly all masks hold 0 and 255 only"):
        infer(counted(*files, {0: 50_000, 254: 3, 255: 50_000}), GREY)


def test_a_rare_class_among_others_is_no_stray():
    files = [{0: 50_000, 1: 40_000, 255: 10_000}] * 19
    labels, _ = infer(counted(*files, {0: 50_000, 1: 49_997, 2: 3}), GREY)
    assert found(labels) == {"background": (0,), "class_1": (1,), "class_2": (2,)}


def test_few_pixels_in_every_mask_are_no_stray():
    labels, _ = infer(counted(*[{0: 50_000, 1: 3, 255: 50_000}] * 20), GREY)
    assert found(labels) == {"background": (0,), "foreground": (1,)}


def test_a_third_value_that_is_common_is_a_class():
    assert infer(counted(*[[0, 130, 255]] * 20), GREY)[0].count == 3


def test_frayed_edges_are_parted_in_the_middle_and_told():
    edge = {value: 20 for value in (1, 2, 5, 9, 120, 248, 252, 254)}
    labels, reason = infer(counted({0: 5000, 255: 4000}, {0: 5000, 255: 4000, **edge}), GREY)
    assert found(labels) == {"background": (0,), "foreground": (255,)}
    assert labels.threshold == 128
    assert "smooth or noisy edges in b.png: values from 128 up are taken for foreground (threshold: 128)" in reason
    np.testing.assert_array_equal(labels.encode(np.array([[0, 1, 127, 128, 254, 255]])), [[0, 0, 0, 1, 1, 1]])


@st.composite
def label_sets(draw):
    style = draw(st.sampled_from([GREY, DEEP, COLOUR]))
    top = {GREY: 255, DEEP: 65535, COLOUR: 0xFFFFFF}[style]
    values = draw(st.lists(st.integers(0, top), min_size=2, max_size=12, unique=True))
    cut = draw(st.integers(2, len(values)))
    return declared({f"c{v}": v for v in values[:cut]}, values[cut:], style)


@given(labels=label_sets(), data=st.data())
def test_labels_come_back_from_the_values_they_are_written_with(labels, data):
    ids = data.draw(hnp.arrays(np.uint8, (3, 4), elements=st.integers(0, labels.count - 1)))
    values = labels.decode(ids)
    np.testing.assert_array_equal(labels.encode(values), ids, strict=True)
    assert values.dtype == {GREY: "uint8", DEEP: "uint16", COLOUR: "uint32"}[labels.style]


@given(labels=label_sets(), data=st.data(), dtype=st.sampled_from([np.int32, np.uint32, np.int64]))
def test_encoding_is_a_look_up_pixel_by_pixel(labels, data, dtype):
    known = labels.label_of
    values = data.draw(hnp.arrays(dtype, (3, 4), elements=st.sampled_from(sorted(known))))
    slow = [[known[int(value)] for value in row] for row in values]
    np.testing.assert_array_equal(labels.encode(values), np.array(slow, np.uint8), strict=True)


@pytest.mark.parametrize("strange", [3, 254, 70_000, -1])
def test_a_value_that_is_no_class_is_told_with_remedy(strange):
    labels, _ = infer(counted([0, 1]), GREY)
    with pytest.raises(DataError) as caught:
        labels.encode(np.array([[0, 1, strange, strange]], np.int32), "img_07.png")
    for part in (f"img_07.png has 2 pixels of value {strange}", "0 = background, 1 = foreground", "dataset.yaml"):
        assert part in str(caught.value)


def test_a_strange_colour_is_told_as_a_colour():
    labels, _ = infer(counted([0, 0xFF8000]), COLOUR)
    with pytest.raises(DataError, match="of value #010203, which is no class"):
        labels.encode(np.array([[0x010203]], np.uint32))


def test_stated_classes_take_numbers_lists_and_colours():
    labels = declared({"road": "#804080", "car": ["#400080", "#4000C0"]}, ["#000000"], COLOUR)
    assert found(labels) == {"road": (0x804080,), "car": (0x400080, 0x4000C0)}
    assert [c.colour for c in labels.classes] == [(128, 64, 128), (64, 0, 128)]
    np.testing.assert_array_equal(
        labels.encode(np.array([[0x804080, 0x4000C0, 0x400080, 0]], np.uint32)), [[0, 1, 1, IGNORED]]
    )
    labels = declared({"a": 3, "b": [1, 2]}, [9], GREY)
    np.testing.assert_array_equal(labels.encode(np.array([[3, 1, 2, 9]])), [[0, 1, 1, IGNORED]])
    np.testing.assert_array_equal(labels.decode(np.array([[0, 1]])), np.array([[3, 1]], np.uint8), strict=True)


@pytest.mark.parametrize(
    ("classes", "ignored", "says"),
    [
        ({"a": 0, "b": 0}, [], "the value [0] to more than one class"),
        ({"a": 0, "b": [1, 2, 1]}, [], "the value [1]"),
        ({"a": 0, "b": 1}, [1], "the value [1]"),
        ({"a": 0, "b": "red"}, [], "'red' is not a mask value"),
        ({"a": 0, "b": "#12345"}, [], "'#12345' is not a mask value"),
        ({"a": 0, "b": "#gggggg"}, [], "'#gggggg' is not a mask value"),
        ({"a": 0, "b": True}, [], "True is not a mask value"),
        ({"a": 0, "b": 1.5}, [], "1.5 is not a mask value"),
        ({"a": 0, "b": None}, [], "None is not a mask value"),
        ({"a": 0, "b": []}, [], "the class 'b' no value"),
        ({"a": 0, "b": 1}, ["void"], "'void' is not a mask value"),
        ({"a": 0, "b": 256}, [], "'b' has the mask value 256"),
        ({"a": 0, "b": -1}, [], "'b' has the mask value -1"),
    ],
)
def test_stated_values_that_cannot_be_meant_are_told(classes, ignored, says):
    with pytest.raises(DataError) as caught:
        declared(classes, ignored, GREY)
    assert says in str(caught.value)


def test_a_value_stated_twice_as_ignored_is_ignored():
    assert declared({"a": 0, "b": 1}, [9, 9], GREY).ignored == (9,)


def test_255_classes_fit_and_no_more():
    labels = declared({f"c{i}": i for i in range(255)}, [255], GREY)
    every = np.arange(256)[None]
    np.testing.assert_array_equal(labels.encode(every), every.astype(np.uint8), strict=True)
    with pytest.raises(DataError, match="256 classes are more than the 255"):
        declared({f"c{i}": i for i in range(256)}, [], GREY)


def test_classes_keep_the_colours_of_their_palette_and_else_are_told_apart():
    labels, _ = infer(counted([0, 1, 2]), PALETTE)
    assert [c.colour for c in labels.classes] == list(PALETTE.palette or ())
    labels, _ = infer(counted(range(14)), GREY)
    assert len({c.colour for c in labels.classes}) == 14


def test_a_copy_with_other_classes_forgets_the_old_ones():
    labels, _ = infer(counted([0, 1]), GREY)
    assert labels.label_of == {0: 0, 1: 1}
    renumbered = labels.model_copy(
        update={"ignored": (7,), "classes": (ClassLabel(name="a", values=(5,), colour=(0, 0, 0)),)}
    )
    assert renumbered.label_of == {5: 0, 7: IGNORED}


def test_classes_save_and_load(tmp_path):
    labels, _ = infer(counted([0, 1, 2, 255]), PALETTE)
    assert Labels.load(labels.save(tmp_path / "labels.json")) == labels


@pytest.mark.parametrize(
    ("classes", "background"),
    [
        ({"background": 0, "cell": 255}, 0),
        ({"cell": 255, "rest": 0}, 1),
        ({"cell": 0, "Background": 255}, 1),
        ({"cat": 1, "dog": 2}, None),
        ({"pet": 1, "background": 2, "outline": 3}, 1),
        ({"sky": 0, "road": 1, "car": 2}, None),
    ],
)
def test_the_background_is_the_class_of_that_name_or_of_two_the_one_of_value_0(classes, background):
    assert declared(classes, (), GREY).background == background


CELLS = declared({"background": 0, "cell": 200}, (), GREY)


@pytest.mark.parametrize("kind", ["border", "centre"])
def test_what_is_learned_of_objects_is_an_output_more_and_no_class_more(kind):
    labels = CELLS.learning(LearnedObjects(kind=kind))

    assert (labels.count, labels.names, labels.learned) == (2, ["background", "cell"], 2)
    assert labels.outputs == ["background", "cell", f"object {kind}"]
    assert (CELLS.learned, CELLS.outputs) == (None, CELLS.names)
    said = np.array([[0, 1, 2, 2]], np.uint8)
    np.testing.assert_array_equal(labels.decode(said), [[0, 200, 200, 200]])
    np.testing.assert_array_equal(labels.of_classes(said), [[0, 1, 1, 1]])
    assert labels.learning(None) == CELLS


def test_the_background_may_come_last():
    labels = declared({"cell": 255, "background": 0}, (), GREY).learning(LearnedObjects(kind="border"))

    assert labels.foreground == (0,)
    np.testing.assert_array_equal(labels.decode(np.array([0, 1, 2])), [255, 0, 255])
    np.testing.assert_array_equal(labels.of_classes(np.array([0, 1, 2, IGNORED], np.uint8)), [0, 1, 0, IGNORED])


def test_taught_labels_mark_foreground_only_and_leave_ignored_pixels_alone():
    labels = CELLS.learning(LearnedObjects(kind="border", width=1))
    true = np.array([[1, 1, 1, IGNORED, 0]], np.uint8)
    objects = np.array([[1, 2, 3, 4, 5]], np.int32)

    np.testing.assert_array_equal(labels.taught(true, objects), [[2, 2, 2, IGNORED, 0]])
    assert CELLS.taught(true, objects) is true


PETS = declared({"cat": 1, "background": 0, "dog": 2}, (), GREY)


def test_of_several_classes_each_has_a_mark_and_the_network_one_output_more():
    labels = PETS.learning(LearnedObjects(kind="border"))

    assert (labels.foreground, labels.learned, labels.marks) == ((0, 2), 3, {3: 0, 4: 2})
    assert labels.outputs == ["cat", "background", "dog", "object border"]
    assert (PETS.foreground, PETS.marks) == ((0, 2), {})
    said = np.array([[0, 1, 2, IGNORED]], np.uint8)
    marked = labels.marked(said, np.ones((1, 4), bool))
    np.testing.assert_array_equal(marked, [[3, 1, 4, IGNORED]])
    np.testing.assert_array_equal(labels.marked(said, np.zeros((1, 4), bool)), said)
    np.testing.assert_array_equal(labels.of_classes(marked), said)
    np.testing.assert_array_equal(labels.decode(marked), labels.decode(said))


def test_of_several_classes_what_is_taught_is_one_class_more_for_all_of_them():
    labels = PETS.learning(LearnedObjects(kind="border", width=1))
    true = np.array([[0, 2, 2, 1, 0, 0]], np.uint8)
    objects = np.array([[1, 2, 2, 0, 3, 4]], np.int32)

    np.testing.assert_array_equal(labels.taught(true, objects), [[3, 3, 2, 1, 3, 3]])


def test_classes_without_objects_have_no_mark():
    street = declared({"road": 0, "car": 1, "sky": 2, "person": 3}, (), GREY)
    border = LearnedObjects(kind="border")
    labels = street.learning(border, ("car", "person"))

    assert (labels.things, labels.marks, labels.learned) == ((1, 3), {4: 1, 5: 3}, 4)
    said = np.array([[0, 1, 2, 3]], np.uint8)
    np.testing.assert_array_equal(labels.marked(said, np.ones((1, 4), bool)), [[0, 4, 2, 5]])
    assert street.learning(border, street.names) == street.learning(border)
    assert PETS.learning(border, ("cat", "dog")).objects == border


def test_more_classes_than_a_byte_can_mark_learn_nothing_of_objects():
    most = declared({"background": 0} | {f"c{n}": n for n in range(1, 128)}, (), GREY)
    border = LearnedObjects(kind="border")

    assert max(most.learning(border).marks) < IGNORED
    with pytest.raises(SettingError, match=r"127 are the most\. Merge some in dataset.yaml, or set objects=distance"):
        declared({f"c{n}": n for n in range(128)}, (), GREY).learning(border)
