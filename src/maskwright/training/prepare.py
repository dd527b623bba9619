"""From a plan to a job, and from its outcome to what the model file says."""

import datetime
import json
import platform
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch

from maskwright._version import __version__
from maskwright.anysize import fitted
from maskwright.data import cache
from maskwright.data.cache import Decoder
from maskwright.data.dataset import Crops, Finish
from maskwright.data.fingerprint import Fingerprint
from maskwright.data.randomness import number
from maskwright.data.room import demand_room, room_for, shown
from maskwright.data.sample import Sample, Samples
from maskwright.devices import DeviceSettings, cores
from maskwright.errors import SettingError
from maskwright.losses import build as build_loss
from maskwright.model import UNet, UNetRecord, encoders
from maskwright.model.sizes import geometry
from maskwright.modelfile import Description
from maskwright.plan import Plan
from maskwright.training import checkpoint
from maskwright.training.first_opinion import begin_with, shares_of
from maskwright.training.job import Job, Outcome
from maskwright.training.validation import Validation
from maskwright.training.world import ALONE, World

ENCODER_WEIGHTS = "encoder_weights.json"
GOLDEN_PIXELS = 64
"""Side of the golden sample; more where the network needs more."""


def prepare(
    folder: Path,
    samples: Samples,
    decided: Plan,
    progress: Callable[[int, int], None] | None = None,
    decoded: Path | None = None,
    world: World = ALONE,
) -> Job:
    """The plan's parts, built: network, crops, loss, validation. Decodes the images, or finds them decoded.

    progress: told how many images of how many are decoded. decoded: where those are kept; None: in the folder.
    world: the processes that train together; the first is here before the others.

    Raises:
        SettingError: the schedule follows the validation loss, and there is nothing to validate on.
    """
    if decided.training.budget.settled and not samples.part("val"):
        raise SettingError(
            "Training until the validation score has settled takes images to validate on, and none is set aside. Name "
            "some with --val, or say how long: --minutes, --epochs."
        )
    if decided.training.schedule.name == "plateau" and not samples.part("val"):
        raise SettingError(
            "The plateau schedule follows the validation loss, and no image is set aside to validate on. Name some "
            "with --val, or set schedule.name=cosine."
        )
    torch.manual_seed(number(decided.seed, "weights"))
    learned = decided.objects.learned if decided.objects else None
    outputs = samples.labels.learning(learned).outputs
    decode = partial(cache.build, samples=samples, preprocess=decided.preprocess, objects=learned, workers=cores())
    borders = decided.loss.border.plain() if decided.loss.border else None
    home = decoded or folder / "cache"
    # The disk may fill meanwhile; all must have the same images in the cache.
    room = int(world.noted("room", str(room_for(home, decided.training.cache_gb).bytes)))
    train = decode(home / "train", part=samples.part("train"), borders=borders, limit=room, progress=progress)
    loss = build_loss(decided.loss)
    validation = None
    if part := _held_out(samples, decided):
        left = room - sum(_decoder(samples, decided).bytes_each[: train.kept])
        held_out = decode(home / "val", part=part, limit=max(0, left))
        validation = Validation(held_out, decided.preprocess, len(outputs), loss, decided.tiles, world)
    network = _network(folder, decided.model, writes=world.first)
    if decided.recipe is None and decided.model.init != "torch":  # these begin as their authors' do
        begin_with(network, shares_of(train, len(outputs)), decided.loss.class_weights)
    return Job(
        network=network,
        crops=Crops(
            train,
            decided.sampling,
            decided.augment,
            decided.seed,
            decided.preprocess.channels,
            margin=geometry(decided.model).margin,
            share=(world.rank, world.size),
        ),
        finish=Finish(decided.sampling, decided.preprocess),
        loss=loss,
        validation=validation,
        settings=decided.training,
        device=decided.device,
        folder=folder,
        seed=decided.seed,
        workers=_workers(decided.device),
        world=world,
        names=tuple(sample.name for sample in samples.part("train")),
        classes=tuple(outputs),
    )


def _workers(device: DeviceSettings) -> int:
    """Processes that read crops."""
    if device.workers is not None:
        return device.workers
    # A crop costs a CPU step nothing; a GPU would wait for it.
    return 0 if device.accelerator == "cpu" else min(8, max(1, cores() - 1))


def housed(folder: Path, samples: Samples, decided: Plan) -> Plan:
    """The plan, with a reason why not all images are decoded once and for all, if the disk has no room for that.

    Raises:
        SettingError: more was asked for than the disk has.
    """
    place = folder / "cache"
    room = room_for(place, decided.training.cache_gb)
    needed = sum(_decoder(samples, decided).bytes_each)
    needed += sum(Decoder(samples, tuple(_held_out(samples, decided)), decided.preprocess, None).bytes_each)
    demand_room(place, min(needed, room.bytes))
    reasons = {key: reason for key, reason in decided.reasons.items() if key != "training.cache_gb"}
    if needed > room.bytes:
        reasons["training.cache_gb"] = (
            f"{room.reason}: of {shown(needed)} of decoded images at most {shown(room.bytes)} are kept, the others "
            "decoded whenever they are needed"
        )
    elif decided.training.cache_gb is not None:
        reasons["training.cache_gb"] = room.reason
    return decided.model_copy(update={"reasons": reasons})


def _decoder(samples: Samples, decided: Plan) -> Decoder:
    borders = decided.loss.border.plain() if decided.loss.border else None
    return Decoder(samples, tuple(samples.part("train")), decided.preprocess, borders)


def _held_out(samples: Samples, decided: Plan) -> list[Sample]:
    """The images that are validated on."""
    part = samples.part("val")
    every = max(1, -(-len(part) // decided.training.validation.images))
    return part[::every]  # evenly spread: neighbours in a list are often alike


def _network(folder: Path, record: UNetRecord, *, writes: bool) -> UNet:
    """The network with fresh weights, its encoder's from where the record says; what those are is written down."""
    network = UNet.from_record(record)
    resumed = checkpoint.exists(folder)  # all weights come from there
    if not resumed and (info := encoders.load_weights(network.encoder, record)) and writes:
        info.save(folder / ENCODER_WEIGHTS)
    return network


def golden(job: Job) -> torch.Tensor:
    """A training crop as the network sees it, from the middle of the first image."""
    images = torch.from_numpy(job.crops.cache.image(0).astype(np.float32))
    height, width = (min(GOLDEN_PIXELS, n) for n in images.shape[-2:])
    top, left = (images.shape[-2] - height) // 2, (images.shape[-1] - width) // 2
    middle = images[:, top : top + height, left : left + width]
    return fitted(job.network.record, job.finish.preprocess.normalise(middle))


def description(
    folder: Path, samples: Samples, fingerprint: Fingerprint, decided: Plan, outcome: Outcome
) -> Description:
    """What the model file says of the training."""
    weights = folder / ENCODER_WEIGHTS
    parts = {split: tuple(s.content for s in samples.part(split)) for split in ("train", "val", "test")}
    return Description(
        maskwright=__version__,
        # Where its first weights came from is history; a path of this machine would mean nothing elsewhere.
        network=decided.model.with_settings({"encoder.weights": None}),
        preprocess=decided.preprocess,
        labels=samples.labels.learning(
            decided.objects.learned if decided.objects else None,
            fingerprint.objects.classes if fingerprint.objects else (),
        ),
        plan=decided,
        fingerprint=fingerprint,
        provenance={
            "made": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "data": Path(samples.root).resolve().name,
            "steps": outcome.steps,
            "seconds": round(outcome.seconds, 1),
            "ended": outcome.reason,
            "torch": torch.__version__,
            "python": platform.python_version(),
            "device": decided.device.name,
            **({"encoder_weights": json.loads(weights.read_text("utf-8"))} if weights.is_file() else {}),
        },
        split=parts,
    )
