"""What a training stands on: the device, its threads, and the batches that are read beside it."""

import contextlib
import inspect
import logging
import os
import warnings
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins.environments import (
    ClusterEnvironment,
    LightningEnvironment,
    SLURMEnvironment,
    TorchElasticEnvironment,
)
from lightning_fabric.strategies import DDPStrategy, ModelParallelStrategy, Strategy
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, Dataset

from maskwright.data.dataset import Batch, Crops
from maskwright.devices import DeviceSettings, keep_memory, lay_channels_last
from maskwright.errors import MaskwrightError
from maskwright.training import sharding
from maskwright.training.signals import leave_it_to_the_parent


def fabric_for(device: DeviceSettings, *, many: bool = False, freezes: bool = False) -> Fabric:
    """The device and the precision that are set; if many are to work together, as the strategy says.

    freezes: whether parts of the network stand still at times, so that nobody waits for their gradients.
    """
    if not many:
        return Fabric(
            accelerator=device.accelerator,
            devices=1 if device.accelerator in {"cpu", "mps"} else [device.index],
            precision=device.precision,
        )
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # it greets each process
    # What the processes agree on lies on the CPU, wherever they compute.
    backend = "cpu:gloo,cuda:nccl" if device.accelerator == "cuda" else "gloo"
    strategy: Strategy
    if device.strategy == "fsdp":
        strategy = ModelParallelStrategy(
            sharding.shard, data_parallel_size=device.processes, tensor_parallel_size=1, process_group_backend=backend
        )
    else:
        # Statistics of norms are alike in all of them: nothing is to be sent round. torch 2.13 calls it anew.
        known = inspect.signature(DistributedDataParallel.__init__).parameters
        options: dict[str, Any] = {"find_unused_parameters": freezes}
        options["forward_sync_buffers" if "forward_sync_buffers" in known else "broadcast_buffers"] = False
        strategy = DDPStrategy(process_group_backend=backend, **options)
    return Fabric(
        accelerator=device.accelerator,
        devices=device.devices,
        num_nodes=device.nodes,
        precision=device.precision,
        strategy=strategy,
        plugins=[environment()],
    )


def environment() -> ClusterEnvironment:
    """What has started this process: `torchrun`, SLURM's `srun`, or we ourselves or something like us."""
    if TorchElasticEnvironment.detect():
        return TorchElasticEnvironment()
    if "SLURM_STEP_ID" in os.environ and "LOCAL_WORLD_SIZE" not in os.environ:
        return SLURMEnvironment()
    return LightningEnvironment()


def arrange(network: nn.Module, device: DeviceSettings, *, sharded: bool = False) -> None:
    """Let the network work as the device settings ask for. Its weights and their names stay what they are."""
    if device.accelerator == "cpu":
        keep_memory()
    if device.channels_last and not sharded:  # a shard is a number of rows
        lay_channels_last(network)
    if device.compile:
        # In place, unlike `torch.compile(network)`, which would rename the weights.
        network.compile(dynamic=False)


def formatted(images: Tensor, device: DeviceSettings) -> Tensor:
    """The images in the order of memory that the device settings ask for."""
    return images.contiguous(memory_format=torch.channels_last) if device.channels_last else images


def batches(crops: Crops, first: int, workers: int, device: DeviceSettings) -> Generator[Batch, None, None]:
    """The batches from a step on, without end; closed, no worker and no shared memory of theirs is left."""
    steps = range(first, 2**62)
    if not workers:
        yield from (crops[step] for step in steps)
        return
    with warnings.catch_warnings():
        # More workers than cores were asked for, or are wanted where reading waits for a network disk.
        warnings.filterwarnings("ignore", message="This DataLoader will create")
        loader = DataLoader(
            _Told(crops), batch_size=None, sampler=steps, num_workers=workers, prefetch_factor=4,
            pin_memory=device.accelerator == "cuda", worker_init_fn=leave_it_to_the_parent,
        )  # fmt: skip
        iterator: Any = iter(loader)
    try:
        for batch in iterator:
            if isinstance(batch, _Failed):
                raise batch.error
            yield batch
    finally:
        # The traceback of an error keeps the iterator, and so its workers, alive for as long as the error is shown.
        try:
            iterator._shutdown_workers()
        except RuntimeError:  # one was killed just now, of which nothing more was wanted; the others are still there
            iterator._shutdown_workers()


@dataclass(frozen=True)
class _Failed:
    """What a worker sends in place of a batch."""

    error: MaskwrightError


class _Told(Dataset[Batch | _Failed]):
    """Crops for a worker. An error of ours reaches the training as it is, without a traceback in its text."""

    def __init__(self, crops: Crops):
        self.crops = crops

    def __getitem__(self, step: int) -> Batch | _Failed:
        try:
            return self.crops[step]
        except MaskwrightError as error:
            return _Failed(error)


@contextlib.contextmanager
def threads(count: int | None) -> Iterator[None]:
    """So many CPU threads for a while."""
    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)
