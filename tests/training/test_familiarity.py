import numpy as np
import pytest

from maskwright import api, modelfile
from maskwright.errors import DataError, SettingError
from maskwright.files import read_image
from maskwright.inference import Predictor, guard


@pytest.fixture(scope="module")
def run(paint_blobs, tiny, tmp_path_factory):
    folder = tmp_path_factory.mktemp("familiar")
    data = paint_blobs(folder / "discs", count=12, size=(24, 20))
    settings = {**tiny, "training.budget": {"steps": 4}, "model.base": 4, "device.threads": 1}
    return api.train(data, out=folder / "run", device="cpu", settings=settings), data


def test_a_training_says_what_its_images_looked_like(run):
    trained, data = run
    known = modelfile.describe(trained.model).familiar

    images = [read_image(path) for path in sorted((data / "images").iterdir())]
    assert (known.images, known.held_out) == (
        len(modelfile.describe(trained.model).split["train"]),
        len(modelfile.describe(trained.model).split["val"]),
    )
    assert known.mean[0][0] >= min(image.mean() for image in images) - 0.01
    assert known.mean[0][1] <= max(image.mean() for image in images) + 0.01
    assert known.smallest == known.largest == (24, 20)


def test_the_guard_knows_the_training_and_finds_a_black_image(run):
    trained, data = run
    members = Predictor(trained.model, device="cpu").members
    images = [read_image(path) for path in sorted((data / "images").iterdir())]

    assert sum(bool(guard.check(members, image)) for image in images) <= 1
    assert guard.check(members, np.zeros((24, 20), np.uint8))


def test_an_older_model_file_is_familiarised_later_with_the_same_result(run, tmp_path):
    trained, data = run
    description, tensors = modelfile.read(trained.model)
    old = modelfile.write(tmp_path / "old.safetensors", tensors, description.model_copy(update={"familiar": None}))
    assert modelfile.describe(old).familiar is None

    new = api.familiarise(old, data, out=tmp_path / "new.safetensors", device="cpu")

    assert modelfile.describe(new) == description
    assert modelfile.describe(old).familiar is None
    with pytest.raises(SettingError, match="there already"):
        api.familiarise(old, data, out=new)
    with pytest.raises(DataError, match="Say which folder"):
        api.familiarise(old)


def test_images_that_the_model_does_not_know_are_refused(run, paint_blobs, tmp_path):
    trained, _ = run
    others = paint_blobs(tmp_path / "others", seed=9)

    with pytest.raises(DataError, match="holds 0 of the images"):
        api.familiarise(trained.model, others, out=tmp_path / "new.safetensors", device="cpu")


def test_each_member_of_an_ensemble_keeps_what_it_knows(run, tmp_path):
    trained, _ = run

    both = api.ensemble([trained.model, trained.model], tmp_path / "both.safetensors")

    known = modelfile.describe(trained.model).familiar
    description = modelfile.describe(both)
    assert description.familiar is None
    assert [member.familiar for member in description.members] == [known, known]
    assert len(Predictor(both, device="cpu").members) == 2
