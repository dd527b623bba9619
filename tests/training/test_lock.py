import contextlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from maskwright.errors import CheckpointError
from maskwright.training import lock
from maskwright.training.lock import held

HOLDS = """
import sys
from pathlib import Path
from maskwright.training.lock import held
with held(Path(sys.argv[1])):
    print("held", flush=True)
    if len(sys.argv) > 2:  # a child that outlives its parent, as a loader's worker may for some seconds
        import os, time
        if os.fork() == 0:
            time.sleep(60)
    sys.stdin.read()
"""


@pytest.fixture
def other():
    """Another process that holds a folder."""
    started = []

    def hold(folder, *more):
        process = subprocess.Popen(
            [sys.executable, "-c", HOLDS, str(folder), *more], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            start_new_session=True,
        )  # fmt: skip
        started.append(process)
        assert process.stdout.readline() == b"held\n"
        return process

    yield hold
    for process in started:
        with process:
            process.kill()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, 9)


def test_two_processes_are_not_at_work_in_one_folder(tmp_path, other):
    process = other(tmp_path)

    with pytest.raises(CheckpointError, match=f"worked on by process {process.pid} on "), held(tmp_path):
        pass


def test_nor_two_threads_of_one(tmp_path):
    with held(tmp_path):
        with pytest.raises(CheckpointError, match="by this very process"), held(tmp_path / "." / ""):
            pass
        assert (tmp_path / lock.NAME).read_text().split()[0] == str(os.getpid())
    assert not list(tmp_path.iterdir())


def test_the_lock_of_a_killed_process_is_free_at_once_even_if_a_child_of_it_lives_on(tmp_path, other):
    process = other(tmp_path, "with a child")
    process.kill()
    process.wait()
    assert (tmp_path / lock.NAME).exists()

    with held(tmp_path):
        pass


def test_where_a_disk_knows_no_locks_what_the_file_says_counts(tmp_path, monkeypatch):
    def none(_):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(lock, "_lock", none)
    path = Path(tmp_path / lock.NAME)
    path.write_text(f"{os.getppid()} {lock.platform.node()}\n")
    with pytest.raises(CheckpointError, match=f"process {os.getppid()}"), held(tmp_path):
        pass
    for gone in ("999999999 " + lock.platform.node(), f"{os.getppid()} elsewhere", "", "what is this"):
        path.write_text(gone)
        with held(tmp_path):
            assert path.read_text().split()[0] == str(os.getpid())
