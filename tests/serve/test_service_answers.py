"""Over HTTP a photo answers as in Python: every route, every file format."""

import io
import warnings

import numpy as np
import pytest
from PIL import Image
from pydantic_core import to_json

from helpers.small_service import JPEG, BlockingPredictor, photo, posted, predictor, small_service
from spd.outputs import read_png_depth
from spd.scenes import distances_m

FOCAL = 60.0
JSON = {"content-type": "application/json"}
POINTS = [[0, 0], [31.5, 12.25], [63, 47], [-0.5, 47.5]]


@pytest.fixture(scope="module")
def client():
    with small_service() as client:
        yield client


@pytest.fixture(scope="module")
def scene():
    return predictor().encode(photo(), focal_px=FOCAL)


@pytest.fixture(scope="module")
def image(client):
    return posted(client, focal_px=FOCAL)


def asked(client, image, what, **body):
    answer = client.post(f"/v1/images/{image}/{what}", json=body)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/json"
    return answer.json()


def test_a_photo_is_described(client):
    answer = client.post("/v1/images", content=photo(), headers=JPEG, params={"focal_px": FOCAL})
    said = answer.json()
    assert answer.status_code == 201
    assert answer.headers["location"] == f"/v1/images/{said['id']}"
    left = said.pop("seconds_left")
    assert 0 < left <= 1800
    assert said == {
        "id": said["id"],
        "width": 64,
        "height": 48,
        "focal_px": FOCAL,
        "assumed_focal_px": None,
        "focal_source": "given",
        "distortion": None,
        "warnings": [],
    }
    again = client.get(answer.headers["location"]).json()
    assert again.pop("seconds_left") <= left
    assert again == said


def test_an_unknown_focal_length_gives_a_warning(client):
    said = client.post("/v1/images", content=photo(), headers=JPEG).json()
    assert (said["focal_px"], said["focal_source"]) == (None, "assumed")
    assert said["assumed_focal_px"] == pytest.approx(51.9, abs=0.1)
    assert "focal length unknown: assuming" in said["warnings"][0]


def test_every_photo_gets_its_warnings_and_not_only_the_first(client):
    for _ in range(2):
        assert client.post("/v1/images", content=photo(), headers=JPEG).json()["warnings"]


@pytest.mark.parametrize(
    ("camera", "source"),
    [
        ({"fov_deg": 60}, "fov"),
        ({"fx": 60, "fy": 60.5, "cx": 30, "cy": 20}, "intrinsics"),
        ({"intrinsics": "60,60.5,30,20"}, "intrinsics"),
        ({"intrinsics": "60,0,30,0,60.5,20,0,0,1"}, "intrinsics"),
        ({"intrinsics": "60,0,30,0,0,60.5,20,0,0,0,1,0"}, "intrinsics"),
    ],
)
def test_other_ways_to_give_the_camera(client, camera, source):
    image = posted(client, **camera)
    said = client.get(f"/v1/images/{image}").json()
    assert said["focal_source"] == source
    assert asked(client, image, "points", points=[[3, 4]], xyz=True)["xyz_m"]


def test_a_doubtful_principal_point_gives_a_warning(client):
    said = client.post(
        "/v1/images",
        content=photo(),
        headers=JPEG,
        params={"fx": 60, "fy": 60, "cx": 300, "cy": 20},
    ).json()
    assert any("principal point" in text for text in said["warnings"])


def test_points_answer_as_in_python(client, scene, image):
    said = asked(client, image, "points", points=POINTS, xyz=True)
    # JSON holds float32 exactly, and nothing else than in Python was computed.
    np.testing.assert_array_equal(np.float32(said["depth_m"]), scene.depth_at(POINTS))
    np.testing.assert_array_equal(np.float32(said["range_m"]), scene.range_at(POINTS))
    np.testing.assert_array_equal(np.float32(said["xyz_m"]), scene.points_3d(POINTS))


def test_points_without_xyz(client, image):
    said = asked(client, image, "points", points=[[3, 4]])
    assert sorted(said) == ["depth_m", "range_m", "xyz_m"]
    assert said["xyz_m"] is None


def test_without_a_focal_length_there_is_depth_and_no_range(client):
    image = posted(client)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scene = predictor().encode(photo())
    said = asked(client, image, "points", points=POINTS)
    np.testing.assert_array_equal(np.float32(said["depth_m"]), scene.depth_at(POINTS))
    assert (said["range_m"], said["xyz_m"]) == (None, None)


def test_empty_queries_give_empty_answers(client, image):
    said = asked(client, image, "points", points=[], xyz=True)
    assert said == {"depth_m": [], "range_m": [], "xyz_m": []}
    assert asked(client, image, "boxes", boxes=[]) == {"boxes": []}
    assert asked(client, image, "distances", pairs=[]) == {"distance_m": []}


def test_boxes_answer_as_in_python(client, scene, image):
    corners = [[2, 3, 30, 40], [-10, -10, 20, 20]]
    said = asked(client, image, "boxes", boxes=corners)["boxes"]
    for got, box in zip(said, corners, strict=True):
        expected = scene.region(box)
        assert got == {name: getattr(expected, name) for name in got}
        assert len(got) == 7
    assert said[1]["valid_share"] < 1


def test_distances_answer_as_in_python(client, scene, image):
    pairs = [[[2, 3], [50, 40]], [[5, 5], [5, 5]]]
    said = asked(client, image, "distances", pairs=pairs)
    np.testing.assert_allclose(said["distance_m"], distances_m(scene, pairs), rtol=1e-12)
    assert said["distance_m"][1] == 0


def test_depth_maps_are_the_same_as_in_python(client, scene, image, tmp_path):
    expected = scene.depth_map(fast=True)
    npy = client.get(f"/v1/images/{image}/depth.npy")
    assert npy.headers["content-type"] == "application/octet-stream"
    got = np.load(io.BytesIO(npy.content))
    assert got.dtype == np.float32
    np.testing.assert_array_equal(got, expected)
    png = client.get(f"/v1/images/{image}/depth.png")
    assert png.headers["content-type"] == "image/png"
    (tmp_path / "depth.png").write_bytes(png.content)
    read = read_png_depth(tmp_path / "depth.png")
    np.testing.assert_allclose(read, expected, atol=0.00051)  # half a millimetre


def test_the_overlay_shows_the_points(client, image):
    plain = client.get(f"/v1/images/{image}/overlay.png")
    marked = client.get(f"/v1/images/{image}/overlay.png", params={"points": ["3,4", "50.5,40"]})
    assert plain.headers["content-type"] == marked.headers["content-type"] == "image/png"
    sizes = {Image.open(io.BytesIO(answer.content)).size for answer in (plain, marked)}
    assert len(sizes) == 1
    assert plain.content != marked.content


def test_the_overlay_of_a_large_photo_takes_points_in_its_own_pixels():
    held = BlockingPredictor()
    held.go.set()
    with small_service(network=held) as client:
        image = posted(client, photo(1200, 1800))
        corner = {"points": ["1799.5,1199.5", "-0.5,-0.5"]}
        answer = client.get(f"/v1/images/{image}/overlay.png", params=corner)
    assert answer.status_code == 200, answer.text
    assert Image.open(io.BytesIO(answer.content)).width > 1800


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "TIFF", "BMP"])
def test_any_file_format_and_any_image_content_type(client, form):
    data = photo(form=form)
    for kind in (f"image/{form.lower()}", "application/octet-stream", "image/*"):
        answer = client.post("/v1/images", content=data, headers={"content-type": kind})
        assert answer.status_code == 201, answer.text


def test_a_form_with_a_photo_and_other_fields(client, scene):
    data = photo()
    files = {"other": ("a.txt", b"\r\n--x\r\n"), "photo": ("room.png", data, "image/png")}
    answer = client.post("/v1/images", files=files, data={"more": "1"}, params={"focal_px": FOCAL})
    assert answer.status_code == 201, answer.text
    said = asked(client, answer.json()["id"], "points", points=POINTS)
    np.testing.assert_array_equal(np.float32(said["depth_m"]), scene.depth_at(POINTS))


def test_the_size_is_that_of_the_upright_photo(client):
    image = Image.open(io.BytesIO(photo()))
    exif = image.getexif()
    exif[0x0112] = 6
    turned = io.BytesIO()
    image.save(turned, "JPEG", exif=exif)
    said = client.post("/v1/images", content=turned.getvalue(), headers=JPEG).json()
    assert (said["width"], said["height"]) == (48, 64)


def test_a_deleted_photo_is_gone(client):
    image = posted(client)
    assert client.delete(f"/v1/images/{image}").status_code == 204
    assert client.get(f"/v1/images/{image}").status_code == 404
    assert client.delete(f"/v1/images/{image}").status_code == 404


def test_the_model_and_its_limits(client):
    said = client.get("/v1/model").json()
    parameters = sum(p.numel() for p in predictor()._model.parameters())
    assert said["parameters"] == parameters
    assert (said["name"], said["runtime"], said["precision"]) == ("small", "torch", "float32")
    assert said["limits"]["max_points"] == 1_000_000


def test_the_parameters_of_other_models_are_null():
    with small_service(network=BlockingPredictor()) as client:
        assert client.get("/v1/model").json()["parameters"] is None


@pytest.mark.slow
def test_a_million_points_in_one_request():
    held = BlockingPredictor()
    held.go.set()
    uv = np.random.default_rng(0).random((1_000_000, 2)) * [63, 47]
    body = b'{"points":%b}' % to_json(uv.tolist())
    one_more = b'{"points":[%b[1,1]]}' % (b"[1,1]," * 1_000_000)
    with small_service(network=held) as client:
        path = f"/v1/images/{posted(client, focal_px=FOCAL)}/points"
        answer = client.post(path, content=body, headers=JSON)
        refused = client.post(path, content=one_more, headers=JSON)
    depth_m = np.float32(answer.json()["depth_m"])
    np.testing.assert_array_equal(depth_m, (1 + 0.01 * uv[:, 0]).astype(np.float32))
    assert refused.status_code == 413


def test_values_that_are_not_finite_become_null():
    class Blind(BlockingPredictor):
        def encode_many(self, photos):
            (scene,) = super().encode_many(photos)
            scene._ask = lambda points: np.full(len(points), [np.nan, np.inf, 2][:1], np.float32)
            return [scene]

    blind = Blind()
    blind.go.set()
    with small_service(network=blind) as client:
        image = posted(client, focal_px=FOCAL)
        said = asked(client, image, "points", points=[[1, 2]], xyz=True)
        assert said == {"depth_m": [None], "range_m": [None], "xyz_m": [[None] * 3]}
        (box,) = asked(client, image, "boxes", boxes=[[1, 2, 3, 4]])["boxes"]
        assert (box["median_m"], box["valid_share"]) == (None, 0)
        pairs = [[[1, 2], [3, 4]]]
        assert asked(client, image, "distances", pairs=pairs) == {"distance_m": [None]}


def test_health_metrics_and_pages(client, image):
    assert client.get("/healthz").json() == {"status": "ok"}
    asked(client, image, "points", points=POINTS)
    metrics = client.get("/metrics").text
    route = 'method="POST",route="/v1/images/{image_id}/points",status="200"'
    assert f"spd_requests_total{{{route}}}" in metrics
    assert 'spd_request_seconds_bucket{le="0.01",route="/v1/images/{image_id}/points"}' in metrics
    for name in ("spd_images ", "spd_images_bytes ", "spd_encodes_waiting ", "spd_points_total "):
        assert f"\n{name}" in metrics
    operations = client.get("/docs")
    assert operations.headers["content-type"].startswith("text/html")
    assert "/v1/images/{image_id}/points" in operations.text
    assert "http" not in operations.text  # nothing is loaded from elsewhere
    page = client.get("/")
    assert page.headers["content-type"].startswith("text/html")
    assert "://" not in page.text.replace("http://www.w3.org/2000/svg", "")
    for shown in (page, operations):  # not in a frame of another page, where clicks can be stolen
        assert shown.headers["content-security-policy"] == "frame-ancestors 'none'"


def test_many_threads_query_one_photo(scene, image, client):
    from concurrent.futures import ThreadPoolExecutor

    generator = np.random.default_rng(0)
    questions = [(generator.random((200, 2)) * [63, 47]).tolist() for _ in range(32)]
    expected = [scene.depth_at(question) for question in questions]
    with ThreadPoolExecutor(8) as pool:
        answers = list(
            pool.map(lambda uv: asked(client, image, "points", points=uv)["depth_m"], questions)
        )
    for got, wanted in zip(answers, expected, strict=True):
        np.testing.assert_array_equal(np.float32(got), wanted)
