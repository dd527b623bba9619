"""What was found in one image, in planes: it need not fit into memory. Shapes: K classes, H W the image."""

from collections.abc import Callable
from dataclasses import dataclass

from maskwright.data.labels import Labels
from maskwright.files import Origin, Plane, Scene
from maskwright.regions import Objects


@dataclass(frozen=True, eq=False)
class Result:
    """One image and what the model says of it, at the image's own size; what outputs are written from."""

    name: str
    """The image, as messages call it and tables list it."""
    scene: Scene
    origin: Origin
    """`origin_of(scene, file, page)`."""
    classes: Labels
    labels: Plane
    """H W uint8: the most probable label of each pixel; `IGNORED` where the image holds no data."""
    probabilities: tuple[Plane, ...] | None
    """K planes, H W float32, if they were asked for."""
    objects: Objects | None
    """If they were asked for."""
    scratch: Callable[[tuple[int, int], str], Plane]
    """A new plane of zeros of this shape and dtype: in memory, or on disk where it is large. It is thrown away when
    the image is done.
    """
