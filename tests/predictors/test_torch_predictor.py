"""Photos in, metres out: every size, exact scale, points in the photo's own pixels."""

import warnings

import numpy as np
import pytest
import torch
from PIL import Image

import spd
from helpers.checkpoints import save_checkpoint
from spd.checkpoints.folder import shipped_folder
from spd.config import CameraConfig
from spd.data.rooms import render_room
from spd.errors import InputError, PointError
from spd.photos.reading import read_image, resample
from spd.pixels import Intrinsics
from spd.predictors.torch_predictor import ImagePlan, Predictor

CAMERA = CameraConfig(focal_px=389.1, fov_deg=63.3, crop_height_px=350, crop_width_px=476)


@pytest.fixture
def predictor(small_model) -> Predictor:
    return Predictor(small_model, torch.device("cpu"), "small")


def noise(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def test_nyu_is_scaled_to_the_models_pixels_per_radian():
    plan = ImagePlan.make((480, 640), CAMERA, 518.8)
    assert plan.scale == pytest.approx(0.75)
    assert plan.model_size == (364, 490)  # 360 and 480 padded up
    assert plan.depth_factor == 1
    assert plan.focal.known


def test_an_unknown_focal_length_is_the_training_field_of_view():
    plan = ImagePlan.make((480, 640), CAMERA, None)
    assert plan.focal.px == pytest.approx(518.9, rel=1e-3)
    upright = ImagePlan.make((640, 480), CAMERA, None)
    assert upright.focal.px == plan.focal.px  # along the longer side
    assert not plan.focal.known


def test_forbidden_scales_are_corrected_in_the_answer():
    # A telephoto of 10,000 px would shrink 200x300 to 8x12 pixels; 15 rows are the least.
    plan = ImagePlan.make((200, 300), CAMERA, 10_000.0)
    assert plan.scale == pytest.approx(0.075)
    assert plan.model_size == (28, 28)
    assert plan.depth_factor == pytest.approx(0.075 / 0.03891)
    # A fisheye-like 200 px over 4,000 columns would grow it beyond the largest input.
    wide = ImagePlan.make((3000, 4000), CAMERA, 200.0, max_input_pixels=1400 * 1400)
    assert wide.scale == pytest.approx(0.35)
    assert wide.depth_factor == pytest.approx(0.35 / 1.9455)


def test_resampling_has_the_exact_scale_and_repeats_borders():
    rows, columns = np.mgrid[:60, :80]
    ramp = np.stack([columns * 3, rows * 4, 0 * rows], axis=-1).astype(np.uint8)
    out = resample(ramp, 0.73, (56, 70)).astype(float)
    u = (np.arange(70) + 0.5) / 0.73 - 0.5
    inside = (u > 2) & (u < 77)
    assert np.abs(out[20, inside, 0] - 3 * u[inside]).max() <= 0.51  # rounding to 8 bits
    assert (out[:, -5:, 0] == 79 * 3).all()  # 80 columns end at 58.4
    assert (out[-5:, :, 1] == 59 * 4).all()
    shifted = resample(ramp, 0.73, (20, 20), left=11, top=7).astype(float)
    assert np.array_equal(shifted, out[7:27, 11:31])


def test_resampling_at_scale_one_is_the_identity():
    image = noise(30, 41)
    assert np.array_equal(resample(image, 1.0, (30, 41)), image)


def test_convention_depth_map_rows_and_columns_are_v_and_u(predictor):
    scene = predictor.encode(noise(37, 53), focal_px=50.0)
    full = scene.depth_map()
    assert full.shape == (37, 53)
    points = [(0, 0), (52, 0), (0, 36), (52, 36), (17, 5), (5, 17)]
    # Answers to the same point in another batch differ by the order of float32 sums.
    assert scene.depth_at(points) == pytest.approx([full[v, u] for u, v in points], rel=1e-6)


def test_a_point_follows_the_scale_alone(predictor, small_model):
    image = noise(60, 100)
    scene = predictor.encode(image, focal_px=80.0)
    scale = small_model.config.camera.focal_px / 80.0
    rows, columns = scene.plan.model_size
    tensor = torch.from_numpy(resample(image, scale, (rows, columns)).copy())
    with torch.no_grad():
        maps = small_model.encode(tensor.permute(2, 0, 1)[None] / 255)
        moved = (torch.tensor([[[33.0 + 0.5, 44.25 + 0.5]]]) * scale) - 0.5
        expected = small_model.query(maps, moved)[0, 0]
    assert scene.depth_at([(33.0, 44.25)])[0] == pytest.approx(float(expected), rel=1e-6)


@pytest.mark.filterwarnings("ignore:the photo covers")  # 10 degrees, so that nothing is resized
def test_fast_depth_map_is_dense_read_bilinearly(predictor):
    size = (42, 70)
    focal = predictor.config.camera.focal_px  # scale 1: the model sees the photo itself
    image = noise(*size)
    scene = predictor.encode(image, focal_px=focal)
    tensor = torch.from_numpy(image).permute(2, 0, 1)[None] / 255
    with torch.no_grad():
        expected = predictor._model(tensor)[0, 0].numpy()
    # The photo's pixels are the model's; what differs is float32 in the coordinates.
    assert np.abs(scene.depth_map(fast=True) - expected).max() < 1e-5


@pytest.mark.parametrize("size", [(1, 1), (3, 500), (500, 3), (41, 29), (700, 900)])
def test_any_size_is_answered_everywhere(predictor, size):
    height, width = size
    scene = predictor.encode(noise(height, width), focal_px=float(max(size)))
    corners = [(-0.5, -0.5), (width - 0.5, height - 0.5), (0, height - 1), (width - 1, 0)]
    depth_m = scene.depth_at(corners)
    assert depth_m.shape == (4,)
    assert np.isfinite(depth_m).all()
    assert scene.depth_map(fast=True).shape == size


def test_wrong_points_are_named(predictor):
    scene = predictor.encode(noise(30, 40), focal_px=40.0)
    assert scene.depth_at([]).shape == (0,)
    assert scene.depth_at(np.zeros((0, 2))).dtype == np.float32
    with pytest.raises(PointError, match=r"point 1 is \(40, 3\)"):
        scene.depth_at([(1, 2), (40, 3)])
    with pytest.raises(PointError, match="nan"):
        scene.depth_at([(float("nan"), 2)])
    with pytest.raises(PointError, match=r"\[K, 2\]"):
        scene.depth_at([1, 2, 3])
    with pytest.raises(PointError, match="numbers"):
        scene.depth_at([("a", 2)])
    with pytest.raises(InputError, match="'raise' or 'nan'"):
        scene.depth_at([(1, 2)], outside="ignore")
    answered = scene.depth_at([(1, 2), (40, 3), (np.inf, 0)], outside="nan")
    assert np.isnan(answered).tolist() == [False, True, True]


def test_range_is_depth_along_the_ray(predictor):
    scene = predictor.encode(noise(31, 41), focal_px=40.0)
    depth_m = scene.depth_at([(20, 15), (40, 15)])
    range_m = scene.range_at([(20, 15), (40, 15)])
    assert range_m[0] == depth_m[0]  # the axis
    assert range_m[1] == pytest.approx(depth_m[1] * np.sqrt(1 + 0.25), rel=1e-6)
    with pytest.warns(UserWarning, match="principal point .* far from the centre"):
        moved = scene.range_at([(40, 15)], Intrinsics(40.0, 40.0, 40.0, 15.0))
    assert moved[0] == depth_m[1]


def test_unknown_focal_length_is_told_once(predictor):
    with pytest.warns(UserWarning, match="focal length unknown: assuming .* of 63.3 degrees"):
        scene = predictor.encode(noise(30, 40))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        predictor.encode(noise(30, 40))
        predictor.encode(noise(30, 40), focal_px=33.0)
    with pytest.raises(InputError, match="the focal length of the photo, which is unknown"):
        scene.range_at([(1, 1)])


def test_a_focal_length_in_millimetres_is_suspected(predictor):
    with pytest.raises(InputError, match="179 degrees; is it in pixels of this image"):
        predictor.encode(noise(60, 4000), focal_px=26.0)


@pytest.mark.parametrize("focal", [0.0, -5.0, float("nan"), float("inf")])
def test_impossible_focal_lengths_are_refused(predictor, focal):
    with pytest.raises(InputError, match="focal_px"):
        predictor.encode(noise(30, 40), focal_px=focal)


def test_images_are_read_upright_and_as_rgb(tmp_path):
    pixels = noise(20, 30)
    photo = Image.fromarray(pixels)
    photo.save(tmp_path / "plain.png")
    assert np.array_equal(read_image(tmp_path / "plain.png"), pixels)
    exif = photo.getexif()
    exif[0x0112] = 6  # turned: shown rotated clockwise by 90 degrees
    photo.save(tmp_path / "turned.png", exif=exif)
    assert np.array_equal(read_image(tmp_path / "turned.png"), np.rot90(pixels, -1))
    assert np.array_equal(read_image(Image.fromarray(pixels)), pixels)
    grey = pixels[..., 0]
    assert np.array_equal(read_image(grey), np.repeat(grey[..., None], 3, axis=2))
    Image.fromarray(grey.astype(np.uint16) * 257).save(tmp_path / "deep.png")
    assert np.array_equal(read_image(tmp_path / "deep.png")[..., 1], grey)
    for mode in ("L", "P", "RGBA", "CMYK"):
        converted = photo.convert(mode)
        converted.save(tmp_path / f"{mode}.tiff")
        assert read_image(tmp_path / f"{mode}.tiff").shape == (20, 30, 3)


def test_what_is_no_image_is_named(tmp_path):
    empty, text, cut = (tmp_path / name for name in ("empty.jpg", "text.jpg", "cut.jpg"))
    empty.write_bytes(b"")
    text.write_text("hello")
    Image.fromarray(noise(64, 64)).save(cut)
    cut.write_bytes(cut.read_bytes()[:1500])
    for path, named in [
        (tmp_path / "none.jpg", "no image file"),
        (empty, "is empty"),
        (text, "not a readable image"),
        (cut, "damaged or truncated"),
        (np.zeros((4, 4, 3)), "uint8"),
        (np.zeros((4, 4, 4), np.uint8), r"\[H, W, 3\]"),
        (np.zeros((0, 4, 3), np.uint8), r"\[H, W, 3\]"),
    ]:
        with pytest.raises(InputError, match=named):
            read_image(path)


def test_load_without_a_source_is_the_small_model_that_ships():
    predictor = spd.load(device="cpu")
    assert (predictor.source, predictor.kind) == ("shipped", "metric")
    assert predictor.config.local_path == "cross_attention"
    weights = shipped_folder() / "model.safetensors"
    assert weights.stat().st_size <= 16e6
    room = render_room(2_000_003, size=(120, 160))  # held out
    scene = predictor.encode(room.image, focal_px=room.intrinsics.focal_px)
    error = np.abs(scene.depth_map() - room.depth_m) / room.depth_m
    floor = np.abs(np.median(room.depth_m) - room.depth_m) / room.depth_m
    assert error.mean() < floor.mean()


def test_load_gives_a_predictor_that_answers(small_model, tmp_path):
    save_checkpoint(small_model, tmp_path / "model")
    loaded = spd.load(tmp_path / "model", device="cpu")
    image = noise(30, 40)
    direct = Predictor(small_model, torch.device("cpu"), "x")
    points = [(3.5, 7), (39, 29)]
    expected = direct.encode(image, focal_px=40.0).depth_at(points)
    assert np.array_equal(loaded.encode(image, focal_px=40.0).depth_at(points), expected)
