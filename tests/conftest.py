"""What tests of several rooms share."""

import os
from types import MappingProxyType

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

# No time limit for one example: the machine may be busy with something else.
settings.register_profile("maskwright", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("maskwright")


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory):
    """What is remembered of painted files stays out of the user's cache folder."""
    before = os.environ.get("MASKWRIGHT_CACHE")
    os.environ["MASKWRIGHT_CACHE"] = str(tmp_path_factory.mktemp("cache"))
    yield
    if before is None:
        del os.environ["MASKWRIGHT_CACHE"]
    else:
        os.environ["MASKWRIGHT_CACHE"] = before


@pytest.fixture
def unmeasured(monkeypatch):
    """Plans are made by what networks are expected to cost: no steps are taken where they are not the point."""
    monkeypatch.setattr("maskwright.api.planning._measure", lambda budget: None)


@pytest.fixture(scope="session")
def records():
    """A strategy for small network records of all kinds; each argument given to it fixes a setting. Draw from it."""
    from maskwright.model import UNetRecord
    from maskwright.model.record import EncoderRecord

    def draw(**given):
        given = {name: value if hasattr(value, "filter") else st.just(value) for name, value in given.items()}
        choices = {
            "in_channels": st.just(1),
            "classes": st.integers(1, 3),
            "depth": st.integers(1, 3),
            "base": st.just(2),
            "encoder": st.sampled_from([EncoderRecord(), EncoderRecord(name="residual")]),
            "blocks": st.sampled_from([1, 1, 1, 2]),
            "convolutions": st.integers(1, 2),
            "decoder_convolutions": st.sampled_from([None, 1, 2]),
            "stem": st.sampled_from([1, 2, 4]),
            "block": st.sampled_from(["plain", "residual", "preactivation", "bottleneck", "convnext"]),
            "norm": st.sampled_from(["batch", "instance", "group", "layer", "none"]),
            "norm_at": st.sampled_from(["convolution", "block"]),
            "norm_order": st.sampled_from(["before", "after"]),
            "norm_in": st.sampled_from(["all", "encoder"]),
            "squeeze": st.just(None),
            "padding": st.sampled_from(["same", "valid"]),
            "down": st.sampled_from(["max", "average", "blur", "strided", "strided_block"]),
            "up": st.sampled_from(["transposed", "transposed3", "bilinear", "nearest", "pixel_shuffle"]),
            "up_width": st.sampled_from(["level", "same"]),
            "up_unit": st.booleans(),
            "skip": st.sampled_from(["concat", "add", "attention", "none", "nested"]),
            "deep_supervision": st.just(False),
            "head_kernel": st.sampled_from([1, 3]),
            "init": st.just("torch"),  # the other ones start with a head near zero: nothing to compare
        }

        def built(values, image_is_skip):
            """The record; what cannot stand together gives way, but nothing that was given."""

            def give_way(**changes):
                values.update({name: value for name, value in changes.items() if name not in given})

            if values["padding"] == "valid":
                give_way(stem=1)
            if values["block"] != "plain" or values["encoder"].name == "residual":
                give_way(norm_at="convolution")
            if values["block"] == "convnext":  # seven wide: valid maps would be hundreds of pixels large
                give_way(convolutions=1, decoder_convolutions=1, blocks=1, depth=min(values["depth"], 2))
            if values["skip"] == "add":
                give_way(up_width="level")
            elif image_is_skip and "convolutions" not in given:
                give_way(convolutions=(0, *[values["convolutions"]] * values["depth"]))
                give_way(decoder_convolutions=values["decoder_convolutions"] or 1)
            return UNetRecord(**values)

        return st.builds(built, st.fixed_dictionaries(choices | given), st.sampled_from([False, False, False, True]))

    return draw


@pytest.fixture(scope="session")
def paint_blobs():
    """A painter of small folders: images/ with bright discs on noise, masks/ with 255 where a disc is."""
    import numpy as np
    from PIL import Image

    def paint(folder, count=8, size=(48, 40), seed=0):
        rng = np.random.default_rng(seed)
        y, x = np.mgrid[: size[0], : size[1]]
        for kind in ("images", "masks"):
            (folder / kind).mkdir(parents=True, exist_ok=True)
        for i in range(count):
            middles = rng.uniform(0.2, 0.8, (3, 2)) * size
            mask = np.any([np.hypot(y - a, x - b) < size[0] / 7 for a, b in middles], axis=0)
            image = np.clip(60 + 90 * mask + rng.normal(0, 25, size), 0, 255)
            Image.fromarray(image.astype(np.uint8)).save(folder / "images" / f"img_{i:02d}.png")
            Image.fromarray((mask * 255).astype(np.uint8)).save(folder / "masks" / f"img_{i:02d}.png")
        return folder

    return paint


@pytest.fixture
def blobs(paint_blobs, tmp_path):
    """The painter, with a folder of its own."""
    return lambda **options: paint_blobs(tmp_path / "blobs", **options)


@pytest.fixture(scope="session")
def tiny():
    """Settings of a plan that trains in a moment."""
    return MappingProxyType(
        {
            "model.stem": 1,
            "model.depth": 2,
            "model.base": 8,
            "model.decoder_convolutions": 1,
            "device.channels_last": False,  # nothing is left to measure
            "optimizer.lr": 0.02,
            "optimizer.side_lr": 0.01,
            "sampling.crop": [32, 32],
            "sampling.batch": 2,
            "validation.times": 3,
        }
    )


@pytest.fixture
def hub(monkeypatch, tmp_path):
    """A stand-in for the Hugging Face Hub, which its own client takes for it; somebody is logged in."""
    from huggingface_hub import constants
    from tests.api.hub import running

    with running() as server:
        monkeypatch.setattr(constants, "ENDPOINT", server.address)
        monkeypatch.setattr(
            constants, "HUGGINGFACE_CO_URL_TEMPLATE", server.address + "/{repo_id}/resolve/{revision}/{filename}"
        )
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub-cache"))
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_PROGRESS_BARS", True)
        # What a large file is sent through otherwise is a service of its own; the stand-in speaks Git LFS.
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        monkeypatch.setenv("HF_TOKEN", "hf_stand_in")
        yield server
