"""Every argument of the Python interface works, or raises one error that names it."""

import collections
import decimal
import fractions

import numpy as np
import pandas
import pytest
import torch

import spd
from helpers.formula_scenes import ramp, wall
from spd.errors import CheckpointError, ConfigError, InputError, PointError, SPDError
from spd.photos.camera import CameraOptions
from spd.photos.reading import read_image
from spd.pixels import Intrinsics
from spd.predictors.devices import choose_device
from spd.scenes import Box, Distortion, Line, Mask, ask_table, distances_m, grid, length_m, rays_at
from spd.scenes.calibration import Calibration, calibrate
from spd.scenes.regions import region

NESTED: list = []
NESTED.append(NESTED)
DEEP: list = [1.0]
for _ in range(100_000):
    DEEP = [DEEP]


class Unfriendly:
    """An object that fails whatever is done with it."""

    def __array__(self, *given, **named):
        raise RuntimeError("no array")

    def __repr__(self):
        raise RuntimeError("no text")


class Shared:
    """An array of another library: it is shared by DLPack alone."""

    def __dlpack__(self, **named):
        return np.array([[3.0, 4.0], [5.0, 6.0]]).__dlpack__(**named)

    def __dlpack_device__(self):
        return np.zeros(1).__dlpack_device__()


class Shapeless:
    """An object without a readable shape."""

    @property
    def shape(self):
        raise RuntimeError("no shape")


LEARNED = torch.tensor([[3.0, 4.0], [5.0, 6.0]], requires_grad=True)
POINTS = {
    "requires grad": LEARNED,
    "bfloat16": LEARNED.bfloat16(),
    "float16 array": np.array([[3, 4], [5, 6]], np.float16),
    "integers": torch.tensor([[3, 4], [5, 6]], dtype=torch.uint8),
    "list of tensors": [LEARNED[0], LEARNED[1]],
    "pairs of tensors": [(LEARNED[0, 0], LEARNED[0, 1]), (torch.tensor(5), 6)],
    "matrix": np.arange(3, 7).reshape(2, 2).view(np.matrix),
    "objects": np.array([[3, fractions.Fraction(4)], [decimal.Decimal(5), 6]], dtype=object),
    "masked": np.ma.array([[3, 4], [5, 6]], mask=[[0, 0], [0, 0]]),
    "mixed": [(np.int8(3), np.float32(4)), (5, 6.0)],
    "negated": torch._neg_view(-LEARNED),
    "DLPack": Shared(),
    "queue": collections.deque([(3, 4), (5, 6)]),
    "frame": pandas.DataFrame({"u": [3, 5], "v": [4, 6]}, dtype="Int64"),
}
NO_POINTS = {
    "text": "3,4",
    "text numbers": [["3", "4"]],
    "bytes": b"34",
    "number": 5,
    "none": None,
    "booleans": [[True, False]],
    "a boolean among numbers": [(3, 4), (True, 2.5)],
    "a boolean array among arrays": [np.array([True, False]), np.array([1.0, 2.0])],
    "boolean tensors": [(torch.tensor(True), torch.tensor(3))],
    "masked booleans": np.ma.array([[True, False]]),
    "masked text": np.ma.array([["3", "4"]]),
    "masked complex": np.ma.array([[1 + 2j, 3]]),
    "changeable bytes": bytearray(b"34"),
    "one field": np.zeros((1, 2), dtype=[("u", float)]),
    "shapeless": Shapeless(),
    "set": {(1, 2)},
    "mapping": {1: 2},
    "iterator": iter([(1, 2)]),
    "complex": [[1 + 2j, 3]],
    "complex tensor": torch.zeros(2, 2, dtype=torch.complex64),
    "without data": torch.zeros(2, 2, device="meta"),
    "sparse": torch.eye(2).to_sparse(),
    "dates": np.array([[1, 2]], dtype="datetime64[D]"),
    "fields": np.zeros(2, dtype=[("u", float), ("v", float)]),
    "ragged": [[1, 2], [3]],
    "huge": [[10**400, 1]],
    "in itself": NESTED,
    "deep": DEEP,
    "unfriendly": Unfriendly(),
    "four corners": np.zeros((1, 2, 2)),
}
NO_NUMBERS = {
    "text": "384",
    "bytes": b"3",
    "boolean": True,
    "huge": 10**400,
    "list": [500],
    "array": np.array([500.0]),
    "complex": 3 + 4j,
    "unfriendly": Unfriendly(),
    "shapeless": Shapeless(),
}


def one_line(refused) -> str:
    text = str(refused.value)
    assert "\n" not in text
    assert 10 < len(text) < 400
    return text


@pytest.mark.parametrize("kind", POINTS)
def test_points_of_any_kind_of_number_are_points(kind):
    expected = ramp().points_3d([(3, 4), (5, 6)])
    assert ramp().points_3d(POINTS[kind]).tolist() == expected.tolist()
    assert ramp().depth_at(POINTS[kind]).tolist() == expected[:, 2].tolist()
    assert Line.through(POINTS[kind]).points.tolist() == [[3, 4], [5, 6]]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", NO_POINTS)
@pytest.mark.parametrize("outside", ["raise", "nan"])
def test_what_is_no_list_of_points_is_one_error(kind, outside):
    given, scene = NO_POINTS[kind], ramp()
    asks = [
        lambda: scene.depth_at(given, outside=outside),
        lambda: scene.range_at(given, outside=outside),
        lambda: scene.points_3d(given, outside=outside),
        lambda: scene.distance_m(given, given, outside=outside),
        lambda: length_m(scene, given, outside=outside),
        lambda: Line(given),
        lambda: rays_at(given, Intrinsics(1, 1, 1, 1)),
        lambda: calibrate(scene, given, [1.0, 2.0]),
    ]
    for ask in asks:
        with pytest.raises(PointError, match=r"points must be|a pixel must be|line needs") as told:
            ask()
        one_line(told)
    if kind != "four corners":
        with pytest.raises(PointError, match=r"pairs must be .* got"):
            distances_m(scene, given, outside=outside)
        if kind not in ("booleans", "masked booleans", "mapping"):
            with pytest.raises(SPDError) as told:
                scene.region(given, outside=outside)
            one_line(told)


def test_what_is_missing_is_nan_also_in_lists():
    rows = np.ma.array([[3.0, 4.0], [5.0, 6.0]], mask=[[0, 0], [1, 0]])
    for given in (
        rows,
        rows.astype(int),
        [rows[0], rows[1]],
        [(3, 4), (None, 6)],
        [(3, 4), (pandas.NA, 6)],
        pandas.DataFrame({"u": pandas.array([3, None], dtype="Int64"), "v": [4, 6]}),
    ):
        depth_m = ramp().depth_at(given, outside="nan")
        assert depth_m[0] == ramp().depth_at([(3, 4)])[0]
        assert np.isnan(depth_m).tolist() == [False, True]
        with pytest.raises(PointError, match="point 1 is"):
            ramp().depth_at(given)


def test_messages_say_what_tensors_lack():
    for given, words in (
        (torch.eye(2).to_sparse(), "float32 sparse_coo Tensor"),
        (torch.zeros(2, 2, device="meta"), "without data"),
        (np.zeros((1, 2), dtype=[(f"{n}", float) for n in range(1000)]), "void64000 ndarray"),
    ):
        with pytest.raises(PointError, match=words) as told:
            wall().depth_at(given)
        one_line(told)


def test_every_question_takes_no_points():
    for none in ([], np.empty((0, 2)), torch.empty(0, 2)):
        assert wall().depth_at(none).shape == (0,)
        assert wall().range_at(none).shape == (0,)
        assert wall().points_3d(none, None, (0.1, 0, 0, 0)).shape == (0, 3)
        assert distances_m(wall(), none).shape == (0,)
        assert ask_table(None, [], none).shape == (0,)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", NO_NUMBERS)
def test_what_is_no_number_is_one_error_that_names_the_argument(kind):
    given, scene = NO_NUMBERS[kind], wall()
    asks = {
        "focal_px": lambda: CameraOptions.of(focal_px=given),
        "fov_deg": lambda: CameraOptions.of(fov_deg=given),
        "fy of intrinsics": lambda: Intrinsics(1, given, 1, 1),
        "intrinsics": lambda: CameraOptions.of(intrinsics=given),
        "p1": lambda: Distortion(0, 0, given),
        "distortion": lambda: rays_at([(1, 1)], Intrinsics(1, 1, 1, 1), [0, 0, 0, given]),
        "x1 of a box": lambda: Box(0, 0, given, 9),
        "a region": lambda: scene.region([0, 0, given, 9]),
        "max_megapixels": lambda: spd.load(max_megapixels=given),
        "max_input_megapixels": lambda: spd.load(max_input_megapixels=given),
        "rows of a grid": lambda: grid((40, 60), 2, given),
        "most_points": lambda: region(scene, (1, 2, 3, 4), most_points=given),
        "measured distances": lambda: calibrate(scene, [(1, 1)], given),
    }
    if kind in ("list", "array"):
        del asks["measured distances"]  # of which they are a list
    if kind in ("list", "array"):
        del asks["distortion"], asks["a region"]
    for name, ask in asks.items():
        with pytest.raises(SPDError, match=rf"^{name} .*got") as told:
            ask()
        one_line(told)


def test_numbers_of_any_type_are_numbers():
    for given in (np.float32(500), torch.tensor(500.0, requires_grad=True), decimal.Decimal(500)):
        assert CameraOptions.of(focal_px=given).focal_px == 500.0
        assert Intrinsics(given, 500, 1, 1).fx == 500.0
        assert type(CameraOptions.of(fov_deg=given).fov_deg) is float


def test_models_devices_and_calibrations_are_named_in_one_error(tmp_path):
    for given in (3.5, True, ["a"], b"x", "", Unfriendly()):
        with pytest.raises(CheckpointError, match="path or hub id"):
            spd.load(given)
    for given in (0, True, 3.5, ["a"], b"x"):  # whole numbers would be open files
        with pytest.raises(InputError, match=r"must be the path of its file, got"):
            spd.load(calibration=given)
    for given in (True, 1.5, [], "x" * 10_000, "9" * 400 + "x", "lots"):
        with pytest.raises(ConfigError, match=r"memory must be .*got") as told:
            spd.load(memory=given)
        one_line(told)
    for given in (["cpu"], -1.5, True, "", "meta", torch.device("meta"), "gpu", "c\0"):
        with pytest.raises(ConfigError, match=r"no device .* on this machine"):
            choose_device(given)
    for given in ("x", ["x"], Unfriendly()):
        for name in ("runtime", "precision"):
            with pytest.raises(ConfigError, match=f"unknown {name}"):
                spd.load(**{name: given})
    with pytest.raises(InputError, match="a calibration must have a positive scale"):
        Calibration("1.5", 4, 0.1, 0.2, True, "m")
    with pytest.raises(InputError, match="no image file"):
        read_image("x" * 5000)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has the device")
def test_a_device_that_is_missing_is_named():
    for given in ("cuda", "cuda:1", torch.device("cuda"), 0):
        with pytest.raises(ConfigError, match=r"no device .*use cpu, or omit the device"):
            choose_device(given)


def test_masks_and_images_are_arrays_of_any_kind():
    inside = np.zeros((40, 60), dtype=bool)
    inside[3, 4] = True
    masked = np.ma.array(inside)
    for given in (inside.view(np.matrix), torch.tensor(inside), inside.tolist(), masked):
        assert wall().region(given).count == 1
        assert Mask(given).sample((40, 60)).tolist() == [[4, 3]]
    with pytest.raises(InputError, match=r"a boolean array \[H, W\], got .*uint8"):
        Mask(inside.astype(np.uint8))
    assert read_image(inside.astype(np.uint8).view(np.matrix)).shape == (40, 60, 3)
    for given in (torch.zeros(3, 9, 9, device="meta"), torch.eye(9).to_sparse()):
        with pytest.raises(InputError, match="dense and hold data"):
            read_image(given)


def test_the_network_takes_points_of_any_precision_that_may_require_gradients(small_model):
    maps = small_model.eval().encode(torch.rand(1, 3, 42, 70))
    points = torch.tensor([[[3.0, 4.0], [60.0, 40.0]]])
    with torch.no_grad():
        expected = small_model.query(maps, points)
        for given in (points.clone().requires_grad_(), points.bfloat16(), points.half()):
            for form in (None, "torch"):
                got = small_model.query(maps, given, form=form)
                assert torch.allclose(got, expected, rtol=1e-4)
    learned = points.clone().requires_grad_()
    small_model.query(maps, learned).sum().backward()
    assert learned.grad is not None
    for given in ([[[3, 4]]], None, points.long(), points.to("meta"), points[..., :1]):
        with pytest.raises(PointError, match="points must be"):
            small_model.query(maps, given, outside="nan")
    for given in (np.zeros((1, 3, 42, 70)), None, torch.zeros(1, 3, 42, 70, device="meta")):
        with pytest.raises(InputError, match="images must be"):
            small_model.encode(given)
