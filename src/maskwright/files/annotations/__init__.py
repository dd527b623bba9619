"""Annotation files in, shapes out, and from shapes pictures of classes and of objects: an open list of formats.

>>> annotations = read_annotations("instances_train.json")  # doctest: +SKIP
>>> image = annotations.of("images/0001.jpg")  # doctest: +SKIP
>>> labels_HW = draw(image.shapes, image.size, {"cat": 1, "dog": 2})  # doctest: +SKIP
"""

from maskwright.files.annotations.drawing import draw, draw_objects
from maskwright.files.annotations.reading import annotation_format, gather, read_annotations
from maskwright.files.annotations.record import AnnotatedImage, Annotations, Shape
from maskwright.files.annotations.registry import AnnotationFormat, Reading, formats

__all__ = [
    "AnnotatedImage",
    "AnnotationFormat",
    "Annotations",
    "Reading",
    "Shape",
    "annotation_format",
    "draw",
    "draw_objects",
    "formats",
    "gather",
    "read_annotations",
]
