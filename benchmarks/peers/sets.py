"""The real data sets as tasks: which images train and which are held out comes from our index, so all score the same.

Labels are written once more as 8-bit PNG of class numbers into a folder outside the project, as a user of any other
library would have them; images stay where they are.
"""

from pathlib import Path

import numpy as np
from PIL import Image

from maskwright import api
from maskwright.api import Inspection
from peers.task import Pair, Task, measured, root_weights

SETS = {
    # Height and width that images are resized to, crop, batch, whether a scene stands upright, where the data lie.
    "isbi2012": (None, (256, 256), 4, False, "isbi2012"),
    "camvid": ((192, 256), (192, 256), 4, True, "camvid"),
    "salt": ((128, 128), (128, 128), 16, True, "salt"),
    "nuclei": (None, (256, 256), 4, False, "nuclei/stage1_train"),
    "pets26": ((192, 256), (192, 256), 4, True, "pets26"),
}
"""labelme has three photographs: nothing can be learnt and tested there."""


def held_out(data: Path, name: str) -> list[str]:
    """The images of the test part, where the set has none of its own: ISBI's last six slices, else every fifth."""
    if name == "camvid":
        return []
    if name == "isbi2012":
        return ["2[4-9].png"]
    samples = api.inspect(data / SETS[name][4]).samples.samples
    names = sorted(s.image for s in samples if s.mask)
    return names[::5]


def inspected(data: Path, name: str) -> Inspection:
    """The set as our index has it, its test part held out."""
    return api.inspect(data / SETS[name][4], test=held_out(data, name))


def task(seen: Inspection, name: str, folder: Path, device: str = "cpu", seed: int = 0) -> Task:
    """The task, its labels written to `folder`. All that is not held out trains, where no validation is published."""
    size, crop, batch, upright, _ = SETS[name]
    samples = seen.samples
    train = samples.part("train") if name == "camvid" else [*samples.part("train"), *samples.part("val")]
    pairs = {"train": [], "test": []}
    for part, those in (("train", train), ("test", samples.part("test"))):
        for i, sample in enumerate(those):
            path = folder / f"{part}-{i}.png"
            Image.fromarray(np.asarray(samples.labels_of(sample), np.uint8)).save(path)
            pairs[part].append(Pair(Path(samples.root) / sample.image, path))
    channels = 1 if all(s.channels == 1 for s in train) else 3
    classes = samples.labels.count
    mean, std = measured(pairs["train"], channels)
    return Task(
        name=name, train=tuple(pairs["train"]), test=tuple(pairs["test"]), channels=channels, classes=classes,
        size=size, crop=crop, batch=batch, upright=upright, mean=mean, std=std,
        weights=root_weights(pairs["train"], classes) if classes > 2 else None, device=device, seed=seed,
    )  # fmt: skip
