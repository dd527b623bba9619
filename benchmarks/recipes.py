"""A recipe on its real data, as a user would type it: train, then score the part that was kept out.

    python benchmarks/recipes.py salt-unet ../shared/data/salt --split val
    python benchmarks/recipes.py camvid-unet ../shared/data/camvid --scale "half the filters" --set model.base=16
    python benchmarks/recipes.py isbi-2015 ../shared/data/isbi2012 --option=--test "--option=2[4-9].png"

Prints the result and appends it as JSON to `benchmarks/results/recipes.jsonl`.
"""

import argparse
import datetime
import json
import os
import platform
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

RESULTS = Path(__file__).parent / "results" / "recipes.jsonl"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe")
    parser.add_argument("data", type=Path)
    parser.add_argument("--split", default="test")
    parser.add_argument("--scale", default="in full", help="what the settings make smaller, in words")
    parser.add_argument("--option", action="append", default=[], help="one more word for maskwright train")
    parser.add_argument("--out", type=Path, help="keep the run here")
    parser.add_argument("--set", dest="settings", nargs="+", default=[], help="settings of the plan, KEY=VALUE")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        row = measured(options, options.out or Path(folder) / "run")
    print(json.dumps(row, indent=1))
    RESULTS.parent.mkdir(exist_ok=True)
    with RESULTS.open("a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")


def measured(options: argparse.Namespace, run: Path) -> dict[str, object]:
    """Train and evaluate once, by the command line."""
    words = ["train", options.data.name, "--recipe", options.recipe, *options.option, *options.settings]
    maskwright("train", options.data, *words[2:], "--out", run)
    maskwright("evaluate", run / "model.safetensors", "--split", options.split)
    scores = json.loads((run / f"scores-{options.split}.json").read_text())
    history = [json.loads(line) for line in (run / "history.jsonl").read_text().splitlines()]
    commit = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False)
    return {
        "date": datetime.date.today().isoformat(),
        "commit": commit.stdout.strip(),
        "machine": f"{len(os.sched_getaffinity(0))} cores, {platform.machine()}",
        "recipe": options.recipe,
        "scale": options.scale,
        "command": shlex.join(["maskwright", *words]),
        "split": options.split,
        "images": scores["images"],
        "epochs": round(history[-1]["epoch"], 2),
        "steps": history[-1]["step"],
        "seconds": round(history[-1]["seconds"], 1),
        "accuracy": round(scores["accuracy"], 4),
        "mean_iou": round(scores["mean_iou"], 4),
        "dice": {c["name"]: c["scores"]["dice"] and round(c["scores"]["dice"], 4) for c in scores["classes"]},
        "iou": {c["name"]: c["scores"]["iou"] and round(c["scores"]["iou"], 4) for c in scores["classes"]},
        "contests": {name: value and round(value, 6) for name, value in scores["contests"].items()},
    }


def maskwright(*words: object) -> None:
    """Run one command, its output passed through."""
    subprocess.run([sys.executable, "-m", "maskwright", *map(str, words)], check=True)


if __name__ == "__main__":
    main()
