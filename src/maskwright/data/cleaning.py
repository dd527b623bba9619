"""A cleaned copy of a data set: upright images, masks of labels, a folder a part, and a dataset.yaml that says it all.

Whatever the layout and the masks were, the copy is the plainest there is, for other tools too.
"""

import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, Literal

import numpy as np
import yaml

from maskwright.data.dataset_file import NAME
from maskwright.data.sample import Sample, Samples
from maskwright.data.sources.classed_objects import OBJECTS
from maskwright.errors import DataError
from maskwright.files import MaskStyle, read_picture, write_image, write_mask
from maskwright.records import IGNORED, replacing

Objects = Literal["alone", "classed"]
_COPIED: Final = {".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp"}
"""Kinds of files that every tool reads: these are copied as they are, if they lie upright."""


def write_clean(
    samples: Samples, out: str | Path, *, workers: int = 2, progress: Callable[[int, int], None] | None = None
) -> Path:
    """Write the samples anew: `out/PART/images/NAME.*`, `out/PART/masks/NAME.png` and `out/dataset.yaml`. Returns it.

    Images are copied where they are upright single pictures, else written again without loss: PNG, or TIFF where PNG
    cannot hold them. Masks hold the label of each pixel, and 255 where it counts nowhere; where masks tell nothing but
    objects apart they hold the number of the object. Where both are told, the numbers lie in `out/PART/objects/`.
    Samples without a mask get none.

    Raises:
        DataError: `out` is there already and not empty, or lies inside the data.
        ReadError: a file does not open.
    """
    out = Path(out)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise DataError(f"{out} is there already and not empty. Give a new folder: nothing is written over.")
    if out.resolve().is_relative_to(Path(samples.root)):
        raise DataError(f"{out} lies inside the data set {samples.root}, and would become part of it. Choose another.")
    objects = _objects_in(samples)
    names = _file_names(samples)
    with ThreadPoolExecutor(workers) as pool:
        jobs = [
            pool.submit(_write, samples, sample, name, out, objects)
            for sample, name in zip(samples.samples, names, strict=True)
        ]
        for done, job in enumerate(jobs, start=1):
            job.result()
            if progress:
                progress(done, len(jobs))
    about = out / NAME
    with replacing(about) as temporary:
        temporary.write_text(_about(samples, objects), "utf-8")
    return about


def _objects_in(samples: Samples) -> Objects | None:
    """Whether masks tell nothing but objects apart, or classes and objects; None: no objects."""
    labelled = [sample for sample in samples.samples if sample.mask]
    if any(sample.tells_objects for sample in labelled):
        return "alone"
    told = labelled and samples.told_objects(labelled[0]) is not None
    return "classed" if told else None


def _write(samples: Samples, sample: Sample, name: str, out: Path, objects: Objects | None) -> None:
    part = out / str(sample.split)
    source = Path(samples.root) / sample.image
    picture = read_picture(source, sample.page) if not sample.bands else None
    (part / "images").mkdir(parents=True, exist_ok=True)
    plain = picture is not None and picture.orientation == 1 and sample.page is None
    if plain and source.is_file() and source.suffix.lower() in _COPIED:
        shutil.copyfile(source, part / "images" / f"{name}{source.suffix.lower()}")
    else:
        image_HWC = samples.image(sample)
        png = image_HWC.dtype != np.float32 and image_HWC.shape[2] in (1, 3)
        write_image(part / "images" / f"{name}{'.png' if png else '.tif'}", image_HWC)
    if sample.mask is None:
        return
    if objects:
        numbers_HW = samples.told_objects(sample)
        if numbers_HW is None:
            raise DataError(
                f"{sample.mask_shown} does not tell one object from another, as other masks do. Number its objects, or "
                f"leave it out with --skip {sample.name}."
            )
        if numbers_HW.max(initial=0) > np.iinfo(np.uint16).max:
            raise DataError(f"{sample.image} shows {numbers_HW.max()} objects; a mask of 16 bits numbers 65535.")
        folder = part / ("masks" if objects == "alone" else OBJECTS)
        folder.mkdir(parents=True, exist_ok=True)
        write_mask(folder / f"{name}.png", numbers_HW, MaskStyle(dtype="uint16"))
    if objects != "alone":
        (part / "masks").mkdir(parents=True, exist_ok=True)
        write_mask(part / "masks" / f"{name}.png", samples.labels_of(sample), MaskStyle())


def _file_names(samples: Samples) -> list[str]:
    """A file name a sample: its name, without folders; numbered where two would be alike."""
    times: dict[tuple[str, str], int] = {}
    names = []
    for sample in samples.samples:
        flat = sample.name.replace("/", "_").replace("\\", "_")
        key = (str(sample.split), flat.lower())  # some file systems know no capitals
        times[key] = times.get(key, 0) + 1
        names.append(flat if times[key] == 1 else f"{flat}_{times[key]}")
    return names


def _about(samples: Samples, objects: Objects | None) -> str:
    head = f"# Written anew from {Path(samples.root).name}. Masks hold labels"
    if objects == "alone":
        return f"{head}: a number for each object, 0 for background.\ninstances: true\n"
    classes = {one.name: label for label, one in enumerate(samples.labels.classes)}
    plain = {"classes": classes, "ignore": [IGNORED]} | ({"instances": OBJECTS} if objects else {})
    said = yaml.safe_dump(plain, sort_keys=False, allow_unicode=True)
    return f"{head}; {IGNORED} counts nowhere.\n{said}"
