"""Optimisers, built from their settings. Norms and biases are never decayed."""

from collections.abc import Iterable
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.optim import SGD, Adam, AdamW, Optimizer, RMSprop

from maskwright.settings import OptimizerSettings
from maskwright.training import sharding


def build(network: nn.Module, settings: OptimizerSettings, *, by_level: bool = False) -> Optimizer:
    """The optimiser for a network's parameters. Each group keeps its top rate under `top_lr`.

    by_level: give each level of the encoder groups of its own, as `settings.front` below 1 does anyway; the first
        groups are then the decoder's. Such a group has `forward`: 0 at the bottleneck, 1 at the first level.
    """
    kernels = [p for p in network.parameters() if p.ndim > 1]
    rest = [p for p in network.parameters() if p.ndim <= 1]
    s = settings
    groups: list[dict[str, Any]]
    if s.name == "muon":
        # A head is no hidden layer: its rows are classes, and orthogonal rows would make all equally likely.
        heads = [getattr(network, name, nn.Identity()) for name in ("head", "side_heads")]
        head = [p for part in heads for p in part.parameters() if p.ndim > 1]
        hidden = [p for p in kernels if all(p is not q for q in head)]
        groups = [
            {"params": hidden, "lr": s.lr, "weight_decay": s.weight_decay, "orthogonal": True},
            {"params": head, "lr": s.side_lr, "weight_decay": s.weight_decay, "orthogonal": False},
            {"params": rest, "lr": s.side_lr, "weight_decay": 0.0, "orthogonal": False},
        ]
    else:
        groups = [{"params": kernels, "weight_decay": s.weight_decay}, {"params": rest, "weight_decay": 0.0}]
    if by_level or s.front < 1:
        groups = [part for group in groups for part in _by_level(group, cast("Any", network.encoder).levels())]
    optimizer = _optimizer(groups, s)
    set_tops(optimizer, s, s.lr, s.front)
    return optimizer


def _optimizer(groups: list[dict[str, Any]], s: OptimizerSettings) -> Optimizer:
    if s.name == "muon":
        return Muon(groups, momentum=s.momentum, betas=(0.9, s.beta2), eps=s.eps)
    if s.name == "sgd":
        return SGD(groups, lr=s.lr, momentum=s.momentum, nesterov=s.nesterov and s.momentum > 0)
    if s.name == "rmsprop":
        return RMSprop(groups, lr=s.lr, alpha=s.beta2, eps=s.eps, momentum=s.momentum)
    kind = AdamW if s.name == "adamw" else Adam
    return kind(groups, lr=s.lr, betas=(s.momentum, s.beta2), eps=s.eps, foreach=True)


def _by_level(group: dict[str, Any], levels: list[list[nn.Parameter]]) -> list[dict[str, Any]]:
    """The group in parts: what is not the encoder's, then the encoder's levels from the bottleneck to the front."""
    level_of = {id(p): level for level, parameters in enumerate(levels) for p in parameters}
    last = len(levels) - 1
    parts = []
    for level in (None, *reversed(range(len(levels)))):
        forward = 0.0 if level is None else (last - level) / last if last else 1.0
        parameters = [p for p in group["params"] if level_of.get(id(p)) == level]
        parts.append({**group, "params": parameters, "forward": forward})
    return [part for part in parts if part["params"]]


def set_tops(optimizer: Optimizer, settings: OptimizerSettings, lr: float, front: float) -> None:
    """Set every group's top rate: `lr`, Muon's side groups in proportion, less towards the front of the encoder."""
    for group in optimizer.param_groups:
        top = lr if group.get("orthogonal", True) else settings.side_lr * (lr / settings.lr)
        group["top_lr"] = group["lr"] = top * front ** group.get("forward", 0.0)


def set_rate(optimizer: Optimizer, share: float) -> float:
    """Set every group's rate to a share of its top; returns the first group's."""
    for group in optimizer.param_groups:
        group["lr"] = group["top_lr"] * share
    return float(optimizer.param_groups[0]["lr"])


def set_momentum(optimizer: Optimizer, momentum: float) -> None:
    """Set the momentum of all groups; the first beta of those that have two. Muon's side groups keep theirs."""
    for group in optimizer.param_groups:
        if "momentum" in group:
            group["momentum"] = momentum
        else:
            group["betas"] = (momentum, group["betas"][1])


class Muon(Optimizer):
    """Momentum whose direction is made orthogonal, for kernels as matrices O × (I h w); AdamW for the rest.

    Every singular value of the update becomes about 1, so directions that rarely show in the gradient are learnt
    as fast as the common ones. The update is scaled so that its root mean square is 0.2 · lr, that of AdamW.
    Jordan et al. 2024 (kellerjordan.github.io/posts/muon); scale from Liu et al. 2025, arXiv 2502.16982.
    torch.optim.Muon takes matrices only, hence ours.
    """

    def __init__(self, params: Iterable[dict[str, object]], momentum: float, betas: tuple[float, float], eps: float):
        super().__init__(params, {"lr": 0.02, "weight_decay": 0.0, "momentum": momentum, "betas": betas, "eps": eps})

    @torch.no_grad()
    # torch's own step may take a closure and give its loss; ours is never handed one.
    def step(self, closure: None = None) -> None:  # type: ignore[override]  # nobody passes one
        """One update from the gradients."""
        for group in self.param_groups:
            parameters = [p for p in group["params"] if p.grad is not None]
            if not parameters:
                continue
            gradients = [p.grad for p in parameters if p.grad is not None]
            torch._foreach_mul_(parameters, 1 - group["lr"] * group["weight_decay"])
            change = self._orthogonal if group["orthogonal"] else self._adaptive
            torch._foreach_add_(parameters, change(parameters, gradients, group), alpha=-group["lr"])

    def _orthogonal(self, parameters: list[Tensor], gradients: list[Tensor], group: dict[str, Any]) -> list[Tensor]:
        momentum = self._kept(parameters, "momentum")
        torch._foreach_lerp_(momentum, gradients, 1 - group["momentum"])
        ahead = torch._foreach_lerp(gradients, momentum, group["momentum"])  # Nesterov
        return [sharding.like(_directed(sharding.whole(update)), update) for update in ahead]

    def _adaptive(self, parameters: list[Tensor], gradients: list[Tensor], group: dict[str, Any]) -> list[Tensor]:
        beta1, beta2 = group["betas"]
        group["step"] = step = group.get("step", 0) + 1
        first, second = self._kept(parameters, "first"), self._kept(parameters, "second")
        torch._foreach_lerp_(first, gradients, 1 - beta1)
        torch._foreach_lerp_(second, torch._foreach_mul(gradients, gradients), 1 - beta2)
        size = list(torch._foreach_div(second, 1 - beta2**step))
        torch._foreach_sqrt_(size)
        torch._foreach_add_(size, group["eps"])
        return list(torch._foreach_div(torch._foreach_div(first, 1 - beta1**step), size))

    def _kept(self, parameters: list[Tensor], name: str) -> list[Tensor]:
        for parameter in parameters:
            if name not in self.state[parameter]:
                self.state[parameter][name] = torch.zeros_like(parameter)
        return [self.state[parameter][name] for parameter in parameters]


def _directed(update: Tensor) -> Tensor:
    """The update of a whole kernel, orthogonal and scaled."""
    matrix = orthogonalise(update.flatten(1))
    return (matrix * (0.2 * max(matrix.shape) ** 0.5)).view_as(update)


def orthogonalise(matrix: Tensor, steps: int = 4) -> Tensor:
    """A matrix with the same singular vectors and singular values near 1, by a quintic Newton–Schulz iteration.

    The coefficients are Jordan's: steep at 0, they leave values between about 0.7 and 1.2, which does no harm. The
    iteration X ← (a + b·R + c·R²)·X with R = X·Xᵀ is run on the small square R alone, and X is multiplied once at the
    end: for a kernel of 160 × 1440 a ninth of the arithmetic.
    """
    a, b, c = 3.4445, -4.7750, 2.0315
    tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.T if tall else matrix
    x = x / (x.norm() + 1e-7)
    square = x @ x.T
    product = None
    for step in range(steps):
        factor = torch.addmm(square, square, square, beta=b, alpha=c)
        factor.diagonal().add_(a)
        product = factor if product is None else factor @ product
        if step < steps - 1:
            square = factor @ square @ factor
    x = product @ x
    return x.T if tall else x
