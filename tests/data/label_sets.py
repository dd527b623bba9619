"""Painted folders, one for each way in which labels are stored; what they mean is in `SETS`."""

import numpy as np
from PIL import Image
from scipy import ndimage

NAMES = ["a", "b", "c", "d", "e", "f", "g", "h"]
RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)


def disc(number=0, size=(40, 48), radius=9):
    """H W, True in a disc that is elsewhere for each number."""
    y, x = np.ogrid[: size[0], : size[1]]
    return (y - 14 - number) ** 2 + (x - 16 - 2 * number) ** 2 < radius**2


def regions(number, *values):
    """H W of these values: the first all over, a disc of each other one."""
    out = np.full((40, 48), values[0], np.asarray(values).dtype if max(values) > 255 else np.uint8)
    for place, value in enumerate(values[1:]):
        y, x = np.ogrid[:40, :48]
        out[(y - 10 - 3 * (number % 3)) ** 2 + (x - 8 - 14 * place) ** 2 < 36] = value
    return out


def coloured(values_HW, colours):
    """H W 3 of indices."""
    return np.array(colours, np.uint8)[values_HW]


def indexed(values_HW, colours):
    """A picture with a palette."""
    picture = Image.fromarray(values_HW.astype(np.uint8)).convert("P")
    picture.putpalette([part for colour in [*colours, *[(9, 9, 9)] * (256 - len(colours))] for part in colour])
    return picture


def smooth(mask_HW):
    """0/255, enlarged as programs do it for pictures."""
    few = Image.fromarray((mask_HW * 255).astype(np.uint8)).resize((24, 20), Image.Resampling.NEAREST)
    return np.asarray(few.resize((48, 40), Image.Resampling.BICUBIC))


def put(paint, name, mask, ending=".png", **options):
    """An image and its mask, an array or a picture of Pillow."""
    if not (paint.root / f"images/{name}.png").exists():
        paint.write(f"images/{name}.png", paint.image(40, 48))
    path = paint.root / f"masks/{name}{ending}"
    path.parent.mkdir(exist_ok=True)
    if not isinstance(mask, Image.Image):
        paint.write(f"masks/{name}{ending}", mask) if ending == ".png" else Image.fromarray(mask).save(path, **options)
        return
    mask.save(path, **options)


def binary(paint, value=255, dtype="uint8"):
    for i, name in enumerate(NAMES):
        put(paint, name, (disc(i) * np.array(value)).astype(dtype))


def zero_one_and_255(paint):
    for i, name in enumerate(NAMES):
        put(paint, name, (disc(i) * (1 if i < 3 else 255)).astype(np.uint8))


def deep_and_flat(paint):
    for i, name in enumerate(NAMES):
        put(paint, name, np.zeros((40, 48), np.uint8) if i < 3 else (disc(i) * 65535).astype(np.uint16))


def jpegs(paint):
    for i, name in enumerate(NAMES):
        put(
            paint,
            name,
            (disc(i) * 255).astype(np.uint8),
            ".jpg" if i < 5 else ".png",
            **({"quality": 80} if i < 5 else {}),
        )


def resized(paint):
    for i, name in enumerate(NAMES):
        put(paint, name, smooth(disc(i)) if i < 2 else (disc(i) * 255).astype(np.uint8))


def numbered(paint):
    for i, name in enumerate(NAMES):
        put(paint, name, regions(i, 0, 1, 2, 255))


def listed(paint):
    numbered(paint)
    paint.write("classes.txt", "ground\ncar\ntree\n")


def listed_without_background(paint):
    numbered(paint)
    paint.write("classes.txt", "car\ntree\n")


def named_thing(paint):
    binary(paint)
    paint.write("classes.txt", "crack\n")


def roboflow(paint):
    numbered(paint)
    paint.write("_classes.csv", "Pixel Value, Class\n0, background\n1, car\n2, tree\n")


def palettes(paint):
    for i, name in enumerate(NAMES):
        put(paint, name, indexed(regions(i, 0, 1, 2), [(0, 0, 0), RED, GREEN]))


def palettes_with_table(paint):
    for i, name in enumerate(NAMES):
        put(paint, name, indexed(regions(i, 0, 1, 2), [(0, 0, 0), RED, GREEN]))
    paint.write("class_dict.csv", "name,r,g,b\nground,0,0,0\ntree,0,255,0\ncar,255,0,0\n")


def palettes_numbered_anew(paint):
    for i, name in enumerate(NAMES):
        colours = [(0, 0, 0), RED, GREEN] if i % 2 else [(0, 0, 0), GREEN, RED]
        put(paint, name, indexed(regions(i, 0, 1, 2), colours))


def colours(paint):
    for i, name in enumerate(NAMES):
        put(paint, name, coloured(regions(i, 0, 1, 2), [(0, 0, 0), RED, GREEN]))


def colours_with_table(paint):
    for i, name in enumerate(NAMES):
        put(paint, name, coloured(regions(i, 0, 1, 2), [(0, 0, 0), RED, GREEN]))
    paint.write("class_dict.csv", "name,r,g,b\nvoid,0,0,0\nroad,255,0,0\nsky,0,255,0\ncar,0,0,255\n")


def noisy_colours_with_table(paint):
    rng = np.random.default_rng(1)
    for i, name in enumerate(NAMES):
        exact = coloured(regions(i, 0, 1, 2), [(20, 20, 20), (230, 20, 20), (20, 230, 20)])
        noise = rng.integers(-9, 10, exact.shape) if i < 3 else 0
        put(paint, name, (exact + noise).astype(np.uint8))
    paint.write("labelmap.txt", "# label:color_rgb:parts:actions\na:20,20,20::\nb:230,20,20::\nc:20,230,20::\n")


def voc_colours(paint):
    for i, name in enumerate(NAMES):
        put(paint, name, coloured(regions(i, 0, 1, 2), [(0, 0, 0), (128, 0, 0), (224, 224, 192)]))
    paint.write("class_names.txt", "_background_\ncat\ndog\n")


def grey_colours(paint):
    for i, name in enumerate(NAMES):
        put(paint, name, regions(i, 0, 100, 200))
    paint.write("class_dict.csv", "name,r,g,b\nlow,0,0,0\nhigh,200,200,200\nmiddle,100,100,100\n")


def instances(paint):
    for i, name in enumerate(NAMES):
        put(paint, name, np.asarray(ndimage.label(regions(i, 0, 1, 1))[0], np.uint16))
    paint.write("dataset.yaml", "instances: true\n")


def object_files(paint):
    for i, name in enumerate(NAMES):
        paint.write(f"{name}/images/{name}.png", paint.image(40, 48))
        for j in range(2):
            paint.write(f"{name}/masks/{j}.png", (regions(i, 0, 1, 2) == j + 1).astype(np.uint8) * 255)


def split_folders(paint):
    for i, name in enumerate(NAMES):
        part = ("train", "val", "test")[max(0, i - 5)]
        paint.write(f"{part}/images/{name}.png", paint.image(40, 48))
        paint.write(f"{part}/masks/{name}.png", regions(i, 0, 1, 2))


def stack(paint):
    import tifffile

    tifffile.imwrite(paint.root / "train-volume.tif", np.stack([paint.image(40, 48) for _ in NAMES]))
    masks = np.stack([(disc(i) * 255).astype(np.uint8) for i in range(len(NAMES))])
    tifffile.imwrite(paint.root / "train-labels.tif", masks)


def pets(paint):
    for i, name in enumerate(NAMES):
        paint.write(f"images/{name}.jpg", paint.image(40, 48, 3))
        paint.write(f"annotations/trimaps/{name}.png", regions(i, 2, 1, 3))
    paint.write("annotations/trainval.txt", "".join(f"{name} 1 1 1\n" for name in NAMES[:6]))
    paint.write("annotations/test.txt", "".join(f"{name} 1 1 1\n" for name in NAMES[6:]))


def stated(paint):
    numbered(paint)
    paint.write(
        "dataset.yaml",
        "classes: {ground: {value: 0, colour: '#112233'}, thing: [1, 2]}\nignore: [255]\nskip: [h]\n"
        "split: {test: [a.png], val: 2, seed: 3, stratify: true}\n",
    )


def other_folders(paint):
    binary(paint)
    (paint.root / "images").rename(paint.root / "photos")
    (paint.root / "masks").rename(paint.root / "drawn")
    paint.write("dataset.yaml", "images: photos\nmasks: drawn\n")


SETS = {
    binary: ["background", "foreground"],
    zero_one_and_255: ["background", "foreground"],
    deep_and_flat: ["background", "foreground"],
    jpegs: ["background", "foreground"],
    resized: ["background", "foreground"],
    numbered: ["background", "class_1", "class_2"],
    listed: ["ground", "car", "tree"],
    listed_without_background: ["background", "car", "tree"],
    named_thing: ["background", "crack"],
    roboflow: ["background", "car", "tree"],
    palettes: ["background", "class_1", "class_2"],
    palettes_with_table: ["ground", "tree", "car"],
    palettes_numbered_anew: ["#000000", "#00ff00", "#ff0000"],
    colours: ["#000000", "#00ff00", "#ff0000"],
    colours_with_table: ["road", "sky", "car"],
    noisy_colours_with_table: ["a", "b", "c"],
    voc_colours: ["_background_", "cat", "dog"],
    grey_colours: ["low", "high", "middle"],
    instances: ["background", "foreground"],
    object_files: ["background", "foreground"],
    split_folders: ["background", "class_1", "class_2"],
    stack: ["background", "foreground"],
    pets: ["pet", "background", "outline"],
    stated: ["ground", "thing"],
    other_folders: ["background", "foreground"],
}
"""Painter → the names of the classes."""
