"""The parts of an open list, one test each."""

import pytest


def parts_of(registry):
    return pytest.mark.parametrize("part", [pytest.param(part, id=name) for name, part in registry.items()])
