import numpy as np
import pytest
from PIL import Image

from spd.errors import InputError
from spd.figures import training_curve
from spd.figures.training_curve import running_mean


def read_png(path) -> np.ndarray:
    with Image.open(path) as image:
        assert image.format == "PNG"
        return np.asarray(image.convert("RGB")).astype(int)


def log(steps: int) -> list[dict[str, float]]:
    return [
        {"step": k, "loss": 2.0 / (k + 1), "encoder_lr": 1e-5, "decoder_lr": 1e-4}
        for k in range(steps)
    ]


def test_training_curve_has_a_panel_for_validation_where_there_is_one(tmp_path):
    plain = read_png(training_curve(log(100), tmp_path / "plain.png"))
    rows = [*log(100), {"step": 100, "val_abs_rel": 0.3}, {"step": 101, "val_abs_rel": 0.2}]
    validated = read_png(training_curve(rows, tmp_path / "validated.png"))
    assert validated.shape[1] == plain.shape[1]
    assert validated.shape[0] > plain.shape[0] + 200
    orange = np.array([0xD5, 0x5E, 0x00])
    assert (np.abs(validated - orange).max(axis=-1) <= 2).sum() > 100
    assert (np.abs(plain - orange).max(axis=-1) <= 2).sum() == 0


def test_training_curve_has_a_title_and_labels_that_lie_on_the_page(tmp_path):
    rows = [*log(100), {"step": 100, "val_abs_rel": 0.3}]
    plain = read_png(training_curve(rows, tmp_path / "plain.png"))
    titled = read_png(training_curve(rows, tmp_path / "titled.png", title="mine: rooms_tiny"))
    assert titled.shape[0] == plain.shape[0] + 34
    assert np.array_equal(titled[-900:], plain[-900:])
    assert (titled[:50].max(axis=-1) < 100).sum() > 200
    assert (plain[:30] == 255).all()
    # Left of the tick labels stand two lines a panel, whole: nothing touches the border.
    assert (plain[:, :10] == 255).all()
    for top in (34, 34 + 284, 34 + 2 * 284):
        ink = (plain[top : top + 250, :66].max(axis=-1) < 150).any(axis=0)
        assert np.diff(ink.astype(int)).tolist().count(1) == 2


@pytest.mark.parametrize(
    "rows",
    [
        log(1),
        [{"step": 5, "loss": float("nan"), "encoder_lr": 0.0, "decoder_lr": 0.0}] * 3,
        [{"step": 5, "loss": -1.0, "val_abs_rel": float("nan")}],
    ],
)
def test_training_curve_survives_short_and_broken_logs(tmp_path, rows):
    assert read_png(training_curve(rows, tmp_path / "curve.png")).shape[1] == 1100


def test_training_curve_needs_steps(tmp_path):
    for rows in ([], [{"loss": 1.0}]):
        with pytest.raises(InputError, match="at least one row"):
            training_curve(rows, tmp_path / "curve.png")


def test_running_mean_looks_back_and_skips_gaps():
    values = np.array([1.0, 3.0, np.nan, 5.0, np.nan, np.nan])
    expected = [1.0, 2.0, 3.0, 5.0, 5.0, np.nan]
    np.testing.assert_array_equal(running_mean(values, 2), expected)
