"""Damaged files: whatever is done to a file, reading it gives an image or one of our errors.

10,000 files by hand, in some minutes: `python tests/files/fuzz/run.py --count 10000`. What fails is told with its seed,
which belongs into `fuzz/seeds.txt` with a line about what it was.
"""

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

from maskwright.errors import ReadError
from maskwright.files import pages_in, read_image, readers
from maskwright.files.archives import is_archive, members

FUZZ = Path(__file__).parent / "fuzz"


@pytest.fixture(scope="module")
def fuzz():
    """The scripts of the fuzz test, as modules: they import each other as neighbours."""
    sys.path.insert(0, str(FUZZ))
    try:
        yield {name: importlib.import_module(name) for name in ("flavours", "damage", "run", "reading")}
    finally:
        sys.path.remove(str(FUZZ))


def faults(found):
    return {" ".join(map(str, seed)): answer["faults"] for seed, answer in found.items() if answer["faults"]}


def test_everything_that_ever_failed_reads_or_is_refused(fuzz):
    kept = fuzz["run"].kept()

    assert kept
    assert faults(fuzz["run"].read_all(kept, children=1)) == {}


def test_some_damaged_files_are_read_or_refused(fuzz):
    found = fuzz["run"].read_all(fuzz["damage"].seeds(150), children=1)

    assert faults(found) == {}
    assert len(found) == 150
    assert 20 < sum(bool(answer["images"]) for answer in found.values()) < 150, "some are read, some refused"


@pytest.mark.slow
def test_thousands_of_damaged_files_are_read_or_refused(fuzz):
    assert faults(fuzz["run"].read_all(fuzz["damage"].seeds(2_500))) == {}


def test_every_reader_has_flavours_to_damage(fuzz, tmp_path):
    """A new reader paints its healthy files in a `fuzz/flavours_*.py` of its own."""
    has = {name: set() for name in readers}
    for name, flavour in fuzz["flavours"].load().items():
        data = flavour.paint()
        head = data[:256] if isinstance(data, bytes) else b""
        known = next((reader for reader in readers if head and readers[reader].recognises(head)), flavour.reader)
        has.setdefault(known, set()).add(name)

    missing = [reader for reader in readers if not has[reader]]
    assert not missing, f"no flavour for {missing}: add tests/files/fuzz/flavours_<format>.py"


# What is healthy, but nothing that can be read: which page or frame, or which two parts of a number, is not ours to guess.  # noqa: E501
NOT_READ = {"png-animation", "gif-animation", "webp-animation", "tiff-complex", "npy-complex64"}


def test_every_flavour_is_healthy_before_it_is_damaged(fuzz, tmp_path):
    """Otherwise only the refusal would be tested."""
    reading = fuzz["reading"]
    for name, flavour in fuzz["flavours"].load().items():
        path = reading._put(tmp_path / f"{name}{flavour.suffix}", flavour.paint())
        if name in NOT_READ:
            with pytest.raises(ReadError):
                read_image(path)
            continue
        inside = members(path) if is_archive(path) else ["image"] if name == "npz-two" else [""]
        assert inside, name
        for picture in (path / one for one in inside):
            page = 0 if pages_in(picture) > 1 else None
            assert read_image(picture, page).size, name


def test_a_seed_gives_the_same_file_whatever_else_there_is(fuzz):
    damaged, seeds = fuzz["damage"].damaged, fuzz["damage"].seeds

    assert damaged("png-rgb8", "lie", 3) == damaged("png-rgb8", "lie", 3)
    assert damaged("png-rgb8", "lie", 3) != damaged("png-rgb8", "lie", 4)
    assert seeds(2000)[:500] == seeds(500)
    assert len(set(seeds(2000))) == 2000


HARM = {
    "crash": ("os.kill(os.getpid(), 11)", "SIGSEGV"),
    "hang": ("[None for _ in iter(int, 1)]", "SIGXCPU"),
    "memory": ("bytearray(2**28)", "0.25 GiB"),
    "another error": ("1 / 0", "ZeroDivisionError"),
}


@pytest.mark.parametrize("harm", HARM)
def test_a_read_that_does_harm_is_told(fuzz, harm, monkeypatch, tmp_path):
    """The runner itself bites: a child whose reader crashes, hangs, swallows memory or raises what is not ours."""
    code, told = HARM[harm]
    child = tmp_path / "reading.py"
    child.write_text(
        f"import os, sys\nsys.path.insert(0, {str(FUZZ)!r})\nimport importlib.util\n"
        f"spec = importlib.util.spec_from_file_location('reading_', {str(FUZZ / 'reading.py')!r})\n"
        "reading = importlib.util.module_from_spec(spec)\nspec.loader.exec_module(reading)\n"
        f"def harm(*_):\n    {code}\n    raise reading.ReadError('refused')\n"
        "reading.SECONDS, reading.MEMORY = 1, 2**27\n"
        "reading.load = lambda load=reading.load: {name: load()[name] for name in ('bmp-rgb32',)}\n"
        "reading._warm, warm = (lambda folder: (warm(folder), setattr(reading, 'read_header', harm))), reading._warm\n"
        "reading.main()\n"
    )
    monkeypatch.setattr(fuzz["run"], "CHILD", child)

    found = fuzz["run"].read_all([("bmp-rgb32", "bits", 0)], children=1)

    assert told in str(faults(found))


def test_the_command_exits_with_one_where_there_is_a_fault(fuzz, monkeypatch, capsys):
    answer = {"faults": ["read_image: 7.0 s"], "images": 0, "errors": [], "seconds": 7.0, "memory": 0}
    monkeypatch.setattr(fuzz["run"], "read_all", lambda todo, children, say: {seed: answer for seed in todo})
    monkeypatch.setattr(sys, "argv", ["run.py", "--seed", "png-rgb8 lie 7"])

    assert fuzz["run"].main() == 1
    assert "1 with faults" in capsys.readouterr().out


def test_the_command_runs_alone():
    """In the way its docstring says."""
    command = [sys.executable, str(FUZZ / "run.py"), "--count", "2", "--children", "1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 files: 0 with faults" in done.stdout
