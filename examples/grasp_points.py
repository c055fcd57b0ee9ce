"""Grasp points of a planner, pixels, as points in space for a robot.

    python examples/grasp_points.py photo.jpg grasps.json --intrinsics 520,520,320,240

`grasps.json` is a list of {"u": 320, "v": 240, "angle_deg": 30, "width_px": 60}: the centre of the
grasp, the direction of its opening in the picture and how wide it is there; the last two may be
left out. Printed is the same list with `camera_m`, metres right, down and forward of the camera,
`width_m`, and with `--pose` `robot_m`. The pose is a text file of 4x4 numbers that takes points of
the camera to the robot, as a hand-eye calibration gives it.

Depth from one photo is off by some percent at its best: approach with a sensor that stops the hand,
and measure how far it is off on your table first (`spd calibrate`, then `--calibration`).
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np

import spd
from spd.errors import InputError, SPDError
from spd.pixels import Intrinsics


def camera_of(text: str) -> Intrinsics:
    """`fx,fy,cx,cy` as a camera."""
    fx, fy, cx, cy = (float(part) for part in text.split(","))
    return Intrinsics(fx, fy, cx, cy)


def read_pose(path: Path) -> np.ndarray:
    """The 4x4 matrix, if it turns and moves and does nothing else."""
    try:
        pose = np.loadtxt(path, ndmin=2, encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        raise InputError(f"{path} is no text file of 4x4 numbers ({error})") from None
    if pose.shape != (4, 4) or not is_pose(pose):
        raise InputError(
            f"{path} is no pose: expected 4x4 numbers whose first 3x3 are a rotation (no "
            "mirror) and whose last row is 0 0 0 1"
        )
    return pose


def is_pose(pose: np.ndarray) -> bool:
    """Whether 4x4 numbers are one: not transposed, and no axis the wrong way round."""
    turn, last_row = pose[:3, :3], pose[3]
    is_rotation = np.allclose(turn @ turn.T, np.eye(3), atol=1e-3) and np.linalg.det(turn) > 0
    is_whole = np.allclose(last_row, [0, 0, 0, 1], atol=1e-6) and np.isfinite(pose).all()
    return bool(is_rotation and is_whole)


def locate(scene, grasps: list[dict], camera: Intrinsics, pose: np.ndarray | None) -> list[dict]:
    """The grasps with where they are in space."""
    points = [(grasp["u"], grasp["v"]) for grasp in grasps]
    camera_m = scene.points_3d(points, camera).astype(float)
    located = []
    for grasp, place in zip(grasps, camera_m, strict=True):
        found = {**grasp, "camera_m": place.round(4).tolist()}
        if "width_px" in grasp:  # the fingers close on both sides of the centre, at its depth
            angle = np.radians(grasp.get("angle_deg", 0.0))
            across = np.hypot(np.cos(angle) / camera.fx, np.sin(angle) / camera.fy)
            found["width_m"] = round(float(grasp["width_px"] * across * place[2]), 4)
        if pose is not None:
            found["robot_m"] = (pose[:3, :3] @ place + pose[:3, 3]).round(4).tolist()
        located.append(found)
    return located


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photo", type=Path)
    parser.add_argument("grasps", type=Path)
    parser.add_argument(
        "--intrinsics", required=True, type=camera_of, help="fx,fy,cx,cy in pixels of the photo"
    )
    parser.add_argument("--pose", type=Path, help="4x4 numbers, camera to robot")
    parser.add_argument("--calibration", type=Path, help="what spd calibrate wrote")
    parser.add_argument("--model", help="checkpoint, export or hub id")
    asked = parser.parse_args()
    pose = read_pose(asked.pose) if asked.pose else None
    grasps = json.loads(asked.grasps.read_text(encoding="utf-8-sig"))
    predictor = spd.load(asked.model, calibration=asked.calibration)
    scene = predictor.encode(asked.photo, intrinsics=asked.intrinsics)
    print(json.dumps(locate(scene, grasps, asked.intrinsics, pose), indent=1))


if __name__ == "__main__":
    try:
        main()
    except (SPDError, OSError, ValueError) as error:
        sys.exit(f"grasp_points: {error}")
    except KeyError as error:
        sys.exit(f"grasp_points: a grasp has no {error}")
