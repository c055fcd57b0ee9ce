"""Grids, lines, masks and lens distortion over HTTP: the answers of Python, and refusals."""

import io

import numpy as np
import pytest
from PIL import Image

from helpers.small_service import JPEG, error_of, photo, posted, predictor, small_service
from spd.pixels import Intrinsics
from spd.scenes import Line, distances_m, grid, length_m

PINHOLE = {"fx": 60, "fy": 60.5, "cx": 30, "cy": 22}
CAMERA = Intrinsics(*PINHOLE.values())
LENS = (-0.28, 0.07, 0.0002, 0.00002)
LINES = [[[2, 3], [60, 3], [60, 40]], [[5, 5], [5, 5]]]
UV = [[0, 0], [31.5, 12.25], [63, 47]]
PNG = {"content-type": "image/png"}
MASK = np.zeros((48, 64), dtype=bool)
MASK[10:20, 30:50] = True


@pytest.fixture(scope="module")
def client():
    with small_service(max_points=10_000, max_megapixels=0.1) as client:
        yield client


@pytest.fixture(scope="module")
def scene():
    return predictor().encode(photo(), intrinsics=CAMERA)


@pytest.fixture(scope="module")
def image(client):
    return posted(client, **PINHOLE)


def mask_file(pixels: np.ndarray = MASK, form: str = "PNG") -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).convert("L").save(file, form)
    return file.getvalue()


def asked(client, image, what, **sent):
    answer = client.post(f"/v1/images/{image}/{what}", **sent)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/json"
    return answer.json()


def values_of(statistics) -> dict[str, float]:
    return {name: getattr(statistics, name) for name in statistics.__slots__}


def test_a_grid_answers_as_in_python(client, scene, image):
    said = asked(client, image, "grid", json={"columns": 8, "rows": 6, "xyz": True})
    points = grid((48, 64), 8, 6)
    np.testing.assert_array_equal(said["points"], points)
    np.testing.assert_array_equal(np.float32(said["depth_m"]), scene.depth_at(points))
    np.testing.assert_array_equal(np.float32(said["range_m"]), scene.range_at(points))
    np.testing.assert_array_equal(np.float32(said["xyz_m"]), scene.points_3d(points))
    plain = asked(client, image, "grid", json={"columns": 1, "rows": 1})
    assert plain["points"] == [[31.5, 23.5]]
    assert plain["xyz_m"] is None


def test_the_points_of_a_grid_are_counted(client, image):
    def counted() -> float:
        lines = client.get("/metrics").text.splitlines()
        return float(
            next(line for line in lines if line.startswith("spd_points_total ")).split()[1]
        )

    before = counted()
    asked(client, image, "grid", json={"columns": 8, "rows": 6})
    assert counted() == before + 48


def test_lines_answer_as_in_python(client, scene, image):
    said = asked(client, image, "lines", json={"lines": LINES})["lines"]
    for got, points in zip(said, LINES, strict=True):
        assert got.pop("length_m") == pytest.approx(length_m(scene, points), rel=1e-12)
        assert got == values_of(scene.region(Line.through(points)))
    assert asked(client, image, "lines", json={"lines": []}) == {"lines": []}


def test_a_line_has_no_length_without_a_focal_length(client):
    (line,) = asked(client, posted(client), "lines", json={"lines": LINES[:1]})["lines"]
    assert line["length_m"] is None
    assert line["median_m"] > 0


def test_a_mask_answers_as_in_python_as_a_file_and_in_a_form(client, scene, image):
    expected = values_of(scene.region(MASK))
    assert asked(client, image, "mask", content=mask_file(), headers=PNG) == expected
    files = {"mask": ("mask.png", mask_file(), "image/png")}
    assert asked(client, image, "mask", files=files) == expected


def test_lens_distortion_moves_rays_and_not_depth(client, scene):
    image = posted(client, **PINHOLE, distortion=",".join(str(value) for value in LENS))
    assert client.get(f"/v1/images/{image}").json()["distortion"] == [*LENS, 0, 0, 0, 0]
    said = asked(client, image, "points", json={"points": UV, "xyz": True})
    np.testing.assert_array_equal(np.float32(said["depth_m"]), scene.depth_at(UV))
    expected = scene.range_at(UV, distortion=LENS)
    np.testing.assert_array_equal(np.float32(said["range_m"]), expected)
    assert abs(expected / scene.range_at(UV) - 1).max() > 0.01
    np.testing.assert_array_equal(np.float32(said["xyz_m"]), scene.points_3d(UV, distortion=LENS))
    pairs = [[UV[0], UV[2]]]
    said = asked(client, image, "distances", json={"pairs": pairs})
    np.testing.assert_allclose(
        said["distance_m"], distances_m(scene, pairs, distortion=LENS), rtol=1e-12
    )
    (line,) = asked(client, image, "lines", json={"lines": LINES[:1]})["lines"]
    assert line["length_m"] == pytest.approx(length_m(scene, LINES[0], distortion=LENS), rel=1e-12)


def test_distortion_is_null_where_none_was_given(client, image):
    assert client.get(f"/v1/images/{image}").json()["distortion"] is None


@pytest.mark.parametrize(
    ("camera", "pattern"),
    [
        ({"distortion": "0,0,0,0"}, "distortion requires intrinsics"),
        ({"distortion": "0,0,0,0", "focal_px": 60}, "distortion requires intrinsics"),
        (PINHOLE | {"distortion": "0,0,0"}, "4, 5 or 8 numbers"),
        (PINHOLE | {"distortion": "a,b,c,d"}, "4, 5 or 8 numbers"),
        (PINHOLE | {"distortion": "nan,0,0,0"}, "must be finite"),
        (PINHOLE | {"distortion": "0,0,0,0,0,0,0,0,0.1,0,0,0"}, "s1 = 0.1"),
        (PINHOLE | {"intrinsics": "60,60,30,20"}, "pass only one of intrinsics and fx"),
        ({"intrinsics": "60,60,30,20", "focal_px": 60}, "pass only one of"),
        ({"intrinsics": "60,60,30"}, "must be fx,fy,cx,cy"),
        ({"intrinsics": "60,5,30,0,60,20,0,0,1"}, "a skew of 5 px"),
        ({"intrinsics": "60,60,1e300,20"}, "at most 1e+07 pixels"),
    ],
)
def test_invalid_lens_distortion(client, camera, pattern):
    answer = client.post("/v1/images", content=photo(), headers=JPEG, params=camera)
    status, kind, message = error_of(answer)
    assert (status, kind) == (400, "bad_camera")
    assert pattern in message


def test_a_pixel_where_distortion_cannot_be_undone(client):
    image = posted(client, **PINHOLE, distortion="-5,0,0,0")
    answer = client.post(f"/v1/images/{image}/points", json={"points": [[30, 22], [63, 47]]})
    status, kind, message = error_of(answer)
    assert (status, kind) == (400, "bad_point")
    assert "cannot be inverted at point 1, (63, 47)" in message


@pytest.mark.parametrize(
    ("what", "body", "status", "pattern"),
    [
        ("lines", {"lines": [LINES[0], [[1, 2]]]}, 400, "line 1: a line needs at least two points"),
        ("lines", {"lines": [[]]}, 400, "line 0: a line needs at least two points, got 0"),
        ("lines", {"lines": [[[1, 2], [64, 2]]]}, 400, "line 0: point 1 is (64, 2), outside"),
        ("lines", {"lines": [LINES[1]] * 3}, 413, "3 lines in one request; the limit is 2"),
        ("lines", {"lines": [[[1, 2]] * 10_001]}, 413, "10,001 points of lines"),
        ("lines", {"lines": [[1, 2]]}, 422, "lines.0.0"),
        ("grid", {"columns": 8}, 422, "rows"),
        ("grid", {"columns": 0, "rows": 3}, 422, "columns"),
        ("grid", {"columns": True, "rows": 3}, 422, "columns"),
        ("grid", {"columns": 101, "rows": 100}, 413, "101 x 100 points in one request"),
        ("grid", {"columns": 8, "rows": 6, "more": "x" * 5000}, 422, "too long for a grid query"),
    ],
)
def test_invalid_queries(client, image, what, body, status, pattern):
    got, _, message = error_of(client.post(f"/v1/images/{image}/{what}", json=body))
    assert got == status
    assert pattern in message


@pytest.mark.parametrize(
    ("data", "status", "pattern"),
    [
        (mask_file(MASK[:40]), 400, "the mask is 64x40, but the photo is 64x48"),
        (mask_file(MASK & False), 400, "mask is empty"),
        (mask_file(form="JPEG"), 400, "save the mask as PNG"),
        (mask_file(np.ones((400, 400), dtype=bool)), 413, "400x400"),
        (b"no image", 400, "not a readable image"),
        (b"", 400, "is empty"),
    ],
)
def test_invalid_masks(client, image, data, status, pattern):
    answer = client.post(f"/v1/images/{image}/mask", content=data, headers=PNG)
    got, _, message = error_of(answer)
    assert got == status
    assert pattern in message


def test_a_mask_must_be_a_file_or_a_form_with_the_field_mask(client, image):
    path = f"/v1/images/{image}/mask"
    answer = client.post(path, json={})
    assert error_of(answer)[:2] == (415, "wrong_type")
    assert "send the mask as image/*" in answer.text
    answer = client.post(path, files={"photo": ("mask.png", mask_file(), "image/png")})
    assert error_of(answer)[0] == 422
    assert "no field 'mask'; send the file in it, with curl as -F mask=@mask.png" in answer.text


@pytest.mark.parametrize("what", ["grid", "lines", "mask"])
def test_an_unknown_image(client, what):
    answer = client.post(f"/v1/images/nobody/{what}", json={})
    assert error_of(answer)[:2] == (404, "unknown_image")
