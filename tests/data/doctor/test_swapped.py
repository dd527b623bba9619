import numpy as np


def exchange(clinic, *numbers):
    """Each mask gets the name of the next."""
    paths = [clinic.root / f"masks/img_{number:03}.png" for number in numbers]
    held = [path.read_bytes() for path in paths]
    for path, content in zip(paths, [*held[1:], held[0]], strict=True):
        path.write_bytes(content)


def test_two_masks_that_were_exchanged_are_found_with_where_they_belong(clinic):
    exchange(clinic.healthy(), 2, 9)

    (told,) = clinic.findings("swapped").values()

    assert (told.code, told.severity) == ("masks-swapped", "warning")
    assert told.files == ("masks/img_002.png", "masks/img_009.png")
    assert told.details[0].startswith("masks/img_002.png fits images/img_009.png")
    assert "the name that goes with images/img_009.png" in told.remedy


def test_masks_that_slipped_by_a_line_are_found(clinic):
    exchange(clinic.healthy(), *range(16))

    (told,) = clinic.findings("swapped").values()

    assert len(told.files) >= 14


def test_images_of_many_sizes_are_compared_with_their_like(clinic):
    for seed in range(12):
        clinic.healthy(1, first=seed, size=(96, 120) if seed % 2 else (100, 110))
    exchange(clinic, 1, 7)

    (told,) = clinic.findings("swapped").values()

    assert told.files == ("masks/img_001.png", "masks/img_007.png")


def test_masks_that_lie_nowhere_are_not_told_as_swapped(clinic, paint_scene):
    clinic.healthy()
    _, other = paint_scene(500)
    clinic.write("masks/img_003.png", np.where(other, 255, 0).astype(np.uint8))

    assert clinic.findings("swapped") == {}


def test_neighbours_in_a_film_that_are_alike_are_silent(clinic, paint_scene):
    image, objects = paint_scene(1)
    for step in range(12):
        moved = (np.roll(image, step, 1), np.roll(objects, step, 1))
        clinic.pair(f"img_{step:03}", moved[0].astype(np.uint8), np.where(moved[1], 255, 0).astype(np.uint8))

    assert clinic.findings("swapped") == {}
