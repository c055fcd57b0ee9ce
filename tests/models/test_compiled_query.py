"""The compiled query against the oracle and torch, and the behaviour without a kernel.

Tests that need a C compiler are skipped on machines without one.
"""

import copy
import ctypes
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch import Tensor

from helpers import reference
from helpers.samples import random_maps
from spd.config import ModelConfig
from spd.errors import InputError
from spd.models.feature_maps import FeatureMaps
from spd.models.kernel import build
from spd.models.kernel.build import compiler, kernel, shape_of
from spd.models.spd import SPD

TOLERANCE_M = 1e-5
"""Depths are a few metres, so float32 rounds at 2.4e-7 m; some hundred operations lie between."""
needs_compiler = pytest.mark.skipif(compiler() is None, reason="this machine has no C compiler")


def made(dim: int = 64, **others: int) -> SPD:
    """Peaked attention and weights of every kind away from zero, so that a wrong one shows."""
    torch.manual_seed(0)
    tiny = ModelConfig.tiny()
    model = SPD(ModelConfig(encoder=tiny.encoder, camera=tiny.camera, dim=dim, heads=4, **others))
    with torch.no_grad():
        for stage in (model.local_path.stage1, model.local_path.stage2):
            stage.q_proj.weight *= 20
            for layer in stage.layers():
                layer.bias.normal_()
            stage.norm_q.weight.uniform_(0.5, 1.5)
    return model.eval()


@pytest.fixture(scope="module")
def model() -> SPD:
    return made()


def points_of(maps: FeatureMaps, count: int) -> Tensor:
    """Anywhere in the image, its corners first."""
    height, width = maps.image_size
    drawn = torch.rand(maps.batch_size, count, 2) * torch.tensor([width - 0.5, height - 0.5])
    ends = torch.tensor([[-0.5, -0.5], [width - 0.5, height - 0.5], [-0.5, height - 0.5], [3, 3]])
    drawn[:, : len(ends)] = ends[:count]
    return drawn


def oracle(model: SPD, maps: FeatureMaps, points: Tensor) -> Tensor:
    weights = dict(copy.deepcopy(model.local_path).double().named_parameters())
    wide = maps.to(torch.float64)
    return torch.stack(
        [
            torch.stack(
                [
                    reference.depth_at(weights, s8, l2, l1, maps.image_size, u, v)
                    for u, v in of.tolist()
                ]
            )
            for s8, l2, l1, of in zip(wide.stride_8_map, wide.l2, wide.l1, points, strict=True)
        ]
    )


@needs_compiler
@pytest.mark.parametrize("patches", [(2, 2), (2, 5), (5, 2), (4, 6)], ids=str)
@pytest.mark.parametrize("batch", [1, 3])
def test_compiled_query_equals_the_oracle(model, patches, batch):
    maps = random_maps(64, patches, batch=batch, dtype=torch.float32)
    points = points_of(maps, 41)
    with torch.no_grad():
        found = model.query(maps, points, form="compiled")
        expected = oracle(model, maps, points)
    assert expected.std() > 1e-3
    assert (found - expected).abs().max() <= TOLERANCE_M


@needs_compiler
@pytest.mark.parametrize(
    "shape",
    [
        {"dim": 128, "head_width": 64},
        {"dim": 64, "ffn_ratio": 2, "head_width": 16},
        {"dim": 64, "window": 3},
        {"dim": 192, "window": 7},
    ],
    ids=str,
)
def test_every_model_shape_equals_torch_in_float64(shape):
    model = made(**shape)
    maps = random_maps(shape["dim"], (3, 4), dtype=torch.float32)
    points = points_of(maps, 60)
    with torch.no_grad():
        found = model.query(maps, points, form="compiled")
        expected = copy.deepcopy(model).double().query(maps.to(torch.float64), points.double())
    assert (found - expected).abs().max() <= TOLERANCE_M


@needs_compiler
@pytest.mark.parametrize("count", [0, 1, 2, 23, 24, 25, 97, 500])
def test_compiled_answers_do_not_depend_on_other_points(model, count):
    maps = random_maps(64, (4, 5), batch=2, dtype=torch.float32)
    points = points_of(maps, 500)
    with torch.no_grad():
        whole = model.query(maps, points)
        part = model.query(maps, points[:, 500 - count :])
    assert torch.equal(part, whole[:, 500 - count :])


@needs_compiler
def test_any_number_of_threads_gives_the_same_bytes(model):
    maps = random_maps(64, (4, 5), dtype=torch.float32)
    points = points_of(maps, 3000)
    before = torch.get_num_threads()
    answers = []
    try:
        for threads in (1, 3):
            torch.set_num_threads(threads)
            with torch.no_grad():
                answers.append(model.query(maps, points, form="compiled"))
    finally:
        torch.set_num_threads(before)

    def ask(_: int) -> Tensor:
        with torch.no_grad():
            return model.query(maps, points, form="compiled")

    with ThreadPoolExecutor(8) as pool:  # callers share the workers
        answers += pool.map(ask, range(24))
    assert all(torch.equal(one, answers[0]) for one in answers)


@needs_compiler
def test_changed_weights_reach_the_kernel():
    model = made()
    maps = random_maps(64, (2, 3), dtype=torch.float32)
    points = points_of(maps, 9)
    with torch.no_grad():
        before = model.query(maps, points, form="compiled")
        for weight in model.local_path.parameters():
            weight += 0.01 * torch.randn_like(weight)
            after = model.query(maps, points, form="compiled")
            wanted = model.query(maps, points, form="torch")
            assert (after - wanted).abs().max() <= TOLERANCE_M
    assert not torch.equal(before, after)


@needs_compiler
def test_compiled_query_is_the_default_without_gradients(model):
    maps = random_maps(64, (2, 3), dtype=torch.float32)
    points = points_of(maps, 5)
    with torch.inference_mode():
        assert torch.equal(model.query(maps, points), model.query(maps, points, form="compiled"))
    with pytest.raises(InputError, match="gradients are enabled"):
        model.query(maps, points, form="compiled")
    assert model.query(maps, points).requires_grad


@needs_compiler
@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format])
def test_maps_of_any_memory_layout_give_the_same_answers(model, layout):
    maps = random_maps(64, (2, 3), dtype=torch.float32)
    laid = FeatureMaps(
        *(m.contiguous(memory_format=layout) for m in (maps.stride_8_map, maps.l2, maps.l1)),
        maps.image_size,
    )
    points = points_of(maps, 9)
    with torch.no_grad():
        assert torch.equal(model.query(laid, points), model.query(maps, points))


def test_torch_answers_where_the_kernel_cannot(model):
    points = torch.tensor([[[3.0, 5.0]]])
    maps = random_maps(64, (2, 3), dtype=torch.float32)
    narrow = made(dim=32)
    cases = [
        (
            copy.deepcopy(model).double(),
            maps.to(torch.float64),
            "float32 maps and weights on the CPU",
        ),
        (model, maps.to(torch.bfloat16), "float32 maps and weights on the CPU"),
        (narrow, random_maps(32, (2, 3), dtype=torch.float32), "multiples of 16"),
    ]
    with torch.no_grad():
        for asked, of, reason in cases:
            asked_points = points.to(asked.dtype)
            assert asked.query(of, asked_points).isfinite().all()
            with pytest.raises(InputError, match=f"form='compiled' is not available: .*{reason}"):
                asked.query(of, asked_points, form="compiled")
            with pytest.raises(InputError, match=f"form='compiled' is not available: .*{reason}"):
                asked.dense(of, form="compiled")


def test_a_subclass_has_no_compiled_kernel(model):
    class Other(type(model.local_path)):
        pass

    changed = copy.deepcopy(model)
    changed.local_path.__class__ = Other
    maps = random_maps(64, (2, 3), dtype=torch.float32)
    points = points_of(maps, 5)
    with torch.no_grad():
        torch_only = changed.query(maps, points, form="torch")
        assert torch.equal(changed.query(maps, points), torch_only)
        with pytest.raises(InputError, match="Other has no compiled kernel"):
            changed.query(maps, points, form="compiled")


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"SPD_NATIVE": "0"}, "SPD_NATIVE=0"),
        ({"CC": "no-such-compiler"}, "no C compiler (cc) was found"),
        ({"CC": "false"}, "the C compiler failed: exit status 1"),
        (
            {"XDG_CACHE_HOME": "/dev/null"},
            "the compiled kernel cannot be saved or loaded: cannot write",
        ),
    ],
    ids=str,
)
def test_without_a_kernel_there_is_a_reason(settings, reason, model, monkeypatch, tmp_path):
    if "XDG_CACHE_HOME" in settings and compiler() is None:
        pytest.skip("this machine has no C compiler")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(build, "kernel", kernel.__wrapped__)
    found = build.kernel(shape_of(model.config))
    assert isinstance(found, str)
    assert found.startswith(reason)
    assert len(found.splitlines()) == 1


@needs_compiler
def test_kernel_is_compiled_once_and_again_if_its_file_is_damaged(model, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("SPD_NATIVE", raising=False)
    shape = shape_of(model.config)
    # In processes of their own: a library that is open is not opened again.
    program = (
        "from spd.models.kernel.build import kernel; import ctypes; "
        f"assert isinstance(kernel({shape!r}), ctypes.CDLL)"
    )

    def once() -> tuple[str, int]:
        subprocess.run([sys.executable, "-c", program], check=True)
        (file,) = (tmp_path / "spd").iterdir()
        return file.name, file.stat().st_mtime_ns

    first = once()
    assert once() == first
    (tmp_path / "spd" / first[0]).write_bytes(b"no library")
    mended = once()
    assert mended[0] == first[0]
    assert mended[1] != first[1]
    assert isinstance(ctypes.CDLL(str(tmp_path / "spd" / first[0])), ctypes.CDLL)
