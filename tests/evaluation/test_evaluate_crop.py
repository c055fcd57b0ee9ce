"""The fixed crop: where it lies, what is asked inside it, and that every report names it."""

import dataclasses
import json
import math

import numpy as np
import pytest

from helpers.fakes import FakePredictor, make_sample
from helpers.samples import slanted_sample
from spd.cli import run
from spd.config import CameraConfig, ModelConfig
from spd.data.sample import RGBDSample
from spd.data.views import middle_placement
from spd.errors import DataError, InputError
from spd.evaluate import PICTURE, evaluate, format_report, predict_set, score
from spd.evaluation.folder import PredictionFolder
from spd.evaluation.predictions import ImageMaps, ImagePredictions, MirroredPredictions
from spd.evaluation.protocols import protocol_named
from spd.evaluation.settings import EvaluationSettings
from spd.pixels import Intrinsics
from spd.recipes import recipe

NYU = Intrinsics(518.8579, 519.46961, 325.58245, 253.73617)
CAMERA = CameraConfig(focal_px=40.0, crop_height_px=28, crop_width_px=42)


def frame(size, camera, name="frame") -> RGBDSample:
    depth_m = np.full(size, 2, np.float32)
    return RGBDSample(np.zeros((*size, 3), np.uint8), depth_m, depth_m > 0, camera, name)


def test_nyus_crop_is_rows_5_to_355_and_columns_2_to_478_of_the_frame_at_three_quarters():
    camera = recipe("nyu_v15_2").model.camera
    crop = middle_placement(frame((480, 640), NYU), camera)
    assert (crop.top, crop.left) == (5, 2)
    assert crop.size == (350, 476)
    assert crop.scale == pytest.approx(0.75, rel=1e-3)
    assert (crop.roll_rad, crop.mirrored) == (0, False)
    assert crop.intrinsics.focal_px == pytest.approx(389.1, rel=1e-12)


def test_nyus_crop_covers_the_whole_eigen_crop():
    sample = frame((480, 640), NYU)
    crop = middle_placement(sample, recipe("nyu_v15_2").model.camera)
    inside = np.zeros((480, 640), bool)
    inside.flat[crop.readings_inside(sample)] = True
    assert inside[45:471, 41:601].all()
    # 389.1 / 519.16 = 0.74947: rows 6.67 to 473.66 and columns 2.67 to 637.78 from the border,
    # where row 7 has its centre at 7.5 and row 473 at 473.5.
    rows, columns = np.nonzero(inside)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (7, 473, 3, 637)
    assert len(rows) == (473 - 7 + 1) * (637 - 3 + 1)


def test_other_frames_are_cropped_in_their_middle():
    # 80 px become 40: 100x120 becomes 50x60, with 22 rows and 18 columns to spare.
    crop = middle_placement(frame((100, 120), Intrinsics.centred(80.0, (100, 120))), CAMERA)
    assert (crop.scale, crop.top, crop.left) == (0.5, 11, 9)


def test_frames_smaller_than_the_crop_are_refused():
    small = frame((100, 82), Intrinsics.centred(80.0, (100, 82)), "small")  # 41 of 42 columns
    with pytest.raises(
        DataError,
        match=r"small, resampled .* 50x41 pixels, which is smaller than the crop of 28x42",
    ):
        middle_placement(small, CAMERA)
    # Half a pixel less still shows every pixel's centre: the tiny camera's focal length is
    # rounded, so NYU's 640 columns become 223.87 of 224.
    tiny = ModelConfig.tiny().camera
    crop = middle_placement(frame((480, 640), NYU), tiny)
    assert (crop.left, crop.top, crop.size) == (0, 0, (168, 224))


def test_squeezed_frames_are_refused():
    with pytest.raises(DataError, match="its pixels are not square"):
        middle_placement(frame((350, 476), Intrinsics(385.9, 378.8, 242, 185)), CAMERA)


class PlaneScene:
    """Knows the depth of `plane`: as points, and as a map that is linear between pixels."""

    def __init__(self, size) -> None:
        self.size = size
        self.asked = None

    def depth_at(self, points):
        self.asked = points.copy()
        return plane(points).astype(np.float32)

    def depth_map(self, *, fast):
        assert fast
        v, u = np.mgrid[: self.size[0], : self.size[1]]
        return plane(np.stack([u, v], axis=-1)).astype(np.float32)


def plane(points):
    """Metres at `(u, v)` of the crop."""
    return 2 + 0.02 * points[..., 0] + 0.03 * points[..., 1]


class PlanePredictor(FakePredictor):
    config = ModelConfig(camera=CAMERA)

    def encode(self, image, *, focal_px):
        self.encoded.append((image, focal_px))
        self.scene = PlaneScene(image.shape[:2])
        return self.scene


def tilted_sample(name="tilted", size=(100, 120)) -> RGBDSample:
    """The plane that the crop shows, at each of the photo's own pixels."""
    v, u = np.mgrid[: size[0], : size[1]]
    # The crop of `CAMERA`: half the size, 9 columns and 11 rows away.
    crop = np.stack([(u + 0.5) * 0.5 - 9.5, (v + 0.5) * 0.5 - 11.5], axis=-1)
    depth_m = plane(crop).astype(np.float32)
    image = np.stack([u, v, 0 * u], axis=-1).astype(np.uint8)
    camera = Intrinsics.centred(80.0, size)
    return RGBDSample(image, depth_m, depth_m > 0, camera, name)


def test_native_pixels_inside_the_crop_are_asked_where_they_lie_in_it(tmp_path):
    predictor, sample = PlanePredictor(), tilted_sample()
    report = evaluate(predictor, [sample], tmp_path, view="crop")
    # 84 of the photo's columns and 56 of its rows.
    assert report.points == 84 * 56
    ((image, focal_px),) = predictor.encoded
    assert image.shape == (28, 42, 3)
    assert focal_px == pytest.approx(40.0, rel=1e-12)
    # The first is pixel (18, 22): half a pixel of the photo is a quarter of one of the crop's.
    np.testing.assert_allclose(predictor.scene.asked[0], [-0.25, -0.25], atol=1e-12)
    np.testing.assert_allclose(predictor.scene.asked[-1], [41.25, 27.25], atol=1e-12)
    stored = ImagePredictions.read(PredictionFolder(tmp_path).image_path("tilted"))
    assert stored.pixel_index[0] == 22 * 120 + 18
    np.testing.assert_allclose(stored.sparse_m, stored.truth_m, rtol=1e-6)
    # Between the crop's pixels the map is read bilinearly, which a plane survives; beyond the
    # outermost centres it repeats the border, a quarter of a pixel away at most.
    inner = ((predictor.scene.asked >= 0) & (predictor.scene.asked <= (41, 27))).all(axis=1)
    assert inner.sum() == 82 * 54
    np.testing.assert_allclose(stored.dense_m[inner], stored.truth_m[inner], rtol=1e-6)
    assert np.abs(stored.dense_m - stored.truth_m).max() < 0.25 * (0.02 + 0.03) + 1e-6
    assert report.sparse.abs_rel == pytest.approx(0, abs=1e-6)


def test_the_whole_photo_stays_the_default(tmp_path):
    predictor = PlanePredictor()
    report = evaluate(predictor, [tilted_sample()], tmp_path)
    assert report.points == 100 * 120
    assert report.settings.view == "whole"
    assert "crop" not in report.words
    assert report.share_seen == 1
    ((image, focal_px),) = predictor.encoded
    assert (image.shape, focal_px) == ((100, 120, 3), 80.0)


def test_the_crop_is_named_in_settings_protocol_and_metrics(tmp_path):
    report = evaluate(PlanePredictor(), [tilted_sample()], tmp_path, view="crop")
    words = "native pixels inside the middle crop of 28x42 at focal length 40 px, 0.001 < d"
    assert words in report.words
    written = json.loads((tmp_path / "metrics.json").read_text())
    assert (written["view"], written["protocol"]) == ("crop", report.words)
    # 84 of 120 columns and 56 of 100 rows are seen.
    assert written["share_of_readings_seen"] == pytest.approx(0.7 * 0.56, rel=1e-12)
    table = format_report(report)
    assert "the crop contains 39.2% of the frames' valid pixels" in table
    assert words in " ".join(table.split())
    assert written["settings"]["view"] == "crop"
    assert written["dense_read_at_nearest_pixel"] == 0
    assert score(tmp_path) == report
    with pytest.raises(DataError, match="different settings: view; choose a different folder"):
        evaluate(PlanePredictor(), [tilted_sample()], tmp_path)


def test_settings_from_before_there_were_views_are_of_whole_photos(tmp_path):
    evaluate(PlanePredictor(), [tilted_sample()], tmp_path)
    path = tmp_path / "settings.json"
    settings = json.loads(path.read_text())
    del settings["view"]
    path.write_text(json.dumps(settings))
    assert EvaluationSettings.read(path).view == "whole"


def test_readings_outside_the_crop_do_not_count_and_a_crop_without_any_is_skipped(tmp_path):
    sample = tilted_sample()
    empty = tilted_sample("empty")
    empty.valid[22:78, 18:102] = False
    unknown = make_sample(1, intrinsics=False)
    report = evaluate(PlanePredictor(), [sample, empty, unknown], tmp_path, view="crop")
    assert report.skipped == {"empty": "no valid ground truth", "room/01": "no focal length"}
    sample.depth_m[30, 30], sample.depth_m[0, 0] = 12.0, 12.0  # one inside, one outside
    again = evaluate(PlanePredictor(), [sample], tmp_path / "again", view="crop")
    assert again.points == 84 * 56 - 1


def test_frames_smaller_than_the_crop_end_the_evaluation(tmp_path):
    # 7 px become 40: 4x8 pixels become 23x46.
    with pytest.raises(
        DataError,
        match=r"room/00, resampled .* 23x46 pixels, which is smaller than the crop of 28x42",
    ):
        evaluate(PlanePredictor(), [make_sample(0, size=(4, 8))], tmp_path, view="crop")


def test_models_without_a_camera_and_other_views_are_refused(tmp_path):
    class Bare:
        def to_dict(self):
            return {"name": "somebody's"}

    predictor = PlanePredictor()
    predictor.config = Bare()
    with pytest.raises(InputError, match="no training camera"):
        evaluate(predictor, [tilted_sample()], tmp_path, view="crop")
    with pytest.raises(InputError, match="view must be whole or crop, got 'half'"):
        evaluate(PlanePredictor(), [tilted_sample()], tmp_path, view="half")
    assert not (tmp_path / "settings.json").exists()


def test_the_crop_is_mirrored_in_itself_and_mapped_whole(tmp_path):
    predictor, sample = PlanePredictor(), tilted_sample()
    settings = EvaluationSettings.of(predictor, data="", view="crop")
    flips = dataclasses.replace(protocol_named("native"), flip=True)
    folder = predict_set(predictor, [sample], tmp_path, settings, protocols=[flips], maps="sparse")
    shown, mirrored = (image for image, _ in predictor.encoded)
    np.testing.assert_array_equal(mirrored, shown[:, ::-1])
    stored = ImagePredictions.read(folder.image_path("tilted"))
    assert stored.seen == (22, 78, 18, 102)
    assert (stored.readings, stored.readings_seen) == (100 * 120, 84 * 56)
    # What lies at column u of the crop lies at 41 - u of the mirrored one, whose plane rises with
    # its own columns.
    v, u = np.mgrid[22:78, 18:102]
    points = np.stack([(u + 0.5) * 0.5 - 9.5, (v + 0.5) * 0.5 - 11.5], axis=-1)
    turned = plane(np.stack([41 - points[..., 0], points[..., 1]], axis=-1))
    answers = MirroredPredictions.read(folder.mirrored_path("tilted"), 84 * 56)
    np.testing.assert_allclose(answers.sparse_m, turned.ravel(), rtol=1e-6)
    inner = ((points >= 0) & (points <= (41, 27))).all(axis=-1).ravel()
    np.testing.assert_allclose(answers.dense_m[inner], turned.ravel()[inner], rtol=1e-6)
    maps = ImageMaps.read(folder.maps_path("tilted"))
    np.testing.assert_allclose(maps.sparse_m, plane(points), rtol=1e-6)
    np.testing.assert_array_equal(maps.truth_m, sample.depth_m[22:78, 18:102])


def test_a_crop_that_does_not_show_all_a_protocol_scores_is_refused():
    bts = protocol_named("bts")
    bts.check_frame("frame", (480, 640), (7, 474, 3, 638))  # as the specification's model sees NYU
    message = (
        r"crop of frame shows rows 46..474, .*; use protocol native, or spd evaluate with --view"
    )
    with pytest.raises(InputError, match=message):
        bts.check_frame("frame", (480, 640), (46, 474, 3, 638))


def test_the_picture_shows_the_crop(tmp_path, monkeypatch):
    import spd.figures

    drawn = []
    monkeypatch.setattr(
        spd.figures, "evaluation_sheet", lambda rows, path, heading: drawn.extend(rows)
    )
    sample = tilted_sample()
    sample.valid[:40] = False
    evaluate(
        PlanePredictor(),
        [sample],
        tmp_path / PICTURE,
        view="crop",
        open_sample={"tilted": sample}.get,
    )
    (row,) = drawn
    assert row.image.shape == (28, 42, 3)
    # The crop's pixel (0, 9) averages the photo's columns 18, 19 and rows 40, 41.
    assert row.image[9, 0].tolist() == [pytest.approx(18.5, abs=1), pytest.approx(40.5, abs=1), 0]
    assert np.isnan(row.truth_m[:9]).all()
    assert math.isclose(row.truth_m[9, 0], sample.depth_m[41, 19], rel_tol=1e-6)
    assert row.predicted_m.shape == (28, 42)


def test_the_command_takes_a_view(tmp_path, capsys, small_model, rgbd_folder):
    from helpers.checkpoints import save_checkpoint

    camera = CameraConfig(focal_px=40.0, crop_height_px=28, crop_width_px=42)
    small_model.config = small_model.config.model_copy(update={"camera": camera})
    save_checkpoint(small_model, tmp_path / "model")
    words = ["evaluate", tmp_path / "model", "--data", f"{rgbd_folder}:val", "--device", "cpu"]
    code = run([str(w) for w in (*words, "-o", tmp_path / "crop", "--view", "crop")])
    assert code == 0
    words = " ".join(capsys.readouterr().out.split())
    assert "inside the middle crop of 28x42 at focal length 40 px" in words
    # 51.84 px become 40: 48x64 become 37.04x49.38, cropped from row 5 and column 4. From the
    # border those are the photo's rows 6.48 to 42.77 and columns 5.18 to 59.62.
    assert slanted_sample().intrinsics.focal_px == pytest.approx(51.84)
    metrics = json.loads((tmp_path / "crop" / "metrics.json").read_text())
    assert metrics["points"] == 2 * 37 * 55
    assert run([str(w) for w in (*words, "-o", tmp_path / "x", "--view", "half")]) == 2
