"""The same few objects as each annotation tool writes them down, and folders of them; which are in `WORLDS`."""

import json

import numpy as np
import tifffile

SIZE = (24, 32)
NAMES = ("crack", "leaf")
STEMS = ("a", "b", "c", "d")


def boxes(stem):
    """Boxes (class, left, top, right, bottom) of an image; two cracks touch."""
    shift = STEMS.index(stem)
    return [
        ("crack", 1 + shift, 2, 9 + shift, 10),
        ("crack", 9 + shift, 2, 15 + shift, 10),
        ("leaf", 4, 12 + shift, 20, 20),
    ]


def truth(stem):
    """The labels of an image: 0 where nothing is, 1 crack, 2 leaf."""
    labels = np.zeros(SIZE, np.uint8)
    for name, left, top, right, bottom in boxes(stem):
        labels[top:bottom, left:right] = NAMES.index(name) + 1
    return labels


def corners(left, top, right, bottom):
    """The outline of a box."""
    return [[left, top], [right, top], [right, bottom], [left, bottom]]


def written_coco(images, names=NAMES, size=SIZE):
    """COCO's JSON of {file name: boxes}."""
    return json.dumps(
        {
            "images": [
                {"id": i, "file_name": file, "height": size[0], "width": size[1]} for i, file in enumerate(images)
            ],
            "annotations": [
                {"id": 100 * i + j, "image_id": i, "category_id": names.index(name) + 1,
                 "segmentation": [[number for point in corners(*box) for number in point]]}
                for i, found in enumerate(images.values())
                for j, (name, *box) in enumerate(found)
            ],
            "categories": [{"id": i + 1, "name": name} for i, name in enumerate(names)],
        }
    )  # fmt: skip


def written_labelme(file, found, size=SIZE, **more):
    """labelme's JSON of an image."""
    shapes = [{"label": name, "points": corners(*box), "shape_type": "polygon"} for name, *box in found]
    about = {"version": "5.4.1", "imagePath": file, "imageHeight": size[0], "imageWidth": size[1], "imageData": None}
    return json.dumps({**about, "shapes": shapes, **more})


def written_cvat(images):
    """CVAT's XML."""
    text = "".join(f"<label><name>{name}</name></label>" for name in NAMES)
    text = f"<annotations><meta><task><labels>{text}</labels></task></meta>"
    for number, (file, found) in enumerate(images.items()):
        text += f"<image id='{number}' name='{file}' width='{SIZE[1]}' height='{SIZE[0]}'>"
        for name, left, top, right, bottom in found:
            text += f"<box label='{name}' xtl='{left}' ytl='{top}' xbr='{right}' ybr='{bottom}'/>"
        text += "</image>"
    return text + "</annotations>"


def written_label_studio(images, people=("1",)):
    """Label Studio's JSON; each person drew the same."""
    tasks = []
    for number, (file, found) in enumerate(images.items()):
        result = [
            {
                "id": f"r{i}", "original_height": SIZE[0], "original_width": SIZE[1], "image_rotation": 0,
                "value": {
                    "points": [[x * 100 / SIZE[1], y * 100 / SIZE[0]] for x, y in corners(*box)],
                    "polygonlabels": [name],
                },
            }
            for i, (name, *box) in enumerate(found)
        ]  # fmt: skip
        done = [{"completed_by": person, "result": result} for person in people]
        tasks.append({"id": number, "data": {"image": f"/data/upload/1/0123abcd-{file}"}, "annotations": done})
    return json.dumps(tasks)


def written_yolo(found):
    """A YOLO label file."""
    lines = [
        [NAMES.index(name), *(n for x, y in corners(*box) for n in (x / SIZE[1], y / SIZE[0]))] for name, *box in found
    ]
    return "".join(" ".join(map(str, line)) + "\n" for line in lines)


def written_geojson(found, scale=1.0, shift=(0.0, 0.0)):
    """A GeoJSON, x and y as pixels · scale + shift."""
    features = []
    for name, *box in found:
        ring = [
            [x * scale + shift[0], y * -scale + shift[1]] if shift != (0.0, 0.0) else [x, y] for x, y in corners(*box)
        ]
        geometry = {"type": "Polygon", "coordinates": [[*ring, ring[0]]]}
        features.append({"type": "Feature", "geometry": geometry, "properties": {"class": name}})
    return json.dumps({"type": "FeatureCollection", "features": features})


def written_run_table(images, header="ImageId,ClassId,EncodedPixels", rows=False):
    """A contest's table with a row a box."""
    text = header + "\n"
    for file, found in images.items():
        for name, left, top, right, bottom in found:
            mask = np.zeros(SIZE, np.uint8)
            mask[top:bottom, left:right] = 1
            flat = np.flatnonzero(mask if rows else mask.T) + 1
            starts = flat[np.diff(flat, prepend=-9) > 1]
            ends = flat[np.diff(flat, append=1 << 40) > 1]
            runs = " ".join(f"{start} {end - start + 1}" for start, end in zip(starts, ends, strict=True))
            text += f"{file},{name},{runs}\n"
        if not found:
            text += f"{file},,\n"
    return text


ALL = {f"{stem}.png": boxes(stem) for stem in STEMS}


def pictures(paint, folder=""):
    for stem in STEMS:
        paint.write(f"{folder}{stem}.png", paint.image(*SIZE))


def parts(paint, folder):
    for part, stems in (("train", STEMS[:2]), ("val", STEMS[2:])):
        for stem in stems:
            paint.write(f"{folder.format(part)}/{stem}.png", paint.image(*SIZE))
        yield part, stems, {f"{stem}.png": boxes(stem) for stem in stems}


def as_coco(paint):
    for part, _, images in parts(paint, "{}2017"):
        paint.write(f"annotations/instances_{part}2017.json", written_coco(images))
        paint.write(f"annotations/captions_{part}2017.json", '{"images": [], "annotations": [{"caption": "a cat"}]}')


def as_roboflow(paint):
    for part, _, images in parts(paint, "{}"):
        found = json.loads(written_coco(images, ("cracks-and-leaves", *NAMES)))
        for category in found["categories"]:
            category["supercategory"] = "none" if category["id"] == 1 else "cracks-and-leaves"
        paint.write(f"{part}/_annotations.coco.json", json.dumps(found))


def as_labelme(paint):
    pictures(paint)
    for stem in STEMS:
        paint.write(f"{stem}.json", written_labelme(f"{stem}.png", boxes(stem)))


def as_labelme_apart(paint):
    pictures(paint, "images/")
    for stem in STEMS:
        paint.write(f"json/{stem}.json", written_labelme(f"..\\images\\{stem}.png", boxes(stem)))


def as_cvat(paint):
    pictures(paint, "images/")
    paint.write("annotations.xml", written_cvat(ALL))


def as_label_studio(paint):
    pictures(paint, "images/")
    paint.write("project-1-at-2024-01-01.json", written_label_studio(ALL))


def as_yolo(paint):
    for part, stems, _ in parts(paint, "images/{}"):
        for stem in stems:
            paint.write(f"labels/{part}/{stem}.txt", written_yolo(boxes(stem)))
    paint.write("data.yaml", "train: images/train\nnames: [crack, leaf]\n")


def as_yolo_of_roboflow(paint):
    for part, stems, _ in parts(paint, "{}/images"):
        for stem in stems:
            paint.write(f"{part}/labels/{stem}.txt", written_yolo(boxes(stem)))
    paint.write("data.yaml", "names: {0: crack, 1: leaf}\n")


def as_geojson(paint):
    for stem in STEMS:
        (paint.root / "scenes").mkdir(exist_ok=True)
        tags = [(33550, "d", 3, (0.5, 0.5, 0.0)), (33922, "d", 6, (0, 0, 0, 1000.0, 2000.0, 0))]
        tifffile.imwrite(
            paint.root / "scenes" / f"{stem}.tif", paint.image(*SIZE), extratags=[(*t, True) for t in tags]
        )
        paint.write(f"labels/{stem}.geojson", written_geojson(boxes(stem), 0.5, (1000.0, 2000.0)))


def as_contest(paint):
    pictures(paint, "train_images/")
    paint.write("test_images/x.png", paint.image(*SIZE))
    paint.write("train.csv", written_run_table(ALL))
    paint.write("sample_submission.csv", "ImageId,ClassId,EncodedPixels\nx.png,crack,1 1\n")


WORLDS = {world.__name__.removeprefix("as_"): world for world in (
    as_coco, as_roboflow, as_labelme, as_labelme_apart, as_cvat, as_label_studio, as_yolo, as_yolo_of_roboflow,
    as_geojson, as_contest,
)}  # fmt: skip
