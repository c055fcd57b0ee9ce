"""Protocols through the whole evaluation: against published evaluators, and against slow loops."""

import dataclasses
import json
import math
import warnings
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from helpers.fakes import MapPredictor, map_sample
from helpers.published import PUBLISHED, published_maps
from spd.data.source_name import SourceOptions
from spd.errors import ConfigError, InputError
from spd.evaluate import (
    PROTOCOL_NAMES,
    PROTOCOLS,
    default_protocol,
    evaluate,
    format_report,
    score,
    score_all,
)
from spd.evaluation.metrics.accuracy import METRIC_NAMES
from spd.evaluation.protocols import protocol_named, protocols_named

ONE_IN_A_MILLION = {"rel": 1e-6, "abs": 1e-9}


@pytest.mark.parametrize(("case", "name"), list(PUBLISHED))
def test_numbers_are_those_of_published_evaluators(tmp_path, case, name):
    """NeWCRFs, ZoeDepth, Depth Anything V2, monodepth2, MoGe: `tests/helpers/published.py`."""
    truth, predicted = published_maps(case)
    report = evaluate(MapPredictor([predicted]), [map_sample(0, truth)], tmp_path, protocol=name)
    expected = dict(zip(METRIC_NAMES, PUBLISHED[case, name], strict=True))
    assert report.sparse.to_dict() == pytest.approx(expected, **ONE_IN_A_MILLION)
    assert report.dense.to_dict() == pytest.approx(expected, **ONE_IN_A_MILLION)


def slow(images, name) -> dict[str, float]:
    """The numbers of `(truth, answers)` maps under a protocol, one pixel at a time."""
    per_image = []
    for truth, answers in images:
        crops = name.startswith("bts")
        pairs = [
            (float(truth[v, u]), float(answers[v, u]))
            for v, u in np.argwhere(truth > 1e-3).tolist()
            if (truth[v, u] < 10 if crops else truth[v, u] <= 10)
            and (not crops or (45 <= v < 471 and 41 <= u < 601))
        ]
        g = [pair[0] for pair in pairs]
        p = aligned([pair[1] for pair in pairs], g, name)
        p = [max(x, 1e-3) if name == "dav2" else min(max(x, 1e-3), 10.0) for x in p]
        per_image.append(list(zip(g, p, strict=True)))
    if name == "bts-pooled":
        per_image = [[pair for pairs in per_image for pair in pairs]]
    rows = [slow_numbers(pairs, name) for pairs in per_image]
    return {key: sum(row[key] for row in rows) / len(rows) for key in METRIC_NAMES}


def aligned(p, g, name) -> list[float]:
    if name.endswith("median"):
        ratio = float(np.median(g)) / float(np.median(p))
        return [ratio * x for x in p]
    if "lsq" not in name:
        return p
    inverse = name.endswith("disparity")
    x = [1 / max(a, 1e-3) for a in p] if inverse else p
    y = [1 / b for b in g] if inverse else g
    mx, my = math.fsum(x) / len(x), math.fsum(y) / len(y)
    sxx = math.fsum((a - mx) ** 2 for a in x)
    slope = math.fsum((a - mx) * (b - my) for a, b in zip(x, y, strict=True)) / sxx if sxx else 0.0
    line = [slope * (a - mx) + my for a in x]
    return [1 / s if s > 0 else 10.0 for s in line] if inverse else line


def slow_numbers(pairs, name) -> dict[str, float]:
    n = len(pairs)
    d = [math.log(p / g) for g, p in pairs]
    mean_d, mean_dd = math.fsum(d) / n, math.fsum(x * x for x in d) / n
    within = [sum(max(p / g, g / p) < 1.25**k for g, p in pairs) / n for k in (1, 2, 3)]
    spread = math.fsum((x - mean_d) ** 2 for x in d) / n  # mean_dd - mean_d^2
    return {
        "abs_rel": math.fsum(abs(p - g) / g for g, p in pairs) / n,
        "sq_rel": math.fsum((p - g) ** 2 / g for g, p in pairs) / n,
        "rmse": math.sqrt(math.fsum((p - g) ** 2 for g, p in pairs) / n),
        "rmse_log": math.sqrt(mean_dd),
        "log10": math.fsum(abs(math.log10(p / g)) for g, p in pairs) / n,
        "silog": math.sqrt(spread + mean_d**2 / 2) if name == "dav2" else 100 * math.sqrt(spread),
        "delta1": within[0],
        "delta2": within[1],
        "delta3": within[2],
    }


def frame(rng, readings) -> np.ndarray:
    """A 480x640 depth map with so many readings, half of them inside the Eigen crop."""
    truth = np.zeros((480, 640), np.float32)
    half = readings // 2
    rows = np.concatenate([rng.integers(45, 471, half), rng.integers(0, 45, half)])
    truth[rows, rng.integers(41, 601, len(rows))] = rng.uniform(0.3, 9.9, len(rows))
    return truth


ANSWERS = {
    "random": lambda rng, truth: rng.uniform(0.2, 14, truth.shape),
    "close": lambda rng, truth: 0.8 * truth + rng.uniform(0.1, 0.5, truth.shape),
    "all equal": lambda rng, truth: np.full(truth.shape, 2.5),
    "two values": lambda rng, truth: np.where(rng.random(truth.shape) < 0.5, 1.0, 4.0),
    "the truth": lambda rng, truth: np.where(truth > 0, truth, 1.0),
}


@pytest.mark.parametrize("answers", list(ANSWERS))
def test_every_protocol_is_a_slow_loop(tmp_path, answers):
    rng = np.random.default_rng(len(answers))
    truths = [frame(rng, readings) for readings in (40, 8, 2)]  # 20, 4 and 1 in the crop
    maps = [ANSWERS[answers](rng, truth).astype(np.float32) for truth in truths]
    samples = [map_sample(number, truth) for number, truth in enumerate(truths)]
    names = [name for name in PROTOCOL_NAMES if name != "bts-flip"]
    evaluate(MapPredictor(maps), samples, tmp_path, protocol="native")
    for report in score_all(tmp_path, names):
        expected = slow(list(zip(truths, maps, strict=True)), report.protocol.name)
        # An exact fit leaves roundings of 1e-16, which silog takes the root of and times 100.
        found = report.sparse.to_dict()
        assert found == pytest.approx(expected, rel=1e-9, abs=1e-6), report.protocol.name


def test_a_mirrored_photo_is_answered_where_each_reading_lies_in_it(tmp_path):
    truth = np.full((480, 640), 2.0, np.float32)
    predicted = (1 + np.arange(640, dtype=np.float32) / 640)[None].repeat(480, axis=0)
    # The mirrored photo is answered 1 m farther, turned round.
    predictor = MapPredictor([predicted], mirrored=[predicted + 1])
    report = evaluate(predictor, [map_sample(0, truth)], tmp_path, protocol="bts-flip")
    inside = predicted[0, 41:601].astype(np.float64) + 0.5
    expected = np.mean(np.abs(inside - 2) / 2)
    assert report.sparse.abs_rel == pytest.approx(expected, rel=1e-6)
    assert report.dense.abs_rel == pytest.approx(expected, rel=1e-6)
    assert predictor.asked == ["photo", "mirrored"]
    # Without flip the same folder gives the photo's own answers.
    plain = score(tmp_path, protocol="bts")
    assert plain.sparse.abs_rel == pytest.approx(np.mean(np.abs(inside - 2.5) / 2), rel=1e-6)


def test_predictions_for_a_further_protocol_are_added_to_a_folder(tmp_path):
    truth = np.full((480, 640), 2.0, np.float32)
    predictor = MapPredictor([truth * 1.5], mirrored=[truth * 2])
    sample = map_sample(0, truth)
    evaluate(predictor, [sample], tmp_path, protocol="bts")
    message = "has no predictions for the mirrored photo 'map/0'; run the evaluation again"
    with pytest.raises(Exception, match=message):
        score(tmp_path, protocol="bts-flip")
    assert predictor.asked == ["photo"]
    report = evaluate(predictor, [sample], tmp_path, protocol="bts-flip")
    assert predictor.asked == ["photo", "mirrored"]
    assert report.sparse.abs_rel == pytest.approx(0.75, rel=1e-6)


def test_one_prediction_pass_fills_a_table_for_each_protocol(tmp_path):
    truth, predicted = published_maps("plain")
    evaluate(MapPredictor([predicted]), [map_sample(0, truth)], tmp_path, protocol="native")
    reports = score_all(tmp_path, ["bts,bts-median", "dav2"])
    written = json.loads((tmp_path / "metrics.json").read_text())
    assert written["protocol_name"] == "bts"
    others = written["other_protocols"]
    assert [other["protocol_name"] for other in others] == ["bts-median", "dav2"]
    assert others[1]["sparse"] == reports[2].sparse.to_dict()
    assert written["protocol_settings"] == reports[0].protocol.to_dict()
    rows = (tmp_path / "per_image.csv").read_text().splitlines()
    assert [row.split(",")[0] for row in rows] == ["protocol", "bts", "bts-median", "dav2"]


def test_the_full_settings_stand_above_the_table():
    for protocol in PROTOCOLS:
        words = protocol.words()
        assert words.startswith(f"{protocol.name}: native pixels")
        assert ("Eigen crop" in words) == protocol.name.startswith("bts")
        assert ("no alignment" in words) == (protocol.alignment == "none")
        assert ("no flip" in words) == (protocol.name != "bts-flip")
        assert ("all pixels pooled" in words) == (protocol.name == "bts-pooled")
        assert ("0.5 (mean d)^2" in words) == (protocol.name == "dav2")
        assert ("raw ground truth" in words) == (not protocol.name.startswith("native"))


def test_flip_pools_and_aligned_protocols_differ_from_their_base_in_one_setting():
    base = protocol_named("bts").to_dict()
    for name, setting in (
        *(("bts-flip", "flip"), ("bts-pooled", "averaging")),
        *(("bts-median", "alignment"), ("bts-lsq", "alignment")),
    ):
        other = protocol_named(name).to_dict()
        assert {key for key in base if base[key] != other[key]} == {"name", setting}


def test_names_may_be_joined_by_commas_and_unknown_ones_are_refused():
    chosen = protocols_named(["bts, native", "bts"])
    assert [protocol.name for protocol in chosen] == ["bts", "native"]
    with pytest.raises(
        ConfigError, match="unknown protocol 'eigen'; choose from native, native-median"
    ):
        protocols_named(["eigen"])


@pytest.mark.parametrize(
    ("name", "other"),
    [("bts", "native"), ("bts-median", "native-median"), ("bts-lsq", "native-lsq")],
)
def test_a_crop_of_other_frames_is_refused_before_anything_is_predicted(tmp_path, name, other):
    truth = np.full((240, 320), 2.0, np.float32)
    predictor = MapPredictor([truth])
    message = (
        rf"protocol {name} scores rows 45..471, columns 41..601 of 480x640 depth, but map/0 has "
        rf"240x320; use protocol {other}"
    )
    with pytest.raises(InputError, match=message):
        evaluate(predictor, [map_sample(0, truth)], tmp_path, protocol=name)
    assert predictor.asked == []
    evaluate(predictor, [map_sample(0, truth)], tmp_path, protocol=other)
    with pytest.raises(InputError, match=message):
        score(tmp_path, protocol=name)


@pytest.mark.parametrize(
    ("kind", "name", "advice"),
    [
        ("relative-depth", "native", "native-median or native-lsq or native-lsq-disparity"),
        ("relative-disparity", "native", "use native-lsq-disparity"),
        ("relative-disparity", "bts-median", "use bts-lsq-disparity"),
        ("relative-disparity", "dav2", "use native-lsq-disparity"),
    ],
)
def test_a_model_without_scale_needs_an_alignment(tmp_path, kind, name, advice):
    truth = np.full((480, 640), 2.0, np.float32)
    predictor = MapPredictor([truth])
    predictor.kind = kind
    with pytest.raises(InputError, match=rf"which has no scale in metres, .*{advice}"):
        evaluate(predictor, [map_sample(0, truth)], tmp_path, protocol=name)
    assert predictor.asked == []


def test_a_relative_disparity_model_is_scored_aligned(tmp_path):
    rng = np.random.default_rng(0)
    truth = rng.uniform(1, 5, (12, 16)).astype(np.float32)
    predictor = MapPredictor([(4 / truth - 0.3).astype(np.float32)])
    predictor.kind = "relative-disparity"
    report = evaluate(predictor, [map_sample(0, truth)], tmp_path, protocol="native-lsq-disparity")
    assert report.sparse.abs_rel == pytest.approx(0, abs=1e-6)
    assert "the model predicts relative disparity, which has no scale" in format_report(report)
    with pytest.raises(InputError, match="use native-lsq-disparity"):
        score(tmp_path, protocol="native-lsq")


def test_an_unknown_kind_is_refused(tmp_path):
    predictor = MapPredictor([])
    predictor.kind = "disparity"
    with pytest.raises(InputError, match="kind must be one of metric, relative-depth"):
        evaluate(predictor, [], tmp_path)


class NamedSource:
    def __init__(self, is_nyu, depth=None):
        self.is_nyu = is_nyu
        self.options = type("Options", (), {"depth": depth, "max_depth_m": None})


class NamedSamples(list):
    def __init__(self, samples, *sources):
        super().__init__(samples)
        self.sources = sources


def test_bts_is_the_default_for_nyus_whole_frames_and_native_for_other_data():
    whole = [map_sample(0, np.ones((480, 640), np.float32))]
    small = [map_sample(0, np.ones((240, 320), np.float32))]
    nyu, other, filled = NamedSource(True), NamedSource(False), NamedSource(True, "filled")
    assert default_protocol(NamedSamples(whole, nyu)) == "bts"
    for samples in (
        *(NamedSamples(whole, other), NamedSamples(whole, nyu, other), NamedSamples(small, nyu)),
        *(NamedSamples(whole, filled), NamedSamples([], nyu), whole, iter(whole)),
    ):
        assert default_protocol(samples) == "native"


def test_the_default_is_kept_with_the_predictions(tmp_path):
    truth = np.ones((480, 640), np.float32)
    samples = NamedSamples([map_sample(0, truth)], NamedSource(True))
    assert evaluate(MapPredictor([truth]), samples, tmp_path).protocol.name == "bts"
    assert score(tmp_path).protocol.name == "bts"


class WarningPredictor(MapPredictor):
    """Warns of an assumed focal length, as ours does; an alignment forgives it."""

    def encode(self, image, *, focal_px):
        if focal_px is None:
            warnings.warn("focal length unknown", stacklevel=2)
        return super().encode(image, focal_px=focal_px)


def test_frames_without_a_focal_length_are_scored_under_an_alignment_alone(tmp_path):
    truth = np.full((6, 8), 2.0, np.float32)
    samples = [map_sample(0, truth), map_sample(1, truth, focal_px=None)]
    predictor = WarningPredictor([1.5 * truth, 1.25 * truth])
    report = evaluate(predictor, samples, tmp_path, protocol="native-median")
    assert (report.count, report.skipped) == (2, {})
    assert report.sparse.abs_rel == pytest.approx(0, abs=1e-6)
    plain = score(tmp_path, protocol="native")
    assert (plain.count, plain.skipped) == (1, {"map/1": "no focal length"})


class _OfSources(list):
    """Samples that know their sources, as those of `open_samples` do."""

    def __init__(self, samples, *caps_m: float) -> None:
        super().__init__(samples)
        self.sources = [
            SimpleNamespace(
                is_nyu=False, options=SourceOptions(max_depth_m=cap_m), path=Path("street")
            )
            for cap_m in caps_m
        ]


def test_a_stated_largest_depth_replaces_ten_metres(tmp_path):
    truth = np.array([[5.0, 20.0, 50.0, 90.0]] * 4, np.float32)
    predicted = np.array([[5.0, 22.0, 100.0, 90.0]] * 4, np.float32)
    sample = dataclasses.replace(map_sample(0, truth), valid=np.ones(truth.shape, bool))
    samples = _OfSources([sample], 80.0)
    report = evaluate(MapPredictor([predicted]), samples, tmp_path)
    assert report.points == 12
    assert report.sparse.abs_rel == pytest.approx((0 + 0.1 + 0.6) / 3)  # 100 is clamped to 80
    assert "0.001 < d <= 80 m" in format_report(report)
    assert "predictions clamped to 0.001..80 m" in " ".join(format_report(report).split())
    assert json.loads((tmp_path / "metrics.json").read_text())["settings"]["max_depth_m"] == 80
    (nearer,) = score_all(tmp_path, max_depth_m=30.0)
    assert (nearer.points, nearer.protocol.max_m) == (8, 30.0)
    assert nearer.sparse.abs_rel == pytest.approx(0.05)
    with pytest.raises(InputError, match=r"max_depth_m is 90, but .* has predictions up to 80 m"):
        score_all(tmp_path, max_depth_m=90.0)


def test_ten_metres_stay_the_default_and_two_caps_are_refused(tmp_path):
    truth = np.array([[5.0, 20.0]] * 4, np.float32)
    sample = dataclasses.replace(map_sample(0, truth), valid=np.ones(truth.shape, bool))
    report = evaluate(MapPredictor([truth]), [sample], tmp_path)
    assert (report.points, report.protocol.max_m) == (4, 10.0)
    with pytest.raises(ConfigError, match=r"different largest depths, 10 and 80 m"):
        evaluate(MapPredictor([truth]), _OfSources([sample], 10.0, 80.0), tmp_path / "two")
