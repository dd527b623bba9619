"""Files for many images: each is predicted and what is asked for written of it, several at a time; a command that was
interrupted goes on where it stopped when it is given again.
"""

import shutil
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

import torch
from numpy.typing import NDArray

from maskwright.data.names import page_path
from maskwright.devices import cores
from maskwright.errors import DataError, MaskwrightError
from maskwright.files import Scene, head_of, open_scene, origin_of, pages_in, stamp, write_mask_stack
from maskwright.inference import guard
from maskwright.inference.inputs import Input, Standing, is_stack, targets
from maskwright.inference.journal import Done, Journal
from maskwright.inference.one import Asked, job_of, predicted
from maskwright.inference.outputs import Gathered, Output
from maskwright.inference.outputs.mask import Mask
from maskwright.inference.outputs.registry import part_of
from maskwright.inference.predictor import Predictor
from maskwright.inference.result import Result
from maskwright.inference.working import Working

IN_MEMORY: Final = 2**28
"""Bytes of the planes of an image up to which they are kept in memory; those of larger ones lie in a folder."""


@dataclass(frozen=True)
class Written:
    """One input: what was written for it, or why nothing was."""

    image: Path
    files: tuple[Path, ...] = ()
    """In the order in which the outputs were asked for."""
    error: MaskwrightError | None = None
    was_done: bool = False
    """Whether an earlier command had finished it."""
    seconds: float = 0.0
    pixels: int = 0
    """Of the image, of all its pages."""
    computed: float = 0.0
    """Pixels that went through the network for each that was wanted, at working size."""
    warnings: tuple[str, ...] = ()

    @property
    def mask(self) -> Path | None:
        """The first file, the mask unless it was not asked for."""
        return next(iter(self.files), None)


def write_all(
    predictor: Predictor,
    inputs: Sequence[Input],
    out: Path,
    asked: Asked,
    *,
    overwrite: bool = False,
    jobs: int | None = None,
) -> Iterator[Written]:
    """What was written of each image, one by one, in their order.

    What an earlier command with the same model and settings has finished is not done again, and a large image that it
    had begun is gone on with.

    jobs: images that are worked on at a time, of the large ones always one; None: as many as there are cores.

    Raises:
        DataError: the results of two would be called the same, a file is there already that no such command has
            written, or the disk is full.
    """
    found = targets(inputs, out)
    work = _Work(predictor, out, asked, overwrite, jobs or min(len(found), cores()))
    standing = Standing()
    work.demand_room(found, standing)
    gathered = [out / Path(output.file).stem for output in work.gathered()]
    for path in standing.half_written([*found, *(part_of(target, "") for target in found), *gathered]):
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    tasks = [partial(work.one, one, target) for target, one in found.items()]
    with ThreadPoolExecutor(work.jobs, initializer=work.share_cores) as pool:
        yield from _in_order(pool, tasks, work)
    work.finish(found)


def _in_order(pool: ThreadPoolExecutor, tasks: Sequence[Callable[[], Written]], work: "_Work") -> Iterator[Written]:
    """The results in the order of the tasks, of which no more are begun than keep the pool at work."""
    waiting: deque[Future[Written]] = deque()
    try:
        for task in tasks:
            waiting.append(pool.submit(task))
            if len(waiting) > 2 * work.jobs:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:  # Ctrl-C: what has begun is marked, the rest is dropped
        work.stop.set()
        for future in waiting:
            future.cancel()


@dataclass
class _Made:
    """What is known of an image while it is worked on."""

    files: dict[str, list[Path]] = field(default_factory=dict)
    """By output."""
    pixels: int = 0
    wanted: int = 0
    computed: int = 0
    warnings: list[str] = field(default_factory=list)


class _Work:
    """What all images have in common."""

    def __init__(self, predictor: Predictor, out: Path, asked: Asked, overwrite: bool, jobs: int):
        self.predictor, self.out, self.asked, self.overwrite, self.jobs = predictor, out, asked, overwrite, jobs
        self.journal, self.job, self.stop = Journal(out), job_of(predictor, asked), threading.Event()
        self.threads = torch.get_num_threads()
        self._large = threading.Lock()

    def share_cores(self) -> None:
        """In each thread of the pool: together they take as many cores as one alone would."""
        torch.set_num_threads(max(1, self.threads // self.jobs))

    def demand_room(self, found: Mapping[Path, Input], standing: Standing) -> None:
        """Nothing, if no file would be written over that is not of this very job.

        Raises:
            DataError: one would; names it.
        """
        for target, one in found.items():
            # Only where something of this name is there does it matter which file would be written.
            for path in self._paths(one, target) if target in standing else ():
                if path.resolve() == one.image.resolve():
                    raise DataError(f"The result of {one.image} would be written over it. Give another --out.")
                if path not in self._own(one) and path.exists() and not self.overwrite:
                    raise DataError(f"{path} is there already. Give another --out, or --overwrite what is there.")
        for output in self.gathered():
            file = self.out / output.file
            if file.exists() and not self.overwrite and not self._holds(output, found):
                raise DataError(f"{file} is there already. Give another --out, or --overwrite what is there.")

    def _holds(self, output: Gathered, found: Mapping[Path, Input]) -> bool:
        """Whether the file of all images holds none but those that will be in it again, said by the same models."""
        images = {str(one.image.resolve()) for one in found.values()}
        inside = [done for done in self.journal if repr(output) in done.files]
        return bool(inside) and all(done.job == self.job and done.image in images for done in inside)

    def one(self, one: Input, target: Path) -> Written:
        """One input, whatever is wrong with it.

        Raises:
            DataError: the disk is full.
        """
        started = time.monotonic()
        try:
            missing = self._missing(one)
            if not missing:
                done = self._done(one)
                assert done is not None, "what is not missing is noted"
                return Written(
                    one.image, self._files(done), was_done=True, pixels=done.pixels, computed=done.computed,
                    warnings=done.warnings,
                )  # fmt: skip
            now = stamp(one.image)
            self._begin(one, now, self._paths(one, target))
            made = self._made(one, target, missing)
        except MaskwrightError as error:
            return Written(one.image, error=error, seconds=time.monotonic() - started)
        except OSError as error:
            raise DataError(
                f"What is made of {one.image} could not be written ({error.strerror or error}). Free some space and "
                "give the command again: it goes on where it stopped."
            ) from error
        done = self._noted(one, now, made, time.monotonic() - started)
        return Written(
            one.image, self._files(done), seconds=done.seconds, pixels=done.pixels, computed=done.computed,
            warnings=done.warnings,
        )  # fmt: skip

    def finish(self, found: Mapping[Path, Input]) -> None:
        """The files that are of all images."""
        for output in self.gathered():
            done = [self._done(one) for one in found.values()]
            parts = [self.out / name for line in done if line for name in line.files.get(repr(output), ())]
            output.finish(parts, self.out / output.file)

    def _made(self, one: Input, target: Path, outputs: Sequence[Output]) -> _Made:
        """Predict an image, or each page of a stack, and write what is asked for."""
        made = _Made()
        if not is_stack(one.image):
            with self._result(one, None, target, made) as result:
                for output in outputs:
                    made.files[repr(output)] = [output.write(result, target)]
            return made
        pages = pages_in(one.image)
        stacked = [output for output in outputs if isinstance(output, Mask)]
        others = [output for output in outputs if not isinstance(output, Mask)]

        def each() -> Iterator[NDArray[Any]]:
            for page in range(pages):
                own = page_path(target.with_name(f"{target.name}.x"), page, pages).with_suffix("")
                with self._result(one, page, own, made) as result:
                    for output in others:
                        made.files.setdefault(repr(output), []).append(output.write(result, own))
                    height, width = result.labels.shape
                    yield result.classes.decode(result.labels.read(slice(0, height), slice(0, width)))

        if not stacked:
            deque(each(), maxlen=0)
        for output in stacked:
            path = target.with_name(f"{target.name}.tif")
            made.files[repr(output)] = [write_mask_stack(path, each(), self.predictor.description.labels.style)]
        return made

    @contextmanager
    def _result(self, one: Input, page: int | None, target: Path, made: _Made) -> Iterator[Result]:
        """What the model says of an image, for the length of a block."""
        with ExitStack() as held:
            scene = held.enter_context(open_scene(one.image, page))
            name = one.image.name if page is None else f"{one.image.name}, page {page}"
            self._look(scene, name, made)
            height, width = scene.header.height, scene.header.width
            folder = None
            if self.asked.bytes_of(height * width, self.predictor.description.labels) > IN_MEMORY:
                folder = target.with_name(f".{target.name}.working")
                held.enter_context(self._alone())
            work = held.enter_context(Working(folder, f"{self.job} {stamp(one.image)} {page}"))
            yield predicted(self.predictor, scene, origin_of(scene, one.image, page), name, self.asked, work, self.stop)
            cost = self.predictor.cost(height, width)
            made.pixels += height * width
            made.wanted, made.computed = made.wanted + cost.wanted, made.computed + cost.computed

    def _look(self, scene: Scene, name: str, made: _Made) -> None:
        """Note in what an image is unlike the training images.

        Raises:
            DataError: it is in something, and that is not allowed.
        """
        if self.asked.guard == "off":
            return
        found = guard.check(self.predictor.members, scene)
        if self.asked.guard == "strict":
            guard.demand_familiar(name, found)
        made.warnings += guard.lines(name, found)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """One large image at a time, with all cores."""
        with self._large:
            torch.set_num_threads(self.threads)
            try:
                yield
            finally:
                self.share_cores()

    def _begin(self, one: Input, now: tuple[int, ...], paths: Sequence[Path]) -> None:
        """Note which files may be there from now on; should the process be killed, they are known to be its own."""
        self.journal.add(
            Done(image=str(one.image.resolve()), stamp=now, job=self.job, files=self._before(one, now),
                 begun=self._inside(paths))
        )  # fmt: skip

    def _noted(self, one: Input, now: tuple[int, ...], made: _Made, seconds: float) -> Done:
        done = Done(
            image=str(one.image.resolve()), stamp=now, job=self.job,
            files=self._before(one, now) | {key: self._inside(paths) for key, paths in made.files.items()},
            pixels=made.pixels, seconds=round(seconds, 3), computed=round(made.computed / max(1, made.wanted), 4),
            warnings=tuple(made.warnings),
        )  # fmt: skip
        self.journal.add(done)
        return done

    def _before(self, one: Input, now: tuple[int, ...]) -> dict[str, tuple[str, ...]]:
        """What was written before of the image as it is."""
        done = self._done(one)
        return {} if done is None or done.stamp != now else dict(done.files)

    def _inside(self, paths: Sequence[Path]) -> tuple[str, ...]:
        return tuple(path.relative_to(self.out).as_posix() for path in paths)

    def _done(self, one: Input) -> Done | None:
        """What a command with the same model and settings has done with the image."""
        done = self.journal.of(one.image)
        return done if done is not None and done.job == self.job else None

    def _own(self, one: Input) -> set[Path]:
        done = self._done(one)
        if done is None:
            return set()
        return {self.out / name for names in (*done.files.values(), done.begun) for name in names}

    def _missing(self, one: Input) -> list[Output]:
        """The outputs that are still to be written."""
        done = self._done(one)
        outputs = list(self.asked.outputs.values())
        if done is None or self.overwrite or done.stamp != stamp(one.image):
            return outputs
        return [
            output for output in outputs
            if not (names := done.files.get(repr(output))) or not all((self.out / name).exists() for name in names)
        ]  # fmt: skip

    def _files(self, done: Done) -> tuple[Path, ...]:
        """The files of an image that are not parts of others."""
        own = [done.files.get(repr(o), ()) for o in self.asked.outputs.values() if not isinstance(o, Gathered)]
        return tuple(self.out / name for names in own for name in names)

    def _paths(self, one: Input, target: Path) -> list[Path]:
        """The files that would be written of an image; none, where it does not open."""
        try:
            if is_stack(one.image):
                return [target.with_name(f"{target.name}.tif")]
            origin = origin_of(head_of(one.image), one.image)
        except MaskwrightError:
            return []  # told when its turn comes
        return [output.path(origin, target) for output in self.asked.outputs.values()]

    def gathered(self) -> list[Gathered]:
        """The outputs that are one file of all images."""
        return [output for output in self.asked.outputs.values() if isinstance(output, Gathered)]
