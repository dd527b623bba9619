"""bioimage.io: a package of the BioImage Model Zoo, which Fiji (deepImageJ), ilastik, QuPath and others run.

Specification: https://bioimage-io.github.io/spec-bioimage-io (0.5). The network stands in it as TorchScript with all
that the specification has no word for: padding, resizing, softmax. Normalisation is the specification's own
`fixed_zero_mean_unit_variance`, so that a reader sees it; of several members, whose own may differ, it is inside.
"""

import json
import re
import tempfile
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from maskwright._version import __version__
from maskwright.data.preprocess import Preprocess
from maskwright.errors import ExportError, SettingError
from maskwright.exports.describing import described
from maskwright.exports.model_card import card_text, one_line
from maskwright.exports.module import Logits, Member, OfClasses
from maskwright.exports.registry import Options, Runner, exports
from maskwright.inference.ensemble import Ensemble, golden_image
from maskwright.modelfile import Model
from maskwright.runtimes.folding import example_shape
from maskwright.runtimes.packages import demand

SIDE: Final = 64
"""Pixels a side of the smallest test image."""
CITE: Final = {
    "text": "Ronneberger, Fischer, Brox: U-Net: Convolutional Networks for Biomedical Image Segmentation. MICCAI 2015",
    "doi": "10.1007/978-3-319-24574-4_28",
}


@exports.register("bioimageio")
class BioImageIO:
    """A zip with the description, the network, a test image with what is said of it, a page and a cover."""

    about: ClassVar[str] = "a package of the BioImage Model Zoo; Fiji (deepImageJ), ilastik, QuPath and others run it"
    suffix: ClassVar[str] = ".bioimageio.zip"
    packages: ClassVar[dict[str, str]] = {"bioimageio.spec": "bioimageio"}
    knows_int8: ClassVar[bool] = False

    def write(self, model: Ensemble, target: Path, options: Options) -> Path:
        """The package, validated by the specification's own library."""
        demand_said(options.said)
        spec = demand("bioimageio.spec", "bioimageio", "A bioimage.io package")
        with tempfile.TemporaryDirectory(dir=target.parent) as aside, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the library's own, about its own
            folder = Path(aside)
            values = _filled(folder, model, options)
            with spec.ValidationContext(root=folder, perform_io_checks=False):
                found = spec.build_description(values)
                if not isinstance(found, spec.model.v0_5.ModelDescr):
                    raise ExportError(f"The specification refuses the package: {found.validation_summary.format()}")
                spec.save_bioimageio_package(found, output_path=target)
        return target

    def open(self, path: Path, threads: int) -> Runner:
        """PyTorch on the CPU, by what the description in the package says: with the threads it has."""
        from io import BytesIO

        import yaml

        with zipfile.ZipFile(path) as package:
            name = next(name for name in package.namelist() if name.endswith((".yaml", ".yml")))
            values = yaml.safe_load(package.read(name))
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                jit: Any = torch.jit
                network = jit.load(BytesIO(package.read(values["weights"]["torchscript"]["source"])))
        steps = {step["id"]: step.get("kwargs", {}) for step in values["inputs"][0]["preprocessing"]}
        normal = steps.get("fixed_zero_mean_unit_variance", {"mean": 0.0, "std": 1.0})
        preprocess = Preprocess.read(values["config"]["maskwright"]["preprocess"][0])

        @torch.inference_mode()
        def run(image_HWC: NDArray[Any]) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
            seen = preprocess.to_channels(image_HWC).astype(np.float32)
            seen_HWC: NDArray[Any] = (seen - np.float32(normal["mean"])) / np.float32(normal["std"])
            probabilities = network(torch.from_numpy(np.ascontiguousarray(np.moveaxis(seen_HWC, 2, 0)))[None])[0]
            return probabilities.argmax(0).to(torch.uint8).numpy(), probabilities.numpy()

        return run


class Probabilities(nn.Module):
    """Images B C H W float32 → the mean of the members' probabilities, B K H W, at the images' own size."""

    def __init__(self, models: list[Model]):
        super().__init__()
        self.of_classes = OfClasses(models[0].description.labels)
        self.members = nn.ModuleList(Member(model, _traced) for model in models)
        self.eval().requires_grad_(False)

    def forward(self, image: Tensor) -> Tensor:
        """The probabilities."""
        total = torch.zeros(1)
        for member in self.members:
            total = total + member(image)
        return self.of_classes(total / len(self.members))


def demand_said(said: Mapping[str, str]) -> None:
    """Nothing, if all is said that the specification asks for and no model file knows.

    Raises:
        SettingError: something is not; names it.
    """
    if missing := [key for key in ("author", "licence") if not said.get(key, "").strip()]:
        raise SettingError(
            f"A bioimage.io package must name its {' and its '.join(missing)}: --say author='Ada Lovelace' --say "
            "licence=CC-BY-4.0 (several authors with semicolons; licences as https://spdx.org/licenses calls them)."
        )


def _filled(folder: Path, model: Ensemble, options: Options) -> dict[str, Any]:
    """The package's files, written, and its description as plain values."""
    about, said = model.description, options.said
    name = _name(said.get("name", f"{about.provenance.get('data', 'images')} U-Net"))
    single = len(model.members) == 1
    network = Probabilities([_without_normalisation(one) if single else one for one in model.members])
    jit: Any = torch.jit
    scripted = jit.script(network)
    jit.save(scripted, str(folder / "weights.pt"))
    tiling = described(model)["tiling"]
    step, halo = (tiling["step"], tiling["halo"]) if tiling else (1, 0)
    least = max(1, 2 * halo // step + 1) * step
    image_HWC = _test_image(options, about.preprocess, least, step)
    image_BCHW = np.ascontiguousarray(np.moveaxis(image_HWC, 2, 0))[None]
    seen = torch.from_numpy(image_BCHW.astype(np.float32))
    if single:
        seen = about.preprocess.normalise(seen)
    with torch.inference_mode():
        probabilities_BKHW = scripted(seen).numpy()
    np.save(folder / "test_input.npy", image_BCHW)
    np.save(folder / "test_output.npy", probabilities_BKHW)
    (folder / "documentation.md").write_text(card_text(about, name, said), "utf-8")
    _cover(folder / "cover.png", image_HWC, probabilities_BKHW[0], model)
    return {
        "type": "model",
        "format_version": "0.5.4",
        "name": name,
        "description": said.get("description", one_line(about))[:1024],
        "authors": [{"name": author.strip()} for author in said["author"].split(";")],
        "license": said["licence"].strip(),
        "cite": [CITE],
        "tags": ["unet", "semantic-segmentation", "pytorch", *_words(said.get("tags", ""))],
        "documentation": "documentation.md",
        "covers": ["cover.png"],
        "inputs": [_input(about.preprocess, step, least, normalised=single)],
        "outputs": [_output(about.labels.names, halo)],
        "weights": {
            "torchscript": {"source": "weights.pt", "pytorch_version": re.sub(r"[^\d.].*", "", torch.__version__)}
        },
        "config": {"maskwright": json.loads(json.dumps(described(model), default=str))},
        "version": f"0.{__version__.split('.')[1]}",
    }


def _input(preprocess: Preprocess, step: int, least: int, *, normalised: bool) -> dict[str, Any]:
    colours = ["red", "green", "blue"] if preprocess.channels == 3 else None
    names = colours or [f"channel{c}" for c in range(preprocess.channels)]
    steps: list[dict[str, Any]] = [{"id": "ensure_dtype", "kwargs": {"dtype": "float32"}}]
    if normalised:
        fixed = {"axis": "channel", "mean": list(preprocess.mean), "std": list(preprocess.std)}
        steps.append({"id": "fixed_zero_mean_unit_variance", "kwargs": fixed})
    size = {"min": least, "step": step}
    return {
        "id": "image",
        "axes": [
            {"type": "batch"},
            {"type": "channel", "channel_names": names},
            {"type": "space", "id": "y", "size": size},
            {"type": "space", "id": "x", "size": size},
        ],
        "data": {"type": preprocess.dtype},
        "test_tensor": {"source": "test_input.npy"},
        "preprocessing": steps,
    }


def _output(names: list[str], halo: int) -> dict[str, Any]:
    space = [
        {"type": "space", "id": axis, "size": {"tensor_id": "image", "axis_id": axis}}
        | ({"halo": halo} if halo else {})
        for axis in ("y", "x")
    ]
    return {
        "id": "probabilities",
        "description": "How likely each pixel is of each class",
        "axes": [{"type": "batch"}, {"type": "channel", "channel_names": list(names)}, *space],
        "data": {"type": "float32", "range": [0.0, 1.0]},
        "test_tensor": {"source": "test_output.npy"},
    }


def _test_image(options: Options, preprocess: Preprocess, least: int, step: int) -> NDArray[Any]:
    """The golden sample mirrored up to a size that the axes allow, H W C as stored; painted where there is no file."""
    side = least + max(0, -(-(SIDE - least) // step)) * step
    if options.source is not None:
        image_HWC = golden_image(options.source)
    else:
        drawn = np.random.default_rng(0).normal(preprocess.mean, preprocess.std, (SIDE, SIDE, preprocess.channels))
        whole = preprocess.dtype != "float32"
        image_HWC = (drawn.clip(0, np.iinfo(preprocess.dtype).max) if whole else drawn).astype(preprocess.dtype)
    pads = [(0, max(0, side - n)) for n in image_HWC.shape[:2]]
    return np.pad(image_HWC, [*pads, (0, 0)], mode="symmetric")[:side, :side]


def _cover(path: Path, image_HWC: NDArray[Any], probabilities_KHW: NDArray[np.float32], model: Ensemble) -> None:
    """The test image as it is seen, and beside it its classes in their colours."""
    from maskwright.files import write_image

    values = image_HWC[:, :, [0, 1, 2] if image_HWC.shape[2] == 3 else [0, 0, 0]].astype(np.float64)
    low, high = float(values.min()), float(values.max())
    shown = ((values - low) / max(high - low, 1e-9) * 255).astype(np.uint8)
    colours = np.array([c.colour for c in model.description.labels.classes], np.uint8)
    both = np.concatenate([shown, colours[probabilities_KHW.argmax(0)]], axis=1)
    times = max(1, 256 // both.shape[0])
    write_image(path, np.kron(both, np.ones((times, times, 1), np.uint8)))


def _without_normalisation(model: Model) -> Model:
    channels = model.description.preprocess.channels
    plain = model.description.preprocess.model_copy(update={"mean": (0.0,) * channels, "std": (1.0,) * channels})
    return Model(model.network, model.description.model_copy(update={"preprocess": plain}))


def _traced(model: Model) -> nn.Module:
    logits = Logits(model)
    jit: Any = torch.jit
    traced: nn.Module = jit.trace(logits, torch.zeros(example_shape(logits.network, 2, 1)), check_trace=False)
    return traced


def _name(text: str) -> str:
    """A name of the letters that the specification allows."""
    return re.sub(r"[^\w\s()+-]", "-", text, flags=re.ASCII).strip()[:128] or "U-Net"


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]
