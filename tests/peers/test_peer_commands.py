"""`spd query` with a published model: answers, refusals, how early; evaluation end to end."""

import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

import spd
from helpers import tiny_peers
from helpers.checkpoints import save_checkpoint
from helpers.samples import slanted_sample
from spd.cli import run
from spd.evaluate import evaluate


@pytest.fixture
def photo(tmp_path):
    Image.fromarray(tiny_peers.make_photo(40, 50)).save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


@pytest.fixture
def metric(tmp_path):
    return tiny_peers.write_peer(tmp_path / "metric", *tiny_peers.metric_depth_anything())


def spd_run(capsys, *argv) -> tuple[int, str, str]:
    code = run([str(word) for word in argv])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_query_answers_what_python_answers(capsys, metric, photo):
    asked = [(25, 20), (3.5, 4)]
    words = ["query", photo, "--points", "25,20", "3.5,4", "-m", metric, "--json"]
    code, out, err = spd_run(capsys, *words)
    assert (code, err) == (0, "")  # nothing is assumed, so nothing is warned of
    rows = json.loads(out)
    scene = spd.load(metric, device="cpu").encode(photo, focal_px=60.0)
    assert [row["depth_m"] for row in rows] == pytest.approx(scene.depth_at(asked), abs=1e-4)
    assert "range_m" not in rows[0]
    rows = json.loads(spd_run(capsys, *words, "--focal-px", "60")[1])
    assert [row["range_m"] for row in rows] == pytest.approx(scene.range_at(asked), abs=1e-4)


def test_query_draws_what_a_published_model_answers(capsys, metric, photo, tmp_path):
    picture = tmp_path / "overlay.png"
    words = ["query", photo, "--points", "25,20", "-m", metric, "--overlay", picture]
    assert spd_run(capsys, *words)[0] == 0
    with Image.open(picture) as opened:
        assert opened.format == "PNG"


def test_query_refuses_what_has_no_metres_in_one_line(capsys, photo, tmp_path):
    folder = tiny_peers.write_peer(tmp_path / "relative", *tiny_peers.depth_anything())
    code, out, err = spd_run(capsys, "query", photo, "--points", "3,4", "-m", folder)
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert err.startswith(f"spd: {folder} predicts relative disparity, which has no scale")
    assert "Depth-Anything-V2-Metric-Indoor-Small-hf" in err


def test_query_names_a_model_that_is_no_depth_model(capsys, photo, tmp_path):
    (tmp_path / "bert").mkdir()
    (tmp_path / "bert" / "config.json").write_text('{"model_type": "bert"}')
    (tmp_path / "bert" / "model.safetensors").touch()
    code, _, err = spd_run(capsys, "query", photo, "--points", "3,4", "-m", tmp_path / "bert")
    assert code == 2
    assert err.count("\n") == 1
    assert "a model of type bert is not a supported depth model" in err


def test_a_warning_is_called_one_and_comes_before_the_answer(small_model, photo, tmp_path):
    save_checkpoint(small_model, tmp_path / "ours")
    words = ["query", photo, "--points", "3,4", "-m", tmp_path / "ours", "--device", "cpu"]
    done = subprocess.run(
        [sys.executable, "-u", "-m", "spd", *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,  # one stream, in the order of writing
        text=True,
        check=True,
    )
    lines = done.stdout.splitlines()
    assert lines[0].startswith("warning: focal length unknown")
    assert lines[1].startswith("50x40 photo")  # how the photo is read
    assert lines[2].split() == ["u", "v", "depth_m"]


def test_what_can_be_refused_at_once_is_refused_before_torch_is_loaded(photo, tmp_path):
    relative = tmp_path / "relative"
    relative.mkdir()
    (relative / "config.json").write_text('{"model_type": "dpt"}')
    (relative / "model.safetensors").touch()
    (tmp_path / "file").touch()
    ask = ["--points", "3,4", "-m", str(relative)]
    wrong = [
        (["query", str(tmp_path / "none.jpg"), *ask], "no image file"),
        (["query", str(tmp_path / "file"), *ask], "is empty"),
        (["query", str(photo), "--points", "3;4", "-m", "x"], "must be two numbers, u,v"),
        (["query", str(photo), "--points-file", "none.csv"], "points file not found"),
        (["query", str(photo), *ask, "-o", str(tmp_path / "file" / "x")], "cannot write"),
        (["query", str(photo), *ask, "--overlay", "x.jpg"], "must end in .png"),
        (["query", str(photo), "--points", "3,4", "-m", str(tmp_path / "no")], "no file or folder"),
        (["query", str(photo), *ask], "predicts relative disparity"),
    ]
    script = (
        "import json, sys; from spd.cli import run\n"
        "codes = [run(words) for words in json.loads(sys.argv[1])]\n"
        "loaded = {'torch', 'transformers', 'matplotlib'} & set(sys.modules)\n"
        "sys.exit(f'{codes} {loaded}' if loaded or set(codes) != {2} else 0)"
    )
    argument = json.dumps([words for words, _ in wrong])
    done = subprocess.run(
        [sys.executable, "-c", script, argument], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    lines = done.stderr.splitlines()
    assert len(lines) == len(wrong)
    for line, (_, said) in zip(lines, wrong, strict=True):
        assert said in line


def test_a_published_model_is_evaluated_on_frames(metric, tmp_path):
    samples = [slanted_sample("a"), slanted_sample("b", (35, 50))]
    predictor = spd.load(metric, device="cpu")
    report = evaluate(predictor, samples, tmp_path / "out", data="two frames")
    assert report.count == 2
    # The definition, by hand: the map at every reading, clamped, against the truth, then the mean.
    errors = []
    for sample in samples:
        depth = predictor.encode(sample.image).depth_map().clip(1e-3, 10)
        errors.append(np.mean(np.abs(depth - sample.depth_m) / sample.depth_m))
    assert report.sparse.abs_rel == pytest.approx(np.mean(errors), rel=1e-5)
    # It has one map, so both ways of reading it are the same.
    assert report.dense.abs_rel == report.sparse.abs_rel
    settings = json.loads((tmp_path / "out" / "settings.json").read_text())
    assert settings["config"]["kind"] == "metric"
    assert settings["model"] == str(metric)
    assert len(settings["weights_sha256"]) == 64
