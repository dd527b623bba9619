import nibabel
import numpy as np
import pytest

from maskwright.data.labels import ClassLabel, Labels
from maskwright.errors import DataError, SettingError
from maskwright.inference.inputs import demand_runs, is_stack, targets


def labels(*names):
    classes = tuple(ClassLabel(name=name, values=(value,), colour=(value, 0, 0)) for value, name in enumerate(names))
    return Labels(classes=classes)


def test_runs_are_for_one_foreground_class(tmp_path):
    demand_runs(tmp_path / "runs.csv", labels("ground", "salt"))

    with pytest.raises(SettingError, match=r"one foreground class; this model knows 3 classes: ground, cat, dog"):
        demand_runs(tmp_path / "runs.csv", labels("ground", "cat", "dog"))


def test_runs_go_into_a_csv_so_that_no_picture_is_written_over(tmp_path):
    (tmp_path / "photo.png").write_bytes(b"")

    with pytest.raises(SettingError, match=r"photo\.png should end in \.csv"):
        demand_runs(tmp_path / "photo.png", labels("ground", "salt"), overwrite=True)


def test_a_file_that_is_there_is_kept_unless_told_otherwise(tmp_path):
    path = tmp_path / "runs.CSV"
    path.write_text("mine")

    with pytest.raises(DataError, match="--overwrite"):
        demand_runs(path, labels("ground", "salt"))
    demand_runs(path, labels("ground", "salt"), overwrite=True)


def test_a_volume_is_a_stack_and_its_mask_has_its_name_without_both_endings(tmp_path):
    image = tmp_path / "brain.nii.gz"
    nibabel.Nifti1Image(np.zeros((4, 5, 3), np.uint8), np.eye(4)).to_filename(image)

    assert is_stack(image)
    assert targets([image], tmp_path / "out") == {image: tmp_path / "out" / "brain.tif"}
