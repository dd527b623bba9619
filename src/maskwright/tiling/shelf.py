"""A shelf for pieces of logits that wait for others: in memory, or in a file of its own where they are large."""

import tempfile
from collections import deque
from dataclasses import dataclass
from typing import BinaryIO, Final

import numpy as np
import torch
from torch import Tensor

IN_MEMORY: Final = 128 << 20
"""Bytes that a shelf holds in memory; what is put on it beyond them goes into a temporary file."""


@dataclass(frozen=True, eq=False)
class _Piece:
    rows: slice
    columns: slice
    values: Tensor | int
    """K h w, or the place in the file."""


class Shelf:
    """Pieces K h w of a picture K H W, put down from left to right, row of pieces after row of pieces, and taken up in
    the same order, cut in another way.
    """

    def __init__(self, channels: int, device: torch.device | str = "cpu", in_memory: int = IN_MEMORY):
        self.channels, self._device, self._most = channels, device, in_memory
        self._pieces: deque[_Piece] = deque()
        self._held = 0
        self._file: BinaryIO | None = None
        self._free: list[tuple[int, int]] = []  # place and length of what may be written over
        self._end = 0

    def put(self, rows: slice, columns: slice, values: Tensor) -> None:
        """Keep a piece; it is copied, so that what it was cut from can go."""
        size = values.numel() * 4
        if self._held + size > self._most:
            self._pieces.append(_Piece(rows, columns, self._written(values)))
            return
        self._held += size
        self._pieces.append(_Piece(rows, columns, values.clone(memory_format=torch.contiguous_format)))

    def take(self, rows: slice, columns: slice) -> Tensor:
        """A copy of what lies in these rows and columns, K h w float32; 0 where nothing does."""
        out = torch.zeros(self.channels, rows.stop - rows.start, columns.stop - columns.start, device=self._device)
        for piece in self._pieces:
            down, across = _common(piece.rows, rows), _common(piece.columns, columns)
            if down.start < down.stop and across.start < across.stop:
                values = piece.values if isinstance(piece.values, Tensor) else self._read(piece, piece.values)
                out[:, *_within(down, across, rows, columns)] = values[
                    :, *_within(down, across, piece.rows, piece.columns)
                ]
        return out

    def drop(self, row: int, column: int | None = None) -> None:
        """Let go of the oldest pieces, as long as they end above that row, and left of that column if one is given."""
        while self._pieces:
            piece = self._pieces[0]
            if piece.rows.stop > row or (column is not None and piece.columns.stop > column):
                return
            self._pieces.popleft()
            if isinstance(piece.values, Tensor):
                self._held -= piece.values.numel() * 4
            else:
                self._free.append((piece.values, self._bytes(piece)))

    def __len__(self) -> int:
        return len(self._pieces)

    def _bytes(self, piece: _Piece) -> int:
        height, width = piece.rows.stop - piece.rows.start, piece.columns.stop - piece.columns.start
        return self.channels * height * width * 4

    def _written(self, values: Tensor) -> int:
        """The place in the file that the piece got: one that is free and as long, else at the end."""
        if self._file is None:
            self._file = tempfile.TemporaryFile(prefix="maskwright-", buffering=0)  # noqa: SIM115
        data = values.cpu().contiguous().numpy()
        place = next((free for free in self._free if free[1] == data.nbytes), None)
        if place is None:
            place = self._end, data.nbytes
            self._end += data.nbytes
        else:
            self._free.remove(place)
        self._file.seek(place[0])
        view = data.data.cast("B")
        while len(view):
            view = view[self._file.write(view) :]
        return place[0]

    def _read(self, piece: _Piece, place: int) -> Tensor:
        assert self._file is not None, "the piece was written"
        height, width = piece.rows.stop - piece.rows.start, piece.columns.stop - piece.columns.start
        values = np.empty((self.channels, height, width), np.float32)
        self._file.seek(place)
        view = values.data.cast("B")
        while len(view):
            view = view[self._file.readinto(view) :]  # type: ignore[attr-defined]
        return torch.from_numpy(values).to(self._device)


def _common(one: slice, other: slice) -> slice:
    return slice(max(one.start, other.start), min(one.stop, other.stop))


def _within(down: slice, across: slice, rows: slice, columns: slice) -> tuple[slice, slice]:
    """The rows and columns, counted from where these begin."""
    return (
        slice(down.start - rows.start, down.stop - rows.start),
        slice(across.start - columns.start, across.stop - columns.start),
    )
