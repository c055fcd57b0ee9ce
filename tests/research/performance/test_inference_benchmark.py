"""Every part of the benchmark runs and reports what fits together; no time is asserted."""

import copy
import json
import math

import pytest
import torch

from helpers.checkpoints import save_checkpoint
from research.performance import inference
from research.performance.__main__ import main
from research.performance.inference import Plan, inference_benchmark, sizes_around
from research.performance.subjects import Peer, Setup, pipeline_macs, read_dense
from research.performance.timing import Effort
from spd.config import ModelConfig
from spd.errors import MeasurementError

ONCE = Effort(repeats=3, seconds=0.0, short_s=0.0)
FAST = {"rate": 1e9, "query": {"median_s": 1.0}, "dense": {"median_s": 1.0}}
SLOW = FAST | {"rate": 1e12}


@pytest.fixture
def here(monkeypatch, small_config):
    """A run inside this process, in torch alone, with a yardstick that is not measured."""

    def call(function, *args, **kwargs):
        if function is inference.cases.measure_yardstick:
            return FAST
        return function(*args, **kwargs)

    monkeypatch.setattr(inference, "in_own_process", call)
    monkeypatch.setattr(inference.cases, "matrix_rate", lambda: 1e9)
    monkeypatch.setattr(
        inference, "runtimes_here", lambda: ([inference.Runtime("torch")], {"openvino": "left"})
    )
    return Setup(config=small_config, size=(42, 70), threads=1, effort=ONCE)


def test_a_busy_machine_is_refused_before_the_long_rest(here, monkeypatch):
    cases = []
    monkeypatch.setattr(inference, "in_own_process", lambda *_: SLOW)
    with pytest.raises(MeasurementError, match="end other programs"):
        inference_benchmark(Plan(setup=here, parts=("dense",)), cases.append)
    assert cases == ["yardstick"]


@pytest.mark.slow
def test_queries_maps_and_pipelines_are_measured_in_every_form(here):
    plan = Plan(
        setup=here,
        parts=("query", "dense", "pipelines", "resolutions"),
        counts=(1, 8),
    )
    result = inference_benchmark(plan, lambda _: None)
    assert [(row["form"], row["points"]) for row in result["query"]] == [
        (form, count) for count in (1, 8) for form in ("default", "folded", "literal", "v15.1")
    ]
    for row in result["query"]:
        low, high = row["quartiles_s"]
        assert 0 < low <= row["median_s"] <= high
        assert row["macs"] > 0
        assert ("extra_bytes" in row) == (row["points"] == 8)
    assert {(row["what"], row["form"]) for row in result["passes"]} == {
        (what, form)
        for what in ("dense", "dense+backward", "query+backward")
        for form in ("default", "literal", "v15.1")
    } | {("dense", "folded")}
    assert [row["network"] for row in result["pipelines"]] == ["spd", "peer", "encoder", "v15.1"]
    assert all(row["macs"] > 0 and row["rate"] > 0 for row in result["pipelines"])
    assert result["pipelines"][0]["encoder"]["median_s"] > 0  # in turns with the whole
    assert [row["size"] for row in result["resolutions"]] == [
        list(size) for size in sizes_around((42, 70))
    ]
    assert [row["what"] for row in result["left_out"]] == [
        "openvino",
        "v15.1 in other runtimes than torch",
        "the literal form in other runtimes than torch",
    ]
    assert json.loads(json.dumps(result)) == result


def test_a_compiled_question_is_timed_beside_itself_with_its_first_call(here, monkeypatch):
    given = []
    monkeypatch.setattr(torch, "compile", lambda function: given.append(function) or function)
    result = inference_benchmark(Plan(setup=here, parts=("compiled",)), lambda _: None)
    assert [row["form"] for row in result["compiled"]] == ["folded"]
    assert len(given) == 1
    for row in result["compiled"]:
        assert min(row["first_s"], row["plain"]["median_s"], row["compiled"]["median_s"]) > 0


def test_attention_in_one_kernel_and_written_out_is_the_same_encoder(here):
    row = inference.cases.attention_times(here)
    assert row["fused"]["median_s"] > 0
    assert row["plain"]["median_s"] > 0
    fused = here.model().encoder
    plain = copy.deepcopy(fused)
    plain.backbone.set_attn_implementation("eager")
    image = here.image()
    with torch.inference_mode():
        for one, other in zip(fused(image), plain(image), strict=True):
            torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def test_what_fails_is_left_out_with_its_reason_and_the_rest_goes_on(here, monkeypatch):
    def no_memory(setup, what):
        raise MemoryError(f"no memory for {what}")

    monkeypatch.setattr(inference.cases, "pass_times", no_memory)
    plan = Plan(setup=here, parts=("dense", "accuracy"))
    result = inference_benchmark(plan, lambda _: None)
    assert result["passes"] == []
    reasons = {row["what"]: row["why"] for row in result["left_out"]}
    assert reasons["dense"] == "no memory for dense"
    assert reasons["accuracy of precisions"] == "no --data to measure it on"


@pytest.mark.slow
def test_the_command_writes_json_a_table_and_says_what_was_met(here, small_model, tmp_path, capsys):
    save_checkpoint(small_model, tmp_path / "model")
    out = tmp_path / "out"
    arguments = [
        "inference",
        "-o",
        str(out),
        "--part",
        "dense",
        "-m",
        str(tmp_path / "model"),
    ]
    assert main([*arguments, "--size", "42x70", "--threads", "1"]) == 0
    said = capsys.readouterr().out
    assert "measuring: dense+backward" in said
    assert f"all numbers are in {out}" in said
    result = json.loads((out / "benchmark.json").read_text())
    assert len(result["passes"]) == 10
    assert "## Whole maps" in (out / "benchmark.md").read_text(encoding="utf-8")


def test_sizes_keep_the_shape_and_are_whole_patches():
    assert sizes_around((350, 476)) == [(168, 238), (266, 364), (350, 476), (532, 714)]
    assert sizes_around((28, 28)) == [(28, 28), (42, 42)]


def test_the_peer_is_as_large_as_published_and_answers_every_pixel():
    setup = Setup(config=ModelConfig(), size=(350, 476), threads=1, effort=ONCE)
    # Depth Anything V2 Small has 24.8 M parameters (its paper, table 4, with the encoder's 22 M).
    with torch.device("meta"):
        assert sum(p.numel() for p in Peer(ModelConfig()).parameters()) == 24_785_089
    macs = pipeline_macs(("spd", "peer", "encoder"), setup)
    assert macs["encoder"] < macs["spd"] < macs["peer"]
    assert macs["encoder"] == 24_936_007_680  # docs/cost.md


def test_a_dense_map_is_read_at_the_nearest_pixels(here):
    image, points = here.image(), here.points(5)
    dense = Peer(here.config)(image).detach()
    assert dense.shape == (1, 42, 70)
    read = read_dense(dense, points)
    u, v = points[0, 2].tolist()
    assert read[2] == dense[0, round(v), round(u)]
    assert read.tolist() == read_dense(dense.numpy(), points.numpy()).tolist()
    assert not math.isnan(read[0])
