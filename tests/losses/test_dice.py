import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from maskwright.errors import SettingError
from maskwright.losses.dice import Dice
from maskwright.records import IGNORED


def certain(labels, classes):
    """Logits that leave no doubt about these labels."""
    one_hot = torch.nn.functional.one_hot(labels.where(labels != IGNORED, 0), classes).movedim(-1, 1)
    return one_hot.float() * 200 - 100


def dice_of(smooth=0.0, squared=False):
    """One minus 2 Σ p·t / (Σ p + Σ t)."""
    return lambda p, t: 1 - (2 * (p * t).sum() + smooth) / ((p**2 if squared else p).sum() + t.sum() + smooth)


OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "per": st.sampled_from(["batch", "image"]),
        "background": st.booleans(),
        "smooth": st.sampled_from([1e-5, 1.0]),
        "squared": st.booleans(),
    },
)


@given(seed=st.integers(0, 999), classes=st.integers(2, 5), single=st.booleans(), options=OPTIONS, absent=st.booleans())
def test_it_agrees_with_the_formula_class_by_class(batch, by_class, seed, classes, single, options, absent):
    logits, labels = batch(seed, 2 if single else classes, 1 if single else None, size=(2, 3, 2))
    options["absent"] = absent and "smooth" in options
    formula = dice_of(options.get("smooth", 0.0), options.get("squared", False))
    where = {name: options[name] for name in ("per", "background", "absent") if name in options}

    found = Dice(**options)(logits, labels).item()

    assert found == pytest.approx(by_class(formula, logits, labels, **where), rel=1e-4, abs=1e-6)


def test_a_perfect_prediction_costs_nothing_and_the_opposite_everything(batch):
    _, labels = batch(1, 2)
    opposite = (1 - labels).where(labels != IGNORED, IGNORED)

    assert Dice()(certain(labels, 2), labels).item() == pytest.approx(0, abs=1e-6)
    assert Dice()(certain(opposite, 2), labels).item() == pytest.approx(1, abs=1e-6)


def test_an_absent_class_is_left_out_of_the_mean(batch):
    _, labels = batch(2, 3)
    labels = labels.where(labels != 2, 0)

    assert Dice()(certain(labels, 3), labels).item() == pytest.approx(0, abs=1e-6)
    half_wrong = certain(labels.where(labels != 1, 2), 3)  # every pixel of class 1 is called 2
    assert Dice()(half_wrong, labels).item() == pytest.approx(0.5, abs=1e-6)


def test_an_empty_mask_costs_nothing_where_one_logit_is_the_foreground():
    logits = torch.randn(2, 1, 4, 4, requires_grad=True)

    loss = Dice()(logits, torch.zeros(2, 4, 4, dtype=torch.long))
    loss.backward()

    assert loss.item() == 0
    assert not logits.grad.any()


def test_a_full_mask_is_learnt():
    logits = torch.zeros(2, 1, 4, 4, requires_grad=True)

    loss = Dice()(logits, torch.ones(2, 4, 4, dtype=torch.long))
    loss.backward()

    assert loss.item() == pytest.approx(1 / 3)  # p = ½ everywhere: 1 - 2·½ / (½ + 1)
    assert (logits.grad < 0).all()


def test_sums_run_over_the_whole_batch(batch):
    """An image without the class does not pull the score down by itself."""
    labels = torch.zeros(2, 4, 4, dtype=torch.long)
    labels[0] = 1
    logits = torch.where(labels == 1, 100.0, -100.0)[:, None]

    assert Dice()(logits, labels).item() == pytest.approx(0, abs=1e-6)


@given(seed=st.integers(0, 999), per=st.sampled_from(["batch", "image"]), background=st.booleans())
def test_generalised_it_is_one_fraction_with_small_classes_heavy(batch, shares, seed, per, background):
    logits, labels = batch(seed, 3, size=(2, 3, 2))
    images = shares(logits, labels)
    if per == "batch":
        images = [tuple(np.concatenate(parts, axis=1) for parts in zip(*images, strict=True))]
    expected = []
    for p, t in images:
        kept = [k for k in range(0 if background else 1, 3) if t[k].any()]
        above = sum((p[k] * t[k]).sum() / t[k].sum() ** 2 for k in kept)
        below = sum((p[k].sum() + t[k].sum()) / t[k].sum() ** 2 for k in kept)
        expected += [1 - 2 * above / below] if kept else []

    found = Dice(generalised=True, per=per, background=background)(logits, labels).item()

    assert found == pytest.approx(np.mean(expected) if expected else 0, rel=1e-4, abs=1e-6)


def test_smoothed_over_a_batch_it_is_the_tutorial_s_own(batch):
    """Carvana: 1e-5 above and below one fraction over everything."""
    logits, labels = batch(4, 2, 1, ignored=0)
    p, t = logits.sigmoid()[:, 0], labels.float()

    expected = 1 - (2 * (p * t).sum() + 1e-5) / (p.sum() + t.sum() + 1e-5)

    torch.testing.assert_close(Dice(smooth=1e-5)(logits, labels), expected)


def test_absent_classes_can_be_made_to_count():
    logits = torch.zeros(1, 1, 4, 4, requires_grad=True)

    loss = Dice(smooth=1e-5, absent=True)(logits, torch.zeros(1, 4, 4, dtype=torch.long))
    loss.backward()

    assert loss.item() == pytest.approx(1, abs=1e-4)
    assert (logits.grad > 0).all()
    assert Dice(smooth=1e-5, absent=True)(logits, torch.full((1, 4, 4), IGNORED)).item() == 0


@pytest.mark.parametrize("options", [{"absent": True}, {"absent": True, "smooth": 1, "generalised": True}])
def test_options_that_do_not_go_together_are_refused(options):
    with pytest.raises(SettingError, match="absent"):
        Dice.read(options)


@pytest.mark.parametrize("per", ["batch", "image"])
@pytest.mark.parametrize("squared", [False, True])
@pytest.mark.parametrize("background", [False, True])
def test_it_is_monai_s_where_all_classes_count(batch, per, squared, background):
    monai = pytest.importorskip("monai.losses")
    logits, labels = batch(7, 3, ignored=0)

    theirs = monai.DiceLoss(
        include_background=background, softmax=True, to_onehot_y=True, squared_pred=squared, batch=per == "batch"
    )
    ours = Dice(per=per, squared=squared, background=background, smooth=1e-5, absent=True)

    torch.testing.assert_close(ours(logits, labels), theirs(logits, labels[:, None]))


@pytest.mark.parametrize("per", ["batch", "image"])
def test_generalised_it_is_monai_s(batch, per):
    monai = pytest.importorskip("monai.losses")
    logits, labels = batch(8, 3, size=(2, 8, 8), ignored=0)

    theirs = monai.GeneralizedDiceLoss(
        softmax=True, to_onehot_y=True, batch=per == "batch", smooth_nr=0.0, smooth_dr=0.0
    )

    torch.testing.assert_close(Dice(generalised=True, per=per)(logits, labels), theirs(logits, labels[:, None]))


def test_with_ignored_pixels_it_is_segmentation_models_own(batch):
    smp = pytest.importorskip("segmentation_models_pytorch.losses")
    logits, labels = batch(9, 4)

    torch.testing.assert_close(Dice()(logits, labels), smp.DiceLoss("multiclass", ignore_index=IGNORED)(logits, labels))
