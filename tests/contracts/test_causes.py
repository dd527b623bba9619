"""What every cause of the health monitor owes those who use it. A new cause is found here by itself."""

import re
from pathlib import Path
from types import SimpleNamespace
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maskwright.data.augment import Augment
from maskwright.data.dataset import Sampling
from maskwright.data.preprocess import Preprocess
from maskwright.devices import DeviceSettings
from maskwright.losses import LossSettings
from maskwright.model import UNetRecord
from maskwright.plan import Plan
from maskwright.settings import Budget, OptimizerSettings, TrainingSettings
from maskwright.tiling import Tiles
from maskwright.training.health import Finding, Seen, Setup, causes, table
from maskwright.training.health.seen import Lost, Moment, Strange, Validated, Window

CAUSES = [pytest.param(cause, id=name) for name, cause in causes.items()]
MOMENTS = set(get_args(Moment))
TRAINING = TrainingSettings(budget=Budget(steps=100), optimizer=OptimizerSettings(name="muon", lr=6e-3))
PLAN = Plan(
    preprocess=Preprocess(channels=1, dtype="uint8", mean=(0.0,), std=(1.0,)),
    model=UNetRecord(in_channels=1, classes=3, depth=2, base=4),
    sampling=Sampling(crop=(16, 16), batch=1),
    augment=Augment(),
    loss=LossSettings(),
    training=TRAINING,
    tiles=Tiles(),
    device=DeviceSettings(),
)

numbers = st.floats(0, 1e6) | st.sampled_from([0.0, 1e-12, float("inf")])
shares = st.floats(0, 1)
pixels = st.lists(st.integers(0, 10**6), min_size=3, max_size=3)
windows = st.builds(
    Window, step=st.integers(1, 999), progress=shares, rate=st.floats(0, 1), loss=numbers, low=numbers, high=numbers,
    gradient=numbers, moved=st.floats(0, 10), weights=st.floats(0, 1e4),
    idle=st.sampled_from([(), ("a",), ("a", "b")]), kernels=st.sampled_from([0, 2, 5]),
)  # fmt: skip
validated = st.builds(
    Validated, step=st.integers(1, 999), progress=shares, train_loss=st.floats(0, 100),
    train_accuracy=st.none() | shares, loss=st.floats(0, 100), accuracy=shares, score=shares,
    true=pixels, said=pixels, hit=pixels,
)  # fmt: skip
lost = st.builds(
    Lost, step=st.integers(0, 99), what=st.sampled_from(["loss", "gradient"]), value=st.just(float("nan")),
    place=st.sampled_from(["image", "layer", "loss", "gradient", "nowhere"]), layer=st.just("encoder.0 (Conv2d)"),
    largest=numbers, images=st.just(("a", "b")), bad_images=st.sampled_from([(), ("a",)]), low=st.floats(-1e4, 0),
    high=st.floats(0, 1e4), rate=st.floats(1e-6, 1), in_32_bits=st.none() | st.booleans(), grown=st.floats(0, 1e3),
)  # fmt: skip
setups = st.builds(
    Setup, network=st.just(PLAN.model), sampling=st.just(PLAN.sampling), training=st.just(TRAINING),
    precision=st.sampled_from(["32-true", "16-mixed"]), batch_norm=st.booleans(),
    classes=st.sampled_from([(), ("background", "cell", "rim")]), validation_images=st.none() | st.integers(1, 9),
    all_kept=st.booleans(),
)  # fmt: skip
seen = st.builds(
    Seen, setup=setups, windows=st.lists(windows, max_size=9), validations=st.lists(validated, max_size=9),
    progress=shares, ended=st.booleans(), waited=shares, timed=st.integers(0, 999), lost=lost,
    strange=st.just(Strange((7, 9), 3, ("a",))),
)  # fmt: skip


def keeps_its_promises(cause, evidence):
    """Findings of codes that are announced, that say what, why and what to do in settings that are there."""
    found = list(cause(evidence))
    assert list(cause(evidence)) == found, "not the same twice"
    assert len({finding.code for finding in found}) == len(found), "one code twice"
    for finding in found:
        assert isinstance(finding, Finding)
        assert finding.code in cause.tells, f"{finding.code} is not announced"
        for text in (finding.title, finding.why, finding.remedy):
            assert text.strip() == text != ""
            assert not text[0].islower(), f"no sentence: {text!r}"
        assert "\n" not in finding.title
        assert not finding.title.endswith("."), "a title is no sentence"
        assert finding.strength >= 0
        typed = re.findall(r"([a-z_]+(?:\.[a-z_0-9]+)+)=(\{.*?\}+|\[.*?\]|\S*[^\s.,:])", finding.remedy)
        for key, value in typed:
            PLAN.with_wishes({key: value})


@pytest.mark.parametrize("cause", CAUSES)
def test_every_cause_says_what_it_is_when_it_looks_and_by_what_it_is_told(cause):
    assert len((type(cause).__doc__ or "").split()) >= 10
    assert cause.moments
    assert cause.moments <= MOMENTS
    assert cause.tells
    for code, text in cause.tells.items():
        assert re.fullmatch(r"[a-z0-9-]+", code)
        assert len(text.split()) >= 4
        assert "|" not in text, "it stands in a table"


@pytest.mark.parametrize("cause", CAUSES)
def test_every_cause_keeps_its_promises_whatever_was_seen(cause):
    @settings(max_examples=25)
    @given(seen)
    def check(evidence):
        keeps_its_promises(cause, evidence)

    check()


@pytest.mark.parametrize("cause", CAUSES)
def test_before_anything_was_seen_nothing_but_the_set_up_is_told(cause):
    if "start" not in cause.moments:
        assert list(cause(Seen(Setup.of_plan(PLAN)))) == []


def test_no_two_causes_tell_the_same_code():
    codes = [code for _, cause in causes.items() for code in cause.tells]

    assert len(set(codes)) == len(codes)


def test_the_docs_have_every_cause_as_it_is():
    text = (Path(__file__).parents[2] / "docs" / "training.md").read_text("utf-8")

    for line in table():
        assert line in text, "write docs/training.md anew: python -c 'print(*table(), sep=newline)'"


SOUND = {
    "code": "odd",
    "severity": "note",
    "title": "One is odd",
    "why": "So it is.",
    "remedy": "Set optimizer.lr=1e-3",
}


@pytest.mark.parametrize(
    "careless",
    [
        {"why": ""},
        {"remedy": " "},
        {"title": "Something is wrong."},
        {"code": "other"},
        {"remedy": "Set optimizer.speed=3"},
        {"remedy": "Set model.depth=many"},
    ],
)
def test_a_careless_cause_is_found(careless):
    def cause(**finding):
        call = SimpleNamespace(tells={"odd": "by being odd"})
        return type("Cause", (), {"tells": call.tells, "__call__": lambda self, seen: iter([Finding(**finding)])})()

    evidence = Seen(Setup.of_plan(PLAN))
    keeps_its_promises(cause(**SOUND), evidence)
    with pytest.raises(Exception):  # noqa: B017  # a SettingError or an AssertionError
        keeps_its_promises(cause(**{**SOUND, **careless}), evidence)
