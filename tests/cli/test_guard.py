"""No output of a command is one of its inputs, and a file that the user did not name stays."""

import inspect
import os
import typing
from pathlib import Path

import numpy as np
import pytest
import typer.main
from PIL import Image

from spd.cli import run
from spd.cli.commands import app
from spd.cli.guard import Reads, Writes, parameters_of
from spd.files import write_text

NOT_FILES = {  # options of text that name no file
    *("batch.points", "batch.grid", "batch.device", "batch.runtime", "batch.precision"),
    *("benchmark.size", "benchmark.device"),
    *("calibrate.known", "calibrate.device"),
    *("evaluate.protocol", "evaluate.device", "score.protocol", "train.device"),
    *("convert.split", "pack.license"),
    *("query.points", "query.grid", "query.boxes", "query.distance", "query.line"),
    *("query.memory", "calibrate.memory", "batch.memory"),
    *("query.intrinsics", "query.distortion", "query.device", "query.runtime", "query.precision"),
}
POINTS = ["--points", "3,4", "--focal-px", "52"]


def commands(command=None) -> list:
    """Functions of all commands."""
    command = command or typer.main.get_command(app)
    below = getattr(command, "commands", {}).values()
    return [one for name in below for one in commands(name)] or [inspect.unwrap(command.callback)]


def holds(kind, wanted) -> bool:
    parts = [] if typing.get_origin(kind) is typing.Literal else typing.get_args(kind)
    return kind is wanted or any(holds(part, wanted) for part in parts)


@pytest.mark.parametrize("command", commands(), ids=lambda command: command.__name__)
def test_every_parameter_that_names_a_file_is_an_input_or_an_output(command):
    marks = {one.name: one.mark for one in parameters_of(command)}
    if not any(isinstance(mark, Writes) for mark in marks.values()):
        return  # it writes nothing, so nothing can be lost
    for name, annotation in command.__annotations__.items():
        if name == "return":
            continue
        kind = (typing.get_args(annotation) or (annotation,))[0]
        words = " ".join(str(part) for part in typing.get_args(annotation)[1:])
        if "--out" in str(getattr(typing.get_args(annotation)[1], "param_decls", "")):
            assert isinstance(marks[name], Writes), words
        if holds(kind, str) and f"{command.__name__}.{name}" not in NOT_FILES:
            assert name in marks, f"mark {command.__name__}.{name} with Reads, Writes, or here"


def leaves(command=None, name="spd") -> list[tuple[str, typing.Any]]:
    """Every command of the tree with its words."""
    command = command or typer.main.get_command(app)
    below = getattr(command, "commands", None)
    if below is None:
        return [(name, command)]
    return [leaf for word, one in below.items() for leaf in leaves(one, f"{name} {word}")]


@pytest.mark.parametrize(("name", "command"), leaves(), ids=[name for name, _ in leaves()])
def test_every_option_that_takes_a_path_is_marked_whether_or_not_its_command_writes(name, command):
    marks = {one.name: one.mark for one in parameters_of(command.callback)}
    hints = typing.get_type_hints(command.callback)
    for parameter in command.params:
        if holds(hints[parameter.name], Path):
            assert parameter.name in marks, f"{name}: mark {parameter.opts} with Reads or Writes"
        if {"-o", "--out"} & set(parameter.opts):
            assert isinstance(marks[parameter.name], Writes), f"{name}: {parameter.opts}"
    said = " ".join((command.help or "").split()).lower()
    writes = any(isinstance(mark, Writes) for mark in marks.values())
    assert writes or not said.startswith(("write", "download", "unpack", "render", "convert"))


def test_every_command_that_writes_is_known_to_write():
    writing = {
        command.__name__
        for command in commands()
        if any(isinstance(one.mark, Writes) for one in parameters_of(command))
    }
    every = {command.__name__ for command in commands()}
    assert every - writing == {"serve", "cost", "check"}  # these print


@pytest.fixture
def photo(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pixels = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    Image.fromarray(pixels).save("photo.png")
    Image.new("L", (64, 48), 255).save("mask.png")
    write_text("points.csv", "u,v\n3,4\n")
    write_text("points.json", "[[3, 4]]\n")
    return tmp_path / "photo.png"


def contents(folder) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def assert_refused(capsys, folder, words, pattern) -> None:
    """One line of error, and no file changed or appeared."""
    before = contents(folder)
    code = run([str(word) for word in words])
    captured = capsys.readouterr()
    assert code == 2, captured
    assert len(captured.err.strip().splitlines()) == 1, captured.err
    assert pattern in captured.err
    assert "choose a different" in captured.err or "its own" in captured.err
    assert contents(folder) == before


QUERY = ["query", "photo.png", "--focal-px", "52"]
CALIBRATE = ["calibrate", "--known", "3,4,2", "--focal-px", "52"]
INPUTS = {
    "map": [*QUERY, "--map", "photo.png"],
    "overlay": [*QUERY, "--overlay", "photo.png"],
    "table": [*QUERY, "--points", "3,4", "-o", "photo.png"],
    "path": [*QUERY, "--map", "./sub/../photo.png"],
    "points": [*QUERY, "--points-file", "points.csv", "-o", "points.csv"],
    "points JSON": [*QUERY, "--points-file", "points.json", "--json", "-o", "points.json"],
    "mask": [*QUERY, "--mask", "mask.png", "--map", "mask.png"],
    "mask overlay": [*QUERY, "--mask", "mask.png", "--overlay", "mask.png"],
    "second map": [*QUERY, "--map", "a.npy", "--map", "photo.png"],
    "symbolic link": [*QUERY, "--map", "symbolic.png"],
    "link as input": ["query", "symbolic.png", "--map", "photo.png"],
    "hard link": [*QUERY, "--map", "hard.png"],
    "hard link as input": ["query", "hard.png", "--overlay", "photo.png"],
    "linked folder": [*QUERY, "--map", "folder/photo.png"],
    "dangling": [*QUERY, "--points-file", "points.csv", "-o", "chain.csv"],
    "calibration": [*QUERY, "--points", "3,4", "--calibration", "points.json", "-o", "points.json"],
    "calibrated photo": [*CALIBRATE, "photo.json", "-o", "photo.json"],
    "model": [*QUERY, "--points", "3,4", "--model", "model", "-o", "model/config.json"],
    "file of the model": [*QUERY, "--points", "3,4", "-m", "model/model.safetensors",
                          "-o", "model/model.safetensors"],
    "benchmark": ["benchmark", "--model", "model", "-o", "model/config.json"],
}  # fmt: skip


@pytest.mark.parametrize("words", INPUTS.values(), ids=INPUTS)
def test_an_output_that_is_an_input_is_refused(capsys, photo, words):
    folder = photo.parent
    os.link("photo.png", "hard.png")
    os.symlink("photo.png", "symbolic.png")
    os.symlink(folder, "folder")
    os.symlink("second.csv", "chain.csv")
    os.symlink("points.csv", "second.csv")
    os.mkdir("sub")
    os.mkdir("model")
    write_text("model/config.json", "{}")
    write_text("model/model.safetensors", "weights")
    write_text("photo.json", "a photo may have any name")
    assert_refused(capsys, folder, words, "input")


def test_files_of_the_shipped_model_are_inputs_too(capsys, photo, monkeypatch, tmp_path):
    monkeypatch.setattr("spd.cli.guard._SHIPPED", tmp_path / "shipped")
    write_text("shipped/config.json", "{}")
    words = [*QUERY, "--points", "3,4", "-o", "shipped/config.json"]
    assert_refused(capsys, tmp_path, words, "in the input folder")


def test_two_outputs_in_one_file_are_refused(capsys, photo):
    for words in (
        [*QUERY, "--map", "a.png", "--overlay", "a.png"],
        [*QUERY, "--map", "a.ply", "--map", "./a.ply"],
        [*QUERY, "--points", "3,4", "-o", "a.png", "--map", "a.png"],
    ):
        assert_refused(capsys, photo.parent, words, "are the same file")
    write_text("a.png", "old")
    os.symlink("a.png", "b.png")
    words = [*QUERY, "--map", "a.png", "--overlay", "b.png"]
    assert_refused(capsys, photo.parent, words, "are the same file")
    assert run([*QUERY, "--map", "/dev/null", "--overlay", "/dev/null"]) == 2  # an unknown ending
    assert "file extension" in capsys.readouterr().err


def test_a_named_output_replaces_a_file_that_is_not_an_input(capsys, photo):
    for name in ("out.csv", "map.npy", "picture.png"):
        write_text(name, "old")
    words = ["--points-file", "points.csv", "-o", "out.csv", "--map", "map.npy"]
    assert run([*QUERY, *words, "--overlay", "picture.png"]) == 0
    assert np.load("map.npy").shape == (48, 64)
    assert (photo.parent / "out.csv").read_text().startswith("u,v,depth_m")
    # A copy is not the photo, and neither is a name that only looks like it.
    (photo.parent / "Photo.png").write_bytes(photo.read_bytes())
    assert run([*QUERY, "--map", "Photo.png"]) == 0


def test_a_default_name_that_exists_is_refused_with_two_ways_out(capsys, photo):
    words = ["calibrate", "photo.png", "--known", "3,4,2", "--focal-px", "52"]
    assert run(words) == 0
    first = (photo.parent / "calibration.json").read_bytes()
    words[3] = "3,4,3"
    assert_refused(capsys, photo.parent, words, "calibration.json already exists; pass --overwrite")
    assert run([*words, "-o", "other.json"]) == 0
    assert (photo.parent / "calibration.json").read_bytes() == first
    assert run([*words, "--overwrite"]) == 0
    assert (photo.parent / "calibration.json").read_bytes() != first
    assert run([*words, "-o", "calibration.json"]) == 0  # named, so replaced
    os.remove("calibration.json")
    os.symlink("nowhere", "calibration.json")
    assert_refused(capsys, photo.parent, words, "already exists")


def test_the_demo_replaces_no_file_of_the_user(capsys, photo):
    assert_refused(capsys, photo.parent, ["demo"], "points.csv already exists; pass --overwrite")
    assert_refused(capsys, photo.parent, ["demo", "-o", "."], "points.csv already exists")
    assert run(["demo", "-o", "new"]) == 0
    assert_refused(capsys, photo.parent, ["demo", "-o", "new"], "room.png already exists")
    assert run(["demo", "-o", "new", "--overwrite"]) == 0


def test_overwriting_never_covers_an_input(capsys, photo):
    write_text("calibration.json", "a photo may have any name")
    words = [*CALIBRATE, "calibration.json", "--overwrite"]
    assert_refused(capsys, photo.parent, words, "input")


def test_files_of_data_are_inputs_by_any_way_to_them(capsys, photo, rgbd_folder):
    folder = photo.parent
    data = rgbd_folder.name
    image = sorted(rgbd_folder.glob("*.png"))[0].name
    os.symlink(rgbd_folder, folder / "link")
    os.link(rgbd_folder / image, folder / "hard.png")
    os.symlink(rgbd_folder / image, folder / "soft.png")
    write_text("sources/list.png", "")
    os.symlink(rgbd_folder, folder / "sources" / "frames")  # data behind a link
    os.symlink(folder / "sources", folder / "sources" / "loop")
    for source in (data, f"{data}:train", f"{data},focal_px=52", f"{data}:train,root={data}"):
        for out in (f"{data}/{image}", f"link/{image}", "hard.png", "soft.png"):
            assert_refused(capsys, folder, ["data", "sheet", source, "-o", out], "input folder")
    words = ["data", "views", "photo.png,root=sources", "-o", f"{data}/{image}"]
    assert_refused(capsys, folder, words, "input folder")
    words = ["data", "sheet", data, "x:train", data, "-o", f"{data}/{image}"]
    assert_refused(capsys, folder, words, "input folder")


def test_output_folders_that_are_or_hold_or_enter_data_are_refused(capsys, photo, rgbd_folder):
    folder, data = photo.parent, rgbd_folder.name
    os.mkdir("above")
    os.rename(data, "above/frames")
    os.symlink("above/frames", "link")
    os.makedirs("plain/rgb")
    os.makedirs("plain/depth")
    for name in ("rgb", "depth"):
        write_text(f"plain/{name}/0.png", "")
    source = "above/frames"
    to = {
        "is": [source, "link", f"{source}/../frames"],
        "contains": ["above", "."],
    }
    for relation, outputs in to.items():
        for out in outputs:
            for words in (
                ["data", "convert", source, out],
                ["evaluate", "shipped", "--data", source, "-o", out],
                ["train", "--data", source, "--recipe", "rooms_tiny", "-o", out],
                ["train", "--data", "x", "--val", source, "-o", out],
            ):
                assert_refused(capsys, folder, words, f"{relation} the input")
    for words in (
        ["data", "convert", "plain", "plain/rgb/new"],
        ["data", "convert", "plain:train", "plain/new"],
        ["evaluate", "shipped", "--data", "plain", "-o", "plain/depth/new"],
        ["batch", "plain/rgb", "--points", "3,4", "-o", "plain"],
        ["batch", "points.csv", "-o", "."],
        ["pack", source, "-o", source],
        ["export", "onnx", source, "-o", "link"],
        ["score", "above", "--data", source],
    ):
        within = "plain/" in words[-1]
        assert_refused(capsys, folder, words, "data folder" if within else "input")


def test_a_pipe_cannot_be_both_ends(capsys, photo):
    os.mkfifo("pipe")
    words = [*QUERY, "--points-file", "pipe", "-o", "pipe"]
    assert run(words) == 2
    assert "also an input" in capsys.readouterr().err


def test_the_report_replaces_no_page_that_is_not_named(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr("spd.report.write.evaluation_page", lambda paths, progress: "page")
    monkeypatch.chdir(tmp_path)
    for name in ("one", "two"):
        write_text(f"{name}/settings.json", "{}")
    write_text("one/report.html", "mine")
    write_text("report.html", "mine")
    assert_refused(capsys, tmp_path, ["report", "one"], "report.html already exists")
    assert_refused(capsys, tmp_path, ["report", "one", "two"], "report.html already exists")
    assert_refused(capsys, tmp_path, ["report", "one", "-o", "one/settings.json"], "input folder")
    assert run(["report", "two"]) == 0
    assert run(["report", "one", "--overwrite"]) == 0
    assert (tmp_path / "one" / "report.html").read_text() == "page"
    assert run(["report", "one", "-o", "one/report.html"]) == 0


def test_marks_default_to_inputs():
    from typing import Annotated

    def command(
        photo: Path, more: list[Path] | None, out: Annotated[Path, Writes()], text: str
    ) -> None: ...

    assert [(one.name, one.mark) for one in parameters_of(command)] == [
        ("photo", Reads()),
        ("more", Reads()),
        ("out", Writes()),
    ]
