"""The front door opens at once, and what it announces is there."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import maskwright


def modules_after(code):
    """The top-level modules that are loaded once a fresh Python has run the code."""
    code += "\nimport sys; print('LOADED', *sorted({name.split('.')[0] for name in sys.modules}))"
    places = [str(Path(maskwright.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, places))}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    return set(done.stdout.rpartition("LOADED")[2].split())


HELP = """
import sys
from maskwright.cli import main
sys.argv = ["maskwright", {arguments}]
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
"""


@pytest.mark.parametrize(
    "code",
    [
        "import maskwright",
        "import maskwright; maskwright.__version__; dir(maskwright)",
        HELP.format(arguments="'--help'"),
        HELP.format(arguments="'train', '--help'"),
        HELP.format(arguments="'--version'"),
    ],
    ids=["import", "version", "help", "train help", "--version"],
)
def test_nobody_waits_for_torch_who_did_not_ask_for_it(code):
    loaded = modules_after(code)

    assert "maskwright" in loaded
    assert loaded.isdisjoint({"torch", "scipy", "skimage", "matplotlib", "tifffile", "lightning_fabric"})


def test_asking_for_the_network_loads_torch():
    assert "torch" in modules_after("import maskwright; maskwright.UNet")


@pytest.mark.parametrize("name", maskwright.__all__)
def test_every_public_name_is_there_and_documented(name):
    assert getattr(maskwright, name).__doc__


def test_the_public_names_are_these():
    """A name added or taken away is a decision: change it here, and in the docs and the change log."""
    assert set(maskwright.__all__) == {
        "UNet", "UNetRecord", "__version__", "build", "diagnose", "evaluate", "inspect", "load", "plan", "predict",
        "train",
    }  # fmt: skip
    assert dir(maskwright) == sorted(maskwright.__all__)


def test_an_unknown_public_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute 'trian'"):
        _ = maskwright.trian
