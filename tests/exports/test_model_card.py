import re

import pytest
import yaml

from maskwright.data.fingerprint import Fingerprint
from maskwright.data.labels import ClassLabel, Labels
from maskwright.data.preprocess import Preprocess
from maskwright.exports.model_card import model_card
from maskwright.familiar import Familiar, Neighbours
from maskwright.model import UNetRecord
from maskwright.modelfile import Description
from maskwright.plan import decide
from maskwright.settings import Budget

POINTS = Neighbours(mean=(1.0,), spread=(2.0,), points=((0.0,), (1.0,)), limit=1.5, false_alarms=0.004)
SCORES = {
    "images": 17,
    "mean_iou": 0.81234,
    "mean_iou_interval": (0.7512, 0.8619),
    "accuracy": 0.9431,
    "classes": [
        {"name": "background", "scores": {"iou": 0.9, "dice": 0.95, "precision": 0.96, "recall": 0.94}},
        {"name": "cell", "scores": {"iou": 0.7246, "dice": 0.8403, "precision": None, "recall": 0.81}},
    ],
    "contests": {"salt": 0.6123},
}


@pytest.fixture
def about():
    fingerprint = Fingerprint(
        train=31, val=17, test=9, channels=1, dtype="uint16", smallest=(32, 32), median=(32, 48), largest=(40, 64),
        low=3.0, high=4095.0, mean=(700.5,), std=(123.25,), classes=("background", "cell"), pixel_share=(0.75, 0.25),
        image_share=(1.0, 0.5), ignored_share=0.125,
    )  # fmt: skip
    return Description(
        maskwright="0.1.0",
        network=UNetRecord(in_channels=1, depth=3, base=12),
        preprocess=Preprocess(channels=1, dtype="uint16", mean=(700.5,), std=(123.25,)),
        labels=Labels(
            classes=(
                ClassLabel(name="background", values=(0,), colour=(0, 0, 0)),
                ClassLabel(name="cell", values=(200,), colour=(230, 159, 0)),
            )
        ),
        plan=decide(fingerprint, budget=Budget(minutes=2), seed=3),
        fingerprint=fingerprint,
        scores={"val": SCORES},
        provenance={"data": "cells", "steps": 1234, "seconds": 56.7},
        familiar=Familiar(
            images=31, held_out=17, channels=(1, 3), dtype="uint16", smallest=(32, 32), largest=(40, 64),
            mean=((612.5, 801.25),), std=((90, 150),), clipped=0.0, values=POINTS, octaves=POINTS, content=POINTS,
        ),
    )  # fmt: skip


def header_of(card):
    return yaml.safe_load(card.split("---\n")[1])


def test_the_scores_and_intervals_are_those_of_the_file(about):
    card = model_card(about, "Cells")

    assert "On 17 images (val)" in card
    assert "mean IoU 0.8123 (95 % interval 0.7512 … 0.8619), pixel accuracy 0.9431" in card
    assert "| cell | 0.7246 | 0.8403 | – | 0.8100 |" in card
    assert "salt: 0.6123" in card
    (result,) = header_of(card)["model-index"][0]["results"]
    assert {m["type"]: m["value"] for m in result["metrics"]} == {"mean_iou": 0.8123, "accuracy": 0.9431}
    assert result["dataset"] == {"name": "cells", "type": "cells", "split": "val"}


def test_data_plan_and_limits_are_those_of_the_file(about):
    card = model_card(about, "Cells")

    assert "31 images of `cells`; 17 were set aside to validate and 9 to test" in card
    assert "| cell | 25.0% | 50% | 200 |" in card
    assert "12.5% of the pixels were ignored" in card
    assert "depth 3 and 12 channels" in card
    assert "1234 steps, 56.7 seconds" in card
    assert "612.5 … 801.2" in card
    assert "1 or 3 channels" in card
    assert "At most 1.2% of images like them" in card


def test_what_only_the_maker_knows_is_said_or_is_said_to_be_missing(about):
    silent = model_card(about, "Cells")
    said = {"author": "Ada", "licence": "CC-BY-4.0", "tags": "microscopy, cells", "use": "Counting only."}
    told = model_card(about, "Cells", said)

    assert "license" not in header_of(silent)
    assert "Licence: not stated" in silent
    assert header_of(told)["license"] == "cc-by-4.0"
    assert {"microscopy", "cells"} <= set(header_of(told)["tags"])
    assert "Licence: CC-BY-4.0. Authors: Ada." in told
    assert re.search(r"## Intended use\n\nCounting only\.", told)


def test_a_model_without_scores_or_memory_of_its_images_says_so(about):
    card = model_card(about.model_copy(update={"scores": {}, "familiar": None}), "Cells")

    assert "holds no scores" in card
    assert "strange images are not told" in card
    assert "model-index" not in header_of(card)


def test_the_hubs_own_library_reads_the_header(about):
    from huggingface_hub import ModelCard

    card = ModelCard(model_card(about, "Cells", {"licence": "MIT"}))

    assert card.data.license == "mit"
    assert card.data.to_dict()["library_name"] == "maskwright"
    assert [round(result.metric_value, 4) for result in card.data.eval_results] == [0.8123, 0.9431]
