"""How models look at an image."""

import pytest
from tests.exports.conftest import model

from maskwright.inference.ensemble import joined
from maskwright.inference.looks import looks_of, with_views
from maskwright.tiling import Views


def test_members_count_the_same_and_scales_share_what_a_member_counts():
    first = with_views(joined([model()]), Views(flips="both", scales=(0.5, 1.0, 2.0))).members[0]
    looks = looks_of([first, model(scale=0.5)])

    assert [look.member for look in looks] == [0, 0, 0, 1]
    assert [look.preprocess.scale for look in looks] == [0.5, 1, 2, 0.5]
    assert [len(look.ways) for look in looks] == [4, 4, 4, 1]
    assert [look.weight for look in looks] == pytest.approx([1 / 6, 1 / 6, 1 / 6, 1 / 2])


def test_views_that_are_given_replace_those_of_every_plan_and_change_nothing_else():
    both = joined([model(), model(1)])
    views = Views(turns="half")

    seen = with_views(both, views)

    about = seen.description
    assert all(one.plan.views == views for one in (about, *about.members, *(m.description for m in seen.members)))
    assert both.description.plan.views == Views(), "the models given stay as they are"
    assert seen.members[0].network is both.members[0].network
    assert with_views(seen, Views()).description == both.description
    assert with_views(both, None) is both
    assert looks_of(both.members, views)[0].ways == looks_of(seen.members)[0].ways == views.ways
