"""What every mask source promises, whoever wrote it."""

from pathlib import Path

import numpy as np
import pytest
from tests.contracts.test_layouts import usual_folders

from maskwright.data.layouts import recognise
from maskwright.data.sources import Place, sources
from maskwright.errors import MaskwrightError
from maskwright.files import is_file, read_header

NAMES = sources.names()


@pytest.fixture
def places(tmp_path):
    """Source → places of labels in the usual folders."""
    found: dict[str, list[Place]] = {}
    for root in usual_folders(tmp_path):
        _, pairs = recognise(root)
        table = {name: values[0] for name, values in (pairs.classes or {}).items()}
        for entry in pairs.entries:
            header = read_header(entry.image)
            place = Place(
                entry.mask, (header.height, header.width), entry.page, entry.parts, entry.key, table=table,
                reading=entry.reading,
            )  # fmt: skip
            found.setdefault(entry.source, []).append(place)
    return found


def test_every_source_gives_values_and_objects_of_the_images_size(places):
    assert len(places) >= 5, "of most sources there is a usual folder"
    for name, of_source in places.items():
        source = sources[name]
        for place in of_source:
            values_HW = source.read(place).values
            assert values_HW.shape == place.size, name
            assert values_HW.dtype.kind in "iu", name
            objects_HW = source.objects(place)
            assert objects_HW is not None or not source.tells_objects, name
            if objects_HW is not None:
                assert (objects_HW.shape, objects_HW.dtype) == (place.size, np.int32), name
                assert set(np.unique(objects_HW)) - {0} == set(range(1, objects_HW.max() + 1)), name
            assert source.files(place), name
            assert all(is_file(path) for path in source.files(place)), name


@pytest.mark.parametrize("name", NAMES)
def test_every_source_says_what_it_is_and_tells_of_files_that_are_missing(name, tmp_path):
    source = sources[name]
    assert source.__doc__
    assert isinstance(source.tells_objects, bool)
    assert isinstance(source.paged, bool)
    gone = tmp_path / "gone.png"
    place = Place(
        gone, (4, 5), None, {"a": Path(gone), "b": Path(gone)}, "img.png", table={"a": 1, "b": 2}, per_class=1000
    )
    with pytest.raises(MaskwrightError, match="gone"):
        source.read(place)
