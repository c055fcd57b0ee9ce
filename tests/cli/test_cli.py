"""The command line: right answers, one clear line for what is wrong, no heavy imports for help."""

import csv
import io
import json
import re
import subprocess
import sys

import numpy as np
import pytest
import typer.main
from PIL import Image

import spd
from helpers.checkpoints import save_checkpoint
from spd.cli import run, spread_lists
from spd.cli.commands import app


@pytest.fixture
def model(small_model, tmp_path):
    save_checkpoint(small_model, tmp_path / "model")
    return tmp_path / "model"


@pytest.fixture
def photo(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


def spd_run(capsys, *argv) -> tuple[int, str, str]:
    code = run([str(word) for word in argv])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def assert_one_line_error(result: tuple[int, str, str], pattern: str, code: int = 2) -> None:
    assert result[0] == code
    lines = result[2].strip().splitlines()
    assert len(lines) == 1, lines
    assert lines[0].startswith("spd: ")
    assert re.search(pattern, lines[0]), lines[0]


def spread(*words: str) -> list[str]:
    return spread_lists(words, typer.main.get_command(app))


def test_lists_are_spread_and_negative_points_are_values():
    got = spread("query", "a.png", "--points", "3,4", "-0.5,3", "-.5,2", "--json")
    assert got == ["query", "a.png", "--points=3,4", "--points=-0.5,3", "--points=-.5,2", "--json"]


def test_a_photo_behind_the_points_is_an_argument():
    got = spread("query", "--points", "3,4", "5,6", "photo.jpg", "--map", "a.npy", "--json")
    assert got == ["query", "--points=3,4", "--points=5,6", "photo.jpg", "--map", "a.npy", "--json"]
    got = spread("train", "--set", "a=1", "b=2", "--data", "x", "y:val", "--plan")
    assert got == ["train", "--set=a=1", "--set=b=2", "--data=x", "--data=y:val", "--plan"]


def test_an_option_behind_a_list_ends_it():
    got = spread("query", "--distance", "-10,0", "480,310", "--intrinsics=520,520,320,240", "-5,1")
    assert got == [
        "query", "--distance=-10,0", "--distance=480,310", "--intrinsics=520,520,320,240", "-5,1",
    ]  # fmt: skip
    lists = {"query": ("--points", "--box", "--line", "--distance"), "calibrate": ("--known",)}
    for command, options in lists.items():
        for option in options:
            assert spread(command, option, "1,2", "--map=a,b.npy")[2:] == ["--map=a,b.npy"]
            assert spread(command, option, "--out=a,b.csv")[-1] == "--out=a,b.csv"


def test_every_list_of_text_takes_several_values_unless_its_metavar_names_one():
    assert spread("score", "x", "--protocol", "native", "y")[2:] == ["--protocol", "native", "y"]
    for command, option in (
        ("train", "--data"), ("train", "--val"), ("train", "--set"), ("evaluate", "--data"),
        ("evaluate", "--training-data"), ("score", "--data"), ("batch", "--points"),
    ):  # fmt: skip
        got = spread(command, option, "1,2", "3,4")
        assert got == [command, f"{option}=1,2", f"{option}=3,4"]


def test_query_answers_what_python_answers(capsys, model, photo):
    code, out, _ = spd_run(
        capsys, "query", photo, "--points", "-0.5,3", "31.25,47", "-m", model,
        "--focal-px", "52", "--json", "--device", "cpu",
    )  # fmt: skip
    assert code == 0
    rows = json.loads(out)
    scene = spd.load(model, device="cpu").encode(photo, focal_px=52.0)
    asked = [(-0.5, 3), (31.25, 47)]
    assert [(row["u"], row["v"]) for row in rows] == asked
    assert [row["depth_m"] for row in rows] == pytest.approx(scene.depth_at(asked), abs=1e-4)
    assert [row["range_m"] for row in rows] == pytest.approx(scene.range_at(asked), abs=1e-4)


@pytest.mark.parametrize(
    "text",
    ["u,v\n3,4\n10.5,20\n", "3,4\n10.5,20", "name,v,u\na,4,3\nb,20,10.5\n",
     "[[3, 4], [10.5, 20]]", '[{"u": 3, "v": 4}, {"u": 10.5, "v": 20}]',
     '{"points": [[3, 4], [10.5, 20]]}', "\ufeffu,v\r\n3,4\r\n\r\n10.5,20"],
)  # fmt: skip
def test_points_files_of_both_forms(capsys, model, photo, tmp_path, text):
    (tmp_path / "points.txt").write_text(text, encoding="utf-8")
    code, out, err = spd_run(
        capsys, "query", photo, "--points-file", tmp_path / "points.txt", "-m", model, "--csv"
    )
    assert code == 0
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [(float(row["u"]), float(row["v"])) for row in rows] == [(3, 4), (10.5, 20)]
    assert "range_m" not in rows[0]  # the focal length is not known
    assert "focal length unknown" in err


def test_query_writes_table_file_and_overlay(capsys, model, photo, tmp_path):
    code, out, _ = spd_run(capsys, "query", photo, "--points", "3,4", "-m", model)
    assert code == 0
    assert out.split()[:3] == ["u", "v", "depth_m"]
    answer, picture = tmp_path / "new" / "answer.csv", tmp_path / "new" / "overlay.png"
    code, out, _ = spd_run(
        capsys, "query", photo, "--points", "3,4", "-m", model, "--csv", "-o", answer,
        "--overlay", picture,
    )  # fmt: skip
    assert code == 0
    assert "wrote 1 point to" in out
    assert answer.read_text().startswith("u,v,depth_m\n3.0,4.0,")
    with Image.open(picture) as opened:
        assert opened.format == "PNG"


@pytest.mark.parametrize(
    ("words", "pattern"),
    [
        (["--points", "3"], r"must be two numbers, u,v .* got '3'"),
        (["--points", "a,b"], r"must be two numbers, u,v .* got 'a,b'"),
        (["--points", "1,2,3"], r"must be two numbers, u,v .* got '1,2,3'"),
        (
            ["--points", "64,3"],
            r"point 0 is \(64, 3\), outside the image of 64 columns and 48 rows",
        ),
        (["--points", "3,3", "nan,3"], r"point 1 is \(nan, 3\)"),
        ([], "no points"),
        (["--points-file", "nowhere.csv"], "points file not found"),
        (["--points", "abc"], r"must be two numbers, u,v .* got 'abc'"),
        (["--points", "3,3", "--focal-px", "-2"], "focal_px must be a positive"),
        (["--points", "3,3", "--focal-px", "0.026"], "than in millimetres"),
        (["--points", "3,3", "--overlay", "picture.jpg"], r"must end in \.png"),
        (["--points", "3,3", "--overlay", "/"], "is a folder"),
        (["--points", "3,3", "--json", "--csv"], "cannot be combined"),
        (["--points", "3,3", "--device", "tpu"], "no device 'tpu'"),
        (["--points", "3,3", "--pionts", "3,3"], "--pionts"),
    ],
)
def test_wrong_questions_get_one_line(capsys, model, photo, words, pattern):
    assert_one_line_error(spd_run(capsys, "query", photo, "-m", model, *words), pattern)


def test_wrong_files_get_one_line(capsys, model, photo, tmp_path):
    ask = ["--points", "3,3"]
    (tmp_path / "empty.png").touch()
    (tmp_path / "cut.png").write_bytes(photo.read_bytes()[:1000])
    for image, pattern in [
        ("none.png", "no image file"),
        ("empty.png", "is empty"),
        ("cut.png", "damaged or truncated"),
        ("model/config.json", "not a readable image"),
    ]:
        result = spd_run(capsys, "query", tmp_path / image, "-m", model, *ask)
        assert_one_line_error(result, pattern)
    result = spd_run(capsys, "query", photo, *ask, "-m", tmp_path)
    assert_one_line_error(result, r"contains no model\.safetensors")
    (tmp_path / "file").touch()
    result = spd_run(capsys, "query", photo, *ask, "-m", model, "-o", tmp_path / "file" / "x")
    assert_one_line_error(result, "cannot write")


def test_train_evaluate_and_resume_end_to_end(capsys, rgbd_folder, tmp_path, monkeypatch):
    # Four steps of two are 2.7 epochs of three frames.
    monkeypatch.setattr("spd.training.plan.MANY_EPOCHS", 2)
    out = tmp_path / "run"
    small = [
        "model.encoder.hidden_size=22", "model.encoder.heads=2", "model.dim=12",
        "model.head_width=17", "model.camera.crop_height_px=42",
        "model.camera.crop_width_px=70", "train.steps=4", "train.warmup_steps=1",
        "train.batch_size=2", "train.points_per_image=16", "train.save_every=2",
    ]  # fmt: skip
    code, text, _ = spd_run(
        capsys, "train", "--recipe", "rooms_tiny", "--data", f"{rgbd_folder}:train",
        "--val", f"{rgbd_folder}:val", "-o", out, "--device", "cpu", "--set", *small,
    )  # fmt: skip
    assert code == 0
    assert "finished 4 steps" in text
    assert "note: there are only 3 frame(s), and each is seen 3 times" in text
    assert "pixels per image, while spd evaluate uses all): 0." in text
    assert (out / "training.png").stat().st_size > 1000
    code, text, _ = spd_run(capsys, "train", "--resume", out)
    assert (code, text.strip()) == (0, f"the run {out} is already finished: 4 steps")
    code, text, _ = spd_run(
        capsys, "evaluate", out, "--data", f"{rgbd_folder}:val", "-o", tmp_path / "evaluation"
    )
    assert code == 0
    assert "native pixels" in text
    assert (tmp_path / "evaluation" / "metrics.json").is_file()
    again = spd_run(capsys, "train", "--data", str(rgbd_folder), "-o", out)
    assert_one_line_error(again, "already contains a run")


@pytest.mark.parametrize(
    ("words", "pattern"),
    [
        (["train"], "no training data"),
        (["train", "--recipe", "kitti"], "unknown recipe 'kitti'"),
        (["train", "--data", "nowhere"], "no file or folder nowhere"),
        (["train", "--data", "nowhere", "--set", "train.speed=3"], "train.speed"),
        (["train", "--data", "nowhere", "--set", "train.steps=many"], "valid integer"),
        (["train", "--data", "nowhere", "--set", "train.steps"], "has no '='"),
        (["train", "--resume", "nowhere"], "no run to resume"),
        (["train", "--resume", "nowhere", "--overfit"], "--resume cannot be combined"),
        (["train", "--resume", "x", "--recipe", "rooms_tiny"], "--resume cannot be combined"),
        (["train", "--data", "nowhere", "--set", "train.step=3"], r"did you mean train\.steps"),
        (["train", "--data", "/", "-o", "/dev/null/run"], "cannot write /dev/null/run: /dev/null"),
        (["train", "--data", "/", "--val", "nowhere"], "no file or folder nowhere"),
        (["data", "check", "nowhere,unti=3"], "unti: unknown key; the options of a source"),
        (["data", "check", "/", "--against", "nowhere"], "no file or folder nowhere"),
        (["data", "sheet", "nowhere", "-o", "a.jpg"], r"must end in \.png"),
        (["data", "convert", "/", "/dev/null/out"], "cannot write /dev/null/out: /dev/null is no"),
        (["data", "rooms", "/dev/null"], "cannot write /dev/null: /dev/null is no"),
        (["evaluate", "nowhere", "--data", "nowhere", "-o", "x"], "no file or folder nowhere"),
        (["cost", "--size", "350"], "HEIGHTxWIDTH"),
        (["cost", "--size", "351x476"], "351"),
        (["frobnicate"], "frobnicate"),
    ],
)
def test_wrong_commands_get_one_line(capsys, tmp_path, monkeypatch, words, pattern):
    monkeypatch.chdir(tmp_path)
    assert_one_line_error(spd_run(capsys, *words), pattern)
    assert list(tmp_path.iterdir()) == []


def test_version_and_plain_call(capsys):
    assert spd_run(capsys, "--version") == (0, f"spd {spd.__version__}\n", "")
    code, out, _ = spd_run(capsys)
    assert "Usage" in out
    assert code in (0, 2)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "query",
        "train",
        "evaluate",
        "score",
        "report",
        "pack",
        "benchmark",
        "cost",
        "data rooms",
    ],
)
def test_every_help_has_an_example(capsys, name):
    code, out, _ = spd_run(capsys, *name.split(), "--help")
    assert code == 0
    if name not in ("", "data"):
        assert f"Example: spd {name}" in " ".join(out.split())


def test_importing_spd_and_asking_for_help_loads_neither_torch_nor_transformers():
    script = (
        "import sys, spd; from spd.cli import run; code = run(['--help']); "
        "sys.exit(code or any(m in sys.modules for m in ('torch', 'transformers', 'matplotlib')))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()


MISTAKES = """
import sys
from spd.cli import run
for words in (
    ["train", "--recipe", "kitti"],
    ["train", "--data", "nowhere"],
    ["train", "--data", "/", "--set", "train.speed=3"],
    ["train", "--data", "/", "--val", "/,unti=metre"],
    ["train", "--data", "/", "--out", "/dev/null/run"],
    ["train", "--data", "/", "--out", "/"],
    ["train", "--resume", "nowhere"],
    ["data", "check", "nowhere"],
    ["data", "check", "/", "--against", "nowhere"],
    ["data", "views", "/", "--recipe", "kitti", "-o", "x.png"],
    ["data", "views", "/", "-o", "x.jpg"],
    ["data", "sheet", "nowhere", "-o", "x.png"],
    ["data", "convert", "nowhere", "out"],
    ["data", "convert", "/", "/dev/null/out"],
    ["data", "rooms", "/dev/null/rooms"],
):
    code = run(words)
    heavy = [name for name in ("torch", "transformers", "matplotlib") if name in sys.modules]
    if code != 2 or heavy:
        sys.exit(f"{words}: code {code}, loaded {heavy}")
"""


def test_mistakes_are_refused_before_torch_is_loaded(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", MISTAKES], cwd=tmp_path, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    assert len(done.stderr.decode().splitlines()) == 15
    assert list(tmp_path.iterdir()) == []


def test_a_run_and_its_plan_need_a_free_folder(capsys, rgbd_folder):
    words = ["train", "--recipe", "rooms_tiny", "--data", str(rgbd_folder), "-o", str(rgbd_folder)]
    for plan in ([], ["--plan"]):
        assert_one_line_error(
            spd_run(capsys, *words, *plan),
            r"the output folder \S+ is the input \S+; choose a different",
        )


def test_the_picture_of_a_query_says_whose_focal_length_it_is(capsys, model, photo, monkeypatch):
    titles = []

    def draw(*_, title: str, **__) -> None:
        titles.append(title)

    monkeypatch.setattr("spd.figures.point_overlay", draw)
    for focal in ([], ["--focal-px", "52"]):
        words = ["query", photo, "--points", "3,4", "-m", model, "--overlay", "x.png", *focal]
        assert spd_run(capsys, *words)[0] == 0
    # 64 columns under the training camera's 63.3 degrees along the longer side.
    assert re.match(
        r"photo\.png, focal length \d\d\.\d px, assumed \(set it with --focal-px\)", titles[0]
    )
    assert titles[1] == "photo.png, focal length 52.0 px, as given"
