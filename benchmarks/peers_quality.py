"""Quality at an equal budget: mean IoU and Dice on the test part after some minutes on the same cores, ours and peers.

    pip install -r benchmarks/peers/requirements.txt
    python benchmarks/peers_quality.py --minutes 4 --sets isbi2012 camvid --seeds 0 1

All train on the same images and are scored on the same test images (ISBI's slices 24-29, CamVid's own, every fifth
image of the others; labelme's three photographs are left out), over all pixels at the original size, void left out.
The minutes of a peer begin when its packages are imported and end with its last step; ours are `maskwright train
--minutes`, from reading the data to the model file. Where no validation part is published, peers train on all that is
not held out; ours takes its validation images from there. Each training is a process of its own. A line a run is
appended to `benchmarks/results/peers_quality.jsonl`; pets26 has five test images, so its numbers say little.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parent))
from peers import PEERS, peer
from peers.sets import SETS, held_out, inspected, task
from peers.task import VOID, Task, cores, read_labels
from throughput import circumstances

RESULTS = Path(__file__).parent / "results" / "peers_quality.jsonl"
NOT_HERE = {"maskwright-adamw", "plain"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("MASKWRIGHT_DATA", "../shared/data")))
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--peers", nargs="+", choices=PEERS, default=[name for name in PEERS if name not in NOT_HERE])
    parser.add_argument("--minutes", type=float, default=4)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--threads", type=int, default=cores())
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--alone", action="store_true", help="train in this process (what the script itself asks for)")
    parser.add_argument("settings", nargs="*", help="settings of our plan, KEY=VALUE")
    options = parser.parse_args()
    if options.alone:
        warnings.simplefilter("ignore")
        torch.set_num_threads(options.threads)
        print(json.dumps(run(options, options.sets[0], options.peers[0], options.seeds[0])))
        return
    for name in options.sets:
        for seed in options.seeds:
            for label in options.peers:  # side by side in time, so that other work on the machine falls on all
                row = apart(options, name, label, seed)
                print(json.dumps(row), flush=True)
                if "missing" not in row:
                    with RESULTS.open("a", encoding="utf-8") as file:
                        file.write(json.dumps(row) + "\n")


def apart(options: argparse.Namespace, name: str, label: str, seed: int) -> dict:
    """One run in a process of its own."""
    words = ["--alone", "--data", options.data, "--sets", name, "--peers", label, "--seeds", seed]
    words += ["--minutes", options.minutes, "--threads", options.threads, "--device", options.device]
    command = [sys.executable, __file__, *map(str, words), "--", *options.settings]
    environment = {**os.environ, "OMP_NUM_THREADS": str(options.threads)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        print(done.stderr[-3000:], file=sys.stderr)  # the others go on
        return {"set": name, "peer": label, "missing": done.stderr.splitlines()[-1]}
    row = json.loads(done.stdout.splitlines()[-1])
    return {**row, "command": f"python benchmarks/peers_quality.py --minutes {options.minutes:g} --sets {name} "
            f"--peers {label} --seeds {seed}"}  # fmt: skip


def run(options: argparse.Namespace, name: str, label: str, seed: int) -> dict:
    """Train and score."""
    made = peer(label)
    if isinstance(made, str):
        return {"set": name, "peer": label, "missing": made}
    torch.manual_seed(seed)
    np.random.seed(seed)
    with tempfile.TemporaryDirectory() as folder:
        seen = inspected(options.data, name)
        todo = task(seen, name, Path(folder), options.device, seed)
        started = time.monotonic()
        said = {}
        if label == "maskwright":
            predict, said = ours(options, name, seed, Path(folder) / "run")
        else:
            predict = made.train(todo, options.minutes * 60)
            said["steps"] = made.count
        trained = time.monotonic() - started - said.get("evaluate_seconds", 0)
        scores = scored(predict, todo)
    if "mean_iou_of_evaluate" in said:
        # Our own evaluation of the same images must say the same.
        assert abs(said["mean_iou_of_evaluate"] - scores["mean_iou"]) < 2e-6, (said, scores)
    return {
        **circumstances(),
        "set": name,
        "peer": label,
        "minutes": options.minutes,
        "threads": options.threads,
        "device": options.device,
        "seed": seed,
        "settings": options.settings,
        "train_images": len(todo.train),
        "test_images": len(todo.test),
        "seconds": round(trained, 1),
        **said,
        **scores,
    }


def ours(options: argparse.Namespace, name: str, seed: int, folder: Path) -> tuple[Callable[[Path], np.ndarray], dict]:
    """By the command line, as a user types it; and what `maskwright evaluate` says."""
    tests = [word for image in held_out(options.data, name) for word in ("--test", image)]
    words = ["train", options.data / SETS[name][4], *tests, "--minutes", options.minutes, "--seed", seed]
    maskwright(*words, "--device", options.device, "--out", folder, *options.settings)
    started = time.monotonic()
    maskwright("evaluate", folder / "model.safetensors", "--split", "test", "--device", options.device)
    from maskwright import api

    scores = json.loads((folder / "scores-test.json").read_text())
    history = [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]
    model = api.load(folder / "model.safetensors", device=options.device)
    said = {
        "steps": history[-1]["step"],
        "mean_iou_of_evaluate": scores["mean_iou"],
        "evaluate_seconds": round(time.monotonic() - started, 1),
    }
    return lambda path: model(path).labels, said


def maskwright(*words: object) -> None:
    """Run one command; its output goes to where errors go."""
    subprocess.run([sys.executable, "-m", "maskwright", *map(str, words)], check=True, stdout=sys.stderr)


def scored(predict: Callable[[Path], np.ndarray], todo: Task) -> dict:
    """From one table of counts over all test pixels: row the truth, column the answer."""
    table = np.zeros((todo.classes, todo.classes), np.int64)
    started = time.monotonic()
    for pair in todo.test:
        truth, found = read_labels(pair.labels), predict(pair.image)
        assert found.shape == truth.shape, pair
        counts = truth != VOID
        places = truth[counts].astype(np.int64) * todo.classes + found[counts]
        table += np.bincount(places, minlength=todo.classes**2).reshape(table.shape)
    hits, truths, answers = np.diag(table), table.sum(axis=1), table.sum(axis=0)
    seen = truths > 0
    iou = hits[seen] / (truths + answers - hits)[seen]
    dice = 2 * hits[seen] / (truths + answers)[seen]
    return {
        "mean_iou": round(float(iou.mean()), 6),
        "mean_dice": round(float(dice.mean()), 6),
        "dice_of_foreground": round(float(dice[-1]), 6) if todo.classes == 2 else None,
        "accuracy": round(float(hits.sum() / table.sum()), 6),
        "iou": [round(float(v), 4) for v in iou],
        "predict_seconds": round(time.monotonic() - started, 1),
    }


if __name__ == "__main__":
    main()
