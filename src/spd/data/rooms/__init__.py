"""Synthetic rooms: ray-cast images with exact depth, for training and tests."""

from spd.data.rooms.geometry import RoomCamera, RoomGeometry
from spd.data.rooms.render import RoomFrame, render_room

__all__ = ["RoomCamera", "RoomFrame", "RoomGeometry", "render_room"]
