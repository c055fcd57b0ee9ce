"""The examples about photos: grasps, boxes, lengths, frames."""

import json
import re
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

import spd
from helpers.example_scripts import EXAMPLES, Script, picture, save
from spd.pixels import Intrinsics
from spd.scenes.calibration import Calibration

CAMERA = Intrinsics(65.0, 66.0, 41.0, 28.0)
WORDS = ("--intrinsics", "65,66,41,28")


@pytest.fixture(scope="module")
def predictor():
    return spd.load(device="cpu")


@pytest.fixture
def photo(tmp_path):
    return save(tmp_path / "photo.png", picture())


@pytest.fixture
def script(monkeypatch, capsys):
    return lambda name: Script(name, monkeypatch, capsys)


def write_json(path, data):
    path.write_text(json.dumps(data))
    return path


GRASPS = [{"u": 20, "v": 10.5, "angle_deg": 90, "width_px": 11}, {"u": 60, "v": 30}]


def test_grasps_are_points_of_the_camera_and_of_the_robot(script, predictor, photo, tmp_path):
    # The camera hangs two metres above the robot's base and looks down: z is minus, y is mirrored.
    pose = np.array([[1, 0, 0, 0.5], [0, -1, 0, 0], [0, 0, -1, 2.0], [0, 0, 0, 1]])
    np.savetxt(tmp_path / "pose.txt", pose)
    grasps = write_json(tmp_path / "grasps.json", GRASPS)
    run = script("grasp_points")
    found = json.loads(run(photo, grasps, *WORDS, "--pose", tmp_path / "pose.txt"))
    scene = predictor.encode(photo, intrinsics=CAMERA)
    for one, (x, y, z) in zip(found, scene.points_3d([(20, 10.5), (60, 30)]).tolist(), strict=True):
        assert one["camera_m"] == pytest.approx([x, y, z], abs=1e-4)
        assert one["robot_m"] == pytest.approx([x + 0.5, -y, 2 - z], abs=2e-4)
    assert {key: found[0][key] for key in GRASPS[0]} == GRASPS[0]
    upright_m = 11 * found[0]["camera_m"][2] / CAMERA.fy  # an angle of 90 degrees: along v
    assert found[0]["width_m"] == pytest.approx(upright_m, abs=1e-4)
    assert "width_m" not in found[1]
    assert "robot_m" not in json.loads(run(photo, grasps, *WORDS))[0]


def test_grasps_follow_a_calibration(script, photo, tmp_path):
    found = Calibration(1.5, 3, 0.01, 0.02, focal_known=True, model="shipped")
    found.write(tmp_path / "calibration.json")
    grasps = write_json(tmp_path / "grasps.json", GRASPS)
    run = script("grasp_points")
    plain = json.loads(run(photo, grasps, *WORDS))
    larger = json.loads(run(photo, grasps, *WORDS, "--calibration", tmp_path / "calibration.json"))
    for before, after in zip(plain, larger, strict=True):
        assert after["camera_m"] == pytest.approx(np.multiply(before["camera_m"], 1.5), abs=2e-4)


def test_grasps_that_cannot_be_are_one_line(script, photo, tmp_path):
    run = script("grasp_points")
    good = write_json(tmp_path / "grasps.json", GRASPS)
    np.savetxt(tmp_path / "scaled.txt", np.diag([2, 2, 2, 1]))
    np.savetxt(tmp_path / "short.txt", [1, 2, 3])
    np.savetxt(tmp_path / "wide.txt", np.eye(4, 5))
    turned = np.array([[0, -1, 0, 0.5], [1, 0, 0, 0], [0, 0, 1, 2], [0, 0, 0, 1]])
    np.savetxt(tmp_path / "transposed.txt", turned.T)
    np.savetxt(tmp_path / "mirror.txt", np.diag([1, 1, -1, 1]))
    np.savetxt(tmp_path / "nan.txt", np.where(turned == 2, np.nan, turned))
    for name in ("scaled", "short", "wide", "transposed", "mirror", "nan"):
        said = run.refusal(photo, good, *WORDS, "--pose", tmp_path / f"{name}.txt")
        assert "is no pose: expected 4x4 numbers" in said
    said = run.refusal(photo, good, *WORDS, "--pose", tmp_path / "none.txt")
    assert "is no text file of 4x4 numbers" in said
    assert "invalid camera_of value" in run.refusal(photo, good, "--intrinsics", "65,66")
    outside = write_json(tmp_path / "outside.json", [{"u": 90, "v": 3}])
    assert "outside the image of 80 columns" in run.refusal(photo, outside, *WORDS)
    lacking = write_json(tmp_path / "lacking.json", [{"u": 9}])
    assert run.refusal(photo, lacking, *WORDS) == "grasp_points: a grasp has no 'v'"
    assert "No such file" in run.refusal(photo, tmp_path / "none.json", *WORDS)
    assert "no image file" in run.refusal(tmp_path / "none.jpg", good, *WORDS)


INSTANCES = {
    "images": [{"id": 7, "file_name": "a.png"}, {"id": 3, "file_name": "sub/b.png"}],
    "annotations": [
        {"image_id": 3, "category_id": 1, "bbox": [10, 20, 30, 25]},
        {"image_id": 7, "category_id": 1, "bbox": [0, 0, 80, 60]},
        {"image_id": 3, "category_id": 2, "bbox": [70, 50, 40, 40]},
    ],
}


@pytest.fixture
def coco(tmp_path):
    save(tmp_path / "photos" / "a.png", picture(seed=1))
    save(tmp_path / "photos" / "sub" / "b.png", picture(seed=2))
    return write_json(tmp_path / "instances.json", INSTANCES)


def test_boxes_get_metres_in_their_own_order(script, predictor, coco, tmp_path):
    out, photos = tmp_path / "metres.json", tmp_path / "photos"
    said = script("boxes_to_metres")(coco, "--images", photos, "-o", out, "--focal-px", 65)
    assert said.strip() == f"{out}: 3 boxes"
    measured = json.loads(out.read_text())
    scenes = {7: predictor.encode(photos / "a.png", focal_px=65.0)}
    scenes[3] = predictor.encode(photos / "sub" / "b.png", focal_px=65.0)
    for box, found in zip(INSTANCES["annotations"], measured, strict=True):
        depth_m = found.pop("depth_m")
        assert found == box
        (x, y, width, height), scene = box["bbox"], scenes[box["image_id"]]
        # COCO's 0 is the border of the first pixel, ours its centre.
        region = scene.region((x - 0.5, y - 0.5, x + width - 0.5, y + height - 0.5))
        assert depth_m["median"] == pytest.approx(region.median_m, abs=6e-4)
        assert depth_m["p10"] == pytest.approx(region.p10_m, abs=6e-4)
        assert depth_m["p90"] == pytest.approx(region.p90_m, abs=6e-4)
    whole, beyond = (json.loads(out.read_text())[n]["depth_m"]["valid_share"] for n in (1, 2))
    assert (whole, beyond) == (1.0, pytest.approx(1 / 16, abs=0.01))  # 10 x 10 of 40 x 40


def test_a_detectors_own_list_takes_the_place_of_the_annotations(script, coco, tmp_path):
    results = [{"image_id": 7, "category_id": 9, "bbox": [5, 5, 9.5, 9], "score": 0.8}]
    boxes, out = write_json(tmp_path / "boxes.json", results), tmp_path / "metres.json"
    words = (coco, "--images", tmp_path / "photos", "-o", out, "--focal-px", 65)
    script("boxes_to_metres")(*words, "--results", boxes)
    (measured,) = json.loads(out.read_text())
    assert (measured["score"], measured["depth_m"]["valid_share"]) == (0.8, 1.0)


def test_boxes_that_cannot_be_are_one_line(script, coco, tmp_path):
    run, out = script("boxes_to_metres"), tmp_path / "metres.json"
    words = (coco, "--images", tmp_path / "photos", "-o", out, "--focal-px", 65)
    for results, said in (
        ([{"image_id": 8, "bbox": [0, 0, 1, 1]}], "box 0 is of image 8, which is not in images"),
        ([{"image_id": 7, "bbox": [0, 0, 0, 1]}], "must be x0,y0,x1,y1"),
        ([{"image_id": 7, "bbox": [99, 99, 5, 5]}], "lies outside the photo"),
        ([{"image_id": 7}], "the JSON has no 'bbox' where the COCO form has it"),
    ):
        boxes = write_json(tmp_path / "boxes.json", results)
        assert said in run.refusal(*words, "--results", boxes)
    assert "no image file" in run.refusal(coco, "--images", tmp_path, "-o", out, "--focal-px", 65)
    assert not out.exists()


def test_two_pixels_are_so_far_apart(script, predictor, photo):
    said = script("measure_photo")(photo, "10,20", "70,45.5", "--focal-px", 65)
    scene = predictor.encode(photo, focal_px=65.0)
    ends = [(10, 20), (70, 45.5)]
    a, b = scene.range_at(ends)
    assert said.splitlines() == [
        f"A at 10,20 is {a:.3f} m away",
        f"B at 70,45.5 is {b:.3f} m away",
        f"from A to B {scene.distance_m(*ends):.3f} m",
    ]


def test_a_known_length_takes_out_one_factor(script, photo):
    known = ("--known", "10,20", "70,45.5", "0.297")
    said = script("measure_photo")(photo, "10,20", "70,45.5", "--fov-deg", 60, *known)
    assert said.splitlines()[-1] == "from A to B 0.297 m"
    assert re.match(r"the known length came out [\d.]+ times as long; corrected", said)


def test_a_measurement_that_cannot_be_is_one_line(script, photo, recwarn):
    run = script("measure_photo")
    assert "'10' is not u,v" in run.refusal(photo, "10", "70,45")
    said = run.refusal(photo, "10,20", "70,45", "--fov-deg", 60, "--known", "1", "2,3", "1")
    assert said == "measure_photo: '1' is not u,v, such as 320,240"
    assert "outside the image" in run.refusal(photo, "10,20", "700,45", "--fov-deg", 60)
    with pytest.warns(UserWarning, match="focal length unknown"):
        assert "need the focal length of the photo" in run.refusal(photo, "10,20", "70,45")


LINE = re.compile(r"frame (\d+): ([\d.]+) m in the middle(?:, ([\d.]+) frames a second)?$")


def readings(said: str) -> list[tuple[int, str]]:
    matches = [LINE.match(line) for line in said.splitlines()]
    assert [bool(found[3]) for found in matches] == [False] + [True] * (len(matches) - 1)
    return [(int(found[1]), found[2]) for found in matches]


def expected(predictor, frames) -> list[tuple[int, str]]:
    answers = [predictor.encode(f, focal_px=65.0).depth_at([(39.5, 29.5)])[0] for f in frames]
    return [(number, f"{metres:.2f}") for number, metres in enumerate(answers, start=1)]


def test_a_folder_of_frames_is_read_in_order(script, predictor, tmp_path):
    frames = [picture(seed=n) for n in range(3)]
    for n, frame in enumerate(frames):
        save(tmp_path / "frames" / f"{n:03}.png", frame)
    (tmp_path / "frames" / "notes.txt").write_text("no picture")
    run, words = script("video_loop"), (tmp_path / "frames", "--focal-px", 65)
    assert readings(run(*words)) == expected(predictor, frames)
    assert readings(run(*words, "--frames", 2)) == expected(predictor, frames[:2])


def test_depth_maps_beside_the_frames_are_left_out(script, predictor, tmp_path):
    frames = [picture(seed=n) for n in range(2)]
    for n, frame in enumerate(frames):
        save(tmp_path / f"{n:03}.png", frame)
        for name in (f"{n:03}.depth.png", f"depth_{n:03}.png", f"{n:03}_mask.png", f"._{n:03}.png"):
            save(tmp_path / name, picture(seed=9))
    assert readings(script("video_loop")(tmp_path, "--focal-px", 65)) == expected(predictor, frames)


@pytest.mark.filterwarnings("error")  # without EXIF's focal length there would be a warning
def test_frames_keep_their_focal_length(script, predictor, tmp_path):
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0xA405] = 28  # FocalLengthIn35mmFilm
    Image.fromarray(picture()).save(tmp_path / "a.jpg", exif=exif)
    said = script("video_loop")(tmp_path)
    metres = predictor.encode(tmp_path / "a.jpg").depth_at([(39.5, 29.5)])[0]
    assert readings(said) == [(1, f"{metres:.2f}")]


def test_json_files_with_a_byte_order_mark_are_read(script, coco, photo, tmp_path):
    marked = tmp_path / "marked.json"
    marked.write_text(json.dumps(GRASPS), encoding="utf-8-sig")
    assert len(json.loads(script("grasp_points")(photo, marked, *WORDS))) == len(GRASPS)
    names = {**INSTANCES, "categories": [{"id": 1, "name": "café"}]}
    coco.write_text(json.dumps(names, ensure_ascii=False), encoding="utf-8-sig")
    words = ("--images", tmp_path / "photos", "-o", tmp_path / "metres.json", "--focal-px", 65)
    assert "3 boxes" in script("boxes_to_metres")(coco, *words)


class FakeCapture:
    """What OpenCV opens: two frames, blue first, for camera 0 and film.mp4."""

    released = 0

    def __init__(self, source) -> None:
        self.opened = source in (0, "film.mp4")
        self.left = [picture(seed=n)[..., ::-1] for n in range(2)]

    def isOpened(self):  # noqa: N802
        return self.opened

    def read(self):
        return (True, self.left.pop(0)) if self.left else (False, None)

    def release(self):
        FakeCapture.released += 1


def test_cameras_and_videos_come_through_opencv(script, predictor, monkeypatch):
    monkeypatch.setitem(sys.modules, "cv2", SimpleNamespace(VideoCapture=FakeCapture))
    run, frames = script("video_loop"), [picture(seed=n) for n in range(2)]
    for source in ("0", "film.mp4"):
        released = FakeCapture.released
        assert readings(run(source, "--focal-px", 65)) == expected(predictor, frames)
        assert FakeCapture.released == released + 1
    said = run.refusal("1", "--focal-px", 65)
    assert said == "video_loop: OpenCV cannot open 1: no such camera, or no video"


def test_frames_that_cannot_be_had_are_one_line(script, monkeypatch, tmp_path):
    run = script("video_loop")
    assert "holds no pictures" in run.refusal(tmp_path, "--focal-px", 65)
    monkeypatch.setitem(sys.modules, "cv2", None)
    assert "pip install opencv-python-headless" in run.refusal("film.mp4", "--focal-px", 65)


def test_every_example_is_short_begins_with_its_command_and_is_listed():
    listed = (EXAMPLES / "README.md").read_text()
    files = sorted(EXAMPLES.glob("*.py"))
    assert len(files) == 5
    for path in files:
        lines = path.read_text().splitlines()
        assert len(lines) <= 125, path
        assert re.match(r'r?"""\w', lines[0]), path
        assert any(f"examples/{path.name}" in line for line in lines[1:6]), path
        assert f"]({path.name})" in listed
