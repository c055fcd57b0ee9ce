"""The page's plain functions, run in the browser: half pixels, scales, files, numbers."""

import io

import numpy as np
import pytest

from helpers.page_service import serving
from helpers.page_visit import MARKS, chromium, visiting

pytestmark = MARKS


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Evaluates `script`, where `m` is the module of that name and `a` the arguments."""
    with (
        chromium(tmp_path_factory.mktemp("profile")) as browser,
        serving() as served,
        visiting(browser, served.address) as visit,
    ):

        def evaluate(module: str, script: str, *arguments):
            code = f"async (a) => {{ const m = await import('/{module}'); return {script}; }}"
            return visit.page.evaluate(code, list(arguments))

        yield evaluate


SIZE = {"width": 320, "height": 240}
SHOWN = {"left": 10.0, "top": 20.0, "width": 320.0, "height": 240.0}  # one to one


def test_a_mouse_over_a_pixel_shown_one_to_one_is_at_its_centre(run):
    event = {"pointerType": "mouse", "clientX": 10 + 57, "clientY": 20 + 3}
    assert run("pixels.js", "m.toPhoto(m.pointed(a[0]), a[1], a[2])", event, SHOWN, SIZE) == [57, 3]


def test_a_touch_has_its_own_coordinates(run):
    event = {"pointerType": "touch", "clientX": 67.25, "clientY": 23.5}
    assert run("pixels.js", "m.pointed(a[0])", event) == [67.25, 23.5]


@pytest.mark.parametrize("scale", [0.25, 1, 3])
def test_the_borders_of_a_photo_lie_half_a_pixel_outside_its_outer_centres(run, scale):
    shown = SHOWN | {"width": 320 * scale, "height": 240 * scale}
    corners = [[10, 20], [10 + 320 * scale, 20 + 240 * scale]]
    places = [run("pixels.js", "m.toPhoto(a[0], a[1], a[2])", at, shown, SIZE) for at in corners]
    assert places == [[-0.5, -0.5], [319.5, 239.5]]
    back = [run("pixels.js", "m.toScreen(a[0], a[1], a[2])", at, shown, SIZE) for at in places]
    assert back == corners


def test_points_are_clamped_to_the_photo_and_pixels_have_whole_centres(run):
    assert run("pixels.js", "m.clamped([-3, 239.504], a[0])", SIZE) == [-0.5, 239.5]
    assert run("pixels.js", "m.clamped([7.12345, 0], a[0])", SIZE) == [7.12, 0]
    pixels = run(
        "pixels.js", "[-0.5, 0.49, 0.5, 319.5].map((u) => m.pixelOf([u, 0], a[0])[0])", SIZE
    )
    assert pixels == [0, 0, 1, 319]
    assert run("pixels.js", "[m.boxOf([5, 9], [2, 11]), m.boxOf([1, 1], [1, 4])]") == [
        [2, 9, 5, 11], None,
    ]  # fmt: skip


def npy(array: np.ndarray, version=(1, 0)) -> list[int]:
    data = io.BytesIO()
    np.lib.format.write_array(data, array, version=version)
    return list(data.getvalue())


READ = "((map) => ({...map, depthM: [...map.depthM]}))(m.readNpy(new Uint8Array(a[0]).buffer))"


@pytest.mark.parametrize("version", [(1, 0), (2, 0)])
def test_npy_files_are_read(run, version):
    depth_m = np.arange(6, dtype=np.float32).reshape(2, 3) + 0.25
    found = run("npy.js", READ, npy(depth_m, version))
    assert found == {"depthM": depth_m.ravel().tolist(), "rows": 2, "columns": 3}


@pytest.mark.parametrize(
    "bad", [npy(np.zeros((2, 3))), npy(np.zeros(3, np.float32)), list(b"<html>not a map</html>")]
)
def test_files_that_are_not_maps_are_refused(run, bad):
    with pytest.raises(Exception, match=r"not a two-dimensional float32 array|not a \.npy file"):
        run("npy.js", READ, bad)


def test_a_scale_ignores_invalid_depth_and_a_flat_wall_has_a_wide_scale(run):
    depth = [2.0] * 50 + [4.0] * 50 + [0.0] * 20
    scale = "m.scaleOf(new Float32Array(a[0]))"
    assert run("colours.js", scale, depth) == {"near": 2, "far": 4}
    flat = run("colours.js", scale, [2.0, 2.001])
    assert flat["far"] - flat["near"] == pytest.approx(0.1, rel=0.01)
    assert run("colours.js", scale, [0.0, -1.0]) is None


@pytest.mark.parametrize(
    ("near", "far", "ticks"),
    [
        (1.24, 5.24, ["2", "3", "4", "5"]),
        (0.31, 0.62, ["0.4", "0.5", "0.6"]),
        (8, 95, ["20", "40", "60", "80"]),
    ],
)
def test_ticks_are_round_metres_inside_the_scale(run, near, far, ticks):
    found = run("colours.js", "m.ticksOf({near: a[0], far: a[1]})", near, far)
    assert [tick["text"] for tick in found] == ticks
    places = [(float(tick) - near) / (far - near) for tick in ticks]
    assert [tick["at"] for tick in found] == pytest.approx(places)


def test_a_pixel_without_depth_is_transparent(run):
    script = """[...m.painted({depthM: new Float32Array([1, NaN, 0, 3]), rows: 2, columns: 2},
        {near: 1, far: 3}, 2, 2)].filter((_, at) => at % 4 === 3)"""
    assert run("colours.js", script) == [255, 0, 0, 255]


def test_metres_have_centimetres_and_below_one_metre_millimetres(run):
    said = run("words.js", "[2.345, 0.0456, null, 12].map(m.metres)")
    assert said == ["2.35 m", "0.046 m", "no depth", "12.00 m"]
