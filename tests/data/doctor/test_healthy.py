"""A doctor who finds something in everybody is not asked twice."""

import numpy as np
import pytest

from maskwright.data.dataset_file import NAME
from maskwright.data.doctor import checks


def binary(clinic, paint_scene):
    clinic.healthy(24)


def large(clinic, paint_scene):
    """Larger than what is compared, so that all is made smaller first."""
    clinic.healthy(6, size=(700, 900))


def classes(clinic, paint_scene):
    for seed in range(24):
        image, objects = paint_scene(seed)
        clinic.pair(f"img_{seed:03}", image.astype(np.uint8), (objects % 4).astype(np.uint8))


def instances(clinic, paint_scene):
    for seed in range(24):
        image, objects = paint_scene(seed)
        clinic.pair(f"img_{seed:03}", image.astype(np.uint8), objects.astype(np.uint16))
    (clinic.root / NAME).write_text("instances: true\n", "utf-8")


def sixteen_bits(clinic, paint_scene):
    for seed in range(24):
        image, objects = paint_scene(seed)
        clinic.pair(f"img_{seed:03}", (image * 257).astype(np.uint16), np.where(objects, 255, 0).astype(np.uint8))


def colour(clinic, paint_scene):
    for seed in range(24):
        image, objects = paint_scene(seed)
        tint = np.random.default_rng(seed).uniform(0.6, 1, 3)
        clinic.pair(f"img_{seed:03}", (image[:, :, None] * tint).astype(np.uint8), (objects % 3).astype(np.uint8))


def floats(clinic, paint_scene):
    for seed in range(24):
        image, objects = paint_scene(seed)
        clinic.pair(f"img_{seed:03}", (image / 255).astype(np.float32), (objects > 0).astype(np.uint8), ending="tif")


def many_sizes(clinic, paint_scene):
    for seed in range(24):
        clinic.healthy(1, first=seed, size=(96 + 5 * seed, 150 - 2 * seed))


def published(clinic, paint_scene):
    """Parts from one source."""
    clinic.healthy(30, part="train").healthy(10, first=100, part="val").healthy(10, first=200, part="test")


KINDS = (binary, large, classes, instances, sixteen_bits, colour, floats, many_sizes, published)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_nothing_is_said_of_a_healthy_set(clinic, paint_scene, kind):
    kind(clinic, paint_scene)
    found = clinic.survey()

    said = [(name, finding.code, finding.details) for name, check in checks.items() for finding in check(found)]

    assert said == []
