"""What each of the planner's rules is worth: validation mean IoU with one rule taken out at a time.

    python benchmarks/rules.py --steps 200 --seeds 0 --sets camvid isbi2012

Each plan gets the same time, counted in steps so that other work on the machine changes nothing: what a step of it
costs over one of the plan as decided is measured first. Scores are at the original size, on the images that the set, or
the planner, validates on; no test part is touched. A line a run goes to `benchmarks/results/rules.jsonl`.
"""

import argparse
import datetime
import json
import os
import statistics
import tempfile
from pathlib import Path
from typing import Any

from maskwright import api
from maskwright.errors import SettingError
from maskwright.plan import Plan
from maskwright.training.trial import trial

RESULTS = Path(__file__).parent / "results" / "rules.jsonl"
SETS: dict[str, tuple[str, dict[str, Any]]] = {
    "isbi2012": ("isbi2012", {"test": ["2[4-9].png"], "val": ["19.png", "2[0-3].png"]}),
    "camvid": ("camvid", {}),
    "salt": ("salt", {}),
    "nuclei": ("nuclei/stage1_train", {}),
    "pets26": ("pets26", {}),
}
GREY = {"augment.flip_vertical": True, "augment.rotate": 180, "augment.elastic": 4}
COLOUR = {"augment.flip_vertical": False, "augment.rotate": 10, "augment.elastic": 0}
WITHOUT: dict[str, dict[str, Any]] = {
    "as planned": {},
    "AdamW for Muon": {"optimizer.name": "adamw", "optimizer.lr": 3e-3, "optimizer.momentum": 0.9},
    "no Dice": {"loss.terms": {"cross_entropy": 1.0}},
    "no cross-entropy": {"loss.terms": {"dice": 1.0}},
    "no class weights": {"loss.class_weights": None},
    "no mean of the weights": {"training.ema": None},
    "no stem": {"model.stem": 1},
    "whole size": {"preprocess.scale": 1.0},
    "upright": COLOUR,
    "any way up": GREY,
    "not bent": {"augment.elastic": 0},
    "no augmentation": {
        **COLOUR, "augment.flip_horizontal": False, "augment.rotate": 0, "augment.scale": [1, 1],
        "augment.brightness": 0, "augment.contrast": 0, "augment.noise": 0, "augment.colour": 0,
    },
    "strided for max pooling": {"model.down": "strided"},
    "deep supervision": {"model.deep_supervision": True},
    "twice the rate": {"optimizer.lr": 0.024, "optimizer.side_lr": 0.012},
    "half the rate": {"optimizer.lr": 0.006, "optimizer.side_lr": 0.003},
    "one width less": {"model.base": 16, "model.max_width": 128},
    "one width more": {"model.base": 32, "model.max_width": 256},
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("MASKWRIGHT_DATA", "../shared/data")))
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--rules", nargs="+", choices=WITHOUT, default=list(WITHOUT))
    parser.add_argument("--steps", type=int, default=200, help="of the plan as decided")
    parser.add_argument("--minutes", type=float, default=2, help="for which it is decided")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    for name in options.sets:
        folder, parts = SETS[name]
        seen = api.inspect(options.data / folder, **parts)
        fixed = {"device.threads": options.threads, "device.channels_last": True}
        decided = api.plan(seen, minutes=options.minutes, device="cpu", settings=fixed)
        kept = {key: decided_value(decided, key) for key in ("model.base", "model.max_width")} | fixed
        for rule in options.rules:
            try:
                plan = api.plan(seen, minutes=options.minutes, device="cpu", settings={**kept, **WITHOUT[rule]})
            except SettingError:  # the rule says nothing of this set
                continue
            if rule != "as planned" and same(plan, decided):
                continue
            scores = [learnt(seen, plan, decided, options.steps, seed) for seed in options.seeds]
            row = {
                "date": datetime.date.today().isoformat(), "set": name, "rule": rule, "seeds": options.seeds,
                "widths": plan.model.level_widths, "steps": scores[0][1],
                "mean_iou": [round(score, 4) for score, _ in scores],
                "mean": round(statistics.fmean(score for score, _ in scores), 4),
            }  # fmt: skip
            print(json.dumps(row), flush=True)
            with RESULTS.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")


def learnt(seen: api.Inspection, plan: Plan, decided: Plan, steps: int, seed: int) -> tuple[float, int]:
    """The validation score after as much time as the decided plan needs for its steps, and how many steps that were."""
    cost = 1.0 if plan.model == decided.model and plan.sampling == decided.sampling else dearer(plan, decided)
    count = round(steps / cost)
    with tempfile.TemporaryDirectory() as folder:
        timed = {"training.budget": {"steps": count}, "validation.times": 2, "validation.images": 32, "seed": seed}
        run = api.train(seen, out=Path(folder) / "run", plan=plan.with_wishes(timed))
        assert run.scores is not None
        return run.scores.mean_iou, count


def dearer(plan: Plan, decided: Plan) -> float:
    """What a step of one plan costs over one of the other, the median of three turns."""
    return statistics.median(trial(plan).seconds / trial(decided).seconds for _ in range(3))


def decided_value(plan: Plan, key: str) -> Any:
    """The plan's value of a dotted key."""
    value: Any = plan
    for part in key.split("."):
        value = getattr(value, part)
    return value


def same(one: Plan, other: Plan) -> bool:
    """Whether two plans train the same."""
    parts = ("preprocess", "model", "sampling", "augment", "loss", "training")
    return all(getattr(one, part) == getattr(other, part) for part in parts)


if __name__ == "__main__":
    main()
