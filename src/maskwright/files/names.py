"""Names of files: what is the name and what its ending, where endings have two parts."""

import os
from pathlib import Path

from maskwright.files.readers import readers


def suffix_of(path: str | Path) -> str:
    """The ending of a name, lower case with the dot: `.tif`, and `.ome.tif` or `.nii.gz` where a reader names it so.

    >>> suffix_of("scans/brain.1.NII.gz"), suffix_of("a.tar.gz"), suffix_of("v1.2")
    ('.nii.gz', '.gz', '.2')
    """
    name = os.path.basename(path).lower()  # noqa: PTH119 - a Path for each of a million names is slow
    single = os.path.splitext(name)[1]  # noqa: PTH122
    for part in readers:
        for suffix in readers[part].suffixes:
            if len(suffix) > len(single) and suffix.endswith(single) and name.endswith(suffix) and name != suffix:
                single = suffix
    return single


def stem(path: str | Path) -> str:
    """The name of a file without its ending, whole where that has two parts.

    >>> stem("scans/brain.1.nii.gz"), stem("cells.ome.tif"), stem("photo.v2.png")
    ('brain.1', 'cells', 'photo.v2')
    """
    name = os.path.basename(path)  # noqa: PTH119
    return name[: len(name) - len(suffix_of(name))]
