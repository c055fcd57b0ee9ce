"""Synthetic rooms: pictures with exact depth, ray-cast, for training, tests and first looks."""

from spd.data.rooms.render import RoomFrame, render_room
from spd.data.rooms.scene import Camera, Scene

__all__ = ["Camera", "RoomFrame", "Scene", "render_room"]
