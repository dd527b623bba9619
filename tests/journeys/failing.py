"""A script that trains with two devices; in the second process an image is gone after some steps."""

import os
import sys

import maskwright
from maskwright.data.dataset import Crops
from maskwright.errors import DataError


def fails(self, step, whole=Crops.__getitem__):
    if os.environ.get("LOCAL_RANK") == "1" and step == 2:
        raise DataError("img_03.png has vanished.")
    return whole(self, step)


if __name__ == "__main__":
    Crops.__getitem__ = fails
    data, out, *settings = sys.argv[1:]
    pairs = dict(pair.split("=") for pair in settings)
    maskwright.train(data, out=out, epochs=3, device="cpu", devices=2, settings=pairs)
    print("not reached")
