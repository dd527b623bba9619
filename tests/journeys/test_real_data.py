"""The six sets of real data that lie beside the project on our machines, with no option but the folder.

They are read where they lie (MASKWRIGHT_DATA, default ../shared/data) and never copied; where they are missing these
tests are left out, and say so.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import maskwright

DATA = Path(os.environ.get("MASKWRIGHT_DATA", "../shared/data"))
SETS = ("isbi2012", "camvid", "salt", "nuclei", "pets26", "labelme")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not DATA.is_dir(), reason=f"no real data in {DATA}; set MASKWRIGHT_DATA"),
]


@pytest.mark.parametrize("name", SETS)
def test_the_doctor_finds_no_error_where_there_is_none(name):
    found = maskwright.diagnose(DATA / name)
    assert [finding.title for finding in found.errors] == []


@pytest.mark.parametrize("name", SETS)
def test_a_short_training_needs_no_option_but_the_folder(name, tmp_path):
    command = [sys.executable, "-m", "maskwright", "train", str((DATA / name).resolve()), "--minutes", "0.3"]

    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    (run,) = (tmp_path / "runs").iterdir()
    assert (run / "model.safetensors").is_file()
    assert (run / "report.html").is_file()
    assert "mean IoU" in done.stdout
