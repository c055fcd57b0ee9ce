"""The folder of an evaluation: what is kept, what is refused, and which files it has."""

import dataclasses
import datetime
import json
import re

import pytest

from helpers.fakes import FakePredictor, make_sample, settings_of
from spd import __version__
from spd.errors import DataError, InputError
from spd.evaluate import evaluate, predict_set, score
from spd.evaluation.folder import PredictionFolder

FLOAT32 = 1e-6  # answers are stored in float32: a relative 6e-8, a few of them


def test_interrupted_predictions_continue_where_they_stopped(tmp_path):
    samples = [make_sample(k) for k in range(3)]

    def interrupted():
        yield from samples[:2]
        raise KeyboardInterrupt

    first = FakePredictor()
    with pytest.raises(KeyboardInterrupt):
        predict_set(first, interrupted(), tmp_path, settings_of(first))
    assert [index for index, _ in first.encoded] == [0, 1]
    with pytest.raises(
        DataError, match="incomplete; run the evaluation again with the same settings"
    ):
        score(tmp_path)
    second = FakePredictor()
    predict_set(second, samples, tmp_path, settings_of(second))
    assert [index for index, _ in second.encoded] == [2]
    assert score(tmp_path).count == 3


def test_other_settings_in_the_same_folder_are_refused(tmp_path):
    evaluate(FakePredictor(), [make_sample(0)], tmp_path)
    message = "different settings: model, max_points; choose a different folder, or delete this one"
    with pytest.raises(DataError, match=message):
        evaluate(FakePredictor("other"), [make_sample(0)], tmp_path, max_points=3)
    assert score(tmp_path).sparse.abs_rel == pytest.approx(0.1, rel=FLOAT32)


def test_weights_retrained_in_place_are_other_settings(tmp_path):
    checkpoint = tmp_path / "model.safetensors"
    checkpoint.write_bytes(b"first weights")
    first = settings_of(FakePredictor(str(checkpoint)))
    assert first.differences(settings_of(FakePredictor(str(checkpoint)))) == []
    checkpoint.write_bytes(b"other weights")
    assert first.differences(settings_of(FakePredictor(str(checkpoint)))) == ["weights_sha256"]
    assert settings_of(FakePredictor("someone/on-the-hub")).weights_sha256 is None


def test_an_evaluation_refused_before_its_first_prediction_writes_nothing(tmp_path):
    folder = tmp_path / "evaluation"
    with pytest.raises(InputError, match="protocol bts scores rows"):
        evaluate(FakePredictor(), [make_sample(0)], folder, protocol="bts")
    assert not folder.exists()
    evaluate(FakePredictor(), [make_sample(0)], folder)
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    with pytest.raises(InputError, match="protocol bts scores rows"):
        evaluate(FakePredictor(), [make_sample(0)], folder, protocol="bts")
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
    assert score(folder).count == 1


def test_the_date_is_stored_and_may_differ(tmp_path):
    before = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
    evaluate(FakePredictor(), [make_sample(0)], tmp_path)
    settings = json.loads((tmp_path / "settings.json").read_text())
    date = datetime.datetime.fromisoformat(settings["date"])
    assert before <= date <= datetime.datetime.now(datetime.UTC)
    assert settings["date"].endswith("+00:00")
    assert (
        json.loads((tmp_path / "metrics.json").read_text())["settings"]["date"]
        == (settings["date"])
    )
    settings["date"] = "2020-01-02T03:04:05+00:00"
    (tmp_path / "settings.json").write_text(json.dumps(settings))
    report = evaluate(FakePredictor(), [make_sample(0)], tmp_path)  # the same evaluation, kept
    assert report.settings.date == "2020-01-02T03:04:05+00:00"
    assert settings_of(FakePredictor()) == dataclasses.replace(
        settings_of(FakePredictor()), date=settings["date"]
    )


def test_another_versions_folder_is_refused_with_both_versions(tmp_path):
    evaluate(FakePredictor(), [make_sample(0)], tmp_path)
    path = tmp_path / "settings.json"
    settings = json.loads(path.read_text())
    settings["versions"]["spd"] = "0.0.1"
    path.write_text(json.dumps(settings))
    both = rf"different settings: versions \(spd 0\.0\.1, now {re.escape(__version__)}\); choose"
    with pytest.raises(DataError, match=both):
        evaluate(FakePredictor(), [make_sample(0)], tmp_path)
    path.write_text(json.dumps(settings | {"since_then": 1}))
    both = rf"SPD 0\.0\.1 wrote it, this is {re.escape(__version__)}"
    with pytest.raises(DataError, match=rf"the settings of an evaluation \({both}\)"):
        score(tmp_path)


def test_other_data_of_the_same_name_is_refused(tmp_path):
    evaluate(FakePredictor(), [make_sample(0)], tmp_path)
    changed = make_sample(0)
    changed.depth_m[3, 3] = 2.5
    with pytest.raises(DataError, match="has predictions for different data named 'room/00'"):
        evaluate(FakePredictor(), [changed], tmp_path)


def test_two_samples_of_one_name_are_refused(tmp_path):
    with pytest.raises(DataError, match="two samples are named 'same'"):
        evaluate(FakePredictor(), [make_sample(k, name="same") for k in (0, 1)], tmp_path)


@pytest.mark.parametrize("name", ["../../up", "a/b\\c:d*e", "部屋 " * 60, "x" * 300, ".", "%2F"])
def test_any_name_becomes_a_file_inside_the_folder(tmp_path, name):
    folder = PredictionFolder(tmp_path)
    path = folder.image_path(name)
    assert path.parent == tmp_path / "predictions"
    assert len(path.name) < 200
    report = evaluate(FakePredictor(), [make_sample(0, name=name)], tmp_path)
    assert path.is_file()
    assert report.images[0].name == name


def test_long_names_with_one_beginning_stay_apart(tmp_path):
    paths = {PredictionFolder(tmp_path).image_path("x" * 300 + end) for end in "ab"}
    assert len(paths) == 2


def test_damaged_files_are_named(tmp_path):
    evaluate(FakePredictor(), [make_sample(0)], tmp_path)
    path = PredictionFolder(tmp_path).image_path("room/00")
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match="damaged; delete it and evaluate again"):
        score(tmp_path)
    path.unlink()
    with pytest.raises(DataError, match="is missing; run the evaluation again"):
        score(tmp_path)
    (tmp_path / "settings.json").write_text("{}")
    with pytest.raises(DataError, match="does not contain the settings of an evaluation"):
        score(tmp_path)


def test_a_folder_with_other_files_is_refused(tmp_path):
    (tmp_path / "frames.json").write_text("[]")
    with pytest.raises(DataError, match="contains no evaluation; choose a different folder"):
        evaluate(FakePredictor(), [make_sample(0)], tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["frames.json"]
