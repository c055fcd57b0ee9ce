"""The exported graphs say what the model says, whatever batch, size and number of points."""

import json

import numpy as np
import pytest
import torch

from helpers import exports
from spd.errors import CheckpointError, ConfigError, InputError
from spd.export import onnx_folder
from spd.export.query_graph import QueryGraph
from spd.files import file_sha256
from spd.models.spd import SPD
from spd.runtimes.folder import (
    ENCODE,
    FUSED,
    MAP_NAMES,
    QUERY,
    QUERY_WEIGHTS,
    ExportFolder,
)


@pytest.fixture(scope="module")
def sessions():
    """ONNX Runtime's own sessions, without what the package puts around them."""
    ort = pytest.importorskip("onnxruntime", reason='pip install "spd[export]"')
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    return {
        name: ort.InferenceSession(str(exports.exported() / name), options)
        for name in (ENCODE, QUERY, FUSED)
    }


def ask(session, **given):
    return session.run(None, given)


@pytest.mark.parametrize("seed", range(4))
def test_the_folded_query_agrees_with_the_model_at_random_sizes_and_batches(seed):
    drawn = np.random.default_rng(seed).integers(2, 9, 3)
    batch, patches = int(drawn[0]) % 3 + 1, (int(drawn[1]), int(drawn[2]))
    graph = QueryGraph(exports.model().config, exports.model().local_path.state_dict())
    maps = exports.random_maps(batch, patches, seed)
    points = exports.random_points(batch, 60, patches)
    with torch.inference_mode():
        got = graph(*(torch.from_numpy(m) for m in (*maps, points))).numpy()
    expected = exports.torch_answers(maps, points)
    assert np.isnan(expected).sum() == 3 * batch
    assert np.nanstd(expected) > 0.1  # they are no constant
    np.testing.assert_allclose(got, expected, **exports.CLOSE)


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("count", [0, 1, 7, 4096])
def test_query_onnx_answers_any_number_of_points(sessions, batch, count):
    patches = (3, 5)
    maps = exports.random_maps(batch, patches)
    points = exports.random_points(batch, count, patches)
    (got,) = ask(sessions[QUERY], **dict(zip(MAP_NAMES, maps, strict=True)), points=points)
    assert got.shape == (batch, count)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, exports.torch_answers(maps, points), **exports.CLOSE)


@pytest.mark.parametrize(("batch", "size"), [(1, (28, 28)), (3, (42, 70)), (2, (98, 56))])
def test_encode_onnx_gives_the_maps_and_spd_onnx_the_depth(sessions, batch, size):
    torch.manual_seed(batch)
    images = torch.rand(batch, 3, *size)
    with torch.inference_mode():
        maps = exports.model().encode(images)
    got = ask(sessions[ENCODE], image=images.numpy())
    for name, answer in zip(MAP_NAMES, got, strict=True):
        expected = getattr(maps, name).permute(0, 2, 3, 1).numpy()
        np.testing.assert_allclose(answer, expected, rtol=1e-4, atol=1e-5)
    points = exports.random_points(batch, 30, (size[0] // 14, size[1] // 14))
    with torch.inference_mode():
        expected = exports.model().query(maps, torch.from_numpy(points), outside="nan").numpy()
    (fused,) = ask(sessions[FUSED], image=images.numpy(), points=points)
    np.testing.assert_allclose(fused, expected, **exports.CLOSE)


def test_an_export_with_a_fixed_size_refuses_other_sizes():
    ort = pytest.importorskip("onnxruntime", reason='pip install "spd[export]"')
    folder = exports.exported(exports.SIZE)
    assert ExportFolder.read(folder).image_size == exports.SIZE
    session = ort.InferenceSession(str(folder / ENCODE))
    assert session.get_inputs()[0].shape == ["batch", 3, *exports.SIZE]
    images = torch.rand(3, 3, *exports.SIZE)
    with torch.inference_mode():
        expected = exports.model().encode(images).l1.permute(0, 2, 3, 1).numpy()
    np.testing.assert_allclose(
        session.run(["l1"], {"image": images.numpy()})[0], expected, rtol=1e-4, atol=1e-5
    )
    with pytest.raises(Exception, match="INVALID_ARGUMENT"):
        session.run(None, {"image": np.zeros((1, 3, 42, 56), np.float32)})


def test_parity_is_measured_in_every_installed_runtime():
    found = onnx_folder.check_parity(
        exports.model(), ExportFolder.read(exports.exported()), threads=1
    )
    assert len(found) >= 2
    for parity in found:
        assert 0 < parity.max_abs_m < 1e-4
        assert f"{parity.runtime} against torch at" in str(parity)


def test_parity_detects_other_weights(tmp_path):
    other = SPD(exports.model().config).eval()  # the same shapes, other weights
    found = onnx_folder.check_parity(other, ExportFolder.read(exports.exported()), threads=1)
    assert all(parity.max_abs_m > 0.01 for parity in found)


def test_export_json_describes_the_files_and_names_no_machine():
    folder = exports.exported()
    data = json.loads((folder / "export.json").read_text())
    assert (data["format"], data["opset"], data["image_size"]) == (1, 20, None)
    assert data["model"] == exports.model().config.to_dict()
    assert set(data["files"]) == {ENCODE, QUERY, FUSED, QUERY_WEIGHTS}
    for name, entry in data["files"].items():
        assert entry["sha256"] == file_sha256(folder / name)
        content = (folder / name).read_bytes()
        assert entry["bytes"] == len(content)
        assert b"site-packages" not in content
        assert str(exports.__file__.split("/tests/")[0]).encode() not in content


def test_models_and_sizes_that_cannot_be_exported_are_refused(tmp_path):
    config = exports.model().config
    for name in ("conv", "bilinear_mlp"):
        other = SPD(config.model_copy(update={"local_path": name}))
        with pytest.raises(ConfigError, match=f"local_path '{name}' cannot be exported"):
            onnx_folder.write_export(other, tmp_path / "x", source="", weights_sha256="")
    with pytest.raises(InputError, match=r"height must be a multiple of 14 .* resize to 42"):
        onnx_folder.write_export(
            exports.model(), tmp_path / "x", source="", weights_sha256="", size=(43, 70)
        )
    with pytest.raises(CheckpointError, match="already exists"):
        onnx_folder.write_export(exports.model(), tmp_path, source="", weights_sha256="")
    assert list(tmp_path.iterdir()) == []


def test_a_failed_export_leaves_no_files(tmp_path, monkeypatch):
    exports.use_made_graphs(monkeypatch)
    monkeypatch.setattr(onnx_folder, "write_about", lambda *_: (_ for _ in ()).throw(KeyError))
    exports.exported()  # made before, if at all
    with pytest.raises(KeyError):
        onnx_folder.write_export(exports.model(), tmp_path / "x", source="", weights_sha256="")
    assert list(tmp_path.iterdir()) == []


def test_exporting_does_not_change_the_model():
    exports.exported()
    assert exports.model().encoder.backbone.config._attn_implementation == "sdpa"
