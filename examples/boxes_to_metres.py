"""Boxes of a detector, in the COCO form, with how far each is.

    python examples/boxes_to_metres.py instances.json --images photos -o metres.json --focal-px 519
    python examples/boxes_to_metres.py instances.json --images photos -o m.json --results boxes.json

`instances.json` has `images` (`id`, `file_name`) and `annotations` (`image_id`, `bbox`).
`--results` takes a detector's own list of {"image_id", "category_id", "bbox", "score"} instead of
the annotations. Written is the list of boxes, each with `depth_m`: median, 10th and 90th
percentile along the viewing direction, and the share of the box inside the photo. Each photo is
encoded once.

The median is that of the object where it fills most of its box; a person with wide arms or a chair
shows more wall than itself, and then a mask says more (`scene.region(mask)`).
"""

import argparse
import json
import sys
from collections import defaultdict
from pathlib import Path

import spd
from spd.errors import InputError, SPDError


def read_json(path: Path):
    """Content of a JSON file in UTF-8, with or without a byte order mark."""
    return json.loads(path.read_text(encoding="utf-8-sig"))


def measure(scene, bbox: list[float]) -> dict[str, float | None]:
    """How far a box (left, top, width, height) is.

    COCO counts from the border of the first pixel, `u` and `v` from its centre: half a pixel less.
    """
    left, top, width, height = bbox
    found = scene.region((left - 0.5, top - 0.5, left + width - 0.5, top + height - 0.5))
    said = {"median": found.median_m, "p10": found.p10_m, "p90": found.p90_m}
    known = found.valid_share > 0  # else there is nothing but NaN, which is no JSON
    metres = {key: round(value, 3) if known else None for key, value in said.items()}
    return {**metres, "valid_share": round(found.valid_share, 3)}


def measure_all(
    predictor, instances: dict, boxes: list[dict], images: Path, focal_px: float | None
) -> list[dict]:
    """Every box with its metres, in the order of the boxes."""
    files = {image["id"]: image["file_name"] for image in instances["images"]}
    of_image = defaultdict(list)
    for number, box in enumerate(boxes):
        if box["image_id"] not in files:
            raise InputError(f"box {number} is of image {box['image_id']}, which is not in images")
        of_image[box["image_id"]].append(number)
    measured: list[dict] = [{} for _ in boxes]
    for image_id, numbers in of_image.items():
        scene = predictor.encode(images / files[image_id], focal_px=focal_px)
        for number in numbers:
            depth_m = measure(scene, boxes[number]["bbox"])
            measured[number] = {**boxes[number], "depth_m": depth_m}
    return measured


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("instances", type=Path)
    parser.add_argument("--images", type=Path, required=True, help="folder of the photos")
    parser.add_argument("--results", type=Path, help="a detector's list of boxes")
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--focal-px", type=float, help="of all photos; by default EXIF's")
    parser.add_argument("--model", help="checkpoint, export or hub id")
    asked = parser.parse_args()
    instances = read_json(asked.instances)
    boxes = read_json(asked.results) if asked.results else instances["annotations"]
    measured = measure_all(spd.load(asked.model), instances, boxes, asked.images, asked.focal_px)
    asked.out.write_text(json.dumps(measured, indent=1), encoding="utf-8")
    print(f"{asked.out}: {len(measured)} boxes")


if __name__ == "__main__":
    try:
        main()
    except (SPDError, OSError, ValueError) as error:
        sys.exit(f"boxes_to_metres: {error}")
    except KeyError as error:
        sys.exit(f"boxes_to_metres: the JSON has no {error} where the COCO form has it")
