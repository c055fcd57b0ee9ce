"""Every graph in every runtime and precision against float64: the oracle, and torch where it stops.

The oracle (`tests/helpers/reference.py`) takes milliseconds a point, so it answers the first points
of each image, borders and corners among them. Torch in float64, which equals it to 1e-12
(`tests/models/test_query_forms.py`), answers all of them, and encodes.
"""

import copy
import functools

import numpy as np
import pytest
import torch

from helpers import exports, reference
from spd.models.feature_maps import FeatureMaps
from spd.models.spd import SPD
from spd.runtimes.engines import Engine, open_engine, openvino_core
from spd.runtimes.folder import FUSED, ExportFolder

ORACLE_POINTS = 9  # all special ones and two inside

# Float32 sums in another order; the largest difference seen is 1.2e-6, of values up to 4.
MAPS_CLOSE = {"rtol": 1e-5, "atol": 1e-5}
# Of a map's spread, root mean square. bfloat16 rounds to 2^-9 = 0.2 % a dozen times in a row: 0.4
# to 0.8 % seen. int8 has 127 steps of a weight's range and 255 of an activation's: 0.6 to 0.9 %.
NARROW_OF_SPREAD = 0.02
FLOAT32_OF_SPREAD = 1e-5  # what is closer than that was not computed in fewer bits


@pytest.fixture(params=["onnxruntime", "openvino"])
def runtime(request) -> str:
    pytest.importorskip(request.param, reason='pip install "spd[export]"')
    return request.param


@functools.cache
def engine(runtime: str, precision: str = "float32") -> Engine:
    return open_engine(ExportFolder.read(exports.exported()), runtime, precision, 1)


@functools.cache
def exact() -> SPD:
    return copy.deepcopy(exports.model()).double()


def exact_maps(maps: list[np.ndarray]) -> FeatureMaps:
    s8, l2, l1 = (torch.from_numpy(m).double().permute(0, 3, 1, 2) for m in maps)
    return FeatureMaps(s8, l2, l1, (l1.shape[2] * 14 // 4, l1.shape[3] * 14 // 4))


def exact_answers(maps: FeatureMaps, points: np.ndarray) -> np.ndarray:
    model, wide = exact(), torch.from_numpy(points).double()
    with torch.no_grad():
        return model.query(maps, wide, outside="nan").numpy()


def oracle(maps: FeatureMaps, points: np.ndarray) -> np.ndarray:
    """The specification in plain loops; NaN where a point is not finite or outside."""
    height, width = maps.image_size
    weights = dict(exact().local_path.named_parameters())

    def metres(image: int, u: float, v: float) -> float:
        if not (-0.5 <= u <= width - 0.5 and -0.5 <= v <= height - 0.5):
            return float("nan")
        one = (maps.stride_8_map[image], maps.l2[image], maps.l1[image], maps.image_size)
        return float(reference.depth_at(weights, *one, u, v))

    with torch.no_grad():
        return np.array(
            [[metres(b, u, v) for u, v in image.tolist()] for b, image in enumerate(points)]
        ).reshape(points.shape[:2])


def drawn_patches(seed: int) -> tuple[int, int]:
    rows, columns = np.random.default_rng(seed).integers(2, 10, 2)
    return int(rows), int(columns)


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("count", [0, 1, 7, 4096])
def test_queries_of_any_number_and_batch_are_the_oracles(runtime, batch, count):
    patches = drawn_patches(10 * count + batch)
    maps, points = exports.random_maps(batch, patches), exports.random_points(batch, count, patches)
    got = engine(runtime).query(tuple(maps), points)
    assert (got.shape, got.dtype) == ((batch, count), np.float32)
    wide = exact_maps(maps)
    np.testing.assert_allclose(got, exact_answers(wide, points), **exports.CLOSE)
    few = points[:, :ORACLE_POINTS]
    np.testing.assert_allclose(got[:, :ORACLE_POINTS], oracle(wide, few), **exports.CLOSE)


@pytest.mark.parametrize("patches", [(2, 2), (2, 9), (9, 2), (7, 5)])
def test_the_oracle_at_the_borders_of_the_narrowest_images(runtime, patches):
    maps, points = exports.random_maps(2, patches, seed=5), exports.random_points(2, 25, patches)
    got = engine(runtime).query(tuple(maps), points)
    expected = oracle(exact_maps(maps), points)
    assert np.nanstd(expected) > 0.1
    np.testing.assert_allclose(got, expected, **exports.CLOSE)


def images(seed: int, batch: int) -> np.ndarray:
    rows, columns = drawn_patches(seed)
    drawn = np.random.default_rng(seed).random((batch, 3, 14 * rows, 14 * columns))
    return drawn.astype(np.float32)


def encoded(given: np.ndarray) -> tuple[FeatureMaps, list[np.ndarray]]:
    """In float64: as torch has it, and channels last."""
    model = exact()
    with torch.no_grad():
        maps = model.encode(torch.from_numpy(given).double())
    return maps, [m.permute(0, 2, 3, 1).numpy() for m in (maps.stride_8_map, maps.l2, maps.l1)]


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("seed", range(3))
def test_encoders_in_float32_give_the_maps_of_float64(runtime, seed, batch):
    given = images(seed, batch)
    maps, expected = encoded(given)
    got = engine(runtime).encode(given)
    for ours, theirs in zip(got, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, **MAPS_CLOSE)
    points = exports.random_points(batch, 30, (given.shape[2] // 14, given.shape[3] // 14))
    metres = engine(runtime).query(got, points)
    np.testing.assert_allclose(metres, exact_answers(maps, points), **exports.CLOSE)


@pytest.mark.parametrize("batch", [1, 3])
def test_the_fused_graph_gives_the_metres_of_float64(runtime, batch):
    given = images(7 + batch, batch)
    maps, _ = encoded(given)
    path = str(exports.exported() / FUSED)
    for count in (0, 1, 30):
        patches = (given.shape[2] // 14, given.shape[3] // 14)
        points = exports.random_points(batch, count, patches)
        inputs = {"image": given, "points": points}
        np.testing.assert_allclose(
            fused(runtime, path)(inputs), exact_answers(maps, points), **exports.CLOSE
        )


@functools.cache
def fused(runtime: str, path: str):
    """The graph by the runtime alone, without what the package puts around it."""
    if runtime == "onnxruntime":
        import onnxruntime

        session = onnxruntime.InferenceSession(path)
        return lambda inputs: session.run(["depth_m"], inputs)[0]
    compiled = openvino_core().compile_model(path, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return lambda inputs: compiled(inputs)["depth_m"]


def of_spread(got: np.ndarray, exact_map: np.ndarray) -> float:
    """Root mean square of the difference, by the map's standard deviation."""
    return float(np.sqrt(np.mean((got - exact_map) ** 2)) / exact_map.std())


@pytest.mark.parametrize("seed", range(3))
def test_the_encoder_in_bfloat16_is_off_by_what_eight_bits_allow(seed):
    pytest.importorskip("openvino", reason='pip install "spd[export]"')
    if "BF16" not in openvino_core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        pytest.skip("this CPU has no bfloat16 instructions")
    given = images(seed, 2)
    _, expected = encoded(given)
    for got, theirs in zip(engine("openvino", "bfloat16").encode(given), expected, strict=True):
        assert FLOAT32_OF_SPREAD < of_spread(got, theirs) < NARROW_OF_SPREAD


@pytest.fixture(scope="module")
def int8_folder(tmp_path_factory) -> ExportFolder:
    pytest.importorskip("onnxruntime", reason='pip install "spd[export]"')
    photos = [images(n, 1) for n in range(8)]
    return exports.write_int8(tmp_path_factory.mktemp("int8") / "export", photos)


@pytest.mark.parametrize("seed", range(3))
def test_the_encoder_in_int8_is_off_by_what_its_steps_allow(runtime, int8_folder, seed):
    given = images(seed, 2)
    _, expected = encoded(given)
    opened = open_engine(int8_folder, runtime, "int8", 1)
    for got, theirs in zip(opened.encode(given), expected, strict=True):
        assert FLOAT32_OF_SPREAD < of_spread(got, theirs) < NARROW_OF_SPREAD
