"""How far an image is padded, as a rule."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maskwright.exports.padding import padding
from maskwright.model import UNetRecord
from maskwright.model.sizes import fitting_input


@pytest.mark.parametrize("record", [UNetRecord(depth=3), UNetRecord(depth=2, stem=4), UNetRecord(depth=5)], ids=str)
def test_a_padded_network_sees_multiples_of_its_stride(record):
    rule = padding(record)
    for n in range(1, 200):
        assert rule(n) == -(-n // record.stride) * record.stride


@settings(max_examples=25)
@given(data=st.data())
def test_the_rule_is_what_the_predictor_pads_to(data, records):
    record = data.draw(records(padding="valid"))
    rule = padding(record)  # compares small sizes itself
    n = data.draw(st.integers(300, 900))
    assert rule(n) == fitting_input(record, n)
