"""Placement of a frame in the network's input: roll, scale, crop and mirror.

One exact affine map moves image, readings and camera together, so the focal length of the input is
always known. Training draws placements at random (`spd.data.transforms`); evaluation may take the
training camera's crop at the centre of the frame.
"""

import dataclasses
import math

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8
from PIL import Image

from spd.config import CameraConfig
from spd.data.sample import RGBDSample
from spd.errors import DataError
from spd.photos.reading import resample
from spd.pixels import Intrinsics, Size, inside_image, rescale, side_centres

MAX_SQUEEZE = 0.01  # difference of fx and fy; 0.0012 for NYU's own camera


@dataclasses.dataclass(frozen=True, slots=True)
class Placement:
    """A view: a window of a frame that is rolled about its principal point and scaled uniformly."""

    camera: Intrinsics
    """Camera of the frame."""
    scale: float
    """Pixels of the view per pixel of the frame."""
    left: int
    """Columns of the scaled frame left of the window."""
    top: int
    """Rows of the scaled frame above the window."""
    size: Size
    """(height, width) of the window in pixels."""
    roll_rad: float = 0.0
    """Rotation of the frame's content in radians, from u towards v (clockwise on the screen)."""
    mirrored: bool = False
    """Whether left and right are swapped, as the last step."""

    @property
    def intrinsics(self) -> Intrinsics:
        """Camera of the view; a roll about the principal point does not change it."""
        scaled = self.camera.resized(self.scale, self.scale).cropped(self.left, self.top)
        return scaled.flipped(self.size[1]) if self.mirrored else scaled

    def to_view(self, points: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, "n 2"]:
        """Map points `(u, v)` of the frame to pixels of the view; they may lie outside it."""
        matrix, shift = self._affine()
        return points @ matrix.T + shift

    def holds(self, points: Float[np.ndarray, "n 2"]) -> Bool[np.ndarray, "n"]:
        """Whether each point of the view lies inside it, borders included."""
        return inside_image(points[:, 0], points[:, 1], self.size)

    def image(self, image: UInt8[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "h2 w2 3"]:
        """Image of the view, uint8; beyond the frame its border is repeated.

        A rolled frame is rotated bilinearly and then shrunk by `resample`. One affine for both
        would be faster (4 against 11 ms for 640x480), but Pillow's affine does not average:
        against a supersampled rotation it is 5.6 dB worse at scale 0.75, and 8.7 dB at 0.35.
        """
        if self.roll_rad:
            return self._rolled_image(image)
        shown = resample(image, self.scale, self.size, left=self.left, top=self.top)
        return shown[:, ::-1] if self.mirrored else shown

    def readings(
        self, sample: RGBDSample
    ) -> tuple[Float[np.ndarray, "h w"], Bool[np.ndarray, "h w"]]:
        """Readings in metres at the pixel centres of the view, and which are valid."""
        rows, columns = (np.arange(pixels, dtype=np.float64) for pixels in self.size)
        matrix, shift = self._affine()
        inverse = np.linalg.inv(matrix)
        u, v = _lattice(inverse, -inverse @ shift, columns, rows)
        (height, width), (depth_rows, depth_columns) = sample.image_size, sample.depth_size
        # Borders are at -0.5: what lies between two borders belongs to the pixel between them.
        inside = (u >= -0.5) & (u < width - 0.5) & (v >= -0.5) & (v < height - 0.5)
        column = ((u + 0.5) * (depth_columns / width)).astype(np.intp).clip(0, depth_columns - 1)
        row = ((v + 0.5) * (depth_rows / height)).astype(np.intp).clip(0, depth_rows - 1)
        cell = row * depth_columns + column
        valid = sample.valid.take(cell) & inside
        return np.where(valid, sample.depth_m.take(cell), np.float32(0)), valid

    def reading_points(
        self, sample: RGBDSample, chosen: Int[np.ndarray, "n"]
    ) -> Float[np.ndarray, "n 2"]:
        """Points `(u, v)` of the view at the centres of depth pixels, given by flat index."""
        row, column = np.divmod(chosen, sample.depth_size[1])
        u, v = _cell_centres(sample)
        return self.to_view(np.stack([u[column], v[row]], axis=1))

    def readings_inside(self, sample: RGBDSample) -> Int[np.ndarray, "n"]:
        """Flat indices of the valid depth pixels whose centres lie inside the view."""
        u, v = _lattice(*self._affine(), *_cell_centres(sample))
        return np.flatnonzero(inside_image(u, v, self.size) & sample.valid)

    def _affine(self) -> tuple[np.ndarray, np.ndarray]:
        """Matrix and shift from pixels of the frame to pixels of the view."""
        camera, scale = self.camera, self.scale
        roll = _roll_matrix(camera, self.roll_rad)
        centre = np.array([camera.cx, camera.cy])
        matrix = roll * scale
        shift = rescale(centre - roll @ centre, scale) - np.array([self.left, self.top])
        if self.mirrored:
            mirror = np.array([-1.0, 1.0])
            matrix, shift = matrix * mirror[:, None], shift * mirror + [self.size[1] - 1, 0]
        return matrix, shift

    def _rolled_image(self, image: np.ndarray) -> np.ndarray:
        """Image of a rolled view; blocks are averaged first, so that fewer pixels are rotated."""
        block = max(1, int(1 / self.scale))
        scale = self.scale * block
        if block > 1:
            image = np.asarray(Image.fromarray(image).reduce(block))
        camera = self.camera.resized(1 / block, 1 / block)
        margin = math.ceil(2 / min(scale, 1.0)) + 1  # support of the filter that shrinks it
        (x0, x1), (y0, y1) = (
            (math.floor(start / scale) - margin, math.ceil((start + n) / scale) + margin)
            for start, n in ((self.left, self.size[1]), (self.top, self.size[0]))
        )
        turned = _turn(image, camera, self.roll_rad, (x0, y0, x1, y1))
        left, top = self.left - x0 * scale, self.top - y0 * scale
        shown = resample(turned, scale, self.size, left=left, top=top)
        return shown[:, ::-1] if self.mirrored else shown


def frame_camera(sample: RGBDSample) -> Intrinsics:
    """Camera of a sample, if it has square pixels.

    Raises:
        DataError: if it is unknown, or fx and fy differ by more than 1 %.
    """
    camera = sample.intrinsics
    if camera is None:
        raise DataError(
            f"{sample.name} has no camera intrinsics; training needs the focal length of every "
            "frame"
        )
    if abs(camera.fx / camera.fy - 1) > MAX_SQUEEZE:
        raise DataError(
            f"{sample.name} has focal lengths fx {camera.fx:g} and fy {camera.fy:g} px, which "
            "differ by more than 1 %, so its pixels are not square; resize the frame so that they "
            "are, or correct its intrinsics"
        )
    return camera


def random_placement(
    sample: RGBDSample, camera: CameraConfig, rng: np.random.Generator
) -> Placement:
    """Random crop at the camera's focal length; a smaller frame starts at its corner.

    Raises:
        DataError: as :func:`frame_camera`.
    """
    frame = frame_camera(sample)
    scale = camera.focal_px / frame.focal_px
    (height, width), (crop_height, crop_width) = sample.image_size, camera.crop_size
    spare_x = max(0, int(width * scale) - crop_width)
    spare_y = max(0, int(height * scale) - crop_height)
    left, top = int(rng.integers(spare_x + 1)), int(rng.integers(spare_y + 1))
    return Placement(frame, scale, left, top, camera.crop_size)


def middle_placement(sample: RGBDSample, camera: CameraConfig) -> Placement:
    """The training camera's crop at the centre of the frame.

    For NYU's frames and the default camera it is rows 5..355, columns 2..478 of 360x480.

    Raises:
        DataError: as :func:`frame_camera`, or if the frame is smaller than the crop.
    """
    frame = frame_camera(sample)
    scale = camera.focal_px / frame.focal_px
    (height, width), (crop_height, crop_width) = sample.image_size, camera.crop_size
    spare_y, spare_x = height * scale - crop_height, width * scale - crop_width
    if min(spare_y, spare_x) < -0.5:  # the outermost pixel centres would lie outside the frame
        raise DataError(
            f"{sample.name}, resampled to the training camera's focal length, has "
            f"{height * scale:.0f}x{width * scale:.0f} pixels, which is smaller than the crop of "
            f"{crop_height}x{crop_width}; evaluate whole frames with --view whole"
        )
    return Placement(frame, scale, round(spare_x / 2), round(spare_y / 2), camera.crop_size)


def _turn(
    image: np.ndarray, camera: Intrinsics, roll_rad: float, box: tuple[int, int, int, int]
) -> np.ndarray:
    """Part (left, top, right, bottom) of a rolled image, extended by repeating its border."""
    x0, y0, x1, y1 = box
    # Pillow counts from the borders of the pixels.
    matrix = _roll_matrix(camera, -roll_rad)
    centre = np.array([camera.cx, camera.cy]) + 0.5
    shift = centre + matrix @ (np.array([x0, y0]) - centre)
    corners = np.array([[0, 0], [x1 - x0, 0], [0, y1 - y0], [x1 - x0, y1 - y0]])
    reached = corners @ matrix.T + shift
    before = np.maximum(0, np.ceil(-reached.min(axis=0))).astype(int) + 1
    after = np.maximum(0, np.ceil(reached.max(axis=0) - image.shape[1::-1])).astype(int) + 1
    padding = [(int(before[axis]), int(after[axis])) for axis in (1, 0)]
    padded = np.pad(image, [*padding, (0, 0)], mode="edge")
    (a, b), (d, e) = matrix.tolist()
    c, f = (shift + before).tolist()
    affine = Image.Transform.AFFINE
    turned = Image.fromarray(padded).transform(
        (x1 - x0, y1 - y0), affine, (a, b, c, d, e, f), resample=Image.Resampling.BILINEAR
    )
    return np.asarray(turned)


def _roll_matrix(camera: Intrinsics, roll_rad: float) -> np.ndarray:
    """A roll of the camera as a matrix on pixels: a rotation if fx = fy, exact if they differ."""
    cos, sin, ratio = math.cos(roll_rad), math.sin(roll_rad), camera.fx / camera.fy
    return np.array([[cos, -sin * ratio], [sin / ratio, cos]])


def _lattice(
    matrix: np.ndarray, shift: np.ndarray, u: np.ndarray, v: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Map a lattice of columns `u` and rows `v` by an affine map, to `[rows, columns]` each.

    Without a roll a column stays a column: one row and one column are enough, and broadcast.
    """
    (a, b), (c, d) = matrix
    x, y = a * u[None, :] + shift[0], d * v[:, None] + shift[1]
    if b == 0 and c == 0:
        return x, y
    return x + b * v[:, None], y + c * u[None, :]


def _cell_centres(sample: RGBDSample) -> tuple[np.ndarray, np.ndarray]:
    """Columns `u` and rows `v` of the depth pixels' centres, in pixels of the image."""
    (height, width), (rows, columns) = sample.image_size, sample.depth_size
    return side_centres(columns, width), side_centres(rows, height)
