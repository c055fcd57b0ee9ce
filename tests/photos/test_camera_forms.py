"""Every form in which people have a camera, and the doubts about numbers nobody meant."""

import json
import re
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import spd
from helpers.formula_scenes import wall
from spd.cli.photo import parse_camera
from spd.errors import InputError
from spd.photos.camera import CameraOptions
from spd.photos.camera_matrix import as_intrinsics, parse_intrinsics
from spd.photos.distortion import Distortion
from spd.pixels import Intrinsics
from spd.scenes.calibration import calibrate, fit

CAMERA = Intrinsics(520.0, 515.0, 321.0, 243.0)
K = [[520.0, 0.0, 321.0], [0.0, 515.0, 243.0], [0.0, 0.0, 1.0]]
P = [[*row, offset] for row, offset in zip(K, (-62.0, 0.0, 0.0), strict=True)]  # a right camera
K4 = [[*row, 0.0] for row in K] + [[0.0, 0.0, 0.0, 1.0]]
FORMS = {
    "four": [520.0, 515.0, 321.0, 243.0],
    "matrix": K,
    "array": np.array(K, dtype=np.float32),
    "ros_k": np.array(K).ravel().tolist(),
    "ros_p": np.array(P).ravel().tolist(),
    "projection": P,
    "scannet": K4,
    "scannet_flat": np.array(K4).ravel(),
    "rounded_skew": [[520.0, 1e-9, 321.0], *K[1:]],
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_a_camera_is_read_in_every_common_form(form):
    assert as_intrinsics(form) == CAMERA


@pytest.mark.parametrize("form", ["four", "ros_k", "ros_p", "scannet_flat"])
@pytest.mark.parametrize("style", ["{}", "[{}]", "({})"])
def test_the_command_line_reads_the_same_forms(form, style):
    text = style.format(",".join(str(float(value)) for value in FORMS[form]))
    assert parse_intrinsics(text, "--intrinsics") == CAMERA
    assert parse_camera(None, None, text, None).intrinsics == CAMERA


def test_numpys_print_of_a_matrix_is_read_too():
    assert parse_intrinsics(str(np.array(K)), "--intrinsics") == CAMERA
    assert parse_intrinsics("[" + "; ".join(["520 0 321", "0 515 243", "0 0 1"]) + "]", "x") == (
        CAMERA
    )


@pytest.mark.parametrize(
    ("form", "pattern"),
    [
        ([[520, 3, 321], *K[1:]], "skew of 3 px beside fx, which SPD does not use; rectify"),
        (np.array(K).T, r"transposed, as MATLAB writes it; pass matrix\.T"),
        ([0.81, 1.07, 0.5, 0.51], "shares of the image's sides; multiply fx and cx by its width"),
        ([K[0], K[1], [0, 0, 2]], "must be .* 3x3 matrix"),
        ([*P, [0, 0, 1, 0]], "must be .* 4x4 matrix"),
        (list(range(1, 6)), "must be an spd.pixels.Intrinsics, fx,fy,cx,cy"),
        ([500, 300, 320, 240], "pixels are not square"),
        ([0.0] * 9, "only zeros, as ROS publishes it for a camera that is not calibrated; .*pass"),
        (np.zeros((3, 4)), "only zeros"),
        ([[520, float("nan"), 321], *K[1:]], "skew of nan"),
    ],
)
def test_other_cameras_are_refused(form, pattern):
    with pytest.raises(InputError, match=pattern):
        as_intrinsics(form)


@pytest.mark.parametrize("text", ["", "520,520,320", "a,b,c,d", "1,2,3,4,5,6,7", "520;520;320"])
def test_other_texts_are_refused(text):
    with pytest.raises(InputError, match="--intrinsics must be fx,fy,cx,cy, four numbers"):
        parse_intrinsics(text, "--intrinsics")


def test_surplus_coefficients_of_opencv_are_taken_if_they_are_zero():
    five = (0.1, -0.2, 0.001, 0.002, 0.3)
    wanted = Distortion(*five)
    assert Distortion.of((*five, 0, 0, 0)) == wanted
    assert Distortion.of((*five, *[0] * 7)) == wanted
    assert Distortion.of(np.array([[*five, *[0] * 9]])) == wanted
    assert Distortion.parse("[" + ",".join(map(str, (*five, *[0] * 9))) + "]") == wanted


@pytest.mark.parametrize(
    ("at", "name"), [(8, "s1"), (9, "s2"), (11, "s4"), (12, "tau_x"), (13, "tau_y")]
)
def test_a_thin_prism_or_tilted_sensor_is_refused_by_name(at, name):
    values = [0.0] * 14
    values[at] = 0.01
    with pytest.raises(InputError, match=f"coefficient {name} = 0.01 is not used"):
        Distortion.of(values)


def doubts(size, **camera):
    return " ".join(CameraOptions.of(**camera).warnings(size))


@pytest.mark.parametrize(
    ("camera", "size", "words"),
    [
        (
            [520, 520, 319.5, 239.5],
            (240, 320),
            "They suit .* about 640x480; scale .* by 0.5",
        ),
        ([520, 520, 319.5, 239.5], (960, 1280), "about 640x480; scale the intrinsics by 2"),
        ([1390, 1390, 959.5, 539.5], (720, 1280), "about 1920x1080; scale .* by 0.667"),
        ([520, 520, 319.5, 239.5], (640, 480), "640x480, this size turned; turn the intrinsics"),
        ([520, 520, 239.5, 319.5], (480, 640), "480x640, this size turned"),
        ([1500, 1500, 959.5, 539.5], (1280, 720), "1920x1080, another size and turned"),
        ([769, 769, 511.5, 383.5], (4032, 3024), "1024x768, another size and turned"),
        ([520, 520, 600, 240], (480, 640), "far from the centre of the 640x480 photo"),
        ([520, 520, -30, 240], (480, 640), "far from the centre"),
    ],
)
def test_a_camera_of_another_size_is_told(camera, size, words):
    assert re.search(words, doubts(size, intrinsics=camera))


CALIBRATED = [  # cameras as their makers and data sets publish them: (camera, size)
    ([518.8579, 519.46961, 325.58245, 253.73617], (480, 640)),  # NYU Depth V2
    ([517.3, 516.5, 318.6, 255.3], (480, 640)),  # TUM freiburg1
    ([721.5377, 721.5377, 609.5593, 172.854], (375, 1242)),  # KITTI
    ([1170.187988, 1170.187988, 647.75, 483.75], (968, 1296)),  # ScanNet
    ([608.0, 608.0, 637.8, 366.5], (720, 1280)),  # a depth camera of 1280x720
    ([915.1, 915.3, 642.9, 357.0], (720, 1280)),
]


@pytest.mark.parametrize(("camera", "size"), CALIBRATED)
def test_real_cameras_are_not_doubted(camera, size):
    assert doubts(size, intrinsics=camera) == ""


def test_an_off_centre_crop_is_not_doubted():
    camera = Intrinsics(520.0, 520.0, 319.5, 239.5).cropped(100, 20)
    assert doubts((440, 500), intrinsics=camera) == ""


def test_no_real_frame_is_doubted(shared_frames):
    frames = json.loads((shared_frames / "frames.json").read_text(encoding="utf-8"))
    found = []
    for frame in frames:
        camera = frame["intrinsics"]
        if camera is None or camera["fx"] is None:
            continue
        values = [camera["fx"], abs(camera["fy"]), camera["cx"], camera["cy"]]
        found += CameraOptions.of(intrinsics=values).warnings(tuple(frame["image_size"]))
    assert found == []


@pytest.mark.parametrize(
    ("camera", "words"),
    [
        ({"fov_deg": 1.1}, "if it is in radians, pass 63.03 degrees"),
        ({"fov_deg": 0.9}, "pass 51.57 degrees"),
        ({"focal_px": 26}, "gives a field of view of 162 degrees; .* pass 240 px"),
        ({"focal_px": 50}, "145 degrees; if it is a 35 mm equivalent in millimetres, pass 462 px"),
    ],
)
def test_numbers_in_another_unit_are_told(camera, words):
    assert re.search(words, doubts((240, 320), **camera))


@pytest.mark.parametrize(
    "camera",
    [{"fov_deg": 4}, {"fov_deg": 63.3}, {"fov_deg": 120}, {"focal_px": 262}, {"focal_px": 100}],
)
def test_ordinary_numbers_are_not_doubted(camera):
    assert doubts((240, 320), **camera) == ""


def test_a_focal_length_in_millimetres_is_refused_with_the_pixels_it_would_be():
    with pytest.raises(InputError, match=r"174 degrees; .* As a 35 mm equivalent .* 769 px"):
        CameraOptions.of(focal_px=26).focal((768, 1024))


def told(predictor, photo, **camera):
    """All warnings of an encode."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        predictor.encode(photo, **camera)
    return " ".join(str(warning.message) for warning in caught)


def test_a_focal_length_of_another_size_than_exifs_is_told(tmp_path: Path):
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0xA405] = 26
    path = tmp_path / "phone.jpg"
    noise = np.random.default_rng(0).integers(0, 256, (192, 256, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path, exif=exif.tobytes())
    predictor = spd.load()
    assert "3000 px contradicts the photo's EXIF, 192.3 px" in told(predictor, path, focal_px=3000)
    assert told(predictor, path, focal_px=200) == ""


def test_the_second_mistake_of_a_session_is_told_too():
    predictor = spd.load()
    noise = np.random.default_rng(0).integers(0, 256, (240, 320, 3), dtype=np.uint8)
    assert "if it is in radians, pass 63.03" in told(predictor, noise, fov_deg=1.1)
    assert "if it is in radians, pass 57.3" in told(predictor, noise, fov_deg=1.0)


@pytest.mark.parametrize(
    ("per_metre", "unit"), [(100, "centimetres"), (1000, "millimetres"), (39.37, "inches")]
)
def test_distances_in_another_unit_are_asked_about(per_metre, unit):
    scene = wall()
    points = [(10, 10), (20, 12), (5, 5)]
    known = scene.depth_at(points) * 1.2 * per_metre
    with pytest.warns(UserWarning, match="in metres"):
        found = calibrate(scene, points, known, along_axis=True)
    (warning,) = found.warnings()
    assert "in metres" in warning
    assert f"if they were in {unit}, the factor is 1.2" in warning


def test_a_likely_factor_is_not_asked_about():
    assert (
        fit(np.array([2.0, 3.0]), np.array([5.0, 7.4]), focal_known=True, model="m").warnings()
        == ()
    )


def test_two_distances_that_contradict_each_other_are_told_so():
    found = fit(np.array([2.0, 2.0]), np.array([1.0, 4.0]), focal_known=True, model="m")
    assert "THE TWO DISTANCES CONTRADICT EACH OTHER: one needs 4 times" in found.verdict()
    near = fit(np.array([2.0, 2.0]), np.array([2.4, 2.5]), focal_known=True, model="m")
    assert "CONTRADICT" not in near.verdict()


@pytest.mark.parametrize(
    ("centre", "photo", "said"),
    [  # (cx, cy), (width, height)
        ((320, 240), (320, 240), "suit a photo of about 640x480"),
        ((320, 240), (1280, 960), "suit a photo of about 640x480"),
        ((319.5, 239.5), (800, 600), "suit a photo of about 640x480"),
        (
            (325.6, 253.7),
            (853, 640),
            "suit a photo of about 652x508",
        ),  # NYU's camera, and a larger photo
        ((640, 360), (1024, 768), "suit a photo of about 1280x720"),
        ((960, 540), (1920, 1440), "suit a photo of about 1920x1080"),  # of video, and a photo
        ((960, 720), (1920, 1080), "suit a photo of about 1920x1440"),
        ((512, 384), (768, 1024), "1024x768, this size turned"),
        ((325.6, 253.7), (480, 640), "652x508, this size turned"),
        ((640, 512), (1024, 1280), "1280x1024, this size turned"),
        (
            (1280 / 2, 960 / 2),
            (1440, 1920),
            "suit a photo of about 1280x960",
        ),  # turned, and resized
        ((0, 0), (640, 480), "are the intrinsics for this size"),
        ((-3, -3), (640, 480), r"are the intrinsics for this size\?$"),
    ],
)
def test_the_size_that_the_intrinsics_suit_is_named(centre, photo, said):
    camera = Intrinsics(600.0, 600.0, *centre)
    (warning,) = CameraOptions(intrinsics=camera).warnings(photo[::-1])
    assert re.search(said, warning)


@pytest.mark.parametrize(
    ("centre", "photo"),
    [
        ((325.58, 253.74), (640, 480)),  # NYU Depth V2
        ((318.6, 255.3), (640, 480)),  # TUM RGB-D, freiburg1
        ((367.2, 248.4), (752, 480)),  # EuRoC
        ((332.06, 325.88), (640, 576)),  # Azure Kinect, narrow view
        ((326, 337), (640, 576)),  # another one
        ((953.28, 555.14), (1920, 1080)),  # Azure Kinect, colour
        ((254.88, 205.4), (512, 424)),  # Kinect v2
        ((635.5, 359.2), (1280, 720)),  # RealSense D405
        ((951.7, 594.8), (1944, 1200)),  # Zivid
        ((718, 963), (1440, 1920)),  # a phone, upright
        ((609.56, 172.85), (1242, 375)),  # KITTI
        ((596.56, 149.85), (1216, 352)),  # KITTI, cropped
        ((682.05, 238.77), (1408, 376)),  # KITTI-360
        ((1176.73, 1011.73), (2964, 1988)),  # Middlebury 2014, rectified
        ((1096.98, 513.1), (2048, 1024)),  # Cityscapes
        ((775, 1024), (1550, 2048)),  # Argoverse 2, upright
        ((263.15, 271.93), (640, 480)),  # a webcam, by ROS's calibrator
        ((31.5, 23.5), (64, 48)),
        ((0, 0), (1, 1)),
    ],
)
def test_cameras_of_other_data_sets_are_not_doubted(centre, photo):
    assert CameraOptions(intrinsics=Intrinsics(600.0, 600.0, *centre)).warnings(photo[::-1]) == ()


def test_intrinsics_of_another_size_are_doubted_for_points_in_space_too():
    with pytest.warns(UserWarning, match="suit a photo of about 640x480"):
        wall().points_3d([(30, 20)], Intrinsics(520.0, 520.0, 320.0, 240.0))


def test_focal_lengths_in_millimetres_are_doubted_in_intrinsics_too():
    assert "26 px gives a field of view of 162" in doubts((240, 320), intrinsics=[26, 26, 160, 120])
    assert "85 px gives a field of view of 162" in doubts((1080, 810), focal_px=85)
    assert doubts((480, 640), focal_px=130) == ""  # 136 degrees
    assert doubts((3000, 4000), focal_px=400) == ""  # no lens has so many millimetres


KITTI = [  # P2 of the object benchmark: its shift has three parts
    *(721.5377, 0.0, 609.5593, 44.85728, 0.0, 721.5377, 172.854, 0.2163791),
    *(0.0, 0.0, 1.0, 0.002745884),
]


@pytest.mark.parametrize(
    ("form", "camera"),
    [
        (KITTI, (721.5377, 721.5377, 609.5593, 172.854)),
        (np.linalg.inv(np.linalg.inv(np.array(K))), (520, 515, 321, 243)),
        (np.array(K)[None], (520, 515, 321, 243)),
        ([[3000, 1.5, 2000], [0, 3001, 1500], [0, 0, 1]], (3000, 3001, 2000, 1500)),
    ],
    ids=["kitti", "computed", "batch_of_one", "calibrators_skew"],
)
def test_matrices_of_data_sets_and_calibrators_are_read(form, camera):
    found = as_intrinsics(form)
    assert (found.fx, found.fy, found.cx, found.cy) == pytest.approx(camera)


def test_a_missing_number_is_not_skipped():
    with pytest.raises(InputError, match="must be fx,fy,cx,cy"):
        parse_intrinsics("520,,520,320,240", "--intrinsics")
