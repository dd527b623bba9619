import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from skimage import measure

from maskwright.regions.perimeters import perimeters
from maskwright.regions.scratch import grown


@given(seed=st.integers(0, 9999), band=st.integers(1, 10))
def test_they_are_those_of_scikit_image_object_by_object_and_in_bands(seed, band):
    """Objects touch here, and fill the picture to its edges."""
    ids = np.kron(np.random.default_rng(seed).integers(0, 4, (4, 4)), np.ones((3, 2), int))
    found = np.zeros(3)
    for top in range(0, len(ids), band):
        wide, inner = grown(slice(top, min(top + band, len(ids))), 2, len(ids))
        perimeters(ids[wide], inner, found)

    np.testing.assert_allclose(found, [measure.perimeter(ids == n) for n in (1, 2, 3)])
