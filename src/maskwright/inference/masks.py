"""Masks for many images: each is predicted, and its mask written in the image's own size."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from maskwright.data.names import page_path
from maskwright.errors import MaskwrightError
from maskwright.files import encode_runs, pages_in, read_image, write_mask, write_mask_stack, write_run_lengths
from maskwright.inference.inputs import demand_runs, expanded, is_stack, targets
from maskwright.inference.predictor import Prediction, Predictor


@dataclass(frozen=True)
class Written:
    """One input: the mask that was written for it, or why there is none."""

    image: Path
    mask: Path | None
    error: MaskwrightError | None = None


def write_masks(
    predictor: Predictor,
    inputs: Sequence[str | Path],
    out: Path,
    beside: Callable[[Path, NDArray[Any], Prediction], None],
    *,
    probabilities: bool = False,
    runs: str | Path | None = None,
    overwrite: bool = False,
) -> Iterator[Written]:
    """What was written of files, folders and globs, one by one; `api.predict_files` says what and where.

    beside: told of each image its mask's path, the image H W C and the prediction, to write more.

    Raises:
        DataError: an input matches nothing, two would be written to the same mask, or a mask is there already.
        SettingError: runs are asked of a model with more than one foreground class.
    """
    if runs is not None:
        demand_runs(Path(runs), predictor.description.labels, overwrite=overwrite)
    style = predictor.description.labels.style
    found: list[tuple[str, str]] = []
    for image, target in targets(expanded(inputs), out, overwrite=overwrite).items():
        pages: list[int | None] = list(range(pages_in(image))) if is_stack(image) else [None]
        masks, rows = [], []
        try:
            for page in pages:
                image_HWC = read_image(image, page)
                prediction = predictor(image_HWC, probabilities=probabilities)
                masks.append(prediction.mask)
                own = page_path(target, page, len(pages))
                beside(own, image_HWC, prediction)
                if runs is not None:
                    rows.append((own.stem, encode_runs(prediction.labels)))
        except MaskwrightError as error:
            yield Written(image, None, error)
            continue
        if pages == [None]:
            write_mask(target, masks[0], style)
        else:
            write_mask_stack(target, masks, style)
        found += rows
        yield Written(image, target)
    if runs is not None:
        write_run_lengths(runs, found)
