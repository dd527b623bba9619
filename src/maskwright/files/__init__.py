"""Files in, arrays out, and back: images, masks and folders of them. Nothing above this floor opens a picture
itself.

>>> from maskwright.files import files_in, read_image, read_mask
>>> for path in files_in("photographs"):  # doctest: +SKIP
...     image_HWC = read_image(path)
"""

from maskwright.files.archive_index import UNPACK
from maskwright.files.archives import ARCHIVE_SUFFIXES, is_archive, members
from maskwright.files.georeference import Georeference, read_georeference
from maskwright.files.images import Picture, axes_in, read_header, read_image, read_picture, write_image
from maskwright.files.limits import MAX_BYTES
from maskwright.files.listing import IMAGE_SUFFIXES, STACK_SUFFIXES, files_in, has_files
from maskwright.files.masks import Mask, MaskStyle, read_mask, write_mask, write_mask_stack
from maskwright.files.names import stem, suffix_of
from maskwright.files.opening import MAX_PIXELS, is_picture_folder, pages_in
from maskwright.files.origins import LARGEST_PNG, Origin, origin_of
from maskwright.files.places import content_hash, folders_in, hashed, is_file, is_folder, open_file, read_bytes, stamp
from maskwright.files.planes import FilePlane, MemoryPlane, Plane
from maskwright.files.pngwriting import write_png
from maskwright.files.rasters import Raster, raster_of
from maskwright.files.readers import Reader, readers
from maskwright.files.runlengths import decode_runs, encode_runs, read_run_lengths, write_run_lengths
from maskwright.files.scenes import ArrayScene, Head, Scene, head_of, open_scene
from maskwright.files.stored import Header, Stored
from maskwright.files.tiffwriting import write_tiff
from maskwright.files.validity import read_alpha, valid_pixels
from maskwright.files.windows import read_window
from maskwright.files.zarrwriting import write_zarr

__all__ = [
    "ARCHIVE_SUFFIXES",
    "IMAGE_SUFFIXES",
    "LARGEST_PNG",
    "MAX_BYTES",
    "MAX_PIXELS",
    "STACK_SUFFIXES",
    "UNPACK",
    "ArrayScene",
    "FilePlane",
    "Georeference",
    "Head",
    "Header",
    "Mask",
    "MaskStyle",
    "MemoryPlane",
    "Origin",
    "Picture",
    "Plane",
    "Raster",
    "Reader",
    "Scene",
    "Stored",
    "axes_in",
    "content_hash",
    "decode_runs",
    "encode_runs",
    "files_in",
    "folders_in",
    "has_files",
    "hashed",
    "head_of",
    "is_archive",
    "is_file",
    "is_folder",
    "is_picture_folder",
    "members",
    "open_file",
    "open_scene",
    "origin_of",
    "pages_in",
    "raster_of",
    "read_alpha",
    "read_bytes",
    "read_georeference",
    "read_header",
    "read_image",
    "read_mask",
    "read_picture",
    "read_run_lengths",
    "read_window",
    "readers",
    "stamp",
    "stem",
    "suffix_of",
    "valid_pixels",
    "write_image",
    "write_mask",
    "write_mask_stack",
    "write_png",
    "write_run_lengths",
    "write_tiff",
    "write_zarr",
]
