"""Sharded training (FSDP): each process keeps its share of the weights, gradients and moments.

Weights are whole while a step computes, and lie apart between steps (Zhao et al. 2023, arXiv 2304.11277; torch's
`fully_shard`, where each parameter is a DTensor). The network is one group: of a U-Net's memory the weights are the
smaller part, and one gathering a step is the least talk. What is saved is always whole, so that any number of devices
can go on with it.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, distributed, nn
from torch.optim import Optimizer


def shard(network: nn.Module, mesh: Any) -> nn.Module:
    """The network with its parameters spread over the processes of the mesh."""
    from torch.distributed.fsdp import fully_shard

    network.register_forward_hook(_owned)  # before the sharding's own
    fully_shard(network, mesh=mesh["data_parallel"])
    return network


def _owned(network: nn.Module, images: Any, outputs: Any) -> Any:
    """The outputs as tensors of their own: on a view, the sharding's hook could get lost, and it warns of it."""
    del network, images
    return outputs.clone() if isinstance(outputs, Tensor) else tuple(output.clone() for output in outputs)


def whole(state: Any) -> Any:
    """The state with whole tensors where it had shards. All processes must ask together; without shards, itself."""
    if not distributed.is_initialized():
        return state
    from torch.distributed.tensor import DTensor  # takes its time, and one process needs none

    if isinstance(state, DTensor):
        return state.full_tensor()
    if isinstance(state, Mapping):
        return {key: whole(value) for key, value in state.items()}
    return [whole(value) for value in state] if isinstance(state, list) else state


def like(tensor: Tensor, other: Tensor) -> Tensor:
    """The whole tensor, that all processes have alike, spread as the other one is."""
    if not distributed.is_initialized():
        return tensor
    from torch.distributed.tensor import DTensor, distribute_tensor

    if not isinstance(other, DTensor):
        return tensor
    return distribute_tensor(tensor, other.device_mesh, other.placements, src_data_rank=None)


@torch.no_grad()
def load_network(network: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Load whole weights, whether the network is sharded or not."""
    now = network.state_dict()
    network.load_state_dict(
        {name: like(tensor, now[name]) if name in now else tensor for name, tensor in state.items()}
    )


def load_optimizer(optimizer: Optimizer, state: Mapping[str, Any]) -> None:
    """Load whole moments, whether the parameters are sharded or not."""
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    moments = {
        number: {
            name: like(value, parameters[number]) if _is_moment(value, parameters[number]) else value
            for name, value in kept.items()
        }
        for number, kept in state["state"].items()
    }
    optimizer.load_state_dict({**state, "state": moments})


def _is_moment(value: Any, parameter: Tensor) -> bool:
    return isinstance(value, Tensor) and value.shape == parameter.shape
