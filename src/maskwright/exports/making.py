"""An export from first to last: written aside, run beside PyTorch, and put in its place only if it holds."""

import datetime
import hashlib
import math
import platform
import shutil
import sys
import tempfile
from collections.abc import Sequence
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

import torch
from numpy.typing import NDArray

from maskwright._version import __version__
from maskwright.devices import cores
from maskwright.errors import ExportError, SettingError
from maskwright.exports.certificate import INT8_LOSS, TOLERANCE, Certificate, Pair
from maskwright.exports.checking import MOST, TIMED, Case, compared, cut, mirrored_to, peak_of, timed
from maskwright.exports.registry import Export, Options, exports
from maskwright.exports.suiting import demand_suits
from maskwright.inference import Predictor
from maskwright.inference.ensemble import Ensemble
from maskwright.inference.looks import looks_of
from maskwright.records import replacing
from maskwright.runtimes.packages import demand
from maskwright.tiling import Tiles

LEAST: Final = 64
WHOLE: Final = Tiles(window=(2**20, 2**20))
"""The graph sees an image whole; so must PyTorch, or tiles that are blended would count as a difference."""


def made(
    model: Ensemble,
    kind: str,
    out: Path,
    golden_HWC: NDArray[Any],
    cases: Sequence[Case] = (),
    *,
    options: Options | None = None,
    tolerance: float | None = None,
    notes: Sequence[str] = (),
) -> Certificate:
    """Export a model as `out` and certify it; what belongs to it lies beside, `OUT.certificate.json` and `.md` too.

    Nothing stands there before it has been checked, and nothing is left where it does not hold.

    golden_HWC: a small image as stored, which the model file carries. cases: images with labels, compared besides.
    tolerance: None, the usual one.

    Raises:
        SettingError: the kind is unknown, lacks a package, or cannot hold this model.
        ExportError: the file does not say what the model says.
    """
    part = ready(kind)
    demand_suits(model)
    options = options or Options()
    int8 = bool(options.calibration)
    if int8 and not part.knows_int8:
        able = [name for name, one in exports.items() if one.knows_int8]
        raise SettingError(f"{kind} is not exported in 8-bit integers. Those that are: {', '.join(able) or 'none'}.")
    if int8 and not any(case.labels is not None for case in cases):
        raise SettingError(
            "What 8-bit integers lose is measured on labelled images, and there are none. Name a folder: --data"
        )
    if tolerance is None:
        tolerance = INT8_LOSS if int8 else TOLERANCE
    out.parent.mkdir(parents=True, exist_ok=True)
    # On the same disk, so that what is finished is moved and not copied.
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.stem}.") as aside:
        written = part().write(model, Path(aside) / out.name, options)
        every = [Case("golden sample", golden(model, golden_HWC)), *cases]
        certificate = certify(model, kind, written, every, options=options, tolerance=tolerance, notes=notes)
        if not certificate.holds:
            reasons = "\n".join(f"{name}: {text}" for name, text in certificate.lines().items())
            raise ExportError(f"The export does not say what the model says, so {out} was not kept.\n{reasons}")
        _put(written, out)
    certificate.save(out.with_name(f"{out.name}.certificate.json"))
    with replacing(out.with_name(f"{out.name}.certificate.md")) as temporary:
        temporary.write_text(certificate.to_markdown(), "utf-8")
    return certificate


def ready(kind: str) -> type[Export]:
    """The kind of export of that name, with all that it needs installed.

    Raises:
        SettingError: there is none of that name, or a package is missing.
    """
    part = exports[kind]
    for package, extra in part.packages.items():
        demand(package, extra, f"Exporting to {kind}")
    return part


def certify(
    model: Ensemble,
    kind: str,
    path: Path,
    cases: Sequence[Case],
    *,
    options: Options,
    tolerance: float,
    notes: Sequence[str] = (),
) -> Certificate:
    """What a file of that kind was seen to do, next to the model; the second case is timed, or the only one."""
    part = exports[kind]
    predictor = Predictor(model, device="cpu", tiles=WHOLE)
    threads = torch.get_num_threads()
    runner = part().open(path, threads)
    most = _largest(model)
    clock = cut(cases[min(1, len(cases) - 1)], most).image
    image_HWC = mirrored_to(clock, *(max(n, TIMED) for n in clock.shape[:2]))
    # Before all else: what a run has freed serves the next one.
    peaks = [peak_of(partial(run, image_HWC)) for run in (predictor, runner)]
    said = compared(predictor, runner, [cut(case, most) for case in cases])
    int8 = bool(options.calibration)
    if int8 and said.classes == 1:
        notes = [*notes, "The model sees one class alone on all these images, so this says little of what 8 bit lose."]
    times = timed(image_HWC, predictor, runner)
    files = sorted(p for p in path.parent.rglob("*") if p.is_file())
    counted = {p.relative_to(path.parent).as_posix(): p for p in files}
    if options.source is not None:
        counted = {options.source.name: options.source} | counted
    return Certificate(
        file=path.name,
        kind=kind,
        about=part.about,
        int8=int8,
        views=tuple(member.description.plan.views for member in model.members),
        images=tuple(case.name for case in cases),
        pixels=said.pixels,
        cropped=most if any(max(case.image.shape[:2]) > most for case in cases) else None,
        difference=said.difference,
        logit_difference=said.logit_difference,
        changed=said.changed,
        mean_iou=said.mean_iou,
        tolerance=tolerance,
        latency_ms=Pair(torch=times[0], export=times[1]),
        timed=(image_HWC.shape[0], image_HWC.shape[1]),
        threads=threads,
        peak_bytes=_pair(*peaks),
        bytes={name: p.stat().st_size for name, p in counted.items()},
        sha256={name: hashlib.sha256(p.read_bytes()).hexdigest() for name, p in counted.items()},
        versions={"maskwright": __version__, "torch": torch.__version__, **_versions(part.packages)},
        machine=_machine(),
        made=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        notes=tuple(notes),
    )


def golden(model: Ensemble, image_HWC: NDArray[Any]) -> NDArray[Any]:
    """The golden sample, mirrored to odd sides of some 64 working pixels: no size that a network likes best."""
    scale = min(1.0, *(look.preprocess.scale for look in looks_of(model.members)))
    height, width = (max(n, math.ceil(LEAST / scale)) for n in image_HWC.shape[:2])
    return mirrored_to(image_HWC, (height + 3) | 1, (width + 9) | 1)


def _largest(model: Ensemble) -> int:
    """Pixels a side up to which an image is compared whole."""
    every = [look.preprocess for look in looks_of(model.members)]
    if any(preprocess.size is not None for preprocess in every):
        return sys.maxsize  # an image that is made one size is seen as a whole, and costs the same
    return round(MOST / max(preprocess.scale for preprocess in every))


def _pair(ours: int | None, exported: int | None) -> Pair | None:
    return None if ours is None or exported is None else Pair(torch=ours, export=exported)


def _put(written: Path, out: Path) -> None:
    """Move what was written to its place, the file itself last: whoever finds it finds all that belongs to it."""
    for path in sorted(written.parent.iterdir(), key=lambda p: p == written):
        target = out.with_name(path.name)
        if target.is_dir():
            shutil.rmtree(target)
        path.replace(target)


def _versions(packages: dict[str, str]) -> dict[str, str]:
    found = {}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:  # installed under another name than it is imported by
            continue
    return found


def _machine() -> str:
    """Processor, cores and system."""
    name = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
        name = next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):  # only Linux on x86 says it there
        pass
    return f"{name}, {cores()} cores, {platform.system()}, Python {platform.python_version()}"
