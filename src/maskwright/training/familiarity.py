"""The last thing a training does: it looks at some of its images, for the model file to say what they looked like."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from maskwright.data.sample import Sample, Samples
from maskwright.familiar import HELD_OUT, TRAINED_ON, Familiar, learn, some
from maskwright.files import ArrayScene
from maskwright.model import UNet
from maskwright.plan import Plan


def familiar(network: UNet, decided: Plan, samples: Samples) -> Familiar | None:
    """What some training and validation images of a data set look like to a network in evaluation mode; None where
    there are too few to say what is usual. The test part is not looked at.

    Raises:
        ReadError: an image is gone.
    """
    train, val = samples.part("train"), samples.part("val")
    trained_on, held_out = (
        _scenes(samples, [part[i] for i in some(len(part), most)])
        for part, most in ((train, TRAINED_ON), (val, HELD_OUT))
    )
    return learn(network, decided.preprocess, trained_on, held_out, decided.augment)


def _scenes(samples: Samples, part: Sequence[Sample]) -> Iterator[ArrayScene]:
    """Each sample's image, the next one read while this one is looked at."""
    with ThreadPoolExecutor(1) as pool:
        waiting = [pool.submit(samples.image, sample) for sample in part[:1]]
        for following in part[1:]:
            ready = waiting.pop().result()
            waiting.append(pool.submit(samples.image, following))
            yield ArrayScene(ready)
        for last in waiting:
            yield ArrayScene(last.result())
