"""Sources: where the labels of an image stand, and how they become mask values. An open list; adding one is adding a
file here.

A mask file with a value a pixel is the usual one; others are a file for each object, polygons, a file for each class.
"""

from maskwright.data.sources.registry import Place, Source, sources

__all__ = ["Place", "Source", "sources"]
