"""NumPy, NIfTI and Zarr: written by hand where the library is an extra."""

import gzip
import io
import json
import struct
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
from flavours import HEIGHT, WIDTH, Data, flavours, picture


def npy(array: np.ndarray[Any, Any]) -> bytes:
    memory = io.BytesIO()
    np.save(memory, array)
    return memory.getvalue()


def npz(packed: bool, **arrays: np.ndarray[Any, Any]) -> Callable[[], bytes]:
    def paint() -> bytes:
        memory = io.BytesIO()
        (np.savez_compressed if packed else np.savez)(memory, **arrays)
        return memory.getvalue()

    return paint


@flavours("npy", ".npy")
def _npys() -> dict[str, Callable[[], Data]]:
    kinds = ("bool", "uint8", "uint16", "int64", "float16", "float32", "float64", "complex64")
    made: dict[str, Callable[[], Data]] = {kind: lambda kind=kind: npy(picture(dtype=kind)) for kind in kinds}
    return made | {
        "rgb": lambda: npy(picture(3)),
        "channels-first": lambda: npy(np.ascontiguousarray(np.moveaxis(picture(3), 2, 0))),
        "fortran": lambda: npy(np.asfortranarray(picture(dtype="uint16"))),
        "big-endian": lambda: npy(picture(dtype="uint16").astype(">u2")),
    }


@flavours("npz", ".npz")
def _npzs() -> dict[str, Callable[[], Data]]:
    return {"stored": npz(False, arr_0=picture()), "deflated": npz(True, image=picture(3)),
            "two": npz(True, image=picture(3), mask=picture())}  # fmt: skip


def nifti(dtype: str = "int16", code: int = 4, order: str = "<", shape: tuple[int, ...] = (WIDTH, HEIGHT)) -> bytes:
    """A NIfTI-1 written by hand: header of 348 bytes, four of none, the samples."""
    head = bytearray(352)
    struct.pack_into(f"{order}i", head, 0, 348)
    struct.pack_into(f"{order}8h", head, 40, len(shape), *shape, *[1] * (7 - len(shape)))
    struct.pack_into(f"{order}hh", head, 70, code, np.dtype(dtype).itemsize * 8)
    struct.pack_into(f"{order}8f", head, 76, *[1.0] * 8)
    struct.pack_into(f"{order}fff", head, 108, 352.0, 1.0, 0.0)
    head[344:348] = b"n+1\0"
    count = int(np.prod(shape))
    return bytes(head) + np.resize(picture(), count).astype(f"{order}{np.dtype(dtype).str[1:]}").tobytes()


@flavours("nifti", ".nii", reader="nifti")
def _niftis() -> dict[str, Callable[[], Data]]:
    return {
        "plane": lambda: nifti(shape=(WIDTH, HEIGHT, 1)),
        "volume": lambda: nifti(shape=(WIDTH, HEIGHT, 4)),
        "uint8": lambda: nifti("uint8", 2, ">"),
        "float64": lambda: nifti("float64", 64, shape=(WIDTH, HEIGHT, 2)),
    }


@flavours("gz", ".nii.gz", reader="nifti")
def _gzipped_niftis() -> dict[str, Callable[[], Data]]:
    return {
        "nifti-plane": lambda: gzip.compress(nifti(shape=(WIDTH, HEIGHT, 1)), mtime=0),
        "nifti-volume": lambda: gzip.compress(nifti(shape=(WIDTH, HEIGHT, 4)), mtime=0),
    }


def zarr2(packed: bool = True, ome: bool = False) -> dict[str, bytes]:
    """A Zarr of version 2, written by hand: what stands in the JSON, and four chunks."""
    array, side = picture(dtype="uint16"), (16, 20)
    about = {"zarr_format": 2, "shape": [HEIGHT, WIDTH], "chunks": list(side), "dtype": "<u2", "fill_value": 0,
             "order": "C", "filters": None, "compressor": {"id": "zlib", "level": 5} if packed else None}  # fmt: skip
    at = "0/" if ome else ""
    files = {f"{at}.zarray": json.dumps(about).encode()}
    for row in range(2):
        for column in range(2):
            part = np.zeros(side, "<u2")
            cut = array[row * 16 :, column * 20 :][:16, :20]
            part[: cut.shape[0], : cut.shape[1]] = cut
            files[f"{at}{row}.{column}"] = zlib.compress(part.tobytes()) if packed else part.tobytes()
    if ome:
        axes = [{"name": name, "type": "space"} for name in "yx"]
        scales = [{"path": "0", "coordinateTransformations": [{"type": "scale", "scale": [1, 1]}]}]
        shown = {"multiscales": [{"version": "0.4", "axes": axes, "datasets": scales}]}
        files |= {".zgroup": b'{"zarr_format": 2}', ".zattrs": json.dumps(shown).encode()}
    return files


def zarr3() -> dict[str, bytes]:
    """A Zarr of version 3 in one chunk, written by hand."""
    about = {
        "zarr_format": 3, "node_type": "array", "shape": [HEIGHT, WIDTH], "data_type": "uint8", "fill_value": 0,
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [HEIGHT, WIDTH]}}, "attributes": {},
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
        "codecs": [{"name": "bytes", "configuration": {"endian": "little"}},
                   {"name": "gzip", "configuration": {"level": 5}}],
    }  # fmt: skip
    return {"zarr.json": json.dumps(about).encode(), "c/0/0": gzip.compress(picture().tobytes(), mtime=0)}


@flavours("zarr", ".zarr", reader="zarr")
def _zarrs() -> dict[str, Callable[[], Data]]:
    return {"two": zarr2, "two-raw": lambda: zarr2(packed=False), "two-ome": lambda: zarr2(ome=True), "three": zarr3}
