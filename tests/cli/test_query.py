"""`spd query` beyond points: what it prints and writes is what Python answers, one line if not."""

import csv
import io
import json
import re

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

import spd
from helpers.checkpoints import save_checkpoint
from spd.cli import run
from spd.scenes import Line, distances_m, length_m

FOCAL = ("--focal-px", "52")
MASK = np.zeros((48, 64), dtype=bool)
MASK[10:20, 30:50] = True


@pytest.fixture
def here(small_model, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save_checkpoint(small_model, tmp_path / "model")
    pixels = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    Image.fromarray(pixels).save("photo.png")
    Image.fromarray(MASK).save("mask.png")
    Image.fromarray(MASK).convert("L").save("mask.jpg")
    return tmp_path


@pytest.fixture
def ask(here, capsys):
    def ask_photo(*words: str) -> tuple[int, str, str]:
        code = run(["query", "photo.png", "-m", "model", "--device", "cpu", *map(str, words)])
        said = capsys.readouterr()
        return code, said.out, said.err

    return ask_photo


def scene(**camera):
    return spd.load("model", device="cpu").encode("photo.png", **(camera or {"focal_px": 52.0}))


def test_points_have_their_place_in_space(ask):
    code, out, _ = ask("--points", "3,4", "50.5,40", *FOCAL, "--json")
    assert code == 0
    got = [[row["x_m"], row["y_m"], row["depth_m"]] for row in json.loads(out)]
    assert np.array(got) == pytest.approx(scene().points_3d([(3, 4), (50.5, 40)]), abs=1e-4)


def test_a_lens_moves_places_and_ranges(ask):
    camera = ("--intrinsics", "52,50,30,25", "--distortion", "-0.1,0.01,0.001,0")
    code, out, _ = ask("--points", "3,4", *camera, "--json")
    assert code == 0
    (row,) = json.loads(out)
    asked = scene(intrinsics=[[52, 0, 30], [0, 50, 25], [0, 0, 1]])
    xyz = asked.points_3d([(3, 4)], distortion=(-0.1, 0.01, 0.001, 0))[0]
    assert [row["x_m"], row["y_m"]] == pytest.approx(xyz[:2], abs=1e-4)
    assert row["range_m"] == pytest.approx(np.linalg.norm(xyz), abs=1e-4)
    assert abs(row["range_m"] - asked.range_at([(3, 4)])[0]) > 1e-3


def test_a_grid_asks_the_centres_of_its_fields(ask):
    code, out, _ = ask("--grid", "4x3", *FOCAL, "--csv")
    assert code == 0
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [(float(row["u"]), float(row["v"])) for row in rows[:5]] == [
        (7.5, 7.5), (23.5, 7.5), (39.5, 7.5), (55.5, 7.5), (7.5, 23.5),
    ]  # fmt: skip
    assert len(rows) == 12


def test_boxes_and_masks_give_a_row_each(ask):
    code, out, _ = ask("--box", "-5,4,20,30", "2,2,9,9", "--mask", "mask.png", *FOCAL, "--json")
    assert code == 0
    rows = json.loads(out)
    assert [row["region"] for row in rows] == ["-5,4,20,30", "2,2,9,9", "mask.png"]
    for row, where in zip(rows, [(-5, 4, 20, 30), (2, 2, 9, 9), MASK], strict=True):
        found = scene().region(where)
        assert row["points"] == found.count
        assert row["valid_share"] == pytest.approx(found.valid_share, abs=1e-4)
        assert row["median_m"] == pytest.approx(found.median_m, abs=1e-4)
        assert row["p90_m"] == pytest.approx(found.p90_m, abs=1e-4)
    assert rows[0]["valid_share"] < 1


def test_a_box_that_barely_touches_the_photo_has_nothing_valid(ask, here):
    words = ("--box", "-10,0,-0.2,20", *FOCAL)
    code, out, _ = ask(*words, "--json", "--overlay", "box.png")
    assert code == 0
    (row,) = json.loads(out)
    assert row["valid_share"] == 0
    assert (here / "box.png").stat().st_size > 1000
    assert ask(*words)[0] == 0


def test_distances_and_lines_are_in_space(ask):
    code, out, _ = ask("--distance", "3,4", "50,40", "1,1", "1,2", *FOCAL, "--json")
    assert code == 0
    got = [row["distance_m"] for row in json.loads(out)]
    pairs = [[(3, 4), (50, 40)], [(1, 1), (1, 2)]]
    assert got == pytest.approx(distances_m(scene(), pairs), abs=1e-4)
    points = [(3, 4), (50, 40), (60, 4)]
    lens = "--intrinsics=52,52,31.5,23.5"  # behind a list, and not a part of it
    assert json.loads(ask("--distance", "3,4", "50,40", lens, "--json")[1])[0]["distance_m"] == (
        pytest.approx(got[0], abs=1e-4)
    )
    code, out, _ = ask("--line", "3,4", "50,40", "60,4", *FOCAL, "--json")
    (row,) = json.loads(out)
    assert row["length_m"] == pytest.approx(length_m(scene(), points), abs=1e-4)
    assert row["median_m"] == pytest.approx(scene().region(Line.through(points)).median_m, abs=1e-4)
    code, out, _ = ask("--line", "3,4", "50,40", "--json")  # without a focal length
    assert code == 0
    assert "length_m" not in json.loads(out)[0]


def test_the_ending_chooses_the_form(ask, here):
    for name in ("a.csv", "a.json", "a.parquet", "a.txt"):
        code, out, _ = ask("--points", "3,4", *FOCAL, "-o", name)
        assert (code, out.strip()) == (0, f"wrote 1 point to {name}")
    assert (here / "a.csv").read_text().startswith("u,v,depth_m,range_m,x_m,y_m\n3.0,4.0,")
    depth_m = scene().depth_at([(3, 4)])[0]
    assert json.loads((here / "a.json").read_text())[0]["depth_m"] == pytest.approx(
        depth_m, abs=1e-4
    )
    assert pq.read_table("a.parquet")["depth_m"].to_pylist() == [depth_m]  # every bit
    assert (here / "a.txt").read_text().split()[:3] == ["u", "v", "depth_m"]


def test_maps_need_no_question_and_hold_the_models_map(ask, here):
    code, out, err = ask(
        "--map", "d.npy", "--map", "d.png", "--map", "c.ply", "--map", "c.glb", *FOCAL
    )
    assert (code, out) == (0, "")
    assert "16-bit depth (1000 steps per metre" in err
    assert (np.load("d.npy") == scene().depth_map(fast=True)).all()
    with Image.open("d.png") as image:
        assert np.abs(np.asarray(image) / 1000 - np.load("d.npy")).max() <= 0.0005 + 1e-6
    assert (here / "c.ply").read_bytes()[:4] == b"ply\n"
    assert (here / "c.glb").read_bytes()[:4] == b"glTF"
    code, _, err = ask("--map", "e.npy", "--every-pixel", *FOCAL)
    assert (np.load("e.npy") == scene().depth_map()).all()


def test_pictures_show_regions_lines_or_nothing_but_the_map(ask, here):
    for number, words in enumerate(
        (["--box", "2,2,20,20"], ["--distance", "3,4", "50,40"], ["--line", "3,4", "50,40"], [])
    ):
        code, _, err = ask(*words, *FOCAL, "--overlay", f"{number}.png")
        assert code == 0
        assert f"wrote the picture to {number}.png" in err
        with Image.open(f"{number}.png") as image:
            assert image.width > 500


@pytest.mark.parametrize(
    ("text", "pattern"),
    [
        ("u,v\n3,4\n\nx,7\n", r"p\.txt, line 4 is 'x,7'; expected u,v"),
        ("3,4\n5\n", r"p\.txt, line 2 is '5'"),
        ("u,v\n3,4\n\n99,4\n", r"p\.txt, line 4: point 1 is \(99, 4\), outside"),
        ("[[3, 4],\n [5]]", r"p\.txt, point 2 of 2 is \[5\]; expected JSON"),
        ("[[3, 4],\n [5, 6", r"p\.txt: line 2: "),
        ('{"pts": 3}', "expected JSON such as"),
        ("", "no points"),
    ],
)
def test_a_points_file_is_wrong_at_a_line_as_an_editor_counts(ask, here, text, pattern):
    (here / "p.txt").write_text(text)
    code, _, err = ask("--points-file", "p.txt")
    assert code == 2
    assert len(err.splitlines()) == 1
    assert re.search(pattern, err), err


def test_points_of_a_parquet_table(ask, here):
    import pyarrow as pa

    pq.write_table(pa.table({"name": ["a"], "u": [3.0], "v": [4.0]}), "p.parquet")
    code, out, _ = ask("--points-file", "p.parquet", *FOCAL, "--json")
    assert (code, json.loads(out)[0]["u"]) == (0, 3.0)
    pq.write_table(pa.table({"x": [3.0]}), "p.parquet")
    assert "expected columns u and v" in ask("--points-file", "p.parquet")[2]
    pq.write_table(pa.table({"u": [3.0, None], "v": [4.0, 1.0]}), "p.parquet")
    assert "row 1: u is None" in ask("--points-file", "p.parquet")[2]
    (here / "p.parquet").write_bytes(b"PAR1 and nothing")
    assert "damaged" in ask("--points-file", "p.parquet")[2]


@pytest.mark.parametrize(
    ("words", "pattern"),
    [
        (
            ["--points", "3,4", "--box", "1,1,5,5"],
            "expected one type of question per command, got --points and --box$",
        ),
        (
            ["--points-file", "p.csv", "--mask", "m.png", "--distance", "3,4", "5,6"],
            "got --points-file and --mask and --distance$",
        ),
        (["--box", "1,1,5"], "must be x0,y0,x1,y1"),
        (["--box", "5,1,1,5"], "x0 < x1"),
        (["--box", "70,1,80,5"], "70,1,80,5: .* outside the photo of 64 columns"),
        (["--mask", "mask.jpg"], "save the mask as PNG"),
        (["--mask", "none.png"], "no image file"),
        (["--grid", "4"], "--grid must be COLUMNSxROWS"),
        (["--grid", "4000x3000"], "more than 1,000,000 points"),
        (["--distance", "3,4"], "an even number of points"),
        (["--distance", "3,4", "5,6"], "needs the photo's focal length"),
        (["--map", "c.ply"], r"a point cloud \(c\.ply\) needs the photo's focal length"),
        (["--line", "3,4"], "at least two points"),
        (["--map", "d.tiff"], r"one of \.npy, \.png, \.ply, \.glb"),
        (["--map", "d.npy", "--edge-ratio", "1"], "above 1"),
        (["--map", "d.png", "--png-unit", "0"], "positive"),
        (["--map", "d.npy", "-o", "a.csv"], "no points"),
        (["--map", "d.png", "--png-unit", "1e9"], "do not fit 16 bits"),
        (["--points", "3,4", "--json", "-o", "a.csv"], "selects csv, but --json was also given"),
        (
            ["--points", "3,4", "--csv", "-o", "a.parquet"],
            "selects parquet, but --csv was also given",
        ),
        (["--points", "3,4", "--distortion", "0,0,0,0"], "distortion requires intrinsics"),
        (["--points", "3,4", "--intrinsics", "52,52,32"], "must be fx,fy,cx,cy"),
        (["--points", "3,4", "--intrinsics", "52,9,32,0,52,24,0,0,1"], "a skew of 9 px"),
        (["--points", "3,4", "--intrinsics", "52,52,32,24", *FOCAL], "pass only one of focal_px"),
        (["--points", "3,4", "--intrinsics", "52,52,32,24", "--distortion", "1,2"], "4, 5 or 8"),
    ],
)
def test_wrong_questions_get_one_line_and_leave_nothing(ask, here, words, pattern):
    before = sorted(here.iterdir())
    code, _, err = ask(*words)
    assert code == 2
    (line,) = [line for line in err.splitlines() if line.startswith("spd: ")]
    assert err.endswith(f"{line}\n")  # what was said of the photo comes before
    assert re.search(pattern, line), line
    assert sorted(here.iterdir()) == before


def test_intrinsics_of_another_size_are_warned_of(ask):
    code, _, err = ask("--points", "3,4", "--intrinsics", "52,52,320,240")
    assert code == 0
    assert "are the intrinsics for this size" in err


def test_ros_camera_matrices_are_taken_as_four_numbers_are(ask):
    four, nine = "52,50,30,25", "52,0,30,0,50,25,0,0,1"
    twelve, text = "52,0,30,-4,0,50,25,0,0,0,1,0", "[52.0, 0.0, 30.0, 0.0, 50.0, 25.0, 0, 0, 1.0]"
    answers = [
        ask("--points", "3,4", "--intrinsics", camera, "--json")
        for camera in (four, nine, twelve, text)
    ]
    assert [code for code, _, _ in answers] == [0] * 4
    assert {out for _, out, _ in answers} == {answers[0][1]}


def test_help_says_what_shipped_is(capsys):
    assert run(["query", "--help"]) == 0
    said = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert "shipped (the bundled model)" in said.replace("`", "")
