"""What a model's training images looked like, measured for a model that was made without it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from maskwright import modelfile
from maskwright.data.index import index
from maskwright.data.sample import Samples
from maskwright.devices import cores
from maskwright.errors import DataError, SettingError
from maskwright.hub import located, on_hub
from maskwright.inference import Predictor
from maskwright.modelfile import Description
from maskwright.training.familiarity import familiar


def familiarise(
    model: str | Path, data: str | Path | Samples | None = None, *, out: str | Path | None = None, device: str = "auto",
    **inspection: Any,
) -> Path:  # fmt: skip
    """Have a model file say what its training images looked like, for the guard; a training does it by itself. Returns
    the path of the file.

    data: the folder it was trained on; none: that of its run, if the model lies in its run folder. Images are known by
        their content: which ones were trained on, the model file says.
    out: another file to write; none: the model file itself, which changes in nothing else. Of a model on the Hub it
        must be said.

    Raises:
        DataError: the data holds too few of the images that the model was trained on.
        SettingError: `out` is there already, or must be said.
    """
    if out is None and on_hub(model):
        raise SettingError(f"{model} lies in the Hub's cache, where nothing is changed. Give another file, as `out`.")
    if out is not None and Path(out).exists():
        raise SettingError(f"{out} is there already. Give another file.")
    path = located(model)
    samples = _samples(path, data, inspection)
    description, tensors = modelfile.read(path)
    members = Predictor(path, device=device).members
    known = []
    for member in members:
        own = _as_trained(samples, member.description)
        found = familiar(member.network, member.description.plan, own)
        if found is None:
            raise DataError(
                f"{samples.root} holds {len(own.part('train'))} of the images that {path} was trained on; at least 4 "
                "are needed to say what is usual. Name the folder that it was trained on."
            )
        known.append(found)
    return modelfile.write(out or path, tensors, _saying(description, known))


def _saying(description: Description, known: Sequence[Any]) -> Description:
    if not description.members:
        return description.model_copy(update={"familiar": known[0]})
    members = zip(description.members, known, strict=True)
    return description.model_copy(
        update={"members": tuple(member.model_copy(update={"familiar": own}) for member, own in members)}
    )


def _samples(path: Path, data: str | Path | Samples | None, options: Any) -> Samples:
    if isinstance(data, Samples):
        return data
    if data is not None:
        return index(data, workers=cores(), **options)
    if not (path.parent / "samples.json").is_file():
        raise DataError(f"Say which folder {path} was trained on: it does not lie in its run folder.")
    return Samples.load(path.parent / "samples.json")


def _as_trained(samples: Samples, description: Description) -> Samples:
    """The samples that a model knows, in the parts that they had in its training."""
    parts = {content: part for part in ("val", "train") for content in description.split.get(part, ())}
    known = [s.model_copy(update={"split": parts[s.content]}) for s in samples.samples if s.content in parts]
    return samples.model_copy(update={"samples": tuple(known)})
