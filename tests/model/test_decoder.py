import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from maskwright.model import UNet, UNetRecord, decoder
from maskwright.model.layers import crop
from maskwright.model.layout import nodes


def test_u_net_plus_plus_is_wired_as_its_paper_s():
    """Depth 3, every node by hand: all before it on its level, and the one below and before it, enlarged."""
    torch.manual_seed(0)
    record = UNetRecord(depth=3, base=2, skip="nested", norm="none")
    network = decoder.NestedDecoder(record, record.encoder_channels)
    x = {(i, 0): torch.randn(1, 2 * 2**i, 16 // 2**i, 16 // 2**i) for i in range(4)}

    def node(i, j):
        above = network.ups[f"{i}_{j}"](x[i + 1, j - 1])
        return network.blocks[f"{i}_{j}"](torch.cat([*(x[i, k] for k in range(j)), above], dim=1))

    for i, j in ((2, 1), (1, 1), (0, 1), (1, 2), (0, 2), (0, 3)):
        x[i, j] = node(i, j)
    found = network([x[i, 0] for i in range(4)])

    assert len(network.blocks) == 6
    assert len(found) == 3
    for map_, j in zip(found, (3, 2, 1), strict=True):
        torch.testing.assert_close(map_, x[0, j])


@given(skips=st.lists(st.booleans(), min_size=1, max_size=8))
def test_nodes_come_after_those_they_read(skips):
    depth = len(skips)
    seen = {(level, 0) for level, found in enumerate([*skips, True]) if found}

    order = nodes([*skips, True])

    for level, column in order:
        assert (level + 1, column - 1) in seen
        seen.add((level, column))
    assert order[-1] == (0, depth)
    if all(skips):
        assert len(seen) == (depth + 1) * (depth + 2) // 2


def test_valid_nodes_are_cropped_to_the_smallest():
    record = UNetRecord(in_channels=1, depth=1, base=2, skip="nested", norm="none", padding="valid")
    network = decoder.NestedDecoder(record, record.encoder_channels)
    fine, coarse = torch.randn(1, 2, 20, 20), torch.randn(1, 4, 6, 6)

    above = network.ups["0_1"](coarse)
    expected = network.blocks["0_1"](torch.cat([crop(fine, (12, 12)), above], dim=1))

    torch.testing.assert_close(network([fine, coarse])[0], expected)


@pytest.mark.parametrize("missing", [(0,), (0, 1), (1,)])
@pytest.mark.parametrize("skip", ["concat", "add", "attention", "none", "nested"])
def test_a_decoder_copes_with_missing_skips(skip, missing):
    """A ConvNeXt begins at stride 4, most others at 2."""
    record = UNetRecord(depth=3, base=4, skip=skip)
    widths = [None if level in missing else 4 * 2**level for level in range(4)]
    network = decoder.build(record, widths)

    found = network([None if w is None else torch.randn(1, w, *[16 // 2**i] * 2) for i, w in enumerate(widths)])

    assert found[0].shape == (1, 4, 16, 16)


def test_as_many_channels_as_before_come_up():
    record = UNetRecord(depth=2, widths=(2, 3, 5), decoder_widths=(7, 11), up_width="same")
    network = decoder.Decoder(record, record.encoder_channels)

    assert [up.out_channels for up in network.ups] == [5, 11]
    assert [block.convolutions[0][0].in_channels for block in network.blocks] == [5 + 3, 11 + 2]
    assert network.channels == (7, 11)


def test_skips_are_let_go_once_they_are_joined():
    network = UNet(1, 2, depth=2, base=2)
    features = network.encoder(torch.randn(1, 1, 8, 8))

    network.decoder(features)

    assert features == []
