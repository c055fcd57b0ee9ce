"""The benchmark measures what it says: counts, shares and memory that fit together."""

import json

from research.performance.__main__ import main


def test_it_times_the_loader_and_the_steps_and_writes_what_it_ran_on(rgbd_folder, tmp_path, capsys):
    out = tmp_path / "speed.json"
    arguments = [
        "training",
        "--data",
        f"{rgbd_folder}:train",
        "--recipe",
        "rooms_tiny",
    ]
    arguments += ["--steps", "2", "--images", "4", "--workers", "0", "--out", str(out)]
    arguments += ["--device", "cpu", "--set", "train.batch_size=2", "model.encoder.layers=4"]
    assert main(arguments) == 0
    said = capsys.readouterr().out
    result = json.loads(out.read_text())
    assert [speed["workers"] for speed in result["loader"]] == [0]
    assert result["loader"][0]["images_per_s"] > 0
    step = result["step"]
    low, high = step["step_s_quartiles"]
    assert 0 < low <= step["step_s_median"] <= high
    assert step["images_per_s"] <= 2 / low  # waiting included, it cannot be faster than the steps
    assert 0 <= step["waiting_share"] < 1
    assert step["peak_bytes"] > step["standing_bytes"] > 0
    assert result["machine"]["processor"] in said
    assert result["recipe"]["train"]["encoder_weights"] is None
