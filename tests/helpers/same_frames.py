"""Comparison of a sample of NYU with the frame that was written."""

import dataclasses

import numpy as np

from helpers.frames import MiniatureFrame
from spd.data.sample import RGBDSample
from spd.pixels import Intrinsics

NYU_CAMERA = Intrinsics(fx=518.8579, fy=519.46961, cx=325.58245, cy=253.73617)


def assert_same(
    sample: RGBDSample,
    frame: MiniatureFrame,
    *,
    camera: Intrinsics = NYU_CAMERA,
    border: bool = True,
) -> None:
    """Same pixels, same metres, and readings up to 10 m inside rows 7..473, columns 7..631."""
    valid = (frame.depth_mm > 1) & (frame.depth_mm <= 10_000)
    if border:
        inside = np.zeros((480, 640), bool)
        inside[7:474, 7:632] = True
        valid &= inside
    assert np.array_equal(sample.image, frame.image)
    assert np.array_equal(sample.depth_m, frame.depth_m)
    assert np.array_equal(sample.valid, valid)
    assert dataclasses.astuple(sample.intrinsics) == dataclasses.astuple(camera)
