"""Mean IoU after a few minutes of training from scratch, one command a data set, as a new user would type it.

ISBI-2012 (`isbi2012/images`, `isbi2012/masks`, 30 slices; 24–29 are the test) and CamVid (`camvid/`, its own split),
scored over all test pixels at the original size, void left out:

    python benchmarks/four_minutes.py --minutes 4 --seeds 0 1

Prints a line a run and appends it as JSON to `benchmarks/results/four_minutes.jsonl`.
"""

import argparse
import datetime
import json
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path

SETS = {"isbi2012": ["--test", "2[4-9].png"], "camvid": []}
RESULTS = Path(__file__).parent / "results" / "four_minutes.jsonl"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("MASKWRIGHT_DATA", "../shared/data")))
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--minutes", type=float, default=4)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("settings", nargs="*", help="settings of the plan, KEY=VALUE")
    options = parser.parse_args()
    for name in options.sets:
        for seed in options.seeds:
            row = measured(options, name, seed)
            print(json.dumps(row), flush=True)
            RESULTS.parent.mkdir(exist_ok=True)
            with RESULTS.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")


def measured(options: argparse.Namespace, name: str, seed: int) -> dict[str, object]:
    """Train and evaluate once, by the command line."""
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        words = ["train", options.data / name, *SETS[name], "--minutes", options.minutes, "--seed", seed, "--out", run]
        maskwright(*words, *options.settings)
        maskwright("evaluate", run / "model.safetensors", "--split", "test")
        scores = json.loads((run / "scores-test.json").read_text())
        history = [json.loads(line) for line in (run / "history.jsonl").read_text().splitlines()]
    return {
        "date": datetime.date.today().isoformat(),
        "commit": subprocess.run(
            ["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False
        ).stdout.strip(),
        "machine": f"{len(os.sched_getaffinity(0))} cores, {platform.machine()}",
        "set": name,
        "minutes": options.minutes,
        "seed": seed,
        "settings": options.settings,
        "steps": history[-1]["step"],
        "seconds": round(history[-1]["seconds"], 1),
        "mean_iou": round(scores["mean_iou"], 4),
        "interval": [round(end, 4) for end in scores["mean_iou_interval"]],
        "accuracy": round(scores["accuracy"], 4),
        "iou": {c["name"]: c["scores"]["iou"] and round(c["scores"]["iou"], 4) for c in scores["classes"]},
    }


def maskwright(*words: object) -> None:
    """Run one command, its output passed through."""
    subprocess.run([sys.executable, "-m", "maskwright", *map(str, words)], check=True)


if __name__ == "__main__":
    main()
