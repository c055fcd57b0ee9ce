"""Accepted forms of intrinsics: OpenCV's K, ROS's K and P, ScanNet's 4x4 matrix, four numbers.

ROS: `sensor_msgs/CameraInfo`, whose K has nine numbers and P twelve, row by row.
"""

from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from spd.errors import InputError, shown
from spd.pixels import Intrinsics, as_numbers, parse_numbers

IntrinsicsLike: TypeAlias = Intrinsics | ArrayLike

LARGEST_SQUEEZE = 0.05  # largest |fx / fy - 1|; calibration errors are smaller
LARGEST_SKEW_PX, LARGEST_SKEW = 0.5, 0.001
"""Largest skew, the entry beside fx, in pixels or of fx: half a pixel at the edge of a view of 90
degrees, or a millimetre at one metre."""

_FORMS = "fx,fy,cx,cy, a 3x3 matrix [[fx, 0, cx], [0, fy, cy], [0, 0, 1]], or a 3x4 or 4x4 matrix"
_SHAPES = {(9,): (3, 3), (12,): (3, 4), (16,): (4, 4)}  # of matrices written row by row
_ROUNDING = 1e-6  # in the zeros and ones of a matrix that was computed
_NORMALISED = 10.0  # no camera of a photo has so few pixels of focal length


def as_intrinsics(intrinsics: IntrinsicsLike) -> Intrinsics:
    """Intrinsics from `fx, fy, cx, cy` or a camera matrix of any common form, or unchanged.

    Args:
        intrinsics: four numbers; or OpenCV's 3x3 matrix, a 3x4 projection (ROS's P) or a 4x4
            matrix, nested or row by row, or a batch of one. The fourth column of a projection, an
            offset from another camera, changes no ray and is ignored.

    Raises:
        InputError: if it has another form, has a skew, is transposed or normalised, or pixels are
            far from square.
    """
    if not isinstance(intrinsics, Intrinsics):
        expected = f"intrinsics must be an spd.pixels.Intrinsics, {_FORMS}"
        given = as_numbers(intrinsics, expected).squeeze()
        intrinsics = Intrinsics(*_four(given, f"{expected}, got {shown(intrinsics)}"))
    return _plausible(intrinsics)


def parse_intrinsics(text: str, name: str) -> Intrinsics:
    """Intrinsics from text: 4, 9, 12 or 16 numbers, separated by commas or spaces.

    Args:
        text: the numbers, as `parse_numbers` takes them.
        name: name of the option, for errors.

    Raises:
        InputError: as `as_intrinsics`, or if the text holds something else.
    """
    values = parse_numbers(text)
    if len(values) not in (4, 9, 12, 16):
        raise InputError(
            f"{name} must be fx,fy,cx,cy, four numbers in pixels (for example 520,520,320,240), or "
            f"the 9, 12 or 16 numbers of a camera matrix row by row, got {text}"
        )
    return as_intrinsics(values)


def _four(given: np.ndarray, wrong: str) -> tuple[float, float, float, float]:
    """fx, fy, cx and cy of numbers in a known form; `wrong` is the message for any other."""
    if given.shape == (4,):
        fx, fy, cx, cy = given.tolist()
        return fx, fy, cx, cy
    matrix = given.reshape(_SHAPES.get(given.shape, given.shape))
    if matrix.shape not in _SHAPES.values():
        raise InputError(wrong)
    if not matrix.any():
        raise InputError(
            "the camera matrix has only zeros, as ROS publishes it for a camera that is not "
            "calibrated; calibrate the camera, or pass focal_px or fov_deg instead"
        )
    whole, matrix = matrix, matrix[:3, :3]
    if list(matrix[:2, 2]) == [0, 0] and matrix[2, :2].all():
        raise InputError(
            f"the camera matrix {matrix.tolist()} is transposed, as MATLAB writes it; pass matrix.T"
        )
    fixed = [matrix[1, 0], *matrix[2], *whole[3:].ravel()]
    if not np.allclose(fixed, [0, 0, 0, 1, 0, 0, 0, 1][: len(fixed)], atol=_ROUNDING):
        raise InputError(wrong)
    if not abs(matrix[0, 1]) <= max(LARGEST_SKEW_PX, LARGEST_SKEW * matrix[0, 0]):
        raise InputError(
            f"the camera matrix has a skew of {matrix[0, 1]:g} px beside fx, which SPD does not "
            "use; rectify the photo (cv2.undistort) or calibrate without skew"
        )
    return matrix[0, 0], matrix[1, 1], matrix[0, 2], matrix[1, 2]


def _plausible(camera: Intrinsics) -> Intrinsics:
    if max(camera.fx, camera.fy) < _NORMALISED and max(abs(camera.cx), abs(camera.cy)) <= 1:
        raise InputError(
            f"the intrinsics {camera.fx:g},{camera.fy:g},{camera.cx:g},{camera.cy:g} seem to be "
            "shares of the image's sides; multiply fx and cx by its width, fy and cy by its height"
        )
    if abs(camera.fx / camera.fy - 1) > LARGEST_SQUEEZE:
        raise InputError(
            f"focal lengths fx {camera.fx:g} and fy {camera.fy:g} px differ by more than "
            f"{LARGEST_SQUEEZE:.0%}, so pixels are not square; resize the photo to square pixels"
        )
    return camera
