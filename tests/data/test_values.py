"""How masks of many kinds are read; the kinds are painted in `label_sets`."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from scipy import ndimage
from tests.data import label_sets
from tests.data.label_sets import GREEN, NAMES, RED, coloured, disc, indexed, put, regions

from maskwright.data.fraying import borders_only, frayed
from maskwright.data.index import index
from maskwright.data.labels import declared
from maskwright.data.survey import survey
from maskwright.data.values import infer, nearness
from maskwright.errors import DataError, SettingError
from maskwright.files import MaskStyle
from maskwright.records import IGNORED

GREY, COLOUR = MaskStyle(), MaskStyle(mode="colour")


def labels_by_name(samples):
    return {sample.name: samples.labels_of(sample) for sample in samples.samples}


def classes(samples):
    return {c.name: c.values for c in samples.labels.classes}


@pytest.mark.parametrize("painter", [label_sets.jpegs, label_sets.resized])
def test_frayed_masks_are_parted_where_the_disc_was(painter, paint):
    painter(paint)
    samples = index(paint.root)
    assert samples.labels.threshold == 128
    assert "smooth or noisy edges in masks/" in samples.notes[1]
    for i, name in enumerate(NAMES):
        wrong = labels_by_name(samples)[name] != disc(i)
        assert wrong.sum() <= (40 if painter is label_sets.resized and i < 2 else 0)
        assert not (wrong & ~ndimage.binary_dilation(disc(i), np.ones((5, 5)))).any()
    assert all(set(sample.values) <= {0, 255} for sample in samples.samples)


def test_reduced_masks_of_five_values_are_parted_if_those_lie_on_borders(paint):
    """Half as large, each pixel the mean of four: 0, 64, 128, 191 and 255 might as well be five classes."""
    for i, name in enumerate(NAMES):
        large = Image.fromarray((disc(2 * i, (80, 96), 18) * 255).astype(np.uint8))
        put(paint, name, np.asarray(large.resize((48, 40), Image.Resampling.BOX)))
    assert len({v for s in survey(paint.root).measured for v in s.stored.values}) == 5
    assert index(paint.root).labels.threshold == 128


def test_a_line_of_one_value_around_objects_is_a_class(paint):
    for i, name in enumerate(NAMES):
        values = (disc(i) * 255).astype(np.uint8)
        values[ndimage.binary_dilation(disc(i)) & ~disc(i)] = 127
        put(paint, name, values)
    assert classes(index(paint.root)) == {"background": (0,), "class_127": (127,), "class_255": (255,)}


def test_five_values_that_fill_regions_are_five_classes(paint):
    for i, name in enumerate(NAMES):
        values = (disc(i) * 255).astype(np.uint8)
        values[30:33, 2:12], values[34:37, 2:12], values[34:37, 20:30] = 64, 128, 191
        put(paint, name, values)
    samples = index(paint.root)
    assert samples.labels.threshold is None
    assert samples.labels.count == 5


def test_pictures_are_not_parted(paint):
    y, x = np.mgrid[:40, :48]
    for i, name in enumerate(NAMES):
        put(paint, name, (disc(i) * 255).astype(np.uint8))
    put(paint, "a", (y * 3 + x * 2).astype(np.uint8))
    with pytest.raises(DataError, match=r"masks/a\.png alone .* They look like pictures") as caught:
        index(paint.root)
    assert caught.value.files == ("masks/a.png",)


@pytest.mark.parametrize(
    "values",
    [{**dict.fromkeys(range(21), 40), 0: 9000, 255: 900}, {**dict.fromkeys(range(151), 40), 0: 9000, 255: 9000},
     {**dict.fromkeys(range(1, 256), 30), 0: 9000}, {0: 900, 255: 900}, {0: 900}, {}, {-1: 5, 0: 900, 7: 9, 250: 80}],
)  # fmt: skip
def test_labels_and_objects_are_not_frayed(values):
    assert frayed({"a.png": values}) == []


def test_deep_masks_fray_as_well():
    edge = dict.fromkeys([90, 9000, 20000, 30000, 40000, 50000, 60000, 65000], 2)
    labels, _ = infer({"a": {0: 900, 65535: 900, **edge}}, MaskStyle(dtype="uint16"))
    assert (labels.threshold, labels.classes[1].values) == (32768, (65535,))


def test_values_between_are_on_borders_if_both_ends_are_near():
    mask = np.asarray(Image.fromarray((disc() * 255).astype(np.uint8)).resize((96, 80), Image.Resampling.BILINEAR))
    assert borders_only(mask, 255)
    apart = mask.copy()
    apart[:20, -9:] = 128
    assert not borders_only(apart, 255)
    assert borders_only(mask // 255 * 255, 255)


def test_a_threshold_may_be_stated_for_any_grey_masks(paint):
    y, x = np.mgrid[:40, :48]
    for name in NAMES:
        put(paint, name, (y * 3 + x * 2).astype(np.uint8))
    paint.write("dataset.yaml", "threshold: 77\n")
    samples = index(paint.root)
    np.testing.assert_array_equal(labels_by_name(samples)["a"], y * 3 + x * 2 >= 77)
    paint.write("dataset.yaml", "threshold: 77\nclasses: {ill: 255, well: 0}\nignore: [100]\n")
    samples = index(paint.root)
    expected = np.where(y * 3 + x * 2 >= 77, 0, 1)
    np.testing.assert_array_equal(labels_by_name(samples)["a"], np.where(y * 3 + x * 2 == 100, IGNORED, expected))


def test_0_and_1_in_some_files_and_0_and_255_in_others_are_one_foreground(paint):
    label_sets.zero_one_and_255(paint)
    samples = index(paint.root)
    assert classes(samples) == {"background": (0,), "foreground": (255, 1)}
    assert samples.notes[1] == "masks hold 0 and one other value, 255 in 5 masks, 1 in 3 masks: all taken for the same"
    for i, name in enumerate(NAMES):
        np.testing.assert_array_equal(labels_by_name(samples)[name], disc(i))


def test_1_and_255_in_one_file_are_a_class_and_what_is_ignored(paint):
    label_sets.zero_one_and_255(paint)
    put(paint, "a", regions(0, 0, 1, 255))
    samples = index(paint.root)
    assert (classes(samples), samples.labels.ignored) == ({"background": (0,), "foreground": (1,)}, (255,))


def test_a_list_without_background_names_the_values_from_1(paint):
    label_sets.listed_without_background(paint)
    samples = index(paint.root)
    assert classes(samples) == {"background": (0,), "car": (1,), "tree": (2,)}
    assert samples.labels.ignored == (255,)
    assert "for the values 1 … 2; 0 is taken for background; ignored: 255" in samples.notes[1]


@pytest.mark.parametrize(("names", "first"), [("background\ncar\n", 0), ("car\ntree\nsky\n", 0), ("car\ntree\n", 1)])
def test_a_list_is_moved_by_one_only_if_its_last_name_would_else_be_missing(names, first, paint):
    for i, name in enumerate(NAMES):
        put(paint, name, regions(i, 0, 1, 2) if first or "sky" in names else regions(i, 0, 1))
    paint.write("classes.txt", names)
    assert index(paint.root).labels.classes[first].name == names.split("\n")[0]


@pytest.mark.parametrize("painter", [label_sets.binary, label_sets.jpegs, label_sets.zero_one_and_255])
def test_a_single_name_is_that_of_the_one_thing_drawn(painter, paint):
    painter(paint)
    paint.write("classes.txt", "crack\n")
    assert index(paint.root).labels.names == ["background", "crack"]


def test_a_single_name_says_nothing_of_several_things(paint):
    label_sets.numbered(paint)
    paint.write("classes.txt", "crack\n")
    assert index(paint.root).labels.names == ["background", "class_1", "class_2"]


def test_palettes_that_number_the_same_colours_differently_are_read_by_colour(paint):
    label_sets.palettes_numbered_anew(paint)
    samples = index(paint.root)
    assert samples.labels.style.mode == "colour"
    assert "number the same colours differently (the value 1 is #00ff00 in masks/a.png but #ff0000" in samples.notes[1]
    for i, name in enumerate(NAMES):
        shown = np.array([0, 2, 1] if i % 2 else [0, 1, 2])[regions(i, 0, 1, 2)]
        np.testing.assert_array_equal(labels_by_name(samples)[name], shown)


def test_palettes_of_two_programs_are_asked_about(paint):
    """Each shows other colours, but always under one index: it may be the index that counts."""
    for i, name in enumerate(NAMES):
        colours = [(0, 0, 0), RED, GREEN] if i % 2 else [(0, 0, 0), (9, 90, 9), (90, 9, 90)]
        put(paint, name, indexed(regions(i, 0, 1, 2), colours))
    with pytest.raises(DataError, match=r"The value 1 is #095a09 in .*palettes differ"):
        index(paint.root)


def test_a_table_of_the_colours_decides_for_them(paint):
    for i, name in enumerate(NAMES[:2]):
        put(paint, name, indexed(regions(i, 0, 1), [(0, 0, 0), RED if i else GREEN]))
    paint.write("label_colors.txt", "0 0 0 ground\n255 0 0 car\n0 255 0 tree\n")
    samples = index(paint.root)
    assert [labels_by_name(samples)[name].max() for name in "ab"] == [2, 1]


def test_a_palette_is_read_by_index_and_named_by_its_colours(paint):
    label_sets.palettes_with_table(paint)
    samples = index(paint.root)
    assert samples.labels.style.mode == "palette"
    assert classes(samples) == {"ground": (0,), "tree": (2,), "car": (1,)}
    assert samples.labels.classes[1].colour == GREEN


def test_colours_have_the_names_of_the_table_and_void_is_ignored(paint):
    label_sets.colours_with_table(paint)
    samples = index(paint.root)
    assert classes(samples) == {"road": (0xFF0000,), "sky": (0x00FF00,), "car": (0x0000FF,)}
    assert samples.labels.ignored == (0,)
    assert samples.notes[1] == "classes and their colours as class_dict.csv gives them; ignored: #000000"


def test_noisy_colours_are_taken_for_the_nearest_and_told(paint):
    label_sets.noisy_colours_with_table(paint)
    samples = index(paint.root)
    assert samples.labels.tolerance == 32
    assert "in 3 masks (masks/a.png …) have colours that are nearly right" in samples.notes[1]
    for i, name in enumerate(NAMES):
        np.testing.assert_array_equal(labels_by_name(samples)[name], regions(i, 0, 1, 2))
    assert all(set(sample.values) <= {0x141414, 0xE61414, 0x14E614} for sample in samples.samples)


def test_a_colour_far_from_all_is_refused_unless_others_are_ignored(paint):
    label_sets.noisy_colours_with_table(paint)
    mask = coloured(regions(0, 0, 1, 2), [(20, 20, 20), (230, 20, 20), (125, 20, 20)])
    put(paint, "h", mask)
    with pytest.raises(DataError, match=r"masks/a\.png has .* no class"):
        index(paint.root)
    text = 'classes: {a: "#141414", b: "#e61414", c: "#14e614"}\ntolerance: 20\n'
    paint.write("dataset.yaml", text)
    with pytest.raises(DataError, match=r"masks/h\.png has \d+ pixels of value #7d1414, which is no class"):
        index(paint.root)
    paint.write("dataset.yaml", f"{text}others: ignore\n")
    samples = index(paint.root)
    np.testing.assert_array_equal(labels_by_name(samples)["h"], np.array([0, 1, IGNORED])[regions(0, 0, 1, 2)])
    assert 0x7D1414 not in {value for sample in samples.samples for value in sample.values}


def test_noisy_colours_without_a_table_are_asked_about_with_a_proposal(paint):
    label_sets.noisy_colours_with_table(paint)
    (paint.root / "labelmap.txt").unlink()
    with pytest.raises(DataError, match="look like pictures, or like masks saved as JPEG") as caught:
        index(paint.root)
    paint.write("dataset.yaml", str(caught.value).split(":\n")[1] + "\n")
    samples = index(paint.root)
    assert sorted(classes(samples).values()) == [(0x141414,), (0x14E614,), (0xE61414,)]


def test_a_table_that_matches_no_pixel_is_told(paint):
    label_sets.colours(paint)
    paint.write("class_dict.csv", "name,r,g,b\nroad,0,0,200\nsky,10,100,100\n")
    with pytest.raises(DataError, match=r"No pixel of any mask has a colour that class_dict\.csv names") as caught:
        index(paint.root)
    assert caught.value.code == "classes-match-nothing"


def test_colours_of_the_voc_palette_are_named_by_its_order_and_its_border_ignored(paint):
    label_sets.voc_colours(paint)
    samples = index(paint.root)
    assert classes(samples) == {"_background_": (0,), "cat": (0x800000,), "dog": (0x008000,)}
    assert (samples.labels.ignored, samples.labels.background) == ((0xE0E0C0,), 0)
    (paint.root / "class_names.txt").unlink()
    samples = index(paint.root)
    assert (samples.labels.names, samples.labels.ignored) == (["#000000", "#800000"], (0xE0E0C0,))


def test_greys_are_named_by_the_greys_of_a_table(paint):
    label_sets.grey_colours(paint)
    assert classes(index(paint.root)) == {"low": (0,), "high": (200,), "middle": (100,)}
    paint.write("class_dict.csv", "name,r,g,b\nlow,0,0,0\nhigh,200,200,200\nmiddle,100,100,100\nred,255,0,0\n")
    samples = index(paint.root)
    assert samples.labels.style.mode == "colour"
    assert "middle" in samples.labels.names


def test_values_of_a_table_are_those_of_the_masks(paint):
    for i, name in enumerate(NAMES):
        put(paint, name, regions(i, 0, 7, 26))
    paint.write("_classes.csv", "Pixel Value, Class\n7, car\n26, tree\n")
    assert classes(index(paint.root)) == {"background": (0,), "car": (7,), "tree": (26,)}


def test_names_in_annotations_may_be_grouped_and_ignored():
    named = {"background": (0,), "car": (1,), "bus": (2, 5), "sky": (3,)}
    labels = declared({"vehicle": ["car", "bus"], "background": "background"}, ["sky"], GREY, named)
    assert {c.name: c.values for c in labels.classes} == {"vehicle": (1, 2, 5), "background": (0,)}
    assert labels.ignored == (3,)
    with pytest.raises(DataError, match=r"'bas' is not a mask value; .*Did you mean 'bus'"):
        declared({"vehicle": ["bas"], "background": 0}, [], GREY, named)


def test_a_class_may_say_the_colour_it_is_shown_in():
    labels = declared({"a": {"value": 3, "colour": "#010203"}, "b": {"value": [1, 2]}}, [], GREY)
    assert {c.name: c.values for c in labels.classes} == {"a": (3,), "b": (1, 2)}
    assert labels.classes[0].colour == (1, 2, 3)
    with pytest.raises(DataError, match=r"a class has no 'color'\. Known: colour, value"):
        declared({"a": {"value": 3, "color": "#010203"}, "b": 1}, [], GREY)


@pytest.mark.parametrize(
    ("text", "error", "says"),
    [
        ("threshold: 128\ntolerance: 3\n", SettingError, "state one of them"),
        ("threshold: 0\n", SettingError, "threshold"),
        ("classes: {a: 0, b: 1, c: 2}\nthreshold: 1\nignore: [255]\n", DataError, "parts two classes .* there are 3"),
        ("tolerance: 3\n", DataError, "tolerance: is for colours"),
        ("others: drop\n", SettingError, "others"),
    ],
)
def test_what_cannot_be_meant_is_told(text, error, says, paint):
    label_sets.numbered(paint)
    paint.write("dataset.yaml", text)
    with pytest.raises(error, match=says):
        index(paint.root)


def test_a_list_of_void_and_one_class_is_nothing_to_tell_apart(paint):
    label_sets.binary(paint, value=1)
    paint.write("classes.txt", "void\nroad\n")
    paint.write("dataset.yaml", "ignore: [0]\n")
    with pytest.raises(DataError, match="one class only"):
        index(paint.root)


@given(
    colours=st.lists(st.integers(0, 0xFFFFFF), min_size=2, max_size=6, unique=True),
    others=st.lists(st.integers(0, 0xFFFFFF), min_size=1, max_size=6),
    tolerance=st.integers(0, 255),
)
def test_a_colour_is_its_nearest_class_or_none(colours, others, tolerance):
    def far(a, b):
        return max(abs((a >> shift & 255) - (b >> shift & 255)) for shift in (0, 8, 16))

    labels = declared({f"c{i}": f"#{c:06x}" for i, c in enumerate(colours)}, [], COLOUR)
    labels = labels.model_copy(update={"tolerance": tolerance})
    for other, label in zip(others, labels.meanings(np.array(others)).tolist(), strict=True):
        away = [far(other, colour) for colour in colours]
        if other in colours:
            assert label == colours.index(other)
        elif min(away) > tolerance:
            assert label == -1
        else:
            assert away[label] == min(away)
    assert all(far(a, b) > 2 * nearness(colours) for a in colours for b in colours if a != b)


@given(
    counts=st.dictionaries(st.integers(0, 255), st.integers(1, 9), max_size=9),
    threshold=st.integers(1, 255),
    others=st.sampled_from(["refuse", "ignore"]),
)
def test_tallying_counts_what_encoding_gives(counts, threshold, others):
    labels = declared({"low": 10, "high": [250, 251]}, [77], GREY)
    labels = labels.model_copy(update={"threshold": threshold, "others": others})
    values = np.repeat(list(counts), list(counts.values())).astype(np.uint8)[None]
    known = labels.label_of
    tally = {}
    for value, pixels in labels.tallied(counts).items():
        tally[known[value]] = tally.get(known[value], 0) + pixels
    found = labels.encode(values) if counts else np.empty(0, np.uint8)
    assert tally == {int(v): int((found == v).sum()) for v in np.unique(found)}
