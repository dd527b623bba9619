"""Painted results, as a prediction would give them."""

from dataclasses import replace

import numpy as np
from scipy import ndimage

from maskwright.data.labels import ClassLabel, Labels
from maskwright.files import ArrayScene, MaskStyle, MemoryPlane, origin_of
from maskwright.inference.result import Result
from maskwright.records import IGNORED
from maskwright.regions import Objects

CLASSES = Labels(
    classes=(
        ClassLabel(name="background", values=(0,), colour=(0, 0, 0)),
        ClassLabel(name="cell", values=(100,), colour=(230, 159, 0)),
        ClassLabel(name="nucleus", values=(200,), colour=(86, 180, 233)),
    )
)
CELLS = CLASSES.model_copy(update={"classes": CLASSES.classes[:2]})


def objects_of(labels_HW, background=0):
    """The pieces of each class as objects, in the order of their first pixels."""
    ids = np.zeros(labels_HW.shape, np.int64)
    for label in sorted({*np.unique(labels_HW).tolist()} - {IGNORED, background}):
        pieces, _ = ndimage.label(labels_HW == label, np.ones((3, 3)))
        ids = np.where(pieces > 0, pieces + ids.max(), ids)
    present, first = np.unique(ids, return_index=True)
    order = [value for _, value in sorted(zip(first.tolist(), present.tolist(), strict=True)) if value]
    number = np.zeros(ids.max() + 1, np.int32)
    number[order] = np.arange(1, len(order) + 1)
    ids = number[ids].astype(np.int32)
    boxes = [(rows.start, columns.start, rows.stop, columns.stop) for rows, columns in ndimage.find_objects(ids)]
    labels = np.array([labels_HW[ids == n][0] for n in range(1, len(order) + 1)], np.uint8)
    areas = np.bincount(ids.ravel(), minlength=len(order) + 1)[1:]
    return Objects(MemoryPlane(ids), labels, np.array(boxes, np.int64).reshape(-1, 4), areas.astype(np.int64))


def painted(height=37, width=53, seed=0, classes=3, ignored=True):
    """Labels H W: smooth blobs, some with holes, and pixels that count nowhere."""
    rng = np.random.default_rng(seed)
    field = ndimage.gaussian_filter(rng.normal(size=(height, width)), 2, mode="wrap")
    labels = np.digitize(field, np.quantile(field, np.linspace(0, 1, classes + 1)[1:-1])).astype(np.uint8)
    if ignored and height * width > 20:
        labels[: height // 4, : width // 5] = IGNORED
    return labels


def result_of(labels_HW, classes=CLASSES, file=None, objects=True, scene=None, **changes):
    """A result with everything in it."""
    rng = np.random.default_rng(1)
    if scene is None:
        scene = ArrayScene(np.random.default_rng(2).integers(0, 256, (*labels_HW.shape, 3), np.uint8))
    chances = rng.dirichlet(np.ones(classes.count), labels_HW.shape).astype(np.float32)
    found = Result(
        "picture", scene, origin_of(scene, file), classes, MemoryPlane(labels_HW),
        tuple(MemoryPlane(np.ascontiguousarray(chances[:, :, k])) for k in range(classes.count)),
        objects_of(labels_HW, classes.background) if objects else None,
        lambda shape, dtype: MemoryPlane(np.zeros(shape, dtype)),
    )  # fmt: skip
    return replace(found, **changes)


def styled(classes=CLASSES, **style):
    return classes.model_copy(update={"style": MaskStyle(**style)})
