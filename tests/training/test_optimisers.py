import copy
import inspect
import io

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from maskwright.model import UNet
from maskwright.settings import OptimizerSettings
from maskwright.training.optimisers import Muon, build, orthogonalise, set_momentum, set_rate, set_tops

NAMES = ["adamw", "adam", "sgd", "rmsprop", "muon"]


@pytest.fixture
def network():
    torch.manual_seed(0)
    return UNet(1, 2, depth=1, base=4)


def give_gradients(network, seed):
    generator = torch.Generator().manual_seed(seed)
    for parameter in network.parameters():
        parameter.grad = torch.randn(parameter.shape, generator=generator)


def one_group(shapes, orthogonal, *, lr=0.02, weight_decay=0.1, momentum=0.95, betas=(0.9, 0.99), eps=1e-8):
    """Parameters of these shapes and a Muon that treats all of them alike."""
    generator = torch.Generator().manual_seed(0)
    parameters = [nn.Parameter(torch.randn(shape, generator=generator)) for shape in shapes]
    group = {"params": parameters, "lr": lr, "weight_decay": weight_decay, "orthogonal": orthogonal}
    return parameters, Muon([group], momentum=momentum, betas=betas, eps=eps)


def walk(parameters, optimizer, steps):
    """Some steps down gradients that are the same for all who walk."""
    generator = torch.Generator().manual_seed(1)
    for _ in range(steps):
        for parameter in parameters:
            parameter.grad = torch.randn(parameter.shape, generator=generator)
        optimizer.step()


@pytest.mark.skipif(not hasattr(torch.optim, "Muon"), reason="this torch has no Muon")
def test_on_matrices_muon_is_pytorch_s():
    ours, muon = one_group([(16, 40), (40, 16), (9, 9)], orthogonal=True)
    theirs = [nn.Parameter(p.detach().clone()) for p in ours]
    start = [p.detach().clone() for p in ours]
    reference = torch.optim.Muon(
        theirs,
        lr=0.02,
        weight_decay=0.1,
        momentum=0.95,
        nesterov=True,
        adjust_lr_fn="match_rms_adamw",
        ns_steps=inspect.signature(orthogonalise).parameters["steps"].default,
    )

    walk(ours, muon, 5)
    walk(theirs, reference, 5)

    for mine, other, before in zip(ours, theirs, start, strict=True):
        # Theirs iterates in bfloat16, which has two to three digits.
        assert (mine - other).norm() < 0.02 * (other - before).norm()


def test_on_everything_else_muon_is_adamw():
    ours, muon = one_group([(7,), (3, 4), (2, 3, 3, 3)], orthogonal=False)
    theirs = [nn.Parameter(p.detach().clone()) for p in ours]
    reference = torch.optim.AdamW(theirs, lr=0.02, weight_decay=0.1, betas=(0.9, 0.99), eps=1e-8)

    walk(ours, muon, 20)
    walk(theirs, reference, 20)

    for mine, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-5, atol=1e-6)


def test_a_kernel_is_a_matrix_of_outputs_by_all_else():
    (kernel,), of_kernel = one_group([(6, 5, 3, 3)], orthogonal=True)
    (matrix,), of_matrix = one_group([(6, 45)], orthogonal=True)
    matrix.data = kernel.detach().flatten(1).clone()

    walk([kernel], of_kernel, 3)
    walk([matrix], of_matrix, 3)

    torch.testing.assert_close(kernel.flatten(1), matrix)


def test_pixel_by_pixel_memory_changes_nothing():
    (plain,), one = one_group([(24, 2, 3, 3)], orthogonal=True)
    (last,), two = one_group([(24, 2, 3, 3)], orthogonal=True)
    last.data = last.data.contiguous(memory_format=torch.channels_last)

    walk([plain], one, 3)
    walk([last], two, 3)

    torch.testing.assert_close(plain, last.contiguous())


@given(rows=st.integers(1, 40), columns=st.integers(1, 40), steps=st.integers(1, 6), seed=st.integers(0, 99))
def test_orthogonalise_keeps_the_directions_and_evens_their_lengths(rows, columns, steps, seed):
    """The slow twin works on the singular values alone: that is where the polynomial acts."""
    matrix = torch.randn(rows, columns, generator=torch.Generator().manual_seed(seed))
    u, s, v = torch.linalg.svd(matrix.double(), full_matrices=False)
    s = s / s.norm()
    for _ in range(steps):
        s = 3.4445 * s - 4.7750 * s**3 + 2.0315 * s**5

    torch.testing.assert_close(orthogonalise(matrix, steps).double(), u @ torch.diag(s) @ v, atol=2e-3, rtol=2e-3)


def test_orthogonalise_leaves_no_direction_behind():
    lengths = torch.linalg.svdvals(orthogonalise(torch.randn(64, 576, generator=torch.Generator().manual_seed(0))))

    assert lengths.min() > 0.5
    assert lengths.max() < 1.3


def test_orthogonalise_survives_a_gradient_of_zeros_and_one_of_a_single_direction():
    assert not orthogonalise(torch.zeros(4, 9)).any()
    flat = orthogonalise(torch.ones(4, 9) * 1e-20)
    assert flat.isfinite().all()


def test_an_update_is_as_large_as_one_of_adamw():
    (kernel,), muon = one_group([(64, 64, 3, 3)], orthogonal=True, lr=1.0, weight_decay=0.0)
    before = kernel.detach().clone()

    walk([kernel], muon, 1)

    assert 0.15 < (kernel - before).square().mean().sqrt() < 0.25


def test_muon_turns_the_hidden_kernels_only(network):
    optimizer = build(network, OptimizerSettings(name="muon", lr=0.02, side_lr=0.003, weight_decay=0.1))
    hidden, head, rest = optimizer.param_groups

    assert hidden["orthogonal"]
    assert not head["orthogonal"]
    assert not rest["orthogonal"]
    assert [p is network.head.weight for p in head["params"]] == [True]
    assert all(p.ndim == 4 for p in hidden["params"])
    assert all(p.ndim == 1 for p in rest["params"])
    assert [group["lr"] for group in optimizer.param_groups] == [0.02, 0.003, 0.003]


@pytest.mark.parametrize("name", NAMES)
def test_every_parameter_is_in_one_group(network, name):
    optimizer = build(network, OptimizerSettings(name=name))

    places = [id(p) for group in optimizer.param_groups for p in group["params"]]
    assert sorted(places) == sorted(id(p) for p in network.parameters())


@pytest.mark.parametrize("name", NAMES)
def test_norms_and_biases_are_not_decayed(network, name):
    with torch.no_grad():
        for parameter in network.parameters():
            nn.init.normal_(parameter)
            parameter.grad = torch.zeros_like(parameter)
    before = {n: p.detach().clone() for n, p in network.named_parameters()}

    build(network, OptimizerSettings(name=name, weight_decay=0.5, lr=0.01, side_lr=0.01)).step()

    for parameter_name, parameter in network.named_parameters():
        if parameter.ndim == 1:
            assert torch.equal(parameter, before[parameter_name]), parameter_name
        else:
            assert parameter.norm() < before[parameter_name].norm(), parameter_name


@pytest.mark.parametrize("name", NAMES)
def test_a_saved_state_goes_on_bit_for_bit(network, name):
    settings = OptimizerSettings(name=name, lr=0.01, weight_decay=0.1)
    twin = copy.deepcopy(network)
    first, second = build(network, settings), build(twin, settings)
    for step in range(6):
        if step == 3:
            file = io.BytesIO()
            torch.save({"optimizer": second.state_dict(), "weights": twin.state_dict()}, file)
            file.seek(0)
            saved = torch.load(file, weights_only=True)
            twin = UNet(1, 2, depth=1, base=4)
            twin.load_state_dict(saved["weights"])
            second = build(twin, settings)
            second.load_state_dict(saved["optimizer"])
        for one, optimizer in ((network, first), (twin, second)):
            give_gradients(one, step)
            set_rate(optimizer, 1 - step / 10)
            optimizer.step()

    for (key, mine), other in zip(network.named_parameters(), twin.parameters(), strict=True):
        assert torch.equal(mine, other), key


@pytest.mark.parametrize("name", NAMES)
def test_the_rate_is_a_share_of_each_group_s_own_top(network, name):
    optimizer = build(network, OptimizerSettings(name=name, lr=0.02, side_lr=0.004))
    tops = [group["lr"] for group in optimizer.param_groups]

    for share in (0.5, 0.0, 1.0, 0.25):
        assert set_rate(optimizer, share) == pytest.approx(0.02 * share)
        assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([top * share for top in tops])


@pytest.mark.parametrize("name", NAMES)
def test_at_a_rate_of_zero_nothing_moves(network, name):
    optimizer = build(network, OptimizerSettings(name=name))
    before = [p.detach().clone() for p in network.parameters()]
    set_rate(optimizer, 0.0)
    give_gradients(network, 0)

    optimizer.step()

    assert all(torch.equal(p, was) for p, was in zip(network.parameters(), before, strict=True))


@pytest.mark.parametrize("name", NAMES)
def test_parameters_without_a_gradient_stay(network, name):
    optimizer = build(network, OptimizerSettings(name=name))
    give_gradients(network, 0)
    frozen = network.encoder.blocks[0]
    before = [p.detach().clone() for p in frozen.parameters()]
    for parameter in frozen.parameters():
        parameter.grad = None

    optimizer.step()

    assert all(torch.equal(p, was) for p, was in zip(frozen.parameters(), before, strict=True))


@pytest.mark.parametrize("name", NAMES)
def test_every_optimiser_goes_downhill(name):
    torch.manual_seed(0)
    network = UNet(1, 2, depth=1, base=4)
    images = torch.randn(2, 1, 16, 16)
    labels = (images[:, 0] > 0).long()
    optimizer = build(network, OptimizerSettings(name=name, lr=0.3 if name == "sgd" else 0.01, side_lr=0.01))

    losses = []
    for _ in range(40):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(network(images), labels)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())

    assert losses[-1] < 0.6 * losses[0]


def test_the_settings_reach_the_optimiser(network):
    s = {"lr": 0.1, "weight_decay": 0.2, "momentum": 0.3}
    sgd = build(network, OptimizerSettings(name="sgd", nesterov=False, **s))
    adamw = build(network, OptimizerSettings(name="adamw", beta2=0.4, eps=1e-5, **s))
    muon = build(network, OptimizerSettings(name="muon", beta2=0.4, eps=1e-5, **s))
    rmsprop = build(network, OptimizerSettings(name="rmsprop", beta2=0.4, eps=1e-5, **s))

    assert (sgd.param_groups[0]["momentum"], sgd.param_groups[0]["nesterov"]) == (0.3, False)
    assert adamw.param_groups[0]["betas"] == (0.3, 0.4)
    assert muon.param_groups[0]["momentum"] == 0.3
    assert muon.param_groups[2]["betas"] == (0.9, 0.4)
    assert (rmsprop.param_groups[0]["momentum"], rmsprop.param_groups[0]["alpha"]) == (0.3, 0.4)
    for optimizer in (adamw, muon, rmsprop):
        assert optimizer.param_groups[0]["eps"] == 1e-5
    for optimizer in (sgd, adamw, muon, rmsprop):
        assert (optimizer.param_groups[0]["lr"], optimizer.param_groups[0]["weight_decay"]) == (0.1, 0.2)


def test_sgd_without_momentum_does_not_look_ahead(network):
    assert not build(network, OptimizerSettings(name="sgd", momentum=0)).param_groups[0]["nesterov"]


def rates_by_name(network, optimizer):
    rates = {id(p): group["lr"] for group in optimizer.param_groups for p in group["params"]}
    return {name: rates[id(p)] for name, p in network.named_parameters()}


DEEP = UNet(1, 2, depth=2, base=2, stem=2, down="strided")


@pytest.mark.parametrize("name", ["adamw", "adam", "sgd", "rmsprop"])
def test_rates_fall_geometrically_to_the_front(name):
    optimizer = build(DEEP, OptimizerSettings(name=name, lr=0.8, front=0.25))
    set_rate(optimizer, 0.5)

    by_level = [("stem", "blocks.0"), ("downs.0", "blocks.1"), ("downs.1", "blocks.2")]
    expected = {f"encoder.{n}": rate for names, rate in zip(by_level, (0.1, 0.2, 0.4), strict=True) for n in names}
    for parameter, rate in rates_by_name(DEEP, optimizer).items():
        place = next((place for place in expected if parameter.startswith(place)), None)
        assert rate == pytest.approx(expected.get(place, 0.4)), parameter


def test_muon_s_side_rates_fall_to_the_front_too():
    optimizer = build(DEEP, OptimizerSettings(name="muon", lr=0.8, side_lr=0.08, front=0.25))
    rates = rates_by_name(DEEP, optimizer)

    assert rates["encoder.blocks.0.0.convolutions.0.0.weight"] == pytest.approx(0.2)
    assert rates["encoder.blocks.0.0.convolutions.0.1.weight"] == pytest.approx(0.02)
    assert rates["encoder.blocks.1.0.convolutions.0.1.bias"] == pytest.approx(0.04)
    assert rates["decoder.blocks.1.convolutions.0.0.weight"] == pytest.approx(0.8)
    assert rates["head.weight"] == pytest.approx(0.08)
    assert set_rate(optimizer, 0.5) == pytest.approx(0.4), "the rate that is told is the decoder's kernels'"


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("how", [{"front": 0.1}, {"by_level": True}])
def test_by_level_too_every_parameter_is_in_one_group_and_decayed_as_ever(name, how):
    settings = OptimizerSettings(name=name, weight_decay=0.3, front=how.get("front", 1))
    optimizer = build(DEEP, settings, by_level="by_level" in how)
    level_of = {id(p): n for n, level in enumerate(DEEP.encoder.levels()) for p in level}

    places = [id(p) for group in optimizer.param_groups for p in group["params"]]
    assert sorted(places) == sorted(id(p) for p in DEEP.parameters())
    for group in optimizer.param_groups:
        assert len({level_of.get(id(p)) for p in group["params"]}) == 1
        assert {p.ndim > 1 for p in group["params"]} == {group["weight_decay"] > 0}
        assert "top_lr" in group


@pytest.mark.parametrize(("name", "groups"), [("adamw", 2), ("rmsprop", 2), ("muon", 3)])
def test_with_all_levels_alike_there_are_no_more_groups_than_kinds(name, groups):
    optimizer = build(DEEP, OptimizerSettings(name=name))

    assert len(optimizer.param_groups) == groups
    assert all("forward" not in group for group in optimizer.param_groups)


def test_the_encoder_s_only_level_is_its_first():
    class One(nn.Module):
        def __init__(self):
            super().__init__()
            self.encoder = nn.ModuleList([nn.Conv2d(1, 1, 1)])
            self.encoder.levels = lambda: [list(self.encoder.parameters())]
            self.head = nn.Conv2d(1, 1, 1)

    network = One()
    rates = rates_by_name(network, build(network, OptimizerSettings(lr=1, front=0.5)))

    assert rates == {"encoder.0.weight": 0.5, "encoder.0.bias": 0.5, "head.weight": 1.0, "head.bias": 1.0}


def test_new_tops_keep_muon_s_proportion():
    settings = OptimizerSettings(name="muon", lr=0.02, side_lr=0.005)
    optimizer = build(DEEP, settings, by_level=True)
    set_tops(optimizer, settings, 0.04, 0.25)
    rates = rates_by_name(DEEP, optimizer)

    assert rates["head.weight"] == pytest.approx(0.01)
    assert rates["decoder.blocks.0.convolutions.0.0.weight"] == pytest.approx(0.04)
    assert rates["encoder.stem.0.weight"] == pytest.approx(0.01)


@pytest.mark.parametrize("name", NAMES)
def test_momentum_is_set_where_the_optimiser_keeps_it(network, name):
    optimizer = build(network, OptimizerSettings(name=name, momentum=0.9, beta2=0.95))
    set_momentum(optimizer, 0.7)

    for group in optimizer.param_groups:
        if name in {"adam", "adamw"}:
            assert group["betas"] == (0.7, 0.95)
        else:
            assert group["momentum"] == 0.7
            assert group.get("betas", (0.9,))[0] == 0.9


def test_every_head_is_a_side_to_muon():
    """Orthogonal rows would make all classes equally likely, at the coarser outputs of deep supervision too."""
    network = UNet(1, 3, depth=2, base=4, deep_supervision=True)
    optimizer = build(network, OptimizerSettings(name="muon", lr=0.02, side_lr=0.005))
    rates = rates_by_name(network, optimizer)

    assert {rate for name, rate in rates.items() if name.startswith(("head.", "side_heads."))} == {0.005}
    assert sum(name.startswith("side_heads.") for name in rates) == 2
