"""What every export owes those who use it: the file says what the predictor says. A new format is found by itself."""

import pytest
from tests.exports.conftest import agree, model, noise

from maskwright.exports import Options
from maskwright.exports.registry import exports
from maskwright.inference.ensemble import joined
from maskwright.inference.looks import with_views
from maskwright.tiling import Views

SAID = {"author": "Ada Lovelace", "licence": "CC-BY-4.0"}
SLOW = {"torch-export"}


@pytest.mark.filterwarnings("ignore")  # of the formats' libraries, about themselves
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] * (name in SLOW)) for name in exports.names()]
)
def test_two_members_of_unlike_sizes_and_views_are_one_file_that_says_what_the_predictor_says(name, tmp_path):
    turned = with_views(joined([model(depth=1, base=2)]), Views(turns="quarter"))
    flipped = with_views(joined([model(1, depth=1, base=3, scale=0.5)]), Views(flips="horizontal"))
    both = joined([turned, flipped])
    part = exports[name]()

    path = part.write(both, tmp_path / f"model{part.suffix}", Options(said=SAID))

    run = part.open(path, 1)
    for size in [(37, 53), (64, 41)]:
        agree(both, run, noise("uint8", *size, 1))
