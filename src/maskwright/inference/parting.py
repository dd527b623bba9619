"""Objects in a plane of labels, and the class of what was learned of them. H W the image."""

import numpy as np

from maskwright.data.labels import Labels
from maskwright.data.learned_objects import ObjectSettings
from maskwright.files import Plane
from maskwright.records import IGNORED
from maskwright.regions import Objects, Separation, separate
from maskwright.regions.scratch import Scratch, bands, in_memory


def objects_in(
    marked: Plane, classes: Labels, settings: ObjectSettings | None, scratch: Scratch = in_memory
) -> Objects:
    """The objects in a plane of labels, H W uint8.

    marked: where settings take them apart by what was learned of them, that is still in the plane.
    settings: None: connected pieces are objects.
    """
    if settings is None:
        return separate(marked, classes=classes.foreground, scratch=scratch)
    how = Separation(how=settings.how, smallest=settings.smallest)
    marks = classes.marks if settings.learned else {}
    return separate(marked, classes=classes.foreground, settings=how, marks=marks, scratch=scratch)


def settle(
    marked: Plane, classes: Labels, settings: ObjectSettings | None, scratch: Scratch = in_memory
) -> Objects | None:
    """Give each marked pixel in the plane the class of the object that it goes to, and return the objects; None, and
    nothing is changed, where that is its class already: where nothing or one class is learned of, or objects are not
    taken apart by it.

    A network is taught that a pixel is a border or a centre, and not of which class: what it gives second was wrong of
    14 and 17 % of the marked pixels, the object's class of 5 and 2 % (EXPERIMENTS.md).
    """
    if settings is None or settings.learned is None or len(classes.marks) < 2:
        return None
    objects = objects_in(marked, classes, settings, scratch)
    class_of = np.concatenate([np.full(1, IGNORED, np.uint8), objects.labels.astype(np.uint8)])
    for rows, columns in bands(marked.shape):
        labels_hw, ids_hw = marked.read(rows, columns), objects.ids.read(rows, columns)
        learned_hw = np.isin(labels_hw, list(classes.marks)) & (ids_hw > 0)
        settled_hw = classes.marked(np.where(learned_hw, class_of[ids_hw], labels_hw), learned_hw)
        marked.write(rows, columns, settled_hw)
    return objects
