r"""How long something in a photo is: two pixels, metres between them.

    python examples/measure_photo.py photo.jpg 120,300 480,310 --focal-px 519
    python examples/measure_photo.py photo.jpg 120,300 480,310 --fov-deg 70 \
        --known 200,90 260,90 0.297

`--known` is a length that you know in the same photo, such as the long side of an A4 sheet, as two
pixels and its metres. What the model gets wrong by one factor it takes out; what is wrong in other
ways stays. Put the sheet at about the same distance.
"""

import argparse
import sys

import spd
from spd.errors import SPDError


def parse_point(text: str) -> tuple[float, float]:
    """`u,v` as two numbers."""
    try:
        u, v = (float(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not u,v, such as 320,240") from None
    return u, v


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photo")
    parser.add_argument("ends", nargs=2, metavar="u,v", type=parse_point)
    camera = parser.add_mutually_exclusive_group()
    camera.add_argument("--focal-px", type=float, help="in pixels of the photo; else EXIF's")
    camera.add_argument("--fov-deg", type=float, help="along the longer side")
    parser.add_argument("--known", nargs=3, metavar=("u,v", "u,v", "metres"))
    parser.add_argument("--model", help="checkpoint, export or hub id")
    asked = parser.parse_args()
    predictor = spd.load(asked.model)
    scene = predictor.encode(asked.photo, focal_px=asked.focal_px, fov_deg=asked.fov_deg)
    factor = 1.0
    if asked.known:
        start, end = (parse_point(text) for text in asked.known[:2])
        factor = float(asked.known[2]) / scene.distance_m(start, end)
        print(f"the known length came out {1 / factor:.3g} times as long; corrected by that")
    for name, (u, v), range_m in zip("AB", asked.ends, scene.range_at(asked.ends), strict=True):
        print(f"{name} at {u:g},{v:g} is {range_m * factor:.3f} m away")
    print(f"from A to B {scene.distance_m(*asked.ends) * factor:.3f} m")


if __name__ == "__main__":
    try:
        main()
    except (SPDError, ValueError, argparse.ArgumentTypeError) as error:
        sys.exit(f"measure_photo: {error}")
