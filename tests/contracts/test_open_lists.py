"""What every part of an open list owes those who use it. A new part is found here by itself.

Each contract is a function over one part, so that a planted part that breaks it shows that it bites.
"""

import io
import json
import tarfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from maskwright.data.layouts import Pairs, layouts, recognise
from maskwright.errors import SettingError
from maskwright.exports import exports
from maskwright.files import MaskStyle, is_file, readers, write_image, write_mask
from maskwright.files.annotations import formats
from maskwright.files.annotations.content import Content
from maskwright.files.stored import Stored
from maskwright.inference.outputs import outputs
from maskwright.losses import losses
from maskwright.metrics import ImageResult, class_metrics, image_metrics
from maskwright.records import IGNORED
from maskwright.regions.clean_up import steps
from maskwright.runtimes import runtimes

LISTS = {
    "loss": losses,
    "metric": class_metrics,
    "image metric": image_metrics,
    "reader": readers,
    "annotation format": formats,
    "layout": layouts,
    "cleaning step": steps,
    "output": outputs,
    "runtime": runtimes,
    "export": exports,
}
PARTS = [pytest.param(part, id=f"{kind} {name}") for kind, parts in LISTS.items() for name, part in parts.items()]


def parts_of(registry):
    return pytest.mark.parametrize("part", [pytest.param(part, id=name) for name, part in registry.items()])


def documented(part):
    """The part says in its own words what it is; a class's own text, not one that it inherits."""
    owner = part if isinstance(part, type) or hasattr(part, "__code__") else type(part)
    text = vars(owner).get("__doc__") if isinstance(owner, type) else owner.__doc__
    assert text, f"{owner} has no docstring"
    assert len(text.split()) >= 5, f"{owner} says too little: {text!r}"


@pytest.mark.parametrize("part", PARTS)
def test_every_part_says_what_it_is(part):
    documented(part)


@pytest.mark.parametrize("kind", LISTS)
def test_every_list_has_parts_and_names_the_nearest(kind):
    names = LISTS[kind].names()

    assert names == sorted(names)
    with pytest.raises(SettingError, match=f"no {kind} called .*Did you mean '{names[0]}'"):
        LISTS[kind][f"{names[0]}x"]


# ---------------------------------------------------------------------------------------------------------- losses

SHAPES = pytest.mark.parametrize("channels", [1, 2, 4])
PICTURE, VOLUME = (6, 5), (3, 4, 5)


def variants(registry):
    """Each loss with its defaults, image by image if it knows that, and with each of its switches turned."""
    for name, part in registry.items():
        yield pytest.param(part(), id=name)
        if "per" in part.model_fields:
            yield pytest.param(part(per="image"), id=f"{name} per image")
        for option, field in part.model_fields.items():
            # `absent` wants a smoothing, and its own tests.
            if isinstance(field.default, bool) and option != "absent":
                yield pytest.param(part(**{option: not field.default}), id=f"{name} {option}={not field.default}")


VARIANTS = pytest.mark.parametrize("loss", list(variants(losses)))


def painted(channels, seed=0, size=PICTURE):
    """Random logits B K H W that want a gradient, and labels B H W, a fifth of them ignored."""
    rng = np.random.default_rng(seed)
    labels = torch.from_numpy(rng.integers(0, max(2, channels), (2, *size)))
    labels[torch.from_numpy(rng.random(labels.shape) < 0.2)] = IGNORED
    logits = torch.tensor(rng.normal(size=(2, channels, *size)), dtype=torch.float32)
    return logits.requires_grad_(), labels


def without_doubt(channels, labels):
    """Logits that leave no doubt about these labels."""
    known = labels.where(labels != IGNORED, 0)
    one_hot = known[:, None] if channels == 1 else F.one_hot(known, channels).movedim(-1, 1)
    return one_hot.float() * 2000 - 1000


def gradient(loss, logits, labels, **weights):
    """The loss as a number and its gradient."""
    logits = logits.detach().clone().requires_grad_()
    value = loss(logits, labels, **weights)
    assert value.dtype == torch.float32, f"{value.dtype} is no float32"
    assert value.shape == (), f"{tuple(value.shape)} is no scalar"
    value.backward()
    return float(value.detach()), logits.grad


def leaves_ignored_pixels_out(loss, channels):
    """Changing the logits of ignored pixels changes neither the loss nor the gradient, and has none."""
    for size in (PICTURE, VOLUME):
        logits, labels = painted(channels, size=size)
        ignored = (labels == IGNORED)[:, None].expand_as(logits)
        value, slope = gradient(loss, logits, labels)

        for other in (-50.0, 3.0, 1e4):
            again, same = gradient(loss, logits.where(~ignored, other), labels)
            assert again == value, "the loss moves with ignored pixels"
            assert torch.equal(same, slope), "the gradient moves with ignored pixels"
        assert not slope[ignored].any(), "ignored pixels have a gradient"


def is_zero_where_all_is_ignored(loss, channels):
    """Zero, with a gradient of zeros: a batch of nothing teaches nothing and breaks nothing."""
    for size in (PICTURE, VOLUME):
        logits, labels = painted(channels, size=size)
        value, slope = gradient(loss, logits, torch.full_like(labels, IGNORED))

        assert value == 0
        assert torch.equal(slope, torch.zeros_like(slope))


def leaves_ignored_images_out(loss, channels):
    """An image that is ignored whole changes nothing for the others, and has no gradient."""
    logits, labels = painted(channels)
    labels[1] = IGNORED
    value, slope = gradient(loss, logits, labels)
    alone, same = gradient(loss, logits[:1], labels[:1])

    assert value == pytest.approx(alone, rel=1e-5)
    torch.testing.assert_close(slope[:1], same)
    assert not slope[1].any()


def falls_along_its_gradient(loss, channels):
    """A few steps down the slope bring it near its lowest, and it ends where the labels are."""
    logits, labels = painted(channels)
    start, _ = gradient(loss, logits, labels)
    lowest, _ = gradient(loss, without_doubt(channels, labels), labels)
    known = getattr(loss, "lowest", 0.0)
    assert known is None or lowest == pytest.approx(known, abs=1e-6), "right logits cost something"
    optimizer = torch.optim.Adam([logits], lr=0.3)
    for _ in range(60):
        logits.grad = gradient(loss, logits, labels)[1]
        optimizer.step()
    end, _ = gradient(loss, logits, labels)
    said = (logits[:, 0] > 0).long() if channels == 1 else logits.argmax(1)

    assert end - lowest < 0.5 * (start - lowest)
    # What looks at one feature only is content once that is right.
    if getattr(loss, "alone", True):
        assert (said == labels)[labels != IGNORED].float().mean() > 0.95


def has_the_slope_it_claims(loss, channels):
    """The gradient, added up along a line, is the difference of the ends; so it may have kinks, as a sorting has."""
    for size in (PICTURE, VOLUME):
        logits, labels = painted(channels, size=size)
        slope = gradient(loss, logits, labels)[1]
        # Uphill everywhere, by random lengths: across the slope both sides would be nearly zero.
        towards = slope.sign() * torch.rand(logits.shape, generator=torch.Generator().manual_seed(0))
        reach, points = 0.05, 20
        places = [reach * (2 * (i + 0.5) / points - 1) for i in range(points)]
        slopes = [gradient(loss, logits.detach() + place * towards, labels)[1] for place in places]
        claimed = float(sum((one * towards).sum() for one in slopes)) / points
        ends = [float(loss(logits.detach() + sign * reach * towards, labels)) for sign in (1, -1)]

        assert (ends[0] - ends[1]) / (2 * reach) == pytest.approx(claimed, rel=1e-2)


def stays_finite(loss, channels):
    """Whatever the logits: 16-bit formats up to their ends, certain and wrong, empty, full and absent classes."""
    _, labels = painted(channels)
    counted = labels != IGNORED
    masks = [labels, labels.where(~counted, 0), labels.where(~counted, 1), torch.ones_like(labels)]
    signs = torch.randn(2, channels, *PICTURE, generator=torch.Generator().manual_seed(1)).sign()
    for dtype, size in ((torch.float16, 60_000), (torch.bfloat16, 60_000), (torch.float16, 100), (torch.float32, 1e30)):
        for mask in masks:
            for logits in (signs * size, torch.full_like(signs, size), torch.zeros_like(signs)):
                value, slope = gradient(loss, logits.to(dtype), mask)
                assert np.isfinite(value), (dtype, size)
                assert slope.isfinite().all(), (dtype, size)


def adds_up_in_32_bit(loss, channels):
    """A sum over more pixels than a 16-bit number can count is the same from 16-bit logits."""
    generator = torch.Generator().manual_seed(2)
    logits = torch.randn(1, channels, 220, 300, generator=generator).half()
    labels = torch.randint(0, max(2, channels), (1, 220, 300), generator=generator)

    assert gradient(loss, logits, labels)[0] == pytest.approx(gradient(loss, logits.float(), labels)[0], rel=1e-5)


def takes_volumes(loss, channels):
    """A volume of one slice costs what the picture does, from whichever side it is looked at."""
    logits, labels = painted(channels)
    value, slope = gradient(loss, logits, labels)

    for axis in (2, 3, 4):
        thick, same = gradient(loss, logits.unsqueeze(axis), labels.unsqueeze(axis - 1))
        assert thick == pytest.approx(value, rel=1e-5)
        torch.testing.assert_close(same, slope.unsqueeze(axis))


def takes_bytes(loss, channels):
    """Labels are bytes on disk; they need not be widened first, and come back as they were."""
    logits, labels = painted(channels)
    before = labels.clone()

    assert gradient(loss, logits, labels.byte())[0] == gradient(loss, logits, labels)[0]
    assert torch.equal(labels, before)


def weighs_pixels_or_lets_them_be(loss, channels):
    """A loss that knows weights a pixel is linear in them, and ones are none; to all others they mean nothing."""
    for size in (PICTURE, VOLUME):
        logits, labels = painted(channels, size=size)
        generator = torch.Generator().manual_seed(3)
        weights = 5 * torch.rand(labels.shape, generator=generator)
        plain, slope = gradient(loss, logits, labels)
        if not getattr(loss, "uses_pixel_weights", False):
            value, same = gradient(loss, logits, labels, weights=weights)
            assert value == plain, "weights a pixel change a loss that does not announce it"
            assert torch.equal(same, slope)
            continue

        value, steep = gradient(loss, logits, labels, weights=weights)
        assert abs(value - plain) > 1e-3, "weights a pixel change nothing"
        # Each pixel's own part is multiplied, so its gradient is.
        torch.testing.assert_close(steep, slope * weights[:, None], rtol=1e-4, atol=1e-7)
        ones, _ = gradient(loss, logits, labels, weights=torch.ones_like(weights))
        assert ones == pytest.approx(plain, rel=1e-6), "a map of ones is not as none"
        for other in (torch.nan, torch.inf, -1e9):
            dirty = weights.where(labels != IGNORED, other)
            assert gradient(loss, logits, labels, weights=dirty)[0] == value, "ignored pixels have a weight"
        assert gradient(loss, logits, labels, weights=weights.double())[0] == pytest.approx(value, rel=1e-6)
        nothing, flat = gradient(loss, logits, torch.full_like(labels, IGNORED), weights=weights)
        assert nothing == 0
        assert not flat.any()


def takes_class_weights_or_lets_them_be(factory, channels):
    """A loss that has class weights shares itself out by them; one that has none says so, and has no such option."""
    if "class_weights" not in factory.model_fields:
        with pytest.raises(SettingError, match="class_weights"):
            factory.read({"class_weights": [1.0]})
        return
    classes = max(2, channels)
    logits, labels = painted(channels)
    plain, _ = gradient(factory(), logits, labels)
    uneven = [1.0 + k for k in range(classes)]
    value, _ = gradient(factory(class_weights=uneven), logits, labels)

    assert gradient(factory(class_weights=[1.0] * classes), logits, labels)[0] == pytest.approx(plain, rel=1e-6)
    assert abs(value - plain) > 1e-4
    tenfold = factory(class_weights=[10 * weight for weight in uneven])
    assert gradient(tenfold, logits, labels)[0] == pytest.approx(value, rel=1e-5), "the weights' size matters"
    with pytest.raises(SettingError, match=f"class_weights has {classes + 1} numbers"):
        factory(class_weights=[1.0] * (classes + 1))(logits, labels)
    for promise in (leaves_ignored_pixels_out, is_zero_where_all_is_ignored, takes_volumes):
        promise(factory(class_weights=uneven), channels)
    stays_finite(factory(class_weights=[0.0, *[1.0] * (classes - 1)]), channels)


def is_a_record(part):
    """Options are fields: printed, saved and read again; an unknown one is an error."""
    loss = part()
    assert part.read(loss.plain()) == loss
    with pytest.raises(SettingError, match="no_such_option"):
        part.read({"no_such_option": 1})


LOSS_CONTRACT = [
    leaves_ignored_pixels_out,
    is_zero_where_all_is_ignored,
    leaves_ignored_images_out,
    falls_along_its_gradient,
    has_the_slope_it_claims,
    stays_finite,
    adds_up_in_32_bit,
    takes_volumes,
    takes_bytes,
    weighs_pixels_or_lets_them_be,
]


@SHAPES
@pytest.mark.parametrize("promise", LOSS_CONTRACT)
@VARIANTS
def test_every_loss_keeps_its_promises(loss, promise, channels):
    promise(loss, channels)


@SHAPES
@parts_of(losses)
def test_every_loss_takes_class_weights_or_has_none(part, channels):
    takes_class_weights_or_lets_them_be(part, channels)


@parts_of(losses)
def test_every_loss_is_a_record(part):
    is_a_record(part)


def entropy(logits, labels, weights=None):
    """A sound loss to spoil."""
    return losses["cross_entropy"]()(logits, labels, weights)


entropy.uses_pixel_weights = True


def spoilt(loss, **attributes):
    for name, value in attributes.items():
        setattr(loss, name, value)
    return loss


@pytest.mark.parametrize(
    ("promise", "careless"),
    [
        (leaves_ignored_pixels_out, lambda z, t: F.cross_entropy(z, t.where(t != IGNORED, 0))),
        (is_zero_where_all_is_ignored, lambda z, t: F.cross_entropy(z, t, ignore_index=IGNORED)),
        (leaves_ignored_images_out, lambda z, t: (entropy(z[:1], t[:1]) + entropy(z[1:], t[1:])) / len(z)),
        (falls_along_its_gradient, lambda z, t: z.square().mean()),
        (falls_along_its_gradient, lambda z, t: 1 + entropy(z, t)),
        (has_the_slope_it_claims, lambda z, t: z.square().sum() + z.detach().square().sum()),
        (stays_finite, lambda z, t: -(z.softmax(1).gather(1, t.where(t < 4, 0)[:, None]).log().float().mean())),
        (adds_up_in_32_bit, lambda z, t: 1 - z.softmax(1).gather(1, t[:, None]).sum().float() / t.numel()),
        (takes_volumes, lambda z, t: entropy(z, t) / z.shape[3]),
        (takes_bytes, lambda z, t: entropy(z, t) + (2 * t).float().mean()),
        (weighs_pixels_or_lets_them_be, spoilt(lambda z, t, weights=None: entropy(z, t, weights))),
        (weighs_pixels_or_lets_them_be, spoilt(lambda z, t, weights=None: entropy(z, t), uses_pixel_weights=True)),
        (
            weighs_pixels_or_lets_them_be,
            spoilt(
                lambda z, t, weights=None: entropy(z, t, weights) / (1 if weights is None else weights.mean()),
                uses_pixel_weights=True,
            ),
        ),
    ],
)
def test_a_careless_loss_is_found(promise, careless):
    with pytest.raises(AssertionError):
        promise(careless, 4)


# --------------------------------------------------------------------------------------------------------- metrics


def scores_classes(metric):
    """A score a class, 0 … 1; 1 if all is right, 0 if nothing is, NaN where the class does not occur."""
    rng = np.random.default_rng(0)
    confusion = rng.integers(0, 1000, (5, 5))
    confusion[2] = 0  # an absent class, though predicted now and then
    before = confusion.copy()
    scores = metric(confusion)
    assert scores.shape == (5,)
    assert scores.dtype == np.float64
    assert np.array_equal(confusion, before), "the confusion matrix was changed"
    assert np.isnan(scores[2]), "an absent class has a score"
    present = scores[[0, 1, 3, 4]]
    assert ((present > 0) & (present < 1)).all()
    assert metric(np.diag([5, 9, 1])) == pytest.approx([1, 1, 1])
    assert metric(np.array([[0, 7], [3, 0]])) == pytest.approx([0, 0])
    assert np.isnan(metric(np.zeros((3, 3), np.int64))).all()
    np.testing.assert_allclose(metric(confusion * 10**12), scores, rtol=1e-12)


def does_not_ask_which_class_is_which(metric):
    """Renaming the classes renames the scores."""
    confusion = np.random.default_rng(1).integers(0, 1000, (4, 4))
    order = [2, 0, 3, 1]
    np.testing.assert_allclose(metric(confusion[np.ix_(order, order)]), metric(confusion)[order])


@pytest.mark.parametrize("promise", [scores_classes, does_not_ask_which_class_is_which])
@parts_of(class_metrics)
def test_every_class_metric_keeps_its_promises(part, promise):
    promise(part)


@pytest.mark.parametrize(
    ("promise", "careless"),
    [
        (scores_classes, lambda c: np.diagonal(c) / np.maximum(1, c.sum(axis=1))),
        (scores_classes, lambda c: np.diagonal(c).astype(float)),
        (does_not_ask_which_class_is_which, lambda c: np.diagonal(c) / np.arange(1, len(c) + 1)),
    ],
)
def test_a_careless_metric_is_found(promise, careless):
    with pytest.raises(AssertionError):
        promise(careless)


def seen(labels=None, *, objects=None, backwards=False):
    """The result of a picture of cells; all right unless other labels are given. Arrays are not to be written to."""
    true = np.ones((12, 14), np.uint8)
    true[6] = true[:, 4] = true[2:4, 9:12] = 0
    true[:2, :2] = IGNORED
    labels = true % IGNORED if labels is None else labels
    foreground = np.float32(labels > 0)  # certain, so that every threshold says the same
    arrays = [labels.astype(np.uint8), true, np.stack([1 - foreground, foreground]), objects]
    for array in arrays[:3]:
        array.flags.writeable = False
    return ImageResult(
        *(a if a is None or not backwards else np.ascontiguousarray(a[..., ::-1])[..., ::-1] for a in arrays)
    )


def scores_images(metric):
    """A number 0 … 1 that tells right from wrong, for the better in the direction it says; None without truth."""
    right, nothing = seen(), seen(np.zeros((12, 14)))
    noisy = seen((np.random.default_rng(0).random((12, 14)) < 0.5).astype(int))
    best = 0 if metric.smaller_is_better else 1
    assert type(metric(right)) is float
    assert metric(right) == pytest.approx(best)
    assert all(0 <= metric(wrong) <= 1 for wrong in (nothing, noisy))
    assert abs(metric(noisy) - best) > 1e-3, "what is wrong is called right"
    ignored = ImageResult(right.labels_HW, np.full((12, 14), IGNORED, np.uint8), right.probabilities_KHW)
    assert metric(ignored) is None


def takes_what_it_says_and_no_more(metric):
    """Probabilities or objects move it only if it uses them; without them it has a score all the same."""
    for labels in (None, np.random.default_rng(1).integers(0, 2, (12, 14))):
        full = seen(labels, objects=np.arange(168).reshape(12, 14) // 7)
        bare = ImageResult(full.labels_HW, full.true_HW)
        plain = metric(bare)
        assert plain is not None
        if not metric.uses_probabilities:
            assert metric(ImageResult(full.labels_HW, full.true_HW, full.probabilities_KHW)) == plain
        if not metric.uses_objects:
            assert metric(ImageResult(full.labels_HW, full.true_HW, None, full.objects_HW)) == plain
        assert metric(seen(labels)) == metric(seen(labels)), "not the same each time"
        assert metric(seen(labels, backwards=True)) == metric(seen(labels)), "the layout in memory matters"


@pytest.mark.parametrize("promise", [scores_images, takes_what_it_says_and_no_more])
@parts_of(image_metrics)
def test_every_image_metric_keeps_its_promises(part, promise):
    promise(part)


def metric_of(score, **says):
    """An image metric in a line."""
    uses = {"uses_probabilities": False, "uses_objects": False, "smaller_is_better": False}
    return type("Planted", (), {"__call__": lambda self, result: score(result), **uses, **says})()


@pytest.mark.parametrize(
    ("promise", "careless"),
    [
        (scores_images, metric_of(lambda r: float((r.labels_HW == r.true_HW).mean()))),
        (scores_images, metric_of(lambda r: 1.0)),
        (scores_images, metric_of(lambda r: None if (r.true_HW == IGNORED).all() else 1.0, smaller_is_better=True)),
        (takes_what_it_says_and_no_more, metric_of(lambda r: float(r.probabilities_KHW is None))),
        (takes_what_it_says_and_no_more, metric_of(lambda r: float(r.objects_HW is None))),
        (takes_what_it_says_and_no_more, metric_of(lambda r: None if r.objects_HW is None else 1.0)),
        (takes_what_it_says_and_no_more, metric_of(lambda r, calls=[]: calls.append(1) or float(len(calls)))),
    ],
)
def test_a_careless_image_metric_is_found(promise, careless):
    with pytest.raises(AssertionError):
        promise(careless)


# --------------------------------------------------------------------------------------------------------- readers

STRANGERS = {
    "nothing": b"",
    "one byte": b"\x89",
    "text": b"name,x,y\nimg_01,3,4\n",
    "zeros": bytes(256),
    "a zip": b"PK\x03\x04" + bytes(252),
    "a pdf": b"%PDF-1.7\n",
    "a pickle": b"\x80\x04\x95",
    "an executable": b"\x7fELF" + bytes(252),
}


def knows_its_own(reader):
    """Lower-case suffixes with a dot, and nobody else's file."""
    assert reader.suffixes
    for suffix in reader.suffixes:
        assert suffix.startswith("."), suffix
        assert suffix == suffix.lower(), suffix
    for name, head in STRANGERS.items():
        assert not reader.recognises(head), name


@parts_of(readers)
def test_every_reader_knows_its_own(part):
    knows_its_own(part)


@parts_of(readers)
def test_every_reader_says_what_it_opens_and_what_it_recognises(part):
    assert part.open.__doc__
    assert part.recognises.__doc__


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_what_is_written_is_recognised_by_one_reader_and_read_by_it(suffix, tmp_path):
    image_HWC = np.arange(5 * 7 * 3, dtype=np.uint8).reshape(5, 7, 3)
    data = write_image(tmp_path / f"image{suffix}", image_HWC).read_bytes()

    mine = [part for _, part in readers.items() if part.recognises(data[:256])]

    assert mine
    stored = mine[0].open(io.BytesIO(data))
    assert isinstance(stored, Stored)
    assert (stored.height, stored.width) == (5, 7)


def test_a_greedy_reader_is_found():
    with pytest.raises(AssertionError):
        knows_its_own(SimpleNamespace(suffixes=(".any",), recognises=lambda head: True))
    with pytest.raises(AssertionError):
        knows_its_own(SimpleNamespace(suffixes=("PNG",), recognises=lambda head: False))


# --------------------------------------------------------------------------------------------------------- layouts


def says_nothing_of_what_it_does_not_know(layout, tmp_path):
    """None for an empty folder, one with text only, and one of images without any mask; nothing is written."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / "notes.md").write_text("images: none")
    (tmp_path / "alone").mkdir()
    write_image(tmp_path / "alone" / "a.png", np.zeros((4, 4, 1), np.uint8))
    before = sorted(tmp_path.rglob("*"))

    for name in ("empty", "text", "alone"):
        assert layout(tmp_path / name) is None, name
    assert sorted(tmp_path.rglob("*")) == before


def gives_pairs_that_are_there(layout, root):
    """Pairs of files that exist, each image once, with a reason; or None. A mask may be a folder of objects."""
    found = layout(root)
    if found is None:
        return
    assert isinstance(found, Pairs)
    assert found.reason
    assert found.entries
    images = [entry.image for entry in found.entries]
    assert len(set(images)) == len(images)
    for entry in found.entries:
        assert is_file(entry.image)
        there = Path.is_dir if entry.source == "object_files" else is_file
        assert entry.mask is None or there(entry.mask)
        assert entry.page is None, "stacks are taken apart later"
        assert all(is_file(path) for path in (*entry.rivals, *entry.bands, *entry.parts.values()))
        assert entry.split in {None, "train", "val", "test"}


_ABOUT_DRAWN = {
    "images": [{"id": i, "file_name": f"{stem}.png", "height": 4, "width": 4} for i, stem in enumerate("abc")],
    "annotations": [
        {"id": i, "image_id": i, "category_id": 1, "segmentation": [[0, 0, 2, 0, 2, 2, 0, 2]]} for i in range(3)
    ],
    "categories": [{"id": 1, "name": "cell"}],
}


def usual_folders(root):
    """The same three pairs in each of the usual layouts."""
    places = {
        "two folders": ("images/{}.png", "masks/{}.png"),
        "one folder": ("{}.png", "{}_mask.png"),
        "splits": ("train/images/{}.png", "train/masks/{}.png"),
        "pets": ("images/{}.jpg", "annotations/trimaps/{}.png"),
        "cars": ("train_hq/{}.jpg", "train_masks/{}_mask.png"),
        "stacks": ("{}-volume.tif", "{}-labels.tif"),
        "objects": ("stage1_train/{0}/images/{0}.png", "stage1_train/{0}/masks/1.png"),
        "twins": ("{}.jpg", "{}.png"),
        "cases": ("{}/images/scan.png", "{}/masks/scan.png"),
        "classes": ("images/{}.png", "masks/road/{}.png", "masks/car/{}.png"),
        "people": ("images/{}.png", "expert1/{}.png", "expert2/{}.png"),
        "voc": ("JPEGImages/{}.jpg", "SegmentationClass/{}.png"),
        "towns": ("leftImg8bit/train/ulm/{}_leftImg8bit.png", "gtFine/train/ulm/{}_gtFine_labelIds.png"),
        "parts": ("img_dir/train/{}.jpg", "ann_dir/train/{}.png"),
        "raw": ("imagesTr/{}_0000.png", "labelsTr/{}.png"),
        "drawn": ("pictures/{}.png",),
    }
    texts = {
        "voc": ("ImageSets/Segmentation/train.txt", "a\nb\nc\n"),
        "drawn": ("all.json", json.dumps(_ABOUT_DRAWN)),
        "raw": ("dataset.json", '{"channel_names": {"0": "light"}, "labels": {"background": 0, "cell": 1}}'),
    }
    for name, (image, *masks) in places.items():
        for stem in "abc":
            for place in (image, *masks):
                (root / name / place.format(stem)).parent.mkdir(parents=True, exist_ok=True)
            write_image(root / name / image.format(stem), np.full((4, 4, 1), 9, np.uint8))
            for mask in masks:
                write_mask(root / name / mask.format(stem), np.eye(4, dtype=np.uint8), MaskStyle())
        if name in texts:
            file, text = texts[name]
            (root / name / file).parent.mkdir(parents=True, exist_ok=True)
            (root / name / file).write_text(text)
        yield root / name
    with tarfile.open(root / "shards.tar", "w") as tar:
        for path in sorted((root / "one folder").iterdir()):
            tar.add(path, path.name)
    (root / "shards").mkdir(exist_ok=True)
    yield (root / "shards.tar").replace(root / "shards" / "0000.tar").parent


@parts_of(layouts)
def test_every_layout_says_nothing_of_what_it_does_not_know(part, tmp_path):
    says_nothing_of_what_it_does_not_know(part, tmp_path)


@parts_of(layouts)
def test_every_layout_gives_pairs_that_are_there(part, tmp_path):
    for root in usual_folders(tmp_path):
        gives_pairs_that_are_there(part, root)


def test_each_layout_knows_some_usual_folder(tmp_path):
    """All but lists of pairs, which are texts. So a layout that is new brings its folder along."""
    assert {recognise(root)[0] for root in usual_folders(tmp_path)} == set(layouts.names()) - {"lists"}


def test_each_usual_folder_is_known_to_some_layout(tmp_path):
    for root in usual_folders(tmp_path):
        _, pairs = recognise(root)
        assert len(pairs.entries) == 3
        assert all(entry.mask for entry in pairs.entries)


def test_layouts_are_asked_in_an_order_of_their_own():
    ranks = [layout.rank for _, layout in layouts.items()]

    assert len(set(ranks)) == len(ranks)


def test_a_careless_layout_is_found(tmp_path):
    with pytest.raises(AssertionError):
        says_nothing_of_what_it_does_not_know(lambda root: Pairs((), "everything is fine"), tmp_path)
    with pytest.raises(AssertionError):
        gives_pairs_that_are_there(lambda root: Pairs((), "everything is fine"), tmp_path)


def test_a_part_without_a_word_is_found():
    class Silent:
        def __call__(self):
            pass

    for part in (Silent, Silent(), lambda: None):
        with pytest.raises(AssertionError, match="docstring"):
            documented(part)


# ---------------------------------------------------------------------------------------------- annotation formats


@parts_of(formats)
def test_a_format_names_suffixes_and_knows_strangers_for_what_they_are(part):
    assert part.suffixes
    assert all(suffix == f".{suffix[1:].lower()}" for suffix in part.suffixes)
    for name, data in {
        "a.json": b'{"a": 1}',
        "b.txt": b"some words",
        "c.xml": b"<a/>",
        "d": b"",
        "e": b"\xff\0",
    }.items():
        assert part.recognises(Content(Path(name), data)) is False, f"{name} is none of its own"
