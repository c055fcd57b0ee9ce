"""What stands in for ROS 2, which pip does not install: the names that the node uses, no more.

Messages are made from keywords as rclpy's are; the array of `PointCloud2.data` must be of bytes.
"""

import array
import dataclasses
import sys
from types import ModuleType
from typing import Any


@dataclasses.dataclass
class Header:
    stamp: float = 0.0
    frame_id: str = ""


@dataclasses.dataclass
class Image:
    header: Header
    height: int
    width: int
    encoding: str
    step: int
    data: array.array


@dataclasses.dataclass
class CameraInfo:
    width: int
    height: int
    p: list[float]


@dataclasses.dataclass(kw_only=True)
class PointField:
    FLOAT32 = 7
    name: str
    offset: int
    datatype: int
    count: int


@dataclasses.dataclass(kw_only=True)
class PointCloud2:
    header: Header
    height: int
    width: int
    fields: list[PointField]
    is_bigendian: bool
    point_step: int
    row_step: int
    data: array.array
    is_dense: bool

    def __post_init__(self) -> None:
        assert isinstance(self.data, array.array)
        assert self.data.typecode == "B"


@dataclasses.dataclass
class QoSProfile:
    depth: int
    reliability: str


class Logger:
    def __init__(self) -> None:
        self.warnings: list[str] = []

    def warning(self, message: str, *, throttle_duration_sec: float) -> None:
        self.warnings.append(message)


class Publisher:
    def __init__(self) -> None:
        self.published: list[Any] = []

    def publish(self, message: Any) -> None:
        self.published.append(message)


@dataclasses.dataclass
class Parameter:
    value: Any


class Node:
    """A node whose parameters are given by the test, and whose callbacks it calls."""

    given: dict[str, Any] = {}  # noqa: RUF012

    def __init__(self, name: str) -> None:
        self.name = name
        self.subscriptions_of: dict[str, tuple[type, Any, QoSProfile]] = {}
        self.publishers_of: dict[str, tuple[type, Publisher]] = {}
        self.logger = Logger()

    def declare_parameter(self, name: str, value: Any) -> Parameter:
        return Parameter(self.given.get(name, value))

    def create_subscription(self, kind: type, topic: str, callback: Any, qos: QoSProfile) -> None:
        self.subscriptions_of[topic] = (kind, callback, qos)

    def create_publisher(self, kind: type, topic: str, depth: int) -> Publisher:
        publisher = Publisher()
        self.publishers_of[topic] = (kind, publisher)
        return publisher

    def get_logger(self) -> Logger:
        return self.logger


class Ros:
    """The modules, and what was asked of them."""

    def __init__(self, monkeypatch: Any, **parameters: Any) -> None:
        self.calls: list[str] = []
        self.node: Any = None
        node = type("Node", (Node,), {"given": parameters})
        modules = {
            "rclpy": {"init": self._init, "spin": self._spin, "try_shutdown": self._shutdown},
            "rclpy.node": {"Node": node},
            "rclpy.qos": {
                "QoSProfile": QoSProfile,
                "ReliabilityPolicy": type("ReliabilityPolicy", (), {"BEST_EFFORT": "best effort"}),
            },
            "sensor_msgs": {},
            "sensor_msgs.msg": {
                "CameraInfo": CameraInfo,
                "Image": Image,
                "PointCloud2": PointCloud2,
                "PointField": PointField,
            },
        }
        for name, members in modules.items():
            module = ModuleType(name)
            vars(module).update(members)
            monkeypatch.setitem(sys.modules, name, module)

    def _init(self) -> None:
        self.calls.append("init")

    def _spin(self, node: Any) -> None:
        self.calls.append("spin")
        self.node = node
        raise KeyboardInterrupt  # what ends a node

    def _shutdown(self) -> None:
        self.calls.append("shutdown")
