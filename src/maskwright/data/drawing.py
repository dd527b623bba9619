"""Who is drawn: places in an order that hashes of names give, so that neither files nor workers can change it."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence

from maskwright.data.groups import Unit, together
from maskwright.data.randomness import number

VALIDATION_SHARE = 0.15


def held_out(
    names: Sequence[str | None],
    share: float = VALIDATION_SHARE,
    seed: int = 0,
    *,
    first: bool = True,
    groups: Sequence[str | None] | None = None,
) -> list[int]:
    """Places of the samples drawn among these; None stands for what is not to be drawn. Of two units or more, at least
    one is drawn and one is left.

    Seeded by name, not by position: adding an image never moves another one, unless a number is asked for. A group is
    drawn whole, by the hash of its own name; a number of images is then met as nearly as the groups allow.
    first: whether the first in the order of the hashes are drawn, or the last.
    """
    units = together(names, groups)
    if len(units) < 2:
        return []
    score = {unit: place(unit.name, seed, first) for unit in units}
    order = sorted(units, key=score.__getitem__)
    drawn = [unit for unit in units if score[unit] < share]
    if share >= 1:
        drawn = _nearest(order, int(share))
    elif not drawn:
        # Of a few groups the first may be nearly all there is.
        grouped = any(unit.grouped for unit in units)
        drawn = _nearest(order, share * sum(unit.size for unit in units)) if grouped else order[:1]
    return sorted(i for unit in (drawn if len(drawn) < len(units) else drawn[:-1]) for i in unit.members)


def _nearest(order: Sequence[Unit], wanted: float) -> list[Unit]:
    """The first units that fit into what is wanted, and one more if that comes nearer to it; never none."""
    drawn, rest, left = [], [], wanted
    for unit in order:
        if unit.size <= left:
            drawn.append(unit)
            left -= unit.size
        else:
            rest.append(unit)
    if rest and (over := min(rest, key=lambda unit: unit.size)) and (not drawn or over.size - left < left):
        drawn.append(over)
    return drawn


def stratified(
    names: Sequence[str | None], strata: Sequence[int], share: float, seed: int = 0, *, first: bool = True
) -> list[int]:
    """Places of the samples drawn among these, from each stratum its share, together exactly round(share × all).

    As for `held_out`; what is not to be drawn counts in the size of its stratum.
    """
    order = {i: place(name, seed, first) for i, name in enumerate(names) if name is not None}
    if len(order) < 2:
        return []
    fraction = share if share < 1 else share / len(names)
    wanted = exactly(share, len(names), len(order))
    counts = _apportioned(Counter(strata), Counter(strata[i] for i in order), fraction, wanted)
    drawn = []
    for i in sorted(order, key=order.__getitem__):
        if counts[strata[i]]:
            counts[strata[i]] -= 1
            drawn.append(i)
    return sorted(drawn)


def exactly(share: float, images: int, free: int) -> int:
    """How many images a share of them is, or the number itself; one at least, and one of the free ones is left."""
    fraction = share if share < 1 else share / images
    return min(max(1, math.floor(fraction * images + 0.5)), free - 1)


def _apportioned(sizes: Mapping[int, int], room: Mapping[int, int], fraction: float, wanted: int) -> dict[int, int]:
    """How many of each stratum, together `wanted`, by the largest remainder (Hamilton 1792): of each the whole part of
    its share, then one more of those that lost most by it; of none more than there is room for.
    """
    counts = {stratum: min(math.floor(fraction * size), room.get(stratum, 0)) for stratum, size in sizes.items()}
    by_remainder = sorted(sizes, key=lambda stratum: (counts[stratum] - fraction * sizes[stratum], stratum))
    while (left := wanted - sum(counts.values())) > 0:
        for stratum in [stratum for stratum in by_remainder if counts[stratum] < room.get(stratum, 0)][:left]:
            counts[stratum] += 1
    return counts


def place(name: str, seed: int, first: bool = True) -> float:
    """Where in the order of drawing a name stands, from 0 to 1."""
    # Seed 0 is what splits were drawn with before there was a seed.
    found = (number("split", name) if seed == 0 else number("split", name, seed)) / 2**63
    return found if first else 1 - found
