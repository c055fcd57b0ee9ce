"""Checkpoints that attackers or accidents made: refused in one line, before memory is taken."""

import json
import os
import pickle
import struct
import tracemalloc
import zipfile
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

import spd
from helpers import exports
from helpers.checkpoints import save_checkpoint
from helpers.encoder_forms import SMALL, dinov2, on_disk, original
from helpers.hostile import refusal
from helpers.small_runs import CPU, small_recipe
from spd.checkpoints.checkpoint import load_checkpoint
from spd.checkpoints.checksums import CHECKSUMS, damage
from spd.checkpoints.encoder_weights import load_encoder
from spd.checkpoints.folder import find_checkpoint
from spd.errors import CheckpointError, ConfigError, TrainingError
from spd.models.encoder_vits.vit_s import Encoder
from spd.recipes import TrainConfig
from spd.train import Trainer
from spd.training.runs import Run


@pytest.fixture
def saved(tmp_path) -> Path:
    save_checkpoint(exports.model(), tmp_path / "model")
    return tmp_path / "model"


def change(folder: Path, *keys: str, value: object) -> None:
    data = json.loads((folder / "config.json").read_text())
    node = data["model"]
    for key in keys[:-1]:
        node = node[key]
    node[keys[-1]] = value
    (folder / "config.json").write_text(json.dumps(data))


@pytest.mark.parametrize(
    ("keys", "value", "words"),
    [
        (("dim",), 10**9, "dim: Input should be less than or equal to 4096"),
        (("dim",), 10**400, "dim: .*less than or equal to 4096"),
        (("dim",), -64, "dim: Input should be greater than 0"),
        (("dim",), True, "dim: Input should be a valid integer .*True"),
        (("dim",), 64.0, "dim: Input should be a valid integer"),
        (("heads",), 10**6, "heads: .*256"),
        (("ffn_ratio",), 10**6, "ffn_ratio: .*32"),
        (("head_width",), 2**31, "head_width: .*8192"),
        (("window",), 10**5 + 1, "window: .*31"),
        (("initial_depth_m",), 1e308, "initial_depth_m: .*10000"),
        (("initial_depth_m",), True, "initial_depth_m: .*valid number"),
        (("initial_depth_m",), 10**400, "initial_depth_m: .*valid number"),
        (("local_path",), "x" * 10**6, "local_path: .*cross_attention"),
        (("encoder", "layers"), 10**6, r"encoder: .*layers: .*256"),
        (("encoder", "hidden_size"), 10**9, r"encoder: .*hidden_size: .*8192"),
        (("encoder", "mlp_ratio"), 10**9, r"encoder: .*mlp_ratio: .*32"),
        (("encoder", "position_size_px"), 14 * 10**6, r"encoder: .*position_size_px: .*4200"),
        (("encoder", "taps"), [0, 1, 2, True], r"encoder: .*taps\.3: .*valid integer"),
        (("encoder", "taps"), [0] * 10**5, r"encoder: .*taps: "),
        (("camera", "focal_px"), 1e-300, r"camera: .*focal_px: .*greater than or equal to 1"),
        (("camera", "focal_px"), 1e300, r"camera: .*focal_px: .*100000"),
        (("camera", "focal_px"), "181.6", r"camera: .*focal_px: .*valid number"),
        (("camera", "fov_deg"), 1e-9, r"camera: .*fov_deg: .*0\.1"),
        (("camera", "crop_width_px"), 14 * 10**9, r"camera: .*crop_width_px: .*14000"),
        (("self",), 1, "self: unknown key"),
        (("a\nb",), 1, r"a\?b: unknown key"),
        (("x" * 10**5,), 1, r"x{300}\.\.\.: unknown key"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_sizes_of_a_hostile_configuration_are_refused_by_name(saved, keys, value, words):
    change(saved, *keys, value=value)
    with pytest.raises(CheckpointError, match=words) as caught:
        load_checkpoint(saved)
    assert len(str(caught.value)) < 1000
    assert "\n" not in str(caught.value)


def test_very_many_unknown_keys_are_counted(saved):
    data = json.loads((saved / "config.json").read_text())
    data["model"] |= {f"key{number}": number for number in range(20_000)}
    (saved / "config.json").write_text(json.dumps(data))
    with pytest.raises(CheckpointError, match="unknown key; and 19992 more"):
        load_checkpoint(saved)


@pytest.mark.parametrize(
    "changes",
    [{"steps": 10**400}, {"workers": 10**6}, {"encoder_frozen": "yes"}, {"ema_decay": True},
     {"seed": -1}, {"batch_size": 2**31}, {"clip_norm": "1"}],
    ids=str,
)  # fmt: skip
def test_sizes_of_a_hostile_recipe_are_refused_by_name(changes):
    (key,) = changes
    with pytest.raises(ConfigError, match=f"TrainConfig: {key}: Input should be"):
        TrainConfig(**changes)


def test_a_model_larger_than_its_file_takes_no_memory(saved):
    for keys, value in {("encoder", "hidden_size"): 8192, ("encoder", "layers"): 256}.items():
        change(saved, *keys, value=value)
    tracemalloc.start()
    try:
        with pytest.raises(CheckpointError, match=r"describes a model of at least 2[0-9]{11}"):
            load_checkpoint(saved)
        assert tracemalloc.get_traced_memory()[1] < 50e6
    finally:
        tracemalloc.stop()


def header(entries: object, data: bytes = b"", length: int | None = None) -> bytes:
    text = json.dumps(entries).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def entry(dtype: str = "F32", shape: tuple[int, ...] = (1,), offsets: tuple[int, int] = (0, 4)):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}


SAFETENSORS = {
    "header of 2^63 bytes": struct.pack("<Q", 2**63) + b"{}",
    "header longer than the file": header({}, length=10**9),
    "header of 200 MB": header({}, length=200 * 2**20),
    "overlapping offsets": header({"a": entry(), "b": entry()}, b"\0" * 4),
    "offsets beyond the end": header({"a": entry(offsets=(0, 4000), shape=(1000,))}, b"\0" * 4),
    "negative offsets": header({"a": entry(offsets=(-4, 0))}, b"\0" * 4),
    "shape larger than the data": header({"a": entry(shape=(2**40,))}, b"\0" * 4),
    "shape that overflows": header({"a": entry(shape=(2**33, 2**33))}, b"\0" * 4),
    "unknown type": header({"a": entry(dtype="F99")}, b"\0" * 4),
    "no type": header({"a": {"shape": [1], "data_offsets": [0, 4]}}, b"\0" * 4),
    "a hole": header({"a": entry(offsets=(4, 8))}, b"\0" * 8),
    "header that is a list": header([1, 2]),
    "metadata of numbers": header({"__metadata__": {"a": 1}, "a": entry()}, b"\0" * 4),
    "twice": header({}) * 2,
    "deep": struct.pack("<Q", 10**5) + b"[" * 10**5,
    "a name of a megabyte": header({"x" * 10**6: entry()}, b"\0" * 4),
    "names in other alphabets": header({"\ud800\0\n": entry()}, b"\0" * 4),
}


@pytest.mark.parametrize("name", SAFETENSORS)
def test_headers_with_lies_are_refused(saved, name):
    (saved / "model.safetensors").write_bytes(SAFETENSORS[name] + b"\0" * 200_000)
    assert isinstance(refusal(lambda: load_checkpoint(saved), name), CheckpointError)
    (saved / "model.safetensors").write_bytes(SAFETENSORS[name])
    assert isinstance(refusal(lambda: load_checkpoint(saved), name), CheckpointError)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (float("nan"), "non-finite values in"),
        (float("inf"), "non-finite values in"),
        (torch.int32, "in torch.int32; expected floating point"),
        (torch.bool, "in torch.bool; expected floating point"),
        (torch.complex64, "in torch.complex64; expected floating point"),
    ],
    ids=str,
)
def test_weights_that_are_no_finite_numbers_are_refused(saved, value, words):
    path = saved / "model.safetensors"
    weights = load_file(path)
    name = "local_path.stage1.q_proj.weight"
    if isinstance(value, torch.dtype):
        weights[name] = torch.zeros(weights[name].shape, dtype=value)
    else:
        weights[name][3, 2] = value
    save_file(weights, path)
    with pytest.raises(CheckpointError, match=words):
        load_checkpoint(saved)
    assert name in str(refusal(lambda: load_checkpoint(saved), name))


class Code:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return Path.touch, (self.path,)


def with_code(path: Path, trace: Path, form: str) -> None:
    content = {"model": {"cls_token": torch.zeros(1)}, "x": Code(trace)}
    if form == "plain pickle":
        path.write_bytes(pickle.dumps(content))
    else:
        torch.save(content, path, _use_new_zipfile_serialization=form == "zip")


@pytest.mark.parametrize("form", ["zip", "legacy", "plain pickle"])
def test_code_in_a_pickle_never_runs(tmp_path, form):
    trace, path = tmp_path / "trace", tmp_path / "weights.pth"
    with_code(path, trace, form)
    with pytest.raises(CheckpointError, match="No code in the file was executed"):
        load_encoder(Encoder(SMALL), path)
    run = saved_run(tmp_path)
    with_code(state_of(run), trace, form)
    with pytest.raises(TrainingError, match="No code in the file was executed"):
        Trainer(run, CPU).restore()
    assert not trace.exists()


def bomb(path: Path, mebibytes: int = 40) -> None:
    """A compressed copy of a file of torch, whose storages unpack to zeros."""
    with zipfile.ZipFile(path) as archive:
        parts = {info.filename: archive.read(info) for info in archive.infolist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in parts.items():
            archive.writestr(name, b"\0" * mebibytes * 2**20 if "/data/" in name else data)


def test_a_compressed_pickle_is_not_unpacked(tmp_path):
    path = tmp_path / "weights.pth"
    torch.save({"a": torch.zeros(3)}, path)
    bomb(path)
    assert path.stat().st_size < 1e6
    with pytest.raises(
        CheckpointError, match=r"its contents are compressed, 4[0-9]{7} bytes in total"
    ):
        load_encoder(Encoder(SMALL), path)


@pytest.mark.parametrize("kind", ["itself", "sparse", "meta", "list", "number", "tensor", "names"])
def test_pickles_of_other_content_are_refused(tmp_path, kind):
    content: object = {"model": {}}
    if kind == "itself":
        content["model"] = content
    elif kind == "sparse":
        content = {"cls_token": torch.zeros(2, 2).to_sparse()}
    elif kind == "meta":
        content = {"cls_token": torch.zeros(2, device="meta")}
    elif kind == "names":
        content = {("a", "b" * 10**5): torch.zeros(1)}
    else:
        content = {"list": [torch.zeros(1)], "number": 3, "tensor": torch.zeros(1)}[kind]
    path = tmp_path / "weights.pth"
    torch.save(content, path)
    assert isinstance(refusal(lambda: load_encoder(Encoder(SMALL), path), kind), CheckpointError)


def test_a_position_table_of_a_kilometre_takes_no_memory(tmp_path):
    tensors = original(on_disk(dinov2(), tmp_path / "dinov2"))
    side = 100_000
    tensors["pos_embed"] = torch.zeros(1, 1, 1).expand(1, 1 + side * side, 22)
    torch.save(tensors, tmp_path / "weights.pth")
    with pytest.raises(CheckpointError, match="100000 patches a side; expected at most 300"):
        load_encoder(Encoder(SMALL), tmp_path / "weights.pth")


def saved_run(tmp_path: Path) -> Run:
    run = Run.create(tmp_path / "run", small_recipe(exports.model().config), ("data",))
    trainer = Trainer(run, CPU)
    trainer.step = 3
    trainer.save(0.5)
    next(run.folder.rglob("checksums.json")).unlink()  # so that the content itself is checked
    return run


def state_of(run: Run) -> Path:
    return next(run.folder.rglob("state.pt"))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda state: [state], "contains a list where the state of a run is expected"),
        (lambda state: torch.zeros(3), "contains a Tensor where"),
        (lambda state: None, "contains a NoneType where"),
        (lambda state: {}, "does not fit this run"),
        (lambda state: state | {"step": "three"}, "does not fit this run .*three"),
        (lambda state: state | {"step": [3]}, "does not fit this run"),
        (lambda state: state | {"generators": []}, "does not fit this run"),
        (lambda state: state | {"optimizer": {"state": 3}}, "does not fit this run"),
        (lambda state: state | {"schedule": "x"}, "does not fit this run"),
    ],
    ids=range(9),
)
def test_a_state_of_another_type_is_refused(tmp_path, change, words):
    run = saved_run(tmp_path)
    path = state_of(run)
    torch.save(change(torch.load(path, weights_only=True)), path)
    with pytest.raises(TrainingError, match=words) as caught:
        Trainer(run, CPU).restore()
    assert "\n" not in str(caught.value)
    assert "delete" in str(caught.value)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
@pytest.mark.parametrize("kind", ["fifo", "device", "folder", "loop", "dangling"])
def test_what_is_no_file_is_refused_without_waiting(saved, name, kind):
    path = saved / name
    path.unlink()
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to({"device": "/dev/zero", "loop": path, "dangling": "/no/such"}[kind])
    assert isinstance(refusal(lambda: load_checkpoint(saved), kind), CheckpointError)
    assert isinstance(refusal(lambda: spd.load(saved, device="cpu"), kind), CheckpointError)


@pytest.mark.parametrize(
    "name",
    ["x" * 300, "a/" * 400, "a\0b", "\ud800", "", " ", ".", "..", "~", "//", "/dev/null",
     "/proc/self/mem", "../" * 300, "-", "s3://bucket/model"],
    ids=repr,
)  # fmt: skip
def test_any_name_of_a_model_is_an_answer_or_one_line(name, monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.chdir(tmp_path)
    assert isinstance(refusal(lambda: find_checkpoint(name), name), CheckpointError)
    assert isinstance(refusal(lambda: spd.load(name), name), CheckpointError)
    assert isinstance(refusal(lambda: load_encoder(Encoder(SMALL), name), name), CheckpointError)


@pytest.mark.parametrize(
    "checkpoint", ["../../../model", "/", "", ".", 3, None, ["x"], "x" * 10**4]
)
def test_the_best_checkpoint_lies_in_its_run(tmp_path, saved, checkpoint):
    run = saved_run(tmp_path)
    (run.folder / "best.json").write_text(json.dumps({"checkpoint": checkpoint}))
    assert find_checkpoint(run.folder).parent == run.folder / "checkpoints"


@pytest.mark.parametrize(
    "digests",
    [
        {"a\0b": "0"},
        {"\ud800": "0"},
        [[1, 2]],
        ["ab"],
        {"../x": "0"},
        {"/dev/zero": "0"},
        {"": "0"},
    ],
    ids=str,
)
def test_names_in_checksums_are_those_of_files_beside_it(saved, digests):
    (saved / CHECKSUMS).write_text(json.dumps({"sha256": digests}))
    for names in (None, ["model.safetensors"]):
        assert damage(saved, names) == f"{CHECKSUMS} is damaged"
