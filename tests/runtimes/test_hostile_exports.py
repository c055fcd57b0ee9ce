"""Exports that attackers or accidents made: nothing unchecked reaches a runtime or the kernel."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from helpers import exports
from helpers.hostile import TEXTS, refusal
from spd.checkpoints.folder import shipped_folder
from spd.errors import CheckpointError, InputError
from spd.export.onnx_folder import write_about
from spd.models.kernel.ask import ask
from spd.models.kernel.build import compiler, weight_count
from spd.predictors.loading import load
from spd.runtimes.export_predictor import open_export
from spd.runtimes.external_data import external_files
from spd.runtimes.folder import ENCODE, EXPORT, QUERY, QUERY_WEIGHTS, ExportFolder

needs_compiler = pytest.mark.skipif(compiler() is None, reason="this machine has no C compiler")
SHAPE = (("DIM", 64), ("HEADS", 4), ("FFN", 256), ("HEAD_WIDTH", 128), ("WINDOW", 5))


@pytest.fixture
def copied(tmp_path) -> Path:
    return shutil.copytree(shipped_folder() / "onnx", tmp_path / "export")


@pytest.fixture
def shipped(tmp_path) -> Path:
    return shutil.copytree(shipped_folder() / "onnx", tmp_path / "shipped")


def digested(folder: Path) -> Path:
    """The folder, with the digests of the files that are now in it."""
    about = json.loads((folder / EXPORT).read_text(encoding="utf-8"))
    write_about(folder, {key: about[key] for key in about if key != "files"})
    return folder


def depths(folder: Path) -> np.ndarray:
    photo = exports.noise(168, 224)
    with pytest.MonkeyPatch.context() as patch:  # the graph answers, not the kernel
        patch.setattr("spd.runtimes.export_predictor.with_kernel", lambda engine, *_: engine)
        predictor = open_export(folder, threads=1)
    focal = predictor.config.camera.focal_px
    return predictor.encode(photo, focal_px=focal).depth_at([(3, 4), (60.5, 30)])


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("image_size", [14 * 10**9, 28]), ("image_size", [28, 28, 28]), ("image_size", [True, 28]),
        ("image_size", [28.0, 28]), ("image_size", ["28", 28]), ("image_size", 28),
        ("image_size", [29, 30]), ("image_size", [10**400, 28]), ("image_size", [-28, 28]),
        ("opset", "20"), ("opset", 10**400), ("opset", None), ("opset", True),
        ("training_median_m", "2"), ("training_median_m", -1), ("training_median_m", True),
        ("training_median_m", 10**400), ("training_median_m", [2]),
        ("source", 3), ("source", "x" * 10**6), ("weights_sha256", None),
        ("weights_sha256", "0" * 10**6), ("model", None), ("model", []), ("model", {"dim": 10**9}),
        ("model", {"encoder": {"layers": 10**6}}), ("model", "x" * 10**6),
        ("files", []), ("files", {"query.onnx": "0" * 64}), ("files", {"query.onnx": {}}),
        ("files", {"query.onnx": {"sha256": "0" * 63}}),
        ("files", {"query.onnx": {"sha256": 3}}), ("format", "1"), ("format", [1] * 10**5),
    ],
    ids=lambda value: str(value)[:25],
)  # fmt: skip
def test_values_of_a_hostile_export_json_are_refused(copied, key, value):
    data = json.loads((copied / EXPORT).read_text())
    (copied / EXPORT).write_text(json.dumps(data | {key: value}))
    found = refusal(lambda: ExportFolder.read(copied), key)
    assert isinstance(found, CheckpointError)
    assert key in str(found)
    assert len(str(found)) < 800


def test_an_exported_size_has_the_limit_of_every_input(copied):
    """A photo is padded to that size, however small it is."""
    data = json.loads((copied / EXPORT).read_text())
    (copied / EXPORT).write_text(json.dumps(data | {"image_size": [14000, 14000]}))
    with pytest.raises(InputError, match=r"14000 rows .* 1 megapixels allowed; raise --max-input"):
        load(copied).encode(exports.noise(168, 224), focal_px=200)
    (copied / EXPORT).write_text(json.dumps(data | {"image_size": [700, 700]}))
    with pytest.raises(InputError, match=r"700 rows .* 0.3 megapixels allowed"):
        load(copied, max_input_megapixels=0.3).encode(exports.noise(168, 224), focal_px=200)


@pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))
def test_an_export_json_that_is_something_else_is_refused(copied, text):
    (copied / EXPORT).write_bytes(text)
    assert isinstance(refusal(lambda: ExportFolder.read(copied), EXPORT), CheckpointError)


def test_an_export_json_without_end_is_refused(copied):
    (copied / EXPORT).unlink()
    (copied / EXPORT).symlink_to("/dev/zero")
    assert isinstance(refusal(lambda: ExportFolder.read(copied), EXPORT), CheckpointError)
    (copied / EXPORT).unlink()
    (copied / EXPORT).write_bytes(b" " * 17 * 2**20 + b"{}")
    assert isinstance(refusal(lambda: ExportFolder.read(copied), EXPORT), CheckpointError)


def with_external(folder: Path, location: str = "tensors.bin", name: str = QUERY) -> Path:
    """The export, a graph of which keeps its tensors in another file."""
    onnx = pytest.importorskip("onnx", reason='pip install "spd[export]"')
    graph = onnx.load(folder / name)
    (folder / name).unlink()
    onnx.save_model(
        graph, folder / name, save_as_external_data=True, location=location, size_threshold=500,
    )  # fmt: skip
    return digested(folder)


@pytest.mark.parametrize("name", [ENCODE, QUERY])
def test_external_tensors_answer_as_before_and_are_digested(copied, name):
    pytest.importorskip("onnxruntime", reason='pip install "spd[export]"')
    before = depths(copied)
    with_external(copied, name=name)
    assert external_files(copied / name) == {"tensors.bin"}
    np.testing.assert_array_equal(depths(copied), before)
    path = copied / "tensors.bin"
    whole = path.read_bytes()
    for damaged in (
        b"",
        whole[:-1],
        whole[:100] + bytes([whole[100] ^ 1]) + whole[101:],
        whole + b"\0",
    ):
        path.write_bytes(damaged)
        with pytest.raises(CheckpointError, match=r"tensors\.bin is truncated or modified"):
            open_export(copied)
    path.unlink()
    with pytest.raises(CheckpointError, match=r"tensors\.bin is missing"):
        open_export(copied)
    path.write_bytes(whole)
    data = json.loads((copied / EXPORT).read_text())
    del data["files"]["tensors.bin"]
    (copied / EXPORT).write_text(json.dumps(data))
    with pytest.raises(CheckpointError, match=r"expected a file .* that export\.json lists"):
        open_export(copied)


@pytest.mark.parametrize(
    "location",
    ["../outside.bin", "/etc/hostname", "sub/tensors.bin", "..", ".", "", "./tensors.bin",
     "sub/../tensors.bin", "a" * 5000, "\0", "tensors.bin\0.txt"],
    ids=repr,
)  # fmt: skip
def test_tensors_outside_the_folder_are_refused(copied, location):
    onnx = pytest.importorskip("onnx", reason='pip install "spd[export]"')
    with_external(copied)
    graph = onnx.load(copied / QUERY, load_external_data=False)
    for tensor in graph.graph.initializer:
        for field in tensor.external_data:
            if field.key == "location":
                field.value = location
    (copied / QUERY).write_bytes(graph.SerializeToString())
    digested(copied)
    assert isinstance(refusal(lambda: open_export(copied), location), CheckpointError)


def test_external_tensors_are_found_in_every_place_of_a_graph(tmp_path):
    onnx = pytest.importorskip("onnx", reason='pip install "spd[export]"')
    helper = onnx.helper

    def tensor(location: str) -> object:
        made = helper.make_tensor("t", onnx.TensorProto.FLOAT, [1], [1.0])
        made.data_location = onnx.TensorProto.EXTERNAL
        made.external_data.add(key="offset", value="0")
        made.external_data.add(key="location", value=location)
        return made

    def graph(*nodes: object, **others: object) -> object:
        return helper.make_graph(list(nodes), "g", [], [], **others)

    sparse = onnx.SparseTensorProto(values=tensor("values"), indices=tensor("indices"))
    inner = graph(helper.make_node("Constant", [], ["y"], value=tensor("inner")))
    model = helper.make_model(
        graph(
            helper.make_node("Constant", [], ["x"], value=tensor("attribute")),
            helper.make_node("If", ["x"], ["z"], then_branch=inner, else_branch=graph()),
            initializer=[tensor("initializer")],
            sparse_initializer=[sparse],
        ),
        functions=[
            helper.make_function(
                "d", "f", [], ["y"],
                [helper.make_node("Constant", [], ["y"], value=tensor("function"))],
                [helper.make_opsetid("", 20)],
            )
        ],
    )  # fmt: skip
    model.training_info.add().algorithm.CopyFrom(graph(initializer=[tensor("training")]))
    path = tmp_path / "model.onnx"
    path.write_bytes(model.SerializeToString())
    assert external_files(path) == {
        "values", "indices", "inner", "attribute", "initializer", "function", "training",
    }  # fmt: skip
    whole = path.read_bytes()
    for length in range(0, len(whole), 5):  # no truncation is an exception
        path.write_bytes(whole[:length])
        external_files(path)


def with_other_maps(folder: Path, change: str) -> Path:
    """The export, whose first map has another shape than its configuration makes."""
    onnx = pytest.importorskip("onnx", reason='pip install "spd[export]"')
    graph = onnx.load(folder / ENCODE)
    (first, *_) = graph.graph.output
    inner = "inner_map"
    for node in graph.graph.node:
        node.output[:] = [inner if name == first.name else name for name in node.output]
        node.input[:] = [inner if name == first.name else name for name in node.input]
    axis = {"channels": 3, "columns": 2, "rows": 1, "batch": 0}.get(change)
    if axis is None:
        kind = {"half": onnx.TensorProto.FLOAT16, "integers": onnx.TensorProto.INT32}[change]
        node = onnx.helper.make_node("Cast", [inner], [first.name], to=kind)
        first.type.tensor_type.elem_type = kind
    else:
        numbers = {"starts": 0, "ends": 0 if change == "batch" else 1, "axes": axis}
        for name, number in numbers.items():
            graph.graph.initializer.append(
                onnx.helper.make_tensor(name, onnx.TensorProto.INT64, [1], [number])
            )
        node = onnx.helper.make_node("Slice", [inner, *numbers], [first.name])
    graph.graph.node.append(node)
    first.type.tensor_type.ClearField("shape")
    (folder / ENCODE).write_bytes(graph.SerializeToString())
    return digested(folder)


@pytest.mark.parametrize("change", ["channels", "columns", "rows", "batch", "half", "integers"])
@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
def test_maps_of_other_shapes_never_reach_the_kernel(shipped, change, runtime):
    pytest.importorskip(runtime, reason='pip install "spd[export]"')
    if runtime == "openvino" and change in ("half", "integers"):
        pytest.skip("OpenVINO's outputs are read as float32")
    with_other_maps(shipped, change)
    predictor = open_export(shipped, runtime, threads=1)
    found = refusal(lambda: predictor.encode(exports.noise(60, 80), focal_px=181.6), change)
    assert isinstance(found, CheckpointError)
    assert "encodes stride_8_map as" in str(found)
    assert "export the model again" in str(found)


def test_a_graph_that_fails_or_answers_in_another_shape_is_named(copied):
    pytest.importorskip("onnxruntime", reason='pip install "spd[export]"')
    onnx = pytest.importorskip("onnx", reason='pip install "spd[export]"')
    whole = (copied / QUERY).read_bytes()
    for change in ("name", "shape"):
        graph = onnx.load_from_string(whole)
        (output,) = graph.graph.output
        wrong = "other_m" if change == "name" else output.name
        source = "inner" if change == "shape" else output.name
        for node in graph.graph.node:
            node.output[:] = [source if name == output.name else name for name in node.output]
        kind = "Identity" if change == "name" else "Shape"
        if change == "shape":
            output.type.tensor_type.elem_type = onnx.TensorProto.INT64
            output.type.tensor_type.ClearField("shape")
        graph.graph.node.append(onnx.helper.make_node(kind, [source], [wrong]))
        if change == "name":
            output.name = wrong
        (copied / QUERY).write_bytes(graph.SerializeToString())
        found = refusal(lambda: depths(digested(copied)), change)
        assert isinstance(found, CheckpointError)
        assert "onnxruntime cannot run" in str(found)
        assert QUERY in str(found)


@needs_compiler
@pytest.mark.parametrize(
    "content", [b"", b"\0" * 7, b"\xff" * 476_420, b"\0\0\xc0\x7f" * 119_105], ids=range(4)
)
def test_weights_that_are_no_finite_numbers_never_reach_the_kernel(shipped, content):
    (shipped / QUERY_WEIGHTS).write_bytes(content)
    digested(shipped)
    assert isinstance(refusal(lambda: load(shipped), "weights"), CheckpointError)


def arrays(**changes: object) -> dict[str, object]:
    """Arguments of `ask` for one image of 2 x 3 patches."""
    maps = [np.zeros((1, n * 2, n * 3, 64), np.float32) for n in (2, 2, 4)]
    first = {key.removeprefix("map_"): changes.pop(key) for key in list(changes) if "map_" in key}
    for name, value in first.items():
        maps[int(name)] = value
    return {
        "shape": SHAPE,
        "weights": np.zeros(weight_count(SHAPE), np.float32),
        "maps": maps,
        "image_size": (28, 42),
        "points": np.zeros((1, 5, 2), np.float32),
        "threads": 1,
    } | changes


def empty(*shape: int, dtype: str = "f4") -> np.ndarray:
    return np.zeros(shape, dtype)


@needs_compiler
@pytest.mark.parametrize(
    "changes",
    [
        {"map_0": empty(1, 4, 6, 1)}, {"map_1": empty(1, 4, 6, 63)}, {"map_2": empty(1, 8, 12, 65)},
        {"map_0": empty(4, 6, 64)}, {"map_0": empty(1, 4, 6, 64, 1)}, {"map_0": empty(2, 4, 6, 64)},
        {"map_1": empty(0, 4, 6, 64)}, {"map_1": empty(1, 0, 6, 64)}, {"map_2": empty(1, 8, 0, 64)},
        {"map_0": empty(1, 4, 6, 64, dtype="i4")}, {"map_0": empty(1, 4, 6, 64, dtype="c8")},
        {"map_0": empty(1, 4, 6, 64, dtype="O")}, {"map_0": np.zeros((1, 4, 6), "f4,f4")},
        {"maps": []}, {"points": empty(2, 5, 2)}, {"points": empty(5, 2)},
        {"points": empty(1, 5, 3)}, {"points": empty(1, 5, 2, dtype="i8")},
        {"weights": empty(3)}, {"weights": empty(weight_count(SHAPE), 1)},
        {"weights": empty(weight_count(SHAPE), dtype="i4")}, {"image_size": (0, 42)},
        {"image_size": (28, -1)},
    ],
    ids=range(23),
)  # fmt: skip
def test_arrays_of_other_shapes_never_reach_the_kernel(changes):
    with pytest.raises(InputError, match="expected"):
        ask(**arrays(**changes))


@needs_compiler
@pytest.mark.parametrize("kind", ["strided", "reversed", "half", "double", "fortran", "swapped"])
def test_arrays_of_any_layout_give_the_same_answers(kind):
    rng = np.random.default_rng(0)
    given = arrays(weights=rng.normal(size=weight_count(SHAPE)).astype(np.float16))
    plain = [rng.normal(size=one.shape).astype(np.float16).astype("f4") for one in given["maps"]]
    changed = {
        "strided": lambda one: np.repeat(one, 2, axis=2)[:, :, ::2],
        "reversed": lambda one: one[:, ::-1].copy()[:, ::-1],
        "half": lambda one: one.astype("f2"),
        "double": lambda one: one.astype("f8"),
        "fortran": np.asfortranarray,
        "swapped": lambda one: one.astype(">f4"),
    }[kind]
    given["points"] = rng.uniform(0, 27, (1, 5, 2)).astype("f4")
    expected = ask(**given | {"maps": plain})
    assert np.isfinite(expected).all()
    got = ask(**given | {"maps": [changed(one) for one in plain]})
    np.testing.assert_array_equal(got, expected)


@needs_compiler
def test_points_that_are_no_pixels_do_not_end_the_process():
    program = """
import numpy as np
from spd.models.kernel.ask import ask
from spd.models.kernel.build import weight_count
maps = [np.zeros((1, n * 2, n * 3, 64), np.float32) for n in (2, 2, 4)]
weights = np.zeros(weight_count(shape), np.float32)
odd = np.float32([np.nan, np.inf, -np.inf, 1e30, -1e30, 2**31, -(2**31), 1e9, -0.51, 1e5])
points = np.stack(np.meshgrid(odd, odd), -1).reshape(1, -1, 2)
print(ask(shape, weights, maps, (28, 42), points, 1).shape)
"""
    done = subprocess.run(
        [sys.executable, "-c", f"shape = {SHAPE!r}\n{program}"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "(1, 100)"
