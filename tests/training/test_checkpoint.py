import errno
import os
import pickle
import random
from pathlib import Path

import pytest
import torch

from maskwright.errors import CheckpointError
from maskwright.training import checkpoint

CPU = torch.device("cpu")


@pytest.fixture
def state():
    return {
        "network": {"a": torch.randn(3, 4), "b": torch.arange(3)},
        "optimizer": torch.optim.SGD([torch.zeros(3, requires_grad=True)], lr=0.1).state_dict(),
        "progress": {"step": 7, "best": None, "score": float("nan"), "rows": [1, 2.5, "x"]},
    }


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run" / checkpoint.NAME


def test_what_was_saved_comes_back(path, state):
    checkpoint.save(path, state)

    found = checkpoint.load(path, CPU)

    assert torch.equal(found["network"]["a"], state["network"]["a"])
    assert torch.equal(found["network"]["b"], state["network"]["b"])
    assert found["optimizer"] == state["optimizer"]
    assert found["progress"]["rows"] == [1, 2.5, "x"]


def half_a_file(error):
    """What a full disk does to torch.save."""

    def save(_, to):
        Path(to).write_bytes(b"half a checkp")
        raise error

    return save


@pytest.mark.parametrize(
    "error",
    [OSError(errno.ENOSPC, "No space left on device"), RuntimeError("[enforce fail at inline_container.cc:783]")],
    ids=["by the system", "by torch"],
)
def test_a_full_disk_costs_nothing_but_the_new_checkpoint(path, state, monkeypatch, error):
    checkpoint.save(path, state)
    before = path.read_bytes()
    monkeypatch.setattr(checkpoint.torch, "save", half_a_file(error))

    with pytest.raises(CheckpointError, match=f"{checkpoint.NAME} could not be written.*Free some space"):
        checkpoint.save(path, state)

    assert path.read_bytes() == before
    assert os.listdir(path.parent) == [checkpoint.NAME]  # noqa: PTH208


def test_a_kill_while_writing_leaves_the_old_one(path, state, monkeypatch):
    checkpoint.save(path, state)
    before = path.read_bytes()
    monkeypatch.setattr(checkpoint.torch, "save", half_a_file(KeyboardInterrupt()))

    with pytest.raises(KeyboardInterrupt):
        checkpoint.save(path, state)

    assert path.read_bytes() == before


def test_where_none_is_the_next_step_is_named(path):
    with pytest.raises(CheckpointError, match=r"does not exist: there is nothing to resume. Start the training anew"):
        checkpoint.load(path, CPU)


def test_a_damaged_one_is_an_error_of_ours_wherever_it_is_cut(path, state):
    checkpoint.save(path, state)
    whole = path.read_bytes()

    for stop in [*range(0, 40, 7), *range(40, len(whole), 97)]:
        path.write_bytes(whole[:stop])
        with pytest.raises(CheckpointError, match="is damaged and cannot be resumed"):
            checkpoint.load(path, CPU)


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
def test_changed_bytes_never_cause_a_foreign_error(path, state):
    """Where they fall into padding or a number they may pass unseen; what else they break must be told."""
    checkpoint.save(path, state)
    whole = path.read_bytes()
    rng = random.Random(0)

    for _ in range(300):
        changed = bytearray(whole)
        changed[rng.randrange(len(whole))] = rng.randrange(256)
        path.write_bytes(changed)
        try:
            checkpoint.load(path, CPU)
        except CheckpointError as error:
            assert str(path) in str(error)  # noqa: PT017


@pytest.mark.parametrize("content", [b"", b"hello, world\n", bytes(300), b"PK\x03\x04", b"\x80\x04."])
@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
def test_another_kind_of_file_is_refused(path, content):
    path.parent.mkdir()
    path.write_bytes(content)

    with pytest.raises(CheckpointError, match="is damaged"):
        checkpoint.load(path, CPU)


@pytest.mark.parametrize("other", [torch.zeros(3), [1, 2], "text"], ids=["tensor", "list", "text"])
def test_another_s_checkpoint_is_refused(path, other):
    path.parent.mkdir()
    torch.save(other, path)

    with pytest.raises(CheckpointError, match=checkpoint.NAME):
        checkpoint.load(path, CPU)


def test_one_from_a_later_version_is_refused(path, state):
    checkpoint.save(path, {**state, "version": 3})

    with pytest.raises(CheckpointError, match="has version 3, this Maskwright reads 2"):
        checkpoint.load(path, CPU)


class Malicious:
    """Writes a file when it is unpickled."""

    def __init__(self, trace):
        self.trace = str(trace)

    def __reduce__(self):
        return os.mkdir, (self.trace,)


@pytest.mark.parametrize("how", ["torch", "pickle"])
@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
def test_code_in_a_checkpoint_is_never_run(path, state, tmp_path, how):
    trace = tmp_path / "it ran"
    path.parent.mkdir()
    if how == "torch":
        torch.save({**state, "version": 1, "surprise": Malicious(trace)}, path)
    else:
        path.write_bytes(pickle.dumps({"version": 1, "surprise": Malicious(trace)}))

    with pytest.raises(CheckpointError, match="is damaged"):
        checkpoint.load(path, CPU)

    assert not trace.exists()


def test_the_one_before_is_kept_and_read_when_the_last_is_damaged(path, state):
    for step in (1, 2, 3):
        checkpoint.save(path, {**state, "step": step})
    found, remark = checkpoint.latest(path.parent, CPU)
    assert (found["step"], remark) == (3, "")

    path.write_bytes(path.read_bytes()[:100])
    found, remark = checkpoint.latest(path.parent, CPU)
    assert found["step"] == 2
    assert "is damaged" in remark

    path.unlink()  # as for a moment where files have no second names
    assert checkpoint.exists(path.parent)
    assert checkpoint.latest(path.parent, CPU)[0]["step"] == 2

    path.with_name(checkpoint.PREVIOUS).write_bytes(b"")
    with pytest.raises(CheckpointError, match=f"{checkpoint.NAME} does not exist"):
        checkpoint.latest(path.parent, CPU)


def test_files_without_second_names_are_kept_too(path, state, monkeypatch):
    def refuse(*_):
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(checkpoint.os, "link", refuse)
    for step in (1, 2):
        checkpoint.save(path, {**state, "step": step})

    assert checkpoint.load(path, CPU)["step"] == 2
    assert checkpoint.load(path.with_name(checkpoint.PREVIOUS), CPU)["step"] == 1


def test_a_disk_with_room_for_two_keeps_the_newest(path, state, monkeypatch):
    """The previous one gives way before the new one is given up."""
    for step in (1, 2):
        checkpoint.save(path, {**state, "step": step})
    real = torch.save

    def full(what, to):
        if path.with_name(checkpoint.PREVIOUS).exists():
            half_a_file(OSError(errno.ENOSPC, "No space left on device"))(what, to)
        real(what, to)

    monkeypatch.setattr(checkpoint.torch, "save", full)
    checkpoint.save(path, {**state, "step": 3})

    assert checkpoint.load(path, CPU)["step"] == 3
