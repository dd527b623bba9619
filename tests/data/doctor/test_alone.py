import numpy as np
import pytest


def paint(clinic, paint_scene, images, masks):
    for seed, name in enumerate(images):
        clinic.write(f"images/{name}", paint_scene(seed)[0].astype(np.uint8))
    for seed, name in enumerate(masks):
        clinic.write(f"masks/{name}", np.where(paint_scene(seed)[1], 255, 0).astype(np.uint8))


def test_what_has_no_partner_is_listed_and_near_names_are_offered(clinic, paint_scene):
    paint(
        clinic,
        paint_scene,
        ["a.png", "b.png", "c.png", "img_01.PNG", "lonely.png"],
        ["a.png", "b.png", "c.png", "img_1_mask.png"],
    )

    found = clinic.findings("alone")

    assert set(found) == {"images-alone", "masks-alone"}
    images, masks = found["images-alone"], found["masks-alone"]
    assert images.files == ("images/img_01.PNG", "images/lonely.png")
    assert images.title == "2 images have no mask"
    assert images.details == ("images/img_01.PNG comes near masks/img_1_mask.png",)
    assert masks.files == ("masks/img_1_mask.png",)
    assert {images.severity, masks.severity} == {"warning"}
    assert clinic.findings("alone", skip=[*images.fix["skip"], *masks.fix["skip"]]) == {}


def test_without_a_near_name_it_is_a_note(clinic, paint_scene):
    paint(clinic, paint_scene, ["a.png", "b.png", "station_07.png"], ["a.png", "b.png", "station_08.png"])

    found = clinic.findings("alone")

    assert {finding.severity for finding in found.values()} == {"note"}, "07 and 08 are two pictures"


@pytest.mark.parametrize("more", ["image", "mask"])
def test_more_alone_than_paired_is_an_error_and_told_once(clinic, paint_scene, more):
    ours, theirs = ["a.png", "u.png", "v.png", "w.png"], ["a.png"]
    paint(clinic, paint_scene, *((ours, theirs) if more == "image" else (theirs, ours)))

    found = clinic.findings()

    assert [code for code, finding in found.items() if finding.severity == "error"] == [f"{more}s-alone"]


def test_nobody_is_alone_where_all_pair(clinic):
    clinic.healthy(3)

    assert clinic.findings("alone") == {}
