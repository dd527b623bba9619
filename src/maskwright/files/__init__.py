"""Files in, arrays out, and back: images, masks and folders of them. Nothing above this floor opens a picture
itself.

>>> from maskwright.files import files_in, read_image, read_mask
>>> for path in files_in("photographs"):  # doctest: +SKIP
...     image_HWC = read_image(path)
"""

from maskwright.files.images import read_header, read_image, write_image
from maskwright.files.limits import MAX_BYTES
from maskwright.files.listing import IMAGE_SUFFIXES, STACK_SUFFIXES, files_in
from maskwright.files.masks import Mask, MaskStyle, read_mask, write_mask, write_mask_stack
from maskwright.files.opening import MAX_PIXELS, pages_in
from maskwright.files.readers import Reader, readers
from maskwright.files.runlengths import decode_runs, encode_runs, read_run_lengths, write_run_lengths
from maskwright.files.stored import Header, Stored

__all__ = [
    "IMAGE_SUFFIXES",
    "MAX_BYTES",
    "MAX_PIXELS",
    "STACK_SUFFIXES",
    "Header",
    "Mask",
    "MaskStyle",
    "Reader",
    "Stored",
    "decode_runs",
    "encode_runs",
    "files_in",
    "pages_in",
    "read_header",
    "read_image",
    "read_mask",
    "read_run_lengths",
    "readers",
    "write_image",
    "write_mask",
    "write_mask_stack",
    "write_run_lengths",
]
