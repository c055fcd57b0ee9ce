"""What makes the encoder cheaper is scored on frames, judged as a target and shown on the page."""

import numpy as np
import pytest

from helpers import exports, made_up
from research.performance import accuracy, page
from research.performance.targets import targets

FRAMES = 2  # of the folder's three to train on and two to validate on: one draw scores two


@pytest.fixture
def measured(monkeypatch, rgbd_folder, tmp_path):
    """Of the export of the tests, in the runtimes and precisions that this machine has."""
    pytest.importorskip("onnxruntime", reason='pip install "spd[export]"')

    def export(_folder, _calibration):
        images = np.random.default_rng(0).random((8, 1, 3, 42, 70)).astype(np.float32)
        return exports.write_int8(tmp_path / "export", list(images))

    monkeypatch.setattr(accuracy, "export_shipped", export)
    return accuracy.cheaper_encoders(tmp_path, [str(rgbd_folder)], FRAMES, 1)


def test_every_runtime_and_precision_is_scored_at_every_size_judged_and_shown(measured):
    assert measured["frames"] == FRAMES
    rows = {(r["runtime"], r["precision"], r["share"]): r for r in measured["rows"]}
    runtimes = {(r["runtime"], r["precision"]) for r in measured["rows"]}
    assert len(rows) == len(measured["rows"]) == len(runtimes) * len(accuracy.SHARES)
    for share in accuracy.SHARES:
        float32, int8 = (rows["onnxruntime", p, share]["abs_rel"] for p in ("float32", "int8"))
        assert 0 < float32 == pytest.approx(int8, rel=0.05)
    result = made_up.result(accuracy=measured)
    (judged,) = [t for t in targets(result) if t.what.startswith("shipped model in int8")]
    whole = {p: rows["onnxruntime", p, 1.0]["abs_rel"] for p in ("float32", "int8")}
    assert f"onnxruntime int8 {whole['int8'] / whole['float32'] - 1:+.2%}" in judged.reached
    text = page.render(result)
    for row in measured["rows"]:
        named = f"| {row['runtime']} | {row['precision']} | {row['share']:g} |"
        assert f"{named} {row['abs_rel']:.4f} |" in text


def test_attention_is_shown_without_frames_to_score():
    attention = {"fused": made_up.timed(0.3), "plain": made_up.timed(0.4)}
    text = page.render(made_up.result(attention=attention))
    assert "users get it: 300 ms (270 to 360)" in text
    assert "computes the same: 400 ms (360 to 480)" in text
