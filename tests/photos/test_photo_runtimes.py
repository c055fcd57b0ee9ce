"""Other people's models and exported ones take the same photos and cameras as ours."""

import numpy as np
import pytest
from PIL import Image

from helpers import exports
from helpers.photo_files import FOCAL_35_MM, ORIENTATION, encoded, picture, with_exif
from spd.errors import InputError
from spd.pixels import Intrinsics


@pytest.fixture(params=["onnxruntime", "openvino"])
def exported(request):
    pytest.importorskip(request.param, reason='pip install "spd[export]"')
    return exports.opened(request.param)


@pytest.mark.filterwarnings("ignore:the photo covers")
def test_an_export_takes_the_same_photos_and_cameras(exported):
    pixels = picture(60, 80)
    upright = exported.encode(pixels, fov_deg=60.0)
    points = [(3, 4), (70.5, 50)]
    for same in (encoded(Image.fromarray(pixels), "PNG"), Image.fromarray(pixels)):
        assert np.array_equal(
            exported.encode(same, fov_deg=60.0).depth_at(points), upright.depth_at(points)
        )
    bgr = exported.encode(pixels[..., ::-1], fov_deg=60.0, channels="bgr")
    assert np.array_equal(bgr.depth_at(points), upright.depth_at(points))
    turned = with_exif(np.rot90(pixels), "PNG", {ORIENTATION: 6}, {FOCAL_35_MM: 30})
    scene = exported.encode(turned)
    assert (scene.size, scene.focal_source) == ((60, 80), "exif")
    camera = Intrinsics(70.0, 70.0, 40.0, 30.0)
    assert exported.encode(pixels, intrinsics=camera).intrinsics == camera
    with pytest.raises(InputError, match="pass only one of"):
        exported.encode(pixels, focal_px=70.0, fov_deg=60.0)
