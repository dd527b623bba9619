"""The processes that train together: who they are, and what they tell each other.

One process alone is a world too; then nothing here does anything. Several are started by us (through Lightning Fabric),
by `torchrun` or by SLURM's `srun`. The first, of rank 0, looks at the data, decides, writes and prints; the others
follow it. All take the same steps: whatever hangs on a clock, a signal or a callback is agreed on.
"""

import json
import os
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, NamedTuple

import torch
from torch import Tensor, distributed

from maskwright.data.dataset import part_of
from maskwright.devices import DeviceSettings, spread
from maskwright.errors import CheckpointError, MaskwrightError, SettingError, TrainingError

POLL_SECONDS: Final = 0.05
VISIBLE_SECONDS: Final = 60.0
"""A shared file system may show a new file so late."""
OURS: Final = ("LOCAL_RANK", "LOCAL_WORLD_SIZE", "WORLD_SIZE", "NODE_RANK", "MASTER_ADDR", "MASTER_PORT")
"""What starting others leaves in the environment."""


class Place(NamedTuple):
    """Where a process stands among those that train together."""

    rank: int = 0
    devices: int = 1
    """Processes on each machine."""
    nodes: int = 1
    started: bool = False
    """Whether something has started all of them already."""


class World:
    """The processes that train together, seen from one of them. Alone until it has joined the others."""

    def __init__(self, place: Place = Place()):  # noqa: B008  # a frozen tuple
        self.place = place
        self.rank, self.size = place.rank, 1
        self._store: distributed.TCPStore | None = None
        self._environment: dict[str, str | None] = {}

    @property
    def first(self) -> bool:
        """Whether this is the process that decides, writes and prints."""
        return self.rank == 0

    def settings(self, device: DeviceSettings, strategy: str | None = None) -> DeviceSettings:
        """The device, among as many as have been started."""
        found = spread(device, self.place.devices, self.place.nodes, strategy)
        # Whoever started several processes has divided the threads of a single one among them too.
        return found if device.processes > 1 else found.model_copy(update={"threads": device.threads})

    def join(self, device: DeviceSettings) -> None:
        """Meet the others, and start those of this machine if nobody has. Nothing where there is but one process."""
        if self.size > 1 or device.processes == 1:
            return
        from maskwright.training.machine import fabric_for

        self._environment = {} if self.place.started else {name: os.environ.get(name) for name in OURS}
        os.environ["LOCAL_WORLD_SIZE"] = str(device.devices)
        fabric = fabric_for(device.model_copy(update={"strategy": "ddp", "precision": "32-true"}), many=True)
        fabric.launch()
        self.rank, self.size = fabric.global_rank, fabric.world_size
        host = os.environ["MASTER_ADDR"]
        port: list[Any] = [None]
        if self.first:
            self._store = distributed.TCPStore(host, 0, is_master=True, wait_for_workers=False)
            port = [self._store.port]
        distributed.broadcast_object_list(port)
        if not self.first:
            self._store = distributed.TCPStore(host, port[0], is_master=False, timeout=timedelta(seconds=30))

    def leave(self) -> None:
        """Part from the others; the environment is as it was before they were started."""
        if self.size > 1:
            distributed.destroy_process_group()
            self.size = 1
        for name, value in self._environment.items():
            os.environ.pop(name, None) if value is None else os.environ.update({name: value})
        self._environment = {}

    def call(self, folder: Path, *, again: bool) -> None:
        """Tell the others which run to work on; its plan and its samples lie in the folder."""
        if self._store is not None:
            plan = (folder / "plan.yaml").read_text("utf-8")
            self._store.set("call", json.dumps([str(folder.resolve()), plan, again]))

    def called(self) -> tuple[Path, bool]:
        """The folder of the run that the first process calls to, and whether it goes on from a checkpoint.

        Raises:
            CheckpointError: this machine does not see the folder.
        """
        assert self._store is not None
        self._wait("call")
        folder, plan, again = json.loads(self._store.get("call"))
        until = time.monotonic() + VISIBLE_SECONDS
        while not _holds(Path(folder) / "plan.yaml", plan):
            if time.monotonic() > until:
                raise CheckpointError(
                    f"{folder} is not what it is on the first machine. Machines that train together must share a "
                    "file system: give --out on one that all of them see."
                )
            time.sleep(1)
        return Path(folder), again

    @contextmanager
    def in_turn(self) -> Iterator[None]:
        """The first process goes first, the others when it is done: what it decodes, they find."""
        if not self.first:
            self._wait("prepared")
        yield
        if self.first and self._store is not None:
            self._store.set("prepared", "1")

    def noted(self, key: str, text: str) -> str:
        """The first process's text, that it left here on its turn."""
        if self._store is None:
            return text
        if self.first:
            self._store.set(key, text)
        return str(self._store.get(key), "utf-8")

    def same(self, value: Any) -> Any:
        """The first process's value."""
        if self.size == 1:
            return value
        held = [value]
        distributed.broadcast_object_list(held)
        return held[0]

    def agree(self, *, anyone: bool, first: tuple[bool, ...]) -> tuple[bool, ...]:
        """Whether anyone says so; and then what the first process says of each of the others."""
        if self.size == 1:
            return (anyone, *first)
        said = torch.tensor([anyone, *(self.first and one for one in first)], dtype=torch.int32)
        distributed.all_reduce(said, distributed.ReduceOp.MAX)
        return tuple(bool(one) for one in said)

    def sum(self, values: Tensor) -> Tensor:
        """The sum over all processes."""
        if self.size > 1:
            distributed.all_reduce(values)
        return values

    def whole(self, part: Tensor, batch: int) -> Tensor:
        """The parts of a batch that the processes hold, one after the other: B …, the same in each of them.

        Gradients flow into this process's own part alone. When each process takes the loss of the whole batch and its
        gradient, and these are added up, it is the gradient that one process with the whole batch has.
        """
        if self.size == 1:
            return part
        lengths = [len(part_of(range(batch), i, self.size)) for i in range(self.size)]
        own = part.detach()
        if len(own) < max(lengths):
            own = torch.cat([own, own.new_zeros(max(lengths) - len(own), *own.shape[1:])])
        own = own.contiguous()
        parts = [torch.empty_like(own) for _ in lengths]
        distributed.all_gather(parts, own)
        parts = [each[:length] for each, length in zip(parts, lengths, strict=True)]
        parts[self.rank] = part
        return torch.cat(parts)

    @contextmanager
    def together(self) -> Iterator[None]:
        """Inside, an error of one process ends all of them: the first says why, the others go in silence.

        Raises:
            TrainingError: in the first process, when another one failed.
        """
        try:
            yield
        except BaseException as error:  # Ctrl-C too must end the others, who would wait for ever
            failed = self._failure()
            collateral = isinstance(error, RuntimeError) and failed is not None
            if self.size == 1:
                raise
            if self.first:
                self._tell("ended", "1")
                if collateral and failed:
                    raise TrainingError(f"Training ended, as {failed}") from error
                raise
            if collateral or isinstance(error, TrainingError | KeyboardInterrupt | SystemExit):
                raise SystemExit(1) from None  # the first process says it
            text = str(error) if isinstance(error, MaskwrightError) else f"{type(error).__name__}: {error}"
            self._tell("failed", f"process {self.rank + 1} of {self.size} failed: {text}")
            if not isinstance(error, MaskwrightError):
                traceback.print_exc(file=sys.stderr)
            raise SystemExit(1) from error
        finally:
            self.leave()

    def _tell(self, key: str, text: str) -> None:
        with suppress(RuntimeError):  # the first process, and the store with it, may be gone
            if self._store is not None and not self._store.check([key]):
                self._store.set(key, text)

    def _failure(self) -> str | None:
        """What another process said of its failure; nothing in words if the first ended; None: none failed."""
        if self._store is None:
            return None
        try:
            if self._store.check(["failed"]):
                return self._store.get("failed").decode()
            return "" if self._store.check(["ended"]) else None
        except RuntimeError:
            return ""

    def _wait(self, key: str) -> None:
        """Until the first process has set the key, however long it takes."""
        assert self._store is not None
        while not self._store.check([key]):
            if self._store.check(["ended"]):
                raise SystemExit(1)
            time.sleep(POLL_SECONDS)


ALONE: Final = World()


def here() -> World:
    """The world that this process was started in, by us, `torchrun` or `srun`; not joined yet.

    Raises:
        SettingError: SLURM does not say how many processes each machine has.
    """
    e = os.environ
    if int(e.get("WORLD_SIZE", 1)) > 1 and "LOCAL_RANK" in e:
        size, devices = int(e["WORLD_SIZE"]), int(e.get("LOCAL_WORLD_SIZE", e["WORLD_SIZE"]))
        node = int(e.get("NODE_RANK", e.get("GROUP_RANK", 0)))
        return World(Place(int(e.get("RANK", node * devices + int(e["LOCAL_RANK"]))), devices, size // devices, True))
    if int(e.get("SLURM_NTASKS", 1)) > 1 and "SLURM_STEP_ID" in e:  # sbatch alone starts one process
        if "SLURM_NTASKS_PER_NODE" not in e:
            raise SettingError("SLURM starts several processes: say how many a machine, with --ntasks-per-node.")
        devices = int(e["SLURM_NTASKS_PER_NODE"])
        return World(Place(int(e["SLURM_PROCID"]), devices, int(e["SLURM_NTASKS"]) // devices, True))
    return World(Place(rank=1 if int(e.get("NODE_RANK", 0)) else 0))


def demand_shares(batch: int, device: DeviceSettings, *, freezes: bool) -> None:
    """Nothing, if a training of that batch can be shared out.

    Raises:
        SettingError: it cannot; says what could.
    """
    if batch < device.processes:
        raise SettingError(
            f"{device.processes} processes share a batch of {batch} crops: each needs one at least. Set "
            f"sampling.batch={device.processes}, or use fewer devices."
        )
    if device.strategy == "fsdp" and device.processes > 1:
        if freezes:
            raise SettingError("A stage freezes the encoder, and fsdp cannot: use --strategy ddp.")
        if device.precision == "16-mixed":
            raise SettingError("fsdp knows no precision 16-mixed: set device.precision=bf16-mixed, or --strategy ddp.")


def _holds(path: Path, text: str) -> bool:
    with suppress(OSError):
        return path.read_text("utf-8") == text
    return False
