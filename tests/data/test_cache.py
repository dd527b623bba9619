import errno
import os
import pickle
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import pytest
import tifffile

from maskwright.data import cache
from maskwright.data.borders import border_weights, parted
from maskwright.data.index import index
from maskwright.data.preprocess import Preprocess
from maskwright.errors import DataError, SettingError

SIZES = {"a": (8, 10), "b": (20, 6), "c": (5, 5), "d": (9, 31), "e": (7, 11)}


@pytest.fixture
def samples_of(paint):
    def build(dtype="uint8", channels=1):
        for name, size in SIZES.items():
            paint.write(f"images/{name}.tif", paint.image(*size, *([3] if channels == 3 else []), dtype=dtype))
            paint.write(f"masks/{name}.png", paint.mask(0, 1, 255, 2, size=size))
        return index(paint.root)

    return build


def made(dtype="uint8", channels=1, **settings):
    return Preprocess(channels=channels, dtype=dtype, mean=(0.0,) * channels, std=(1.0,) * channels, **settings)


def place(folder):
    """Where the only cache in a folder lies."""
    (only,) = folder.iterdir()
    return only


def built(folder, samples, preprocess, **options):
    return cache.build(folder, samples, list(samples.samples), preprocess, **options)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("scale", [1.0, 0.6])
def test_each_view_is_what_decoding_gives(dtype, channels, scale, samples_of, tmp_path):
    samples, preprocess = samples_of(dtype, channels), made(dtype, channels, scale=scale)

    found = built(tmp_path / "cache", samples, preprocess, workers=1)

    assert len(found) == len(SIZES)
    for i, sample in enumerate(samples.samples):
        image = preprocess.resize(preprocess.to_channels(samples.image(sample))).numpy()
        expected = image.astype(dtype) if dtype == "float32" else np.rint(image).astype(dtype)
        np.testing.assert_array_equal(found.image(i), expected, strict=True)
        np.testing.assert_array_equal(found.labels(i), preprocess.resize_labels(samples.labels_of(sample)), strict=True)
        assert found.sizes[i] == expected.shape[1:]


def test_at_full_size_a_view_is_the_file_itself(samples_of, tmp_path):
    samples = samples_of("uint16", 3)
    found = built(tmp_path, samples, made("uint16", 3))
    for i, sample in enumerate(samples.samples):
        np.testing.assert_array_equal(found.image(i), np.moveaxis(samples.image(sample), 2, 0), strict=True)


def test_views_may_not_be_written(samples_of, tmp_path):
    found = built(tmp_path, samples_of(), made())
    for view in (found.image(0), found.labels(0)):
        assert not view.flags.writeable
        assert view.base is not None


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_any_number_of_workers_writes_the_same_files(workers, samples_of, tmp_path):
    samples, told = samples_of(), []
    built(tmp_path / "one", samples, made(scale=0.7), workers=1)
    built(tmp_path / "more", samples, made(scale=0.7), workers=workers, progress=lambda *told_: told.append(told_))
    for name in ("images.bin", "labels.bin", "cache.json"):
        assert (place(tmp_path / "more") / name).read_bytes() == (place(tmp_path / "one") / name).read_bytes()
    assert told == [(i, 5) for i in range(1, 6)]


def written(folder):
    """Which files lie there; one that is replaced is another."""
    return {path.name: path.stat().st_ino for path in place(folder).iterdir()}


def test_a_complete_cache_is_not_written_again(samples_of, tmp_path):
    samples, told, folder = samples_of(), [], tmp_path / "cache"
    built(folder, samples, made())
    before = written(folder)

    built(folder, samples, made(), progress=lambda *told_: told.append(told_))

    assert written(folder) == before
    assert told == []


@pytest.mark.parametrize(
    "harm",
    [
        lambda folder: (folder / "cache.json").unlink(),
        lambda folder: (folder / "cache.json").write_text('{"key": 1'),
        lambda folder: (folder / "images.bin").unlink(),
        lambda folder: (folder / "labels.bin").write_bytes(b"short"),
        lambda folder: (folder / "images.bin").write_bytes((folder / "images.bin").read_bytes() + b"x"),
    ],
)
def test_a_half_made_cache_is_made_again(harm, samples_of, tmp_path):
    samples = samples_of()
    built(tmp_path / "whole", samples, made())
    built(tmp_path / "harmed", samples, made())
    harm(place(tmp_path / "harmed"))

    found = built(tmp_path / "harmed", samples, made())

    for name in ("images.bin", "labels.bin", "cache.json"):
        assert (place(tmp_path / "harmed") / name).read_bytes() == (place(tmp_path / "whole") / name).read_bytes()
    np.testing.assert_array_equal(found.image(0)[0], samples.image(samples.samples[0])[:, :, 0])


def test_a_cache_that_failed_is_no_cache(samples_of, paint, tmp_path, monkeypatch):
    samples = samples_of()
    broken = paint.root / "images/d.tif"
    whole = broken.read_bytes()
    broken.write_bytes(whole[:40])

    with pytest.raises(Exception, match=r"d\.tif"):
        built(tmp_path / "cache", samples, made())

    assert list(place(tmp_path / "cache").iterdir()) == []
    broken.write_bytes(whole)
    assert len(built(tmp_path / "cache", samples, made())) == len(SIZES)


def test_a_full_disk_leaves_no_cache_that_looks_complete(samples_of, tmp_path, monkeypatch):
    samples = samples_of()
    monkeypatch.setattr("os.fsync", lambda _: (_ for _ in ()).throw(OSError(errno.ENOSPC, "No space left on device")))
    with pytest.raises(SettingError, match=r"disk filled up .*No space left.*training\.cache_gb=0"):
        built(tmp_path / "cache", samples, made())
    assert list(place(tmp_path / "cache").iterdir()) == []


def changes(samples):
    first, *others = samples.samples
    named = samples.labels.model_copy(update={"ignored": (255, 2), "classes": samples.labels.classes[:2]})
    return {
        "scale": (samples, samples.samples, made(scale=0.5)),
        "channels": (samples, samples.samples, made(channels=3)),
        "classes": (samples.model_copy(update={"labels": named}), samples.samples, made()),
        "fewer": (samples, others, made()),
        "order": (samples, [*others, first], made()),
        "image": (samples, [first.model_copy(update={"content": "other"}), *others], made()),
        "mask": (samples, [first.model_copy(update={"mask_content": "other"}), *others], made()),
    }


@pytest.mark.parametrize("change", ["scale", "channels", "classes", "fewer", "order", "image", "mask"])
def test_whatever_changes_makes_it_anew(change, samples_of, tmp_path, monkeypatch):
    monkeypatch.setattr(cache, "demand_the_same", lambda *_: None)  # a change is only said here, the files are as ever
    samples = samples_of()
    folder = tmp_path / "cache"
    built(folder, samples, made())
    before, told = set(folder.iterdir()), []
    others, part, preprocess = changes(samples)[change]

    found = cache.build(folder, others, list(part), preprocess, progress=lambda *told_: told.append(told_))

    assert len(told) == len(part) == len(found)
    assert len(set(folder.iterdir()) - before) == 1
    fresh = cache.build(tmp_path / "fresh", others, list(part), preprocess)
    for i in range(len(part)):
        np.testing.assert_array_equal(found.image(i), fresh.image(i), strict=True)
        np.testing.assert_array_equal(found.labels(i), fresh.labels(i), strict=True)


def test_a_mask_drawn_anew_is_read_anew(samples_of, paint, tmp_path):
    """Its counts are the same, its places are not."""
    built(tmp_path, samples_of(), made())
    paint.write("masks/a.png", np.ascontiguousarray(paint.mask(0, 1, 255, 2)[:, ::-1]))
    samples = index(paint.root)

    found = built(tmp_path, samples, made())

    np.testing.assert_array_equal(found.labels(0), samples.labels_of(samples.samples[0]))


def test_who_still_reads_the_old_cache_keeps_it(samples_of, tmp_path):
    samples = samples_of()
    old = built(tmp_path, samples, made())
    before = [old.image(i).copy() for i in range(len(old))]
    built(tmp_path, samples, made(scale=0.3))
    for i, image in enumerate(before):
        np.testing.assert_array_equal(old.image(i), image)


def test_a_worker_process_is_sent_the_place_and_not_the_images(samples_of, tmp_path):
    found = built(tmp_path / "cache", samples_of(), made(scale=8.0))
    sent = pickle.dumps(found)
    assert len(sent) < 2000 < (place(tmp_path / "cache") / "images.bin").stat().st_size
    for i in range(len(found)):
        np.testing.assert_array_equal(pickle.loads(sent).image(i), found.image(i))


def test_an_image_without_a_mask_is_told(paint, tmp_path):
    paint.images("train/images/a.png", "train/images/b.png", "test/images/c.png")
    paint.masks("train/masks/a.png", "train/masks/b.png")
    with pytest.raises(DataError, match=r"c\.png has no mask"):
        built(tmp_path / "cache", index(paint.root), made())


@pytest.fixture
def touching(paint):
    """Three images with two objects that touch, as numbers in the masks."""
    objects = np.zeros((12, 16), np.uint8)
    objects[2:9, 2:7], objects[2:9, 7:13] = 3, 8
    for name in "abc":
        paint.write(f"images/{name}.png", paint.image(12, 16))
        paint.write(f"masks/{name}.png", objects)
    paint.write("dataset.yaml", "instances: true\n")
    return index(paint.root), objects


def test_weighted_pixels_lie_beside_the_labels_and_touching_objects_are_parted(touching, tmp_path):
    samples, objects = touching
    found = built(tmp_path, samples, made(channels=3), borders={"w0": 7.0, "sigma": 2.0, "balance": False})

    np.testing.assert_array_equal(found.labels(1), parted(objects) > 0)
    expected = border_weights(parted(objects), 7.0, 2.0, balance=False)
    np.testing.assert_allclose(found.weights(1), expected, rtol=1e-3)
    assert found.weights(1).dtype == np.float16
    assert found.weights(1)[5, 6] > 2
    again = pickle.loads(pickle.dumps(found))
    np.testing.assert_array_equal(again.weights(2), found.weights(2))


def test_without_borders_no_pixel_has_a_weight_and_touching_objects_stay(touching, tmp_path):
    samples, objects = touching
    found = built(tmp_path / "cache", samples, made(channels=3))

    assert found.weights(0) is None
    np.testing.assert_array_equal(found.labels(0), objects > 0)
    assert not (place(tmp_path / "cache") / "weights.bin").exists()


def test_other_borders_are_another_cache(touching, tmp_path):
    samples, _ = touching
    first = built(tmp_path, samples, made(channels=3), borders={"w0": 7.0})
    other = built(tmp_path, samples, made(channels=3), borders={"w0": 1.0})

    assert not np.array_equal(first.weights(0), other.weights(0))


def test_borders_between_classes_that_are_no_objects_are_refused(samples_of, tmp_path):
    with pytest.raises(DataError, match=r"no objects on a background. Set loss.border=null"):
        built(tmp_path / "cache", samples_of(), made(), borders={"w0": 10.0})


@pytest.mark.parametrize("share", [0.0, 0.3, 0.7, 1.0])
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_with_any_limit_the_values_are_the_same(share, dtype, samples_of, tmp_path):
    samples = samples_of(dtype, 3)
    whole = built(tmp_path / "whole", samples, made(dtype, 3, scale=0.7))
    total = sum(path.stat().st_size for path in place(tmp_path / "whole").glob("*.bin"))

    some = built(tmp_path / "some", samples, made(dtype, 3, scale=0.7), limit=int(share * total))

    taken = sum(path.stat().st_size for path in place(tmp_path / "some").glob("*.bin"))
    assert taken <= share * total
    assert (some.kept == len(SIZES)) == (share == 1.0)
    assert (some.kept == 0) == (share == 0.0)
    for found in (some, pickle.loads(pickle.dumps(some))):
        for i in [*range(len(SIZES)), 4, 0, 4]:
            np.testing.assert_array_equal(found.image(i), whole.image(i), strict=True)
            np.testing.assert_array_equal(found.labels(i), whole.labels(i), strict=True)
            assert not found.image(i).flags.writeable


def test_weights_beyond_the_limit_are_the_same(touching, tmp_path):
    samples, _ = touching
    borders = {"w0": 7.0, "sigma": 2.0}
    whole = built(tmp_path / "whole", samples, made(channels=3), borders=borders)
    none = built(tmp_path / "none", samples, made(channels=3), borders=borders, limit=0)
    for i in range(3):
        np.testing.assert_array_equal(none.weights(i), whole.weights(i), strict=True)
        np.testing.assert_array_equal(none.labels(i), whole.labels(i), strict=True)


def test_a_worker_is_sent_only_the_samples_that_are_not_kept(samples_of, tmp_path):
    samples = samples_of()
    found = built(tmp_path, samples, made(), limit=300)
    others = pickle.loads(pickle.dumps(found))._others
    assert 0 < found.kept < len(SIZES)
    assert [s.name for s in others.part] == list(SIZES)[found.kept :]
    assert others.samples.samples == ()


def test_more_room_makes_a_larger_cache_and_less_a_smaller_one(samples_of, tmp_path):
    samples, folder = samples_of(), tmp_path / "cache"
    for limit, kept in ((0, 0), (None, 5), (440, 2), (None, 5)):
        assert built(folder, samples, made(), limit=limit).kept == kept
    assert built(folder, samples, made(), limit=10**9).kept == 5
    told = []
    built(folder, samples, made(), limit=10**8, progress=lambda *t: told.append(t))
    assert told == []


def test_too_small_a_disk_is_told_before_anything_is_decoded(samples_of, tmp_path, monkeypatch):
    samples = samples_of()
    monkeypatch.setattr("maskwright.data.room.shutil.disk_usage", lambda _: SimpleNamespace(free=10))
    monkeypatch.setattr(cache, "_decode", None)
    with pytest.raises(SettingError, match=r"decoded images take .* MB in .*, where .* are free.*training\.cache_gb="):
        built(tmp_path / "cache", samples, made())
    assert not (tmp_path / "cache").exists()


def test_nothing_is_removed_that_is_no_cache(samples_of, tmp_path):
    samples = samples_of()
    names = ("notes", "0123456789abcdef-7", "0123456789abcdef-x")
    before = {f"{name}/{file}" for name in names for file in ("images.bin", "mine.txt")}
    for name in names:
        (tmp_path / "cache" / name).mkdir(parents=True)
        for file in ("images.bin", "mine.txt"):
            (tmp_path / "cache" / name / file).write_text("old")
            os.utime(tmp_path / "cache" / name / file, (1_600_000_000,) * 2)

    built(tmp_path / "cache", samples, made())

    gone = {path for path in before if not (tmp_path / "cache" / path).exists()}
    assert gone == {"0123456789abcdef-7/images.bin"}


def test_builders_at_the_same_time_do_no_harm(samples_of, tmp_path):
    """Of the same samples with other limits, and of others: each has what it would have alone."""
    samples = samples_of()
    alone = built(tmp_path / "alone", samples, made())
    options = [{}, {"limit": 250}, {}, {"limit": 0}, {"limit": 600}] * 3

    with ThreadPoolExecutor(5) as pool:
        found = list(pool.map(lambda o: built(tmp_path / "shared", samples, made(), **o), options))

    for one in found:
        for i in range(len(SIZES)):
            np.testing.assert_array_equal(one.image(i), alone.image(i))
            np.testing.assert_array_equal(one.labels(i), alone.labels(i))


def test_what_a_killed_builder_left_is_removed_when_it_is_old(samples_of, tmp_path):
    samples = samples_of()
    built(tmp_path / "cache", samples, made())
    old, new = (place(tmp_path / "cache") / f".images.{n}.bin" for n in ("0000", "1111"))
    for path in (old, new):
        path.write_bytes(b"half")
    os.utime(old, (1_600_000_000,) * 2)
    (place(tmp_path / "cache") / "cache.json").unlink()
    built(tmp_path / "cache", samples, made())
    assert (old.exists(), new.exists()) == (False, True)


@pytest.mark.parametrize("limit", [None, 100])
def test_each_image_s_own_mean_and_deviation_are_kept_beside_it(limit, samples_of, tmp_path):
    samples = samples_of(channels=3)
    preprocess = made(channels=3, statistics="image", scale=0.7)

    found = built(tmp_path / "cache", samples, preprocess, workers=1, limit=limit)

    again = pickle.loads(pickle.dumps(found))
    for i in range(len(found)):
        pixels = found.image(i).reshape(3, -1).astype(np.float64)
        for one in (found, again):
            np.testing.assert_allclose(one.scaling(i), [pixels.mean(1), pixels.std(1)], rtol=1e-12)
    assert built(tmp_path / "plain", samples, made(channels=3), workers=1).scaling(0) is None


def test_an_image_s_own_statistics_leave_out_what_holds_no_data(paint, tmp_path):
    image = paint.image(30, 20, dtype="float32").squeeze()
    image[:, 12:] = -9999
    (paint.root / "images").mkdir(parents=True, exist_ok=True)
    tifffile.imwrite(paint.root / "images" / "a.tif", image, extratags=[(42113, 2, 0, "-9999", True)])
    paint.write("masks/a.png", paint.mask(0, 1, size=(30, 20)))
    samples = index(paint.root)
    assert samples.samples[0].nodata == -9999

    found = built(tmp_path / "cache", samples, made("float32", statistics="image"), workers=1)

    inside = image[:, :12].astype(np.float64)
    np.testing.assert_allclose(found.scaling(0), [[inside.mean()], [inside.std()]], rtol=1e-6)
