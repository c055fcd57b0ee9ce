"""A camera, a video or a folder of pictures: metres in the middle, and frames a second.

    python examples/video_loop.py frames/ --focal-px 519
    python examples/video_loop.py 0 --fov-deg 70                        # the first camera
    python examples/video_loop.py film.mp4 --fov-deg 70 --frames 100

Cameras and videos need OpenCV (`pip install opencv-python-headless`); a folder does not. Each frame
is encoded and asked once, in the middle, alone: nothing is smoothed over time. The second that the
first frame takes longer is not in the frames a second. Without a focal length or field of view,
that of a photo's EXIF is used. Depth maps and masks beside the photos, such as `0001.depth.png`,
are left out.
"""

import argparse
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import spd
from spd.errors import InputError, SPDError

PICTURES = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".heic", ".avif", ".tif", ".tiff"}


def is_picture(path: Path) -> bool:
    """Whether a file is a photo: no depth map or mask of a data set, and no hidden file."""
    suffix, words = path.suffix.lower(), set(re.split(r"[._-]", path.stem.lower()))
    beside = suffix == ".png" and not words.isdisjoint({"depth", "mask"})
    return suffix in PICTURES and not beside and not path.name.startswith(".")


def frames_of(source: str) -> Iterator:
    """Frames: a photo's path, whose EXIF may know the focal length, or RGB `[H, W, 3]`, uint8."""
    if Path(source).is_dir():
        files = sorted(filter(is_picture, Path(source).iterdir()))
        if not files:
            raise InputError(f"{source} holds no pictures; expected {', '.join(sorted(PICTURES))}")
        yield from files
        return
    try:
        import cv2
    except ImportError:
        raise InputError(
            f"{source} is no folder, and a camera or a video needs OpenCV: "
            "pip install opencv-python-headless"
        ) from None
    capture = cv2.VideoCapture(int(source) if source.isdigit() else source)
    if not capture.isOpened():
        raise InputError(f"OpenCV cannot open {source}: no such camera, or no video")
    try:
        while True:
            read, frame = capture.read()
            if not read:
                return
            yield frame[..., ::-1]  # OpenCV's channels are blue, green, red
    finally:
        capture.release()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", help="a folder, a video, or a camera's number")
    camera = parser.add_mutually_exclusive_group()
    camera.add_argument("--focal-px", type=float, help="in pixels of the frames")
    camera.add_argument("--fov-deg", type=float, help="along the longer side")
    parser.add_argument("--frames", type=int, help="stop after so many")
    parser.add_argument("--runtime", help="torch, onnxruntime or openvino")
    parser.add_argument("--model", help="checkpoint, export or hub id")
    asked = parser.parse_args()
    predictor = spd.load(asked.model, runtime=asked.runtime)
    started = 0.0
    for number, frame in enumerate(frames_of(asked.source), start=1):
        scene = predictor.encode(frame, focal_px=asked.focal_px, fov_deg=asked.fov_deg)
        height, width = scene.size
        depth_m = float(scene.depth_at([((width - 1) / 2, (height - 1) / 2)])[0])
        now = time.perf_counter()
        started = started or now
        pace = f", {(number - 1) / (now - started):.1f} frames a second" if number > 1 else ""
        print(f"frame {number}: {depth_m:.2f} m in the middle{pace}", flush=True)
        if number == asked.frames:
            break


if __name__ == "__main__":
    try:
        main()
    except SPDError as error:
        sys.exit(f"video_loop: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
