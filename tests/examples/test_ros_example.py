"""The ROS 2 node, with modules that stand in for ROS."""

import array

import numpy as np
import pytest

import spd
from helpers import fake_ros
from helpers.example_scripts import Script, picture
from helpers.fake_ros import CameraInfo, Header, Image, PointCloud2, Ros
from spd.pixels import Intrinsics

POINTS = [(20.0, 10.5), (60.0, 30.0)]
PROJECTION = [65.0, 0.0, 41.0, 0.0, 0.0, 66.0, 28.0, 0.0, 0.0, 0.0, 1.0, 0.0]


@pytest.fixture(scope="module")
def expected():
    scene = spd.load(device="cpu").encode(picture(), intrinsics=Intrinsics(65.0, 66.0, 41.0, 28.0))
    return scene.points_3d(POINTS)


@pytest.fixture
def start(monkeypatch, capsys):
    def started(**parameters):
        flat = [number for point in POINTS for number in point]
        ros = Ros(monkeypatch, **{"points": flat, **parameters})
        Script("ros2_depth_node", monkeypatch, capsys)()
        assert ros.calls == ["init", "spin", "shutdown"]
        return ros.node

    return started


def message(pixels: np.ndarray, encoding: str, padding: int = 0) -> Image:
    rows = pixels.reshape(pixels.shape[0], -1)
    data = np.pad(rows, ((0, 0), (0, padding)), constant_values=99).tobytes()
    header = Header(12.5, "camera_optical_frame")
    height, width = pixels.shape[:2]
    return Image(header, height, width, encoding, rows.shape[1] + padding, array.array("B", data))


def send(node, topic: str, sent) -> None:
    kind, callback, qos = node.subscriptions_of[topic]
    assert isinstance(sent, kind)
    assert (qos.depth, qos.reliability) == (1, "best effort")  # the newest, and none that waits
    callback(sent)


def published(node) -> list[PointCloud2]:
    kind, publisher = node.publishers_of["points_3d"]
    assert kind is PointCloud2
    return publisher.published


def points_of(cloud: PointCloud2) -> np.ndarray:
    """Read as a subscriber does, by the fields."""
    names = [(one.name, "<f4", one.offset, one.datatype) for one in cloud.fields]
    assert names == [("x", "<f4", 0, 7), ("y", "<f4", 4, 7), ("z", "<f4", 8, 7)]
    assert (cloud.point_step, cloud.row_step, cloud.height) == (12, 12 * cloud.width, 1)
    assert not cloud.is_bigendian
    return np.frombuffer(cloud.data, "<f4").reshape(cloud.width, 3)


@pytest.mark.parametrize("padding", [0, 5])
@pytest.mark.parametrize("encoding", ["rgb8", "bgr8"])
def test_a_picture_gives_its_points_with_its_header(start, expected, encoding, padding):
    node = start()
    send(node, "camera_info", CameraInfo(80, 60, PROJECTION))
    pixels = picture() if encoding == "rgb8" else picture()[..., ::-1]
    send(node, "image", message(pixels, encoding, padding))
    (cloud,) = published(node)
    assert cloud.header == Header(12.5, "camera_optical_frame")
    assert cloud.is_dense
    np.testing.assert_allclose(points_of(cloud), expected, rtol=1e-5)


def test_grey_pictures_and_points_outside(start):
    node = start(points=[40.0, 30.0, 200.0, 30.0])
    send(node, "camera_info", CameraInfo(80, 60, PROJECTION))
    send(node, "image", message(picture()[..., 0], "mono8"))
    (cloud,) = published(node)
    inside, outside = points_of(cloud)
    assert np.isfinite(inside).all()
    assert np.isnan(outside).all()
    assert not cloud.is_dense


@pytest.mark.parametrize(
    ("info", "encoding", "said"),
    [
        (None, "rgb8", "no camera_info of a calibrated camera yet"),
        (CameraInfo(80, 60, [0.0] * 12), "rgb8", "no camera_info of a calibrated camera yet"),
        (CameraInfo(160, 120, PROJECTION), "rgb8", "camera_info is of a picture of another size"),
        (CameraInfo(80, 60, PROJECTION), "bayer_rggb8", "encoding bayer_rggb8; expected rgb8,"),
    ],
)
def test_what_cannot_be_asked_is_left_out_and_said(start, info, encoding, said):
    node = start()
    if info is not None:
        send(node, "camera_info", info)
    send(node, "image", message(picture(), encoding))
    assert published(node) == []
    (warning,) = node.logger.warnings
    assert warning.startswith(f"picture left out: {said}")


def test_parameters_that_cannot_be_end_the_node_with_one_line(monkeypatch, capsys):
    for parameters, said in (
        ({"points": [1.0, 2.0, 3.0]}, "points must be u,v,u,v,..., got 3 numbers"),
        ({"model": "/nowhere/model"}, "is not a file"),
    ):
        ros = Ros(monkeypatch, **parameters)
        assert said in Script("ros2_depth_node", monkeypatch, capsys).refusal()
        assert ros.calls == ["init", "shutdown"]


def test_the_stand_ins_refuse_what_ros_would_refuse():
    fields = {"height": 1, "width": 0, "fields": [], "is_bigendian": False, "point_step": 12}
    with pytest.raises(AssertionError):
        fake_ros.PointCloud2(header=Header(), row_step=0, is_dense=True, data=[], **fields)
    with pytest.raises(TypeError):
        fake_ros.PointCloud2(header=Header(), row_step=0, dense=True, **fields)
