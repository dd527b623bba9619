"""The model card: what a model is, what it was made of, how good it is, and what it is not for; as Markdown.

Everything in it stands in the model file. Mitchell et al. 2019, arXiv 1810.03993; the header is the Hugging Face Hub's.
"""

from collections.abc import Mapping
from typing import Any

import yaml

from maskwright.modelfile import Description


def model_card(about: Description, name: str, said: Mapping[str, str] | None = None) -> str:
    """The card's text, header included.

    said: author, licence, description, tags (with commas) and intended use, as only the maker knows them.
    """
    said = said or {}
    head = yaml.safe_dump(_header(about, name, said), sort_keys=False, allow_unicode=True)
    return f"---\n{head}---\n\n" + card_text(about, name, said)


def card_text(about: Description, name: str, said: Mapping[str, str]) -> str:
    """The card without the header."""
    parts = {
        "Data": _data(about),
        "Plan": _plan(about),
        "Validation": _scores(about),
        "Limits": _limits(about),
        "Intended use": said.get("use", _use(about)),
        "How to use": _usage(),
        "Licence and authors": _rights(said),
    }
    title = f"# {name}\n\n{said.get('description', one_line(about))}\n\n"
    return title + "\n".join(f"## {head}\n\n{text}\n" for head, text in parts.items())


def one_line(about: Description) -> str:
    """What the model does, in a sentence."""
    names = ", ".join(about.labels.names)
    return f"A U-Net that marks {names} in images with {about.preprocess.channels} × {about.preprocess.dtype} values."


def _header(about: Description, name: str, said: Mapping[str, str]) -> dict[str, Any]:
    own = [tag.strip() for tag in said.get("tags", "").split(",") if tag.strip()]
    header: dict[str, Any] = {
        "library_name": "maskwright",
        "pipeline_tag": "image-segmentation",
        "tags": ["maskwright", "u-net", "semantic-segmentation", *own],
        "metrics": ["mean_iou", "accuracy"],
    }
    if licence := said.get("licence"):
        header["license"] = licence.lower()
    results = [
        {
            "task": {"type": "image-segmentation"},
            "dataset": {"name": _dataset(about), "type": _dataset(about), "split": part},
            "metrics": [
                {"type": metric, "value": round(float(scores[metric]), 4)}
                for metric in ("mean_iou", "accuracy")
                if scores.get(metric) is not None
            ],
        }
        for part, scores in about.scores.items()
    ]
    if results:
        header["model-index"] = [{"name": name, "results": results}]
    return header


def _dataset(about: Description) -> str:
    return str(about.provenance.get("data", "unknown"))


def _data(about: Description) -> str:
    f = about.fingerprint
    rows = [
        f"Trained on {f.train} images of `{_dataset(about)}`; {f.val} were set aside to validate and {f.test} to test.",
        f"They have {f.channels} × {f.dtype} values from {f.low:g} to {f.high:g}, and are {_size(f.smallest)} to "
        f"{_size(f.largest)} pixels, median {_size(f.median)} (height × width).",
        "",
        "| class | share of the pixels | images that show it | value in masks |",
        "|---|---|---|---|",
    ]
    for known, share, seen in zip(about.labels.classes, f.pixel_share, f.image_share, strict=True):
        rows.append(f"| {known.name} | {share:.1%} | {seen:.0%} | {about.labels.shown(known.values[0])} |")
    if f.ignored_share:
        rows.append(f"\n{f.ignored_share:.1%} of the pixels were ignored.")
    return "\n".join(rows)


def _size(size: tuple[int, int]) -> str:
    return f"{size[0]}×{size[1]}"


def _plan(about: Description) -> str:
    plan, provenance = about.plan, about.provenance
    decided = f"recipe `{plan.recipe}`" if plan.recipe else "decided by Maskwright from the data"
    encoder = "" if about.network.encoder.name == "plain" else f", encoder {about.network.encoder.name}"
    members = f" The file holds {len(about.members)} models, whose probabilities are averaged." if about.members else ""
    trained = ", ".join(f"{provenance[key]} {key}" for key in ("steps", "seconds") if key in provenance)
    return (
        f"A U-Net of depth {about.network.depth} and {about.network.base} channels at the finest level{encoder}; "
        f"{decided}.{members} Images are seen at "
        + (f"{_size(plan.preprocess.size)} pixels" if plan.preprocess.size else f"scale {plan.preprocess.scale:g}")
        + f", crops of {_size(plan.sampling.crop)}, {plan.sampling.batch} a step"
        + (f"; trained for {trained}" if trained else "")
        + f", with Maskwright {about.maskwright}. The whole plan is in `plan.yaml`."
    )


def _scores(about: Description) -> str:
    if not about.scores:
        return "The model file holds no scores: no images were set aside to validate on."
    return "\n\n".join(_table(part, scores) for part, scores in about.scores.items())


def _table(part: str, scores: Mapping[str, Any]) -> str:
    interval = scores.get("mean_iou_interval")
    spread = f" (95 % interval {interval[0]:.4f} … {interval[1]:.4f})" if interval else ""
    images = scores.get("images")
    rows = [
        f"On {images if images is not None else 'the'} images ({part}), at their own size: mean IoU "
        f"{_number(scores.get('mean_iou'))}{spread}, pixel accuracy {_number(scores.get('accuracy'))}.",
        "",
        "| class | IoU | Dice | precision | recall |",
        "|---|---|---|---|---|",
    ]
    for known in scores.get("classes", ()):
        values = (known["scores"].get(metric) for metric in ("iou", "dice", "precision", "recall"))
        rows.append(f"| {known['name']} | {' | '.join(map(_number, values))} |")
    rows += [f"\n{name}: {_number(value)}" for name, value in scores.get("contests", {}).items()]
    return "\n".join(rows)


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"


def _limits(about: Description) -> str:
    limits = [
        f"It knows {', '.join(about.labels.names)} and nothing else: every pixel is called one of them.",
        f"It takes {about.preprocess.dtype} values only: the same number of another type means another brightness.",
        "Scores on images of other instruments, places or times can be lower than those above.",
    ]
    if about.labels.objects is not None:
        limits.append(
            f"Objects that touch come apart by the {about.labels.objects.kind}s that it has learned in `maskwright "
            "predict`; an exported file says classes alone."
        )
    if absent := about.fingerprint.absent:
        limits.append(f"No training pixel shows {', '.join(absent)}; what it says of them means nothing.")
    known = next((one.familiar for one in (about, *about.members) if one.familiar), None)
    if known is None:
        limits.append("The file does not say what its training images looked like, so strange images are not told.")
    else:
        means = ", ".join(f"{low:.4g} … {high:.4g}" for low, high in known.mean)
        limits.append(
            f"`maskwright predict` warns of images unlike those of the training, of which {known.images} (and "
            f"{known.held_out} held out) were looked at: {' or '.join(map(str, known.channels))} channels, mean value "
            f"by channel {means}, sizes from {_size(known.smallest)} to {_size(known.largest)}. At most "
            f"{known.false_alarms:.1%} of images like them are taken for strange; not all that are strange are found."
        )
    return "\n".join(f"- {limit}" for limit in limits)


def _use(about: Description) -> str:
    return (
        "Masks for images of the same kind as the training images, to be looked at by someone who knows them. Not for "
        "decisions about people, and not for medical use: nobody has checked it for that."
    )


def _usage() -> str:
    return (
        "```\npip install maskwright\nmaskwright pull OWNER/NAME --out model\n"
        "maskwright predict model/model.safetensors IMAGES --out masks\n```\n\n"
        "The file is data, not code: loading it runs nothing."
    )


def _rights(said: Mapping[str, str]) -> str:
    licence = said.get("licence", "not stated; ask before you use it for more than a look")
    author = said.get("author", "not stated")
    return f"Licence: {licence}. Authors: {author}."
