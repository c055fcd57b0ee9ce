r"""A ROS 2 node: pictures in, points in space at the pixels asked out.

    source /opt/ros/jazzy/setup.bash
    python3 examples/ros2_depth_node.py --ros-args -r image:=/camera/image_rect \
        -r camera_info:=/camera/camera_info -p points:="[320.0, 240.0, 100.5, 57.0]"

Subscribes to `image` (sensor_msgs/Image, rectified: rgb8, bgr8 or mono8) and `camera_info`, and
publishes `points_3d` (sensor_msgs/PointCloud2) with the picture's header: x right, y down, z
forward in metres, one for each u,v of the parameter `points`, in its order; z is the depth, and
what lies outside the picture is NaN. Other parameters: `model`, `runtime`. SPD has to be installed
for the Python that ROS uses.

ROS is not installed by pip; the tests run this with modules that stand in for it, not under ROS.
"""

import array
import sys

import numpy as np
import rclpy
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, Image, PointCloud2, PointField

import spd
from spd.errors import InputError, SPDError
from spd.pixels import Intrinsics

CHANNELS = {"rgb8": 3, "bgr8": 3, "mono8": 1}


def pixels_of(message: Image) -> np.ndarray:
    """`[H, W, 3]` or `[H, W]` of a picture message, whose rows may end in padding."""
    channels = CHANNELS[message.encoding]
    rows = np.frombuffer(message.data, np.uint8).reshape(message.height, message.step)
    rows = rows[:, : message.width * channels]
    return rows.reshape((message.height, message.width, 3) if channels == 3 else rows.shape)


def camera_of(info: CameraInfo) -> Intrinsics:
    """The camera of the rectified picture: the projection matrix, 3x4, row by row."""
    return Intrinsics(info.p[0], info.p[5], info.p[2], info.p[6])


def cloud_message(header, points: np.ndarray) -> PointCloud2:
    """`[N, 3]` metres as a message."""
    return PointCloud2(
        header=header,
        height=1,
        width=len(points),
        fields=[
            PointField(name=name, offset=4 * n, datatype=PointField.FLOAT32, count=1)
            for n, name in enumerate("xyz")
        ],
        is_bigendian=False,
        point_step=12,
        row_step=12 * len(points),
        data=array.array("B", points.astype("<f4").tobytes()),
        is_dense=bool(np.isfinite(points).all()),
    )


class DepthNode(Node):
    """Answers every picture that comes while it is free; those that come meanwhile are dropped."""

    def __init__(self) -> None:
        super().__init__("spd_depth")
        flat = self.declare_parameter("points", [320.0, 240.0]).value
        if len(flat) % 2:
            raise InputError(f"points must be u,v,u,v,..., got {len(flat)} numbers")
        self.points = np.asarray(flat, dtype=float).reshape(-1, 2)
        model = self.declare_parameter("model", "").value or None
        runtime = self.declare_parameter("runtime", "").value or None
        self.predictor = spd.load(model, runtime=runtime)
        self.info: CameraInfo | None = None
        newest = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
        self.create_subscription(CameraInfo, "camera_info", self.on_info, newest)
        self.create_subscription(Image, "image", self.on_image, newest)
        self.publisher = self.create_publisher(PointCloud2, "points_3d", 10)

    def on_info(self, info: CameraInfo) -> None:
        """Keep the camera; one that is not calibrated has zeros."""
        self.info = info if info.p[0] > 0 else None

    def on_image(self, message: Image) -> None:
        """Ask one picture and publish its points."""
        try:
            points = self.ask(message)
        except SPDError as error:
            self.get_logger().warning(f"picture left out: {error}", throttle_duration_sec=5.0)
            return
        self.publisher.publish(cloud_message(message.header, points))

    def ask(self, message: Image) -> np.ndarray:
        """`[N, 3]` metres; NaN outside the picture."""
        if message.encoding not in CHANNELS:
            raise InputError(f"encoding {message.encoding}; expected {', '.join(CHANNELS)}")
        if self.info is None:
            raise InputError("no camera_info of a calibrated camera yet")
        if (self.info.width, self.info.height) != (message.width, message.height):
            raise InputError("camera_info is of a picture of another size")
        camera = camera_of(self.info)
        order = "bgr" if message.encoding == "bgr8" else "rgb"
        scene = self.predictor.encode(pixels_of(message), intrinsics=camera, channels=order)
        depth_m = scene.depth_at(self.points, outside="nan")
        x, y = (self.points - [camera.cx, camera.cy]).T / [[camera.fx], [camera.fy]]
        return np.stack([x * depth_m, y * depth_m, depth_m], axis=1)


def main() -> None:
    rclpy.init()
    try:
        rclpy.spin(DepthNode())
    except KeyboardInterrupt:
        pass
    except SPDError as error:
        sys.exit(f"ros2_depth_node: {error}")
    finally:
        rclpy.try_shutdown()


if __name__ == "__main__":
    main()
