"""A shelf for pieces of logits that wait for others: in memory, or in a file of its own where they are large."""

import tempfile
from collections import deque
from dataclasses import dataclass
from typing import BinaryIO, Final, Self

import numpy as np
import torch
from torch import Tensor

IN_MEMORY: Final = 128 << 20
"""Bytes that a shelf holds in memory; what is put on it beyond them goes into a temporary file."""


@dataclass(frozen=True, eq=False)
class _Piece:
    rows: slice
    columns: slice
    shape: torch.Size
    values: Tensor | int
    """K h w, or the place in the file."""

    @property
    def bytes(self) -> int:
        return self.shape.numel() * 4


class Shelf:
    """Pieces K h w of a picture K H W, float32, put down from left to right, row of pieces after row of pieces, and
    taken up in the same order, cut in another way. To be closed.
    """

    def __init__(self, in_memory: int = IN_MEMORY):
        self._most, self._held = in_memory, 0
        self._pieces: deque[_Piece] = deque()
        self._file: BinaryIO | None = None
        self._free: list[tuple[int, int]] = []  # place and length of what may be written over
        self._end = 0

    def put(self, rows: slice, columns: slice, values: Tensor) -> None:
        """Keep a piece; it is copied, so that what it was cut from can go."""
        size = values.numel() * 4
        if self._held + size > self._most:
            self._pieces.append(_Piece(rows, columns, values.shape, self._written(values)))
            return
        self._held += size
        copy = values.clone(memory_format=torch.contiguous_format)
        self._pieces.append(_Piece(rows, columns, values.shape, copy))

    def fill(self, out: Tensor, rows: slice, columns: slice) -> Tensor:
        """What lies in these rows and columns, copied to `out` K h w, and that; where nothing does, it stays."""
        for piece in self._pieces:
            down, across = _common(piece.rows, rows), _common(piece.columns, columns)
            if down.start < down.stop and across.start < across.stop:
                values = piece.values if isinstance(piece.values, Tensor) else self._read(piece, piece.values)
                there = values[:, *_within(down, across, piece.rows, piece.columns)]
                out[:, *_within(down, across, rows, columns)] = there
        return out

    def drop(self, row: int, column: int | None = None) -> None:
        """Let go of the oldest pieces, as long as they end above that row, and left of that column if one is given."""
        while self._pieces:
            piece = self._pieces[0]
            if piece.rows.stop > row or (column is not None and piece.columns.stop > column):
                return
            self._pieces.popleft()
            if isinstance(piece.values, Tensor):
                self._held -= piece.bytes
            else:
                self._free.append((piece.values, piece.bytes))

    def close(self) -> None:
        """The file goes, if there is one."""
        if self._file is not None:
            self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __len__(self) -> int:
        return len(self._pieces)

    def _written(self, values: Tensor) -> int:
        """The place in the file that the piece got: one that is free and as long, else at the end."""
        if self._file is None:
            self._file = tempfile.TemporaryFile(prefix="maskwright-")  # noqa: SIM115
        data = values.cpu().contiguous().numpy()
        free = next((free for free in self._free if free[1] == data.nbytes), None)
        if free is not None:
            self._free.remove(free)
        place = self._end if free is None else free[0]
        self._end = max(self._end, place + data.nbytes)
        self._file.seek(place)
        self._file.write(data.data)
        return place

    def _read(self, piece: _Piece, place: int) -> Tensor:
        assert self._file is not None, "the piece was written"
        self._file.seek(place)
        values = np.frombuffer(bytearray(self._file.read(piece.bytes)), np.float32)
        return torch.from_numpy(values).reshape(piece.shape)


def _common(one: slice, other: slice) -> slice:
    return slice(max(one.start, other.start), min(one.stop, other.stop))


def _within(down: slice, across: slice, rows: slice, columns: slice) -> tuple[slice, slice]:
    """The rows and columns, counted from where these begin."""
    return (
        slice(down.start - rows.start, down.stop - rows.start),
        slice(across.start - columns.start, across.stop - columns.start),
    )
